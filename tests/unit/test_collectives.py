"""Collectives of traced ranks, side by side: through which of them a difference went from rank to rank."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reprocheck.diagnosis.localization.communication import find_spread
from reprocheck.evidence.collectives_file import load_collectives
from reprocheck.evidence.run import EvidenceUnreadable
from reprocheck.model import RunSpec
from reprocheck.model.explanation import Spread
from reprocheck.protocol.collective_format import COLLECTIVES_FILE
from reprocheck.report.sections.spread import spread_text
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.trace import collectives as traced
from tests.support.evidence import make_run

Seen = tuple[str, str]
"""What went in and what came out, as a word."""


def write(run: Path, rank: int, calls: list[Seen], group: str = "0", size: int = 2) -> Path:
    """The collectives of a rank, all of one group."""
    folder = run / "ranks" / f"{rank}-0"
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, Any]] = []
    for number, (given, gotten) in enumerate(calls, 1):
        tensor = {"dtype": "float32", "shape": [4]}
        place = {"path": "/x/train.py", "line": 80 + number, "step": number - 1}
        begun = {"begun": number, "op": "allreduce", "group": group, "sequence": number, "size": size, **place}
        lines.append({**begun, "inputs": [{**tensor, "digest": given}]})
        if gotten:
            lines.append({"done": number, "outputs": [{**tensor, "digest": gotten}]})
    (folder / COLLECTIVES_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def spread(folder: Path, a: list[list[Seen]], b: list[list[Seen]], **more: Any) -> Spread | None:
    """Of two runs: the collectives of each of their ranks."""
    for name, ranks in (("a", a), ("b", b)):
        for rank, calls in enumerate(ranks):
            write(folder / name, rank, calls, **more)
    return find_spread(folder / "a", folder / "b")


SAME = ("i", "o")


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        (
            [[SAME, ("x", "s")], [SAME, ("y", "s")]],
            [[SAME, ("x", "t")], [SAME, ("z", "t")]],
            "rank 1 first, in its own compute; reached rank 0 through the allreduce of step 1 (number 2 of group 0, "
            "float32[4]) at /x/train.py:82",
        ),
        (
            [[SAME, ("x", "s")], [SAME, ("y", "s")]],
            [[SAME, ("x", "t")], [SAME, ("y", "t")]],
            "equal inputs on all ranks, other output: communication, in the allreduce of step 1 (number 2 of group 0, "
            "float32[4]) at /x/train.py:82",
        ),
        (
            [[("x", "s"), SAME], [("y", "s"), SAME]],
            [[("p", "t"), SAME], [("q", "t"), SAME]],
            "what ranks 0 and 1 put into the allreduce of step 0 (number 1 of group 0, float32[4]) at /x/train.py:81 "
            "differs already: none of them is known to be the first",
        ),
        ([[SAME, SAME], [SAME, SAME]], [[SAME, SAME], [SAME, SAME]], ""),
        ([[SAME, ("x", "")], [SAME, ("y", "")]], [[SAME, ("x", "")], [SAME, ("z", "")]], ""),  # not seen to be done
    ],
)
def test_how_it_went_from_rank_to_rank(a: list[list[Seen]], b: list[list[Seen]], text: str, tmp_path: Path) -> None:
    found = spread(tmp_path, a, b)
    assert ("" if found is None else spread_text(found, None)) == text


def test_nothing_is_claimed_where_a_rank_of_the_group_is_not_known(tmp_path: Path) -> None:
    a, b = [[("x", "s")], [("y", "s")]], [[("x", "t")], [("y", "t")]]
    assert spread(tmp_path / "all", a, b) is not None
    assert spread(tmp_path / "four", a, b, size=4) is None
    assert spread(tmp_path / "unread", [[("unread", "s")], [("y", "s")]], [[("unread", "t")], [("y", "t")]]) is None


def test_one_behind_another_difference_is_not_the_one(tmp_path: Path) -> None:
    """Ranks 0 and 1 share group a, ranks 1 and 2 group b: what rank 1 got in a, it gave to b."""
    for name, word in (("a", "s"), ("b", "t")):
        run = tmp_path / name
        write(run, 0, [(word, word)], "a")
        write(run, 2, [("i", word)], "b")
        first, second = write(run, 1, [("i", word)], "a"), write(run, 3, [(word, word)], "b")
        lines = (first / COLLECTIVES_FILE).read_text().splitlines()
        more = (
            (second / COLLECTIVES_FILE)
            .read_text()
            .replace('"begun": 1', '"begun": 2')
            .replace('"done": 1', '"done": 2')
        )
        (first / COLLECTIVES_FILE).write_text("\n".join(lines) + "\n" + more)
        (second / COLLECTIVES_FILE).write_text("")
    found = find_spread(tmp_path / "a", tmp_path / "b")
    assert found is not None
    assert (found.group, found.gave, found.got) == ("a", (0,), (0, 1))


@pytest.mark.parametrize(
    "text", ["[1]\n", '{"done": 1, "outputs": []}\n', '{"begun": 2}\n', '{"begun": 1}\n', "\x00\n"]
)
def test_damaged_collectives_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / COLLECTIVES_FILE).write_text(text)
    with pytest.raises(EvidenceUnreadable):
        load_collectives(tmp_path)


def test_a_line_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path, 0, [SAME, SAME])
    whole = (folder / COLLECTIVES_FILE).read_bytes()
    (folder / COLLECTIVES_FILE).write_bytes(whole[:-10])
    assert [one.outputs is None for one in load_collectives(folder)] == [False, True]
    assert load_collectives(tmp_path) == ()


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    return make_run(tmp_path / "run").spec


def test_what_came_out_is_looked_at_once_it_is_done(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = SimpleNamespace(group_name="0", size=lambda: 2, rank=lambda: 1, _get_sequence_number_for_group=lambda: 7)
    done: list[bool] = []
    monkeypatch.setattr(traced, "_group_of", lambda given: group)
    monkeypatch.setattr(traced, "_question", lambda result: lambda: bool(done))
    ours = traced.Collectives(tmp_path, Sites(spec))
    tensor = torch.ones(3)
    begun = ours.before(torch.ops.c10d.allreduce_.default._schema, ([tensor], None, None, None), {})
    assert begun is not None
    ours.after(begun, None)
    tensor += 1
    ours.settle()
    [seen] = load_collectives(tmp_path)
    assert (seen.op, seen.group, seen.sequence, seen.forms, seen.outputs) == (
        "allreduce",
        "0",
        7,
        ("float32[3]",),
        None,
    )
    done.append(True)
    ours.settle()
    [seen] = load_collectives(tmp_path)
    assert seen.outputs is not None
    assert seen.outputs != seen.inputs
    assert not ours.pending
    received = ours.before(torch.ops.c10d.broadcast_.default._schema, ([tensor], None, 0, 0), {})
    assert received is not None
    assert (received.inputs, len(received.outputs)) == ([], 1)  # of a rank that receives it means nothing before
    assert ours.before(torch.ops.c10d.barrier.default._schema, (tensor,), {}) is None
