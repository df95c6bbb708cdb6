"""Two thousand damaged inputs over every reader: none ends in an error that it does not name, none passes for whole."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.run import fuzz


def test_every_reader(tmp_path: Path) -> None:
    report = fuzz(tmp_path, 2000)
    assert report.is_clean, "\n".join(report.lines())
    assert sum(report.tried.values()) == 2000
