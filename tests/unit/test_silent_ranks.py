"""Ranks that stand still: what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reprocheck.evidence.silent import Standing, standings, told, told_of_failure
from reprocheck.protocol.rank_folders import all_over
from reprocheck.protocol.rank_places import ASK_FILE, PLACE_FILE, Call, Place, ask, listens, read_place, remove_pipes
from reprocheck.worker.recorder import Recorder
from tests.support.ranks import identity, make_rank

HERE = Path("/x")


def at(rank: int, line: int, begun: int, kind: str = "all_reduce", size: int = 4, **more: Any) -> Standing:
    """A rank that has begun so many collectives of the first group."""
    calls = tuple(Call(group="0", number=n, kind=kind, inputs=f"float[{size}]") for n in range(1, begun + 1))
    groups = {"0": begun, **more.pop("groups", {})}
    place = Place(rank=rank, groups=groups, calls=calls, path="/x/train.py", line=line, within="work")
    return Standing(rank=rank, closed=False, gone=False, place=place)


def lost(rank: int, *, closed: bool = False, gone: bool = False) -> Standing:
    return Standing(rank=rank, closed=closed, gone=gone, place=None)


@pytest.mark.parametrize(
    ("ranks", "text"),
    [
        (
            [at(0, 88, 14), at(1, 80, 13)],
            "rank 1 fell silent at train.py:80 in work(), before all_reduce 14 of group 0; "
            "rank 0 waits there at train.py:88",
        ),
        (
            [at(0, 88, 14), lost(1, gone=True)],
            "rank 1 was killed, or ended its process before its evidence was closed, at or before all_reduce 14 of "
            "group 0; rank 0 waits there at train.py:88",
        ),
        (
            [at(0, 88, 14), lost(1, closed=True), at(2, 88, 14)],
            "rank 1 came to its end, at or before all_reduce 14 of group 0; rank 0 waits there at train.py:88, "
            "rank 2 waits there at train.py:88",
        ),
        (
            [at(0, 88, 14), at(1, 90, 14, "broadcast")],
            "collective 14 of group 0 is not the same in all ranks: all_reduce of float[4] in rank 0 at train.py:88, "
            "broadcast of float[4] in rank 1 at train.py:90",
        ),
        (
            [at(0, 88, 14), at(1, 88, 14, size=5)],
            "collective 14 of group 0 is not the same in all ranks: all_reduce of float[4] in rank 0 at train.py:88, "
            "all_reduce of float[5] in rank 1 at train.py:88",
        ),
        (
            [at(0, 7, 3), at(1, 9, 3)],
            "all ranks stand still after collective 3 of group 0: rank 0 at train.py:7, rank 1 at train.py:9",
        ),
        (
            [at(0, 7, 3, groups={"1": 2}), at(1, 9, 3, groups={"1": 1}), at(2, 9, 3)],
            "rank 1 fell silent at train.py:9 in work(), before collective 2 of group 1; "
            "rank 0 waits there at train.py:7",
        ),
        ([lost(0), lost(1)], "rank 0 fell silent and does not answer, rank 1 fell silent and does not answer"),
        ([at(0, 3, 0), lost(1, closed=True)], "rank 0 fell silent at train.py:3 in work(), rank 1 came to its end"),
    ],
)
def test_who_did_not_come_to_a_collective(ranks: list[Standing], text: str) -> None:
    assert told(ranks, HERE) == text


def test_a_rank_answers_through_its_folder(tmp_path: Path) -> None:
    open_, gone = make_rank(tmp_path, 0, close=False), make_rank(tmp_path, 1, close=False)
    make_rank(tmp_path, 2)
    answer = {"rank": 0, "groups": {"0": 3}, "calls": [], "path": "/x/t.py", "line": 4, "within": "f"}
    (open_ / PLACE_FILE).write_text(json.dumps(answer))
    (gone / PLACE_FILE).write_text(json.dumps({**answer, "rank": 1}))
    found = standings(tmp_path, lambda pid: pid == 1001)
    assert [(one.rank, one.closed, one.gone) for one in found] == [
        (0, False, False),
        (1, False, True),
        (2, True, False),
    ]
    assert found[0].place == Place(rank=0, groups={"0": 3}, calls=(), path="/x/t.py", line=4, within="f")
    assert found[1].place is None  # of a process that is no more
    assert not all_over(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"rank": 0}', '{"rank": -1, "groups": {}}', "\x00"])
def test_nonsense_is_no_answer(text: str, tmp_path: Path) -> None:
    (tmp_path / PLACE_FILE).write_text(text)
    assert read_place(tmp_path) is None


def test_nobody_is_asked_through_a_file(tmp_path: Path) -> None:
    (tmp_path / ASK_FILE).write_text("theirs")
    ask(tmp_path)
    remove_pipes(tmp_path)
    assert not listens(tmp_path)
    assert (tmp_path / ASK_FILE).read_text() == "theirs"


def failed(run: Path, rank: int, error: str) -> None:
    folder = run / "ranks" / f"{rank}-0"
    folder.mkdir(parents=True)
    recorder = Recorder(folder)
    recorder.line("rank", **identity(rank))
    recorder.end(status="failed", returned=False, error=error, stopped_at=None, skipped=0)


def test_why_ranks_failed(tmp_path: Path) -> None:
    assert told_of_failure(tmp_path, "") == ""
    failed(tmp_path, 0, "RuntimeError: Connection closed by peer at t.py:9")
    make_rank(tmp_path, 1, close=False)
    killed = "rank 1 was killed, or ended its process before its evidence was closed"
    assert told_of_failure(tmp_path, "") == f"{killed}, rank 0: RuntimeError: Connection closed by peer at t.py:9"
    agent = "Root Cause (first observed failure):\n[0]:\n  rank      : 1 (local_rank: 1)\n  exitcode  : -9 (pid: 5)\n"
    assert told_of_failure(tmp_path, agent).startswith("rank 1 was ended by signal 9, rank 0")
    failed(tmp_path, 2, "ValueError: no more data\n at t.py:5")
    assert told_of_failure(tmp_path, agent) == "rank 2: ValueError: no more data at t.py:5"
