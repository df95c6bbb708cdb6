"""A fixed sample of the table; all of it: `make hostile`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.harness import counts, judge, try_all
from tests.hostile.table import TARGETS, Hostile

SAMPLE = TARGETS[::13]
_PARTS = 3


def test_the_table_is_large_and_half_of_it_differs() -> None:
    assert len(TARGETS) >= 300
    assert len({one.name for one in TARGETS}) == len(TARGETS)
    assert sum(one.differs for one in TARGETS) == len(TARGETS) // 2


@pytest.mark.parametrize(
    ("unseen", "code", "output", "fault"),
    [
        ("", 1, "DIFFERENT", ""),
        ("", 3, "fatal: no verdict reached", ""),
        ("", 0, "REPRODUCIBLE  t.py", "false same"),
        ("", 0, "REPRODUCIBLE in what was compared; not compared: outputs  t.py", "false same"),
        ("a loss", 0, "REPRODUCIBLE in what was compared; not compared: outputs  t.py", "false same"),
        ("a loss", 0, "REPRODUCIBLE in what was compared; not compared: a loss  t.py", ""),
        ("", 4, "internal error", "traceback"),
    ],
)
def test_a_true_difference_is_found_or_named(unseen: str, code: int, output: str, fault: str) -> None:
    target = Hostile("one", "", codes=(1, 3), differs=True, unseen=unseen)
    assert [one.partition(":")[0] for one in judge(target, code, output)][:1] == ([fault] if fault else [])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.own_templates
@pytest.mark.parametrize("part", range(_PARTS))
def test_nothing_that_a_target_does_breaks_an_audit(part: int, tmp_path: Path) -> None:
    sample = SAMPLE[part::_PARTS]
    results = list(try_all(sample, tmp_path, jobs=1))
    assert [(one.name, one.faults) for one in results if one.faults] == []
    assert counts(results)["tried"] == len(sample) > 0
