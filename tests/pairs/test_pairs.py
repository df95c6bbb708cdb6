"""A fixed sample of the pairs; all of them: `make pairs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pairs.compose import pairs, singles
from tests.pairs.harness import judged, table, try_all

_EVERY = pairs()
SAMPLE = _EVERY[:: len(_EVERY) // 30][:30]
IN_SECOND_TIER = (
    "glob+builtin-hash",
    "home-cache+builtin-hash",
    "pid+listdir",
    "random-instance+clock-seed",
    "sorted-by-id+iterdir",
    "sorted-by-id+sum-over-set",
    "time-budget+iterdir",
    "time-budget+sum-over-set",
    "tmpdir+listdir",
    "torch-global+glob",
    "torch-global+set-order",
)
"""Pairs of the sample whose runs differ by construction. The others hold a race, or have not been measured yet:
`python -m tests.pairs --sample`."""


def test_there_are_many_pairs_and_each_cause_has_its_line() -> None:
    assert len(_EVERY) >= 150
    assert len({one.name for one in _EVERY}) == len(_EVERY)
    for one in (*singles(), *_EVERY):
        compile(one.source, one.name, "exec")
        assert all(one.lines), one.name


def test_claims_are_judged_by_cause_and_line() -> None:
    one = next(training for training in _EVERY if training.name == "builtin-hash+set-order")
    hash_lines, set_lines = one.lines

    def claim(cause: str, line: int) -> dict[str, object]:
        return {"code": "RC531", "cause": cause, "severity": "error", "confidence": "high", "location": {"line": line}}

    findings = [claim("str-set-order", set_lines[0]), claim("builtin-hash", 1), claim("hogwild", hash_lines[0])]
    result = judged(one, 1, {"findings": findings, "explanation": None})
    assert [kind for *_, kind in result.claims] == ["right", "wrong line", "wrong"]
    assert (result.missed, result.wrong_and_sure) == ((), True)
    assert table([result]).splitlines()[1].split() == ["high", "1", "1", "1"]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_no_cause_that_is_named_with_high_confidence_is_wrong(part: int, tmp_path: Path) -> None:
    chosen = [one for one in SAMPLE if one.name in IN_SECOND_TIER]
    assert len(chosen) == len(IN_SECOND_TIER)
    results = list(try_all(chosen[part::4], tmp_path, jobs=1))
    assert [(one.name, one.claims) for one in results if one.wrong_and_sure] == []
    assert [(one.name, one.code, one.fault) for one in results if one.code != 1 or one.fault] == []
