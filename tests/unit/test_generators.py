"""Generators that nobody seeded, as a ledger shows them."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.generators import drawn_before_seeded, steps_until_all_used, used
from reprocheck.model import Evidence, Seeding
from reprocheck.model.explanation import LedgerEntry
from reprocheck.protocol import EMPTY_DIGEST, KIND_COUNT, STEP_HEADER, STEP_KINDS
from tests.support.baselines import evidence


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


START, LATER = bytes([1]) * 16, bytes([2]) * 16


def run(*, numpy_from: int | None, steps: int = 30, at_end: bytes = LATER) -> Evidence:
    """Numpy's generator leaves the state of the start at this step."""
    data = b""
    for step in range(steps):
        digests = [EMPTY_DIGEST] * (KIND_COUNT + 1)
        digests[STEP_KINDS.index("rng torch")] = LATER
        digests[STEP_KINDS.index("rng numpy")] = START if numpy_from is None or step < numpy_from else LATER
        data += STEP_HEADER.pack(step, 0, 0, 0) + b"".join(digests)
    at_start = {"torch": START.hex(), "numpy": START.hex(), "python": START.hex()}
    end = {"torch": LATER.hex(), "numpy": at_end.hex(), "python": START.hex()}
    return replace(evidence(steps=data), rng=end, rng_at_start=at_start)


def test_a_run_is_cut_where_every_generator_has_been_used() -> None:
    assert used(run(numpy_from=0)) == ("numpy", "torch")
    assert steps_until_all_used(run(numpy_from=3), 10) == 10
    assert steps_until_all_used(run(numpy_from=15), 10) == 16


def test_a_generator_that_is_never_used_asks_for_nothing() -> None:
    of_torch = run(numpy_from=None, at_end=START)
    assert used(of_torch) == ("torch",)
    assert steps_until_all_used(of_torch, 10) == 10


def test_only_the_whole_run_shows_what_is_used_behind_the_last_step() -> None:
    assert steps_until_all_used(run(numpy_from=None), 10) is None
    assert steps_until_all_used(run(numpy_from=3, steps=8), 10) is None
