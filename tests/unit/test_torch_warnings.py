"""Warnings of PyTorch's deterministic mode, as a real process prints them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from reprocheck.diagnosis.torch_warnings import nondeterministic

CODE = """
import torch
torch.use_deterministic_algorithms(True, warn_only=True)
for _ in range(2):
    torch.zeros(4).put_(torch.tensor([1, 1]), torch.tensor([1.0, 2.0]))
"""


def test_an_operation_that_pytorch_warns_of_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "stderr.txt"
    with path.open("wb") as stderr:
        subprocess.run([sys.executable, "-c", CODE], stderr=stderr, check=True)
    run: Any = SimpleNamespace(stderr=path)
    (warning,) = nondeterministic([run, run, SimpleNamespace(stderr=tmp_path / "none")])  # type: ignore[list-item]
    assert warning.startswith("put_ does not have a deterministic implementation")
