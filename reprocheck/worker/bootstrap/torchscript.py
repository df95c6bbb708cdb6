"""Wrapped functions of torch in scripted code."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def register_with_torchscript(original: Any, wrapper: Any) -> None:
    """torch.jit.script knows functions of torch by what they are."""
    known: Any = sys.modules.get("torch.jit._builtins")
    if known is not None:
        with contextlib.suppress(AttributeError):  # a PyTorch that keeps them otherwise
            operator = known._find_builtin(original)
            if operator is not None:
                known._register_builtin(wrapper, operator)
