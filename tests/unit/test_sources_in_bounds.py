"""Source files of a user are read in bounds: one that became a pipe or grew without end hangs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reprocheck.commands.vary.flags import flags_of
from reprocheck.config.target import parse_target
from reprocheck.diagnosis.localization.source_lines import source_line
from reprocheck.diagnosis.source.scan import scan
from reprocheck.errors import UsageError
from reprocheck.model import Target, TargetKind


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.touch() or os.truncate(path, 1 << 40)])
def test_pipes_and_endless_files(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "t.py"
    make(path)
    assert source_line(str(path), 1) == ""
    assert scan([path]) == ()
    assert flags_of(Target(text="t.py:f", kind=TargetKind.FILE_FUNCTION, path=path, function="f")) == ()
    with pytest.raises(UsageError):
        parse_target(str(path), None, (), ())
