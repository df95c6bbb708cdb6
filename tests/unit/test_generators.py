"""Generators that nobody seeded, as a ledger shows them."""

from __future__ import annotations

from reprocheck.diagnosis.generators import drawn_before_seeded
from reprocheck.model import Seeding
from reprocheck.model.explanation import LedgerEntry


def entry(order: int, kind: str, generator: str, **more: object) -> LedgerEntry:
    return LedgerEntry(kind=kind, name=f"{generator}.{kind}", generator=generator, order=order, **more)  # type: ignore[arg-type]


def names(*entries: LedgerEntry, seeding: Seeding = Seeding.NONE) -> list[str]:
    return list(drawn_before_seeded(entries, seeding))


def test_a_draw_before_the_seed_counts_and_one_behind_it_does_not() -> None:
    assert names(entry(0, "draw", "numpy"), entry(1, "seed", "numpy")) == ["numpy"]
    assert names(entry(1, "draw", "numpy"), entry(0, "seed", "numpy")) == []
    assert names(entry(0, "seed", "numpy", value="entropy"), entry(1, "draw", "numpy")) == ["numpy"]


def test_random_state_none_is_a_draw() -> None:
    assert names(entry(0, "unseeded", "numpy", library="sklearn")) == ["numpy"]


def test_what_reprocheck_seeded_is_not_left_to_chance() -> None:
    drawn = (entry(0, "draw", "torch"), entry(1, "draw", "numpy"))
    assert names(*drawn, seeding=Seeding.TORCH) == ["numpy"]
    assert names(*drawn, seeding=Seeding.ALL) == []


def test_a_library_that_draws_while_it_is_imported_comes_last() -> None:
    on_import = entry(0, "draw", "python", in_import=True, library="rich")
    assert names(on_import, entry(1, "draw", "numpy")) == ["numpy"]
    assert names(on_import) == ["python"]
    assert names(on_import, entry(1, "seed", "python")) == []


def test_private_generators_and_children_are_other_causes() -> None:
    assert names(entry(0, "draw", "numpy.random.Generator"), entry(1, "draw", "torch", in_child=True)) == []
