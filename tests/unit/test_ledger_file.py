"""A ledger is read without trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reprocheck.diagnosis.ledger_file import load_entries
from reprocheck.protocol import LEDGER_FILE

LINE: dict[str, Any] = {
    "pid": 5, "order": 0, "kind": "clock", "name": "time.time", "generator": "", "path": "", "line": 0, "library": "",
    "value": "", "count": 1, "step": 0, "threads": 1, "in_import": False, "in_child": False,
}  # fmt: skip


def written(folder: Path, *lines: object) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / LEDGER_FILE).write_text(text)
    return folder


def test_a_later_line_has_the_count(tmp_path: Path) -> None:
    [entry] = load_entries(written(tmp_path, LINE, {**LINE, "count": 10}, {**LINE, "count": 12}))
    assert entry.count == 12


def test_children_are_one(tmp_path: Path) -> None:
    child = {**LINE, "in_child": True, "count": 2}
    entries = load_entries(written(tmp_path, LINE, {**child, "pid": 6}, {**child, "pid": 7}))
    assert [(entry.count, entry.in_child) for entry in entries] == [(1, False), (4, True)]


def test_the_source_line_is_read_here(tmp_path: Path) -> None:
    source = tmp_path / "train.py"
    source.write_text("\n    rng = np.random.RandomState()\n")
    line = {**LINE, "name": "numpy.random.SeedSequence", "path": str(source), "line": 2}
    [entry] = load_entries(written(tmp_path, line))
    assert (entry.code, entry.name) == ("rng = np.random.RandomState()", "numpy.random.RandomState")


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "[]", "null", "1e999", "[" * 100_000, "\0", '{"kind": "clock"}',
        {**LINE, "count": 0}, {**LINE, "kind": 3}, {**LINE, "name": ["x"]}, {**LINE, "kind": ""},
    ],
)  # fmt: skip
def test_hostile_lines_are_passed_over(tmp_path: Path, line: object) -> None:
    assert len(load_entries(written(tmp_path, line, {**LINE, "order": 1}))) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "/dev/zero", "line": 1}, {"path": "\0", "line": 1},
        {"path": "/", "line": -4}, {"path": 7, "line": "x"}, {"count": "many"}, {"count": 1e300}, {"count": -5},
        {"step": True}, {"value": {"a": 1}}, {"threads": None}, {"pid": 10**30}, {"order": "x"},
    ],
)  # fmt: skip
def test_hostile_fields_do_no_harm(tmp_path: Path, fields: dict[str, Any]) -> None:
    [entry] = load_entries(written(tmp_path, {**LINE, **fields}))
    assert (entry.code, entry.count, entry.step, entry.threads) == ("", 1, 0, 1)


def test_no_file(tmp_path: Path) -> None:
    assert load_entries(tmp_path) == ()
