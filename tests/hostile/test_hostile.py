"""A fixed sample of the table; all of it: `make hostile`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.harness import counts, try_all
from tests.hostile.table import TARGETS

SAMPLE = TARGETS[::11]


def test_the_table_is_large_and_half_of_it_differs() -> None:
    assert len(TARGETS) >= 300
    assert len({one.name for one in TARGETS}) == len(TARGETS)
    assert sum(one.differs for one in TARGETS) == len(TARGETS) // 2


@pytest.mark.slow
def test_nothing_that_a_target_does_breaks_an_audit(tmp_path: Path) -> None:
    results = list(try_all(SAMPLE, tmp_path))
    assert [(one.name, one.faults) for one in results if one.faults] == []
    assert counts(results)["tried"] == len(SAMPLE)
