"""When the libraries of a template need not be taken down at the end of a run."""

from __future__ import annotations

import os
import sys

import numpy
import pytest
import torch

from reprocheck.worker.bootstrap.quick_exit import _libraries, _of_others

STDLIB = os.path.dirname(os.__file__)


@pytest.mark.parametrize(
    ("path", "is_another"),
    [
        (f"{STDLIB}/lib-dynload/_csv.so", False),
        (f"{os.path.dirname(numpy.__file__)}/random/mtrand.so", False),
        (f"{os.path.dirname(torch.__file__)}/lib/libshm.so", False),
        (f"{STDLIB}/site-packages/other/_c.so", True),
        (f"{os.path.dirname(torch.__file__)}vision/_C.so", True),
        ("/usr/lib/libcuda.so.1", True),
    ],
)
def test_libraries_of_others(path: str, is_another: bool) -> None:
    assert _of_others({path}) is is_another


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_loaded_libraries_are_seen() -> None:
    assert any(path.startswith(os.path.dirname(torch.__file__)) for path in _libraries())
