"""The generators that a process shares, as a ledger shows them: which of them nobody seeded before drawing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from reprocheck.model import Evidence, Seeding
from reprocheck.model.explanation import LedgerEntry
from reprocheck.model.kinds import SourceKind
from reprocheck.protocol import EMPTY_DIGEST, FLAG_THREAD, STEP_HEADER, STEP_KINDS, count_steps, digest_at, records

GLOBAL = ("python", "numpy", "torch", "cuda")
ENTROPY = "entropy"
"""Value of a seed that was taken from the system."""


def drawn_before_seeded(entries: Iterable[LedgerEntry], seeding: Seeding) -> dict[str, LedgerEntry]:
    """Global generators that were drawn from before anybody seeded them, with that draw, in order.

    `seeding`: what reprocheck had seeded. What a library draws while it is imported (for names and ids) counts only
    where there is no other draw.
    """
    first: dict[str, LedgerEntry] = {}
    on_import: dict[str, LedgerEntry] = {}
    for entry in sorted(entries, key=lambda entry: entry.order):
        if (
            entry.kind not in (SourceKind.SEED, SourceKind.DRAW, SourceKind.UNSEEDED)
            or entry.in_child
            or entry.value == ENTROPY
        ):
            continue
        if entry.generator not in GLOBAL or entry.generator in seeded_by_reprocheck(seeding):
            continue
        own_business = entry.kind != SourceKind.SEED and entry.in_import and entry.library
        (on_import if own_business else first).setdefault(entry.generator, entry)
    drawn = {generator: entry for generator, entry in first.items() if entry.kind != SourceKind.SEED}
    return drawn or {generator: entry for generator, entry in on_import.items() if generator not in first}


def seeded_by_reprocheck(seeding: Seeding) -> frozenset[str]:
    """The generators that a run finds seeded."""
    if seeding is Seeding.ALL:
        return frozenset(GLOBAL)
    return frozenset({"torch", "cuda"} if seeding is Seeding.TORCH else ())


def used(run: Evidence) -> tuple[str, ...]:
    """The generators that a run drew from or seeded: they did not end in the state that they began in."""
    return tuple(name for name in GLOBAL if name in run.rng and run.rng[name] != run.rng_at_start.get(name))


def steps_until_all_used(run: Evidence, least: int) -> int | None:
    """The number of steps, at least so many, after which every generator had been used that the run used at all. None:
    only the whole run shows that."""
    if count_steps(run.steps) <= least or _is_stepped_by_threads(run):
        return None
    needed = least
    for name in used(run):
        kind = STEP_KINDS.index(f"rng {name}")
        at_start = run.rng_at_start.get(name, EMPTY_DIGEST.hex())
        states = (digest_at(record, kind).hex() for record in records(run.steps))
        first = next((step for step, state in enumerate(states) if state != at_start), None)
        if first is None:
            return None
        needed = max(needed, first + 1)
    return needed if needed < count_steps(run.steps) else None


def _is_stepped_by_threads(run: Evidence) -> bool:
    """Threads took steps: which are the first so many depends on their timing."""
    return any(STEP_HEADER.unpack_from(record)[2] & FLAG_THREAD for record in records(run.steps))


def drawn_unseeded(seeded: Evidence, unseeded: Evidence, limit: int | None) -> tuple[str, ...]:
    """The generators that a run used and did not seed: without reprocheck's seeds they end in another state. `limit`:
    steps after which the unseeded run ended."""
    if limit is None:
        return tuple(name for name in used(seeded) if seeded.rng[name] != unseeded.rng.get(name))
    one, other = (list(islice(records(run.steps), limit)) for run in (seeded, unseeded))
    if not one or len(one) != len(other):
        return ()
    kinds = {name: STEP_KINDS.index(f"rng {name}") for name in used(seeded)}
    return tuple(name for name, kind in kinds.items() if digest_at(one[-1], kind) != digest_at(other[-1], kind))
