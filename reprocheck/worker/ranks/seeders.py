"""Who seeded PyTorch's generator of a rank: a line of the user's, or a library, which gives all ranks one seed by
design (`accelerate.utils.set_seed`, `transformers.set_seed`, `lightning.seed_everything`).

Watched in the children of a run alone. What reprocheck seeds itself is not taken down.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from reprocheck.protocol.package import PACKAGE_FOLDER
from reprocheck.worker.bootstrap.torchscript import register_with_torchscript

MOST_CALLS = 64
"""The last ones are kept."""
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class SeedGiven:
    """A call of `torch.manual_seed`."""

    seed: int
    callers: tuple[tuple[CodeType, int], ...]
    """Code and instruction, innermost first."""


_given: list[SeedGiven] = []


def _watched(original: Callable[..., Any], torch: Any, own: str) -> Callable[..., Any]:
    def manual_seed(*args: Any, **kwargs: Any) -> Any:
        generator = original(*args, **kwargs)
        _take_down(int(torch.initial_seed()), sys._getframe(1), own)
        return generator

    return manual_seed


WRAPPER = _watched(lambda: None, None, "").__code__
"""Who looks for the caller of `torch.manual_seed` goes on from this code to its caller: it may lie around the function
that an explaining run watches."""


def watch_seeds() -> None:
    """After the import of torch."""
    torch: Any = sys.modules["torch"]
    original: Callable[..., Any] = torch.manual_seed
    if hasattr(original, "_watched_by_reprocheck"):
        return
    own = os.path.dirname(torch.__file__) + os.sep

    wrapper: Any = functools.wraps(original)(_watched(original, torch, own))
    wrapper._watched_by_reprocheck = True
    wrapper._torchdynamo_inline = original
    register_with_torchscript(original, wrapper)
    for module in (torch, torch.random):
        if getattr(module, "manual_seed", None) is original:
            module.manual_seed = wrapper


def _take_down(seed: int, frame: FrameType | None, torch: str) -> None:
    while frame is not None and frame.f_code.co_filename.startswith(torch):  # torch._dynamo wraps it once more
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
        return
    callers: list[tuple[CodeType, int]] = []
    while frame is not None and len(callers) < _DEEPEST:
        callers.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    _given.append(SeedGiven(seed, tuple(callers)))
    del _given[:-MOST_CALLS]


def seeds_given() -> list[SeedGiven]:
    """In this process, the last one at the end."""
    return list(_given)
