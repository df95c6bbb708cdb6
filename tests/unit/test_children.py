"""What is told of child processes, by the marks that they left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.compare.verdict import unique
from reprocheck.evidence.children import children_of
from reprocheck.protocol.child_marks import CHILDREN_FILE, MAPPED, TRAINED, mark, rank_in


@pytest.mark.parametrize(
    ("ranks", "text"),
    [
        ([1], "1 child process that used torch (rank 1)"),
        ([1, 3], "2 child processes that used torch (ranks 1 and 3)"),
        ([1, 2, 3], "3 child processes that used torch (ranks 1 to 3)"),
        ([0, 2, 3], "3 child processes that used torch (ranks 0, 2 and 3)"),
        ([0, 0], "2 child processes that used torch (rank 0)"),
        ([0, None], "2 child processes that used torch"),
        ([None], "1 child process that used torch"),
    ],
)
def test_ranks_are_named_where_all_are_known(ranks: list[int | None], text: str, tmp_path: Path) -> None:
    for pid, rank in enumerate(ranks, 100):
        mark(str(tmp_path / CHILDREN_FILE), pid, TRAINED if pid % 2 else MAPPED, rank)
    [told] = children_of(tmp_path)
    assert (told.what, told.is_result) == (text, True)
    assert unique([replace(told, what="1 child process that used torch"), told])[-1] == told


def test_a_rank_stands_in_the_environment() -> None:
    assert rank_in({"RANK": "3", "LOCAL_RANK": "1"}) == 3
    assert rank_in({"RANK": "x", "LOCAL_RANK": "1"}) == 1
    assert rank_in({}) is None


def test_a_damaged_rank_is_none(tmp_path: Path) -> None:
    (tmp_path / CHILDREN_FILE).write_text('{"pid": 1, "how": "trained", "rank": "1"}\n{"pid": 2, "how": "trained"}\n')
    [told] = children_of(tmp_path)
    assert told.what == "2 child processes that used torch"
