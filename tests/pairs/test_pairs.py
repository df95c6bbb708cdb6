"""A fixed sample of the pairs; all of them: `make pairs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pairs.causes import CAUSES
from tests.pairs.compose import pairs, singles
from tests.pairs.harness import judged, table, try_all

_EVERY = pairs()
_NAMES = frozenset(
    """
    faster-of-two+save-due index-put+clock-seed glob+builtin-hash numpy-global+time-budget as-completed+home-cache
    module-set+clock-feature sorted-by-id+numpy-rng tmpdir+set-order sum-over-set+tmp-leftover pid+listdir
    seed-none+random-instance torch-empty+iterdir torch-global+uuid urandom+loader-workers home-cache+np-empty
    producer+tmpdir counter-file+index-put python-global+module-set tmpdir+wait-set iterdir+arrival-sum
    sorted-by-id+numpy-global glob+faster-of-two home-cache+builtin-hash module-set+random-instance
    clock-feature+set-order numpy-rng+sum-over-set pid+uuid iterdir+tmp-leftover module-set+seed-none
    faster-of-two+clock-seed
    """.split()  # noqa: SIM905
)
SAMPLE = tuple(one for one in _EVERY if one.name in _NAMES)
"""In each at least one cause makes the runs differ by construction, and explaining it takes few runs."""
_PARTS = 10


def test_there_are_many_pairs_and_each_cause_has_its_line() -> None:
    assert len(_EVERY) >= 150
    assert len({one.name for one in _EVERY}) == len(_EVERY)
    for one in (*singles(), *_EVERY):
        compile(one.source, one.name, "exec")
        assert all(one.lines), one.name


def test_the_sample_holds_what_differs_by_construction() -> None:
    assert len(SAMPLE) == len(_NAMES) == 30
    assert all(any(not cause.is_race for cause in one.causes) for one in SAMPLE)
    alone = {"background-draw"}  # no pair has it beside a cause that is no race
    assert {cause.name for one in SAMPLE for cause in one.causes} == {cause.name for cause in CAUSES} - alone


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
@pytest.mark.long
@pytest.mark.parametrize("part", range(_PARTS))
def test_no_cause_that_is_named_with_high_confidence_is_wrong(part: int, tmp_path: Path) -> None:
    results = list(try_all(SAMPLE[part::_PARTS], tmp_path, jobs=1))
    assert [(one.name, one.claims) for one in results if one.wrong_and_sure] == []
    assert [(one.name, one.code, one.fault) for one in results if one.code != 1 or one.fault] == []
