"""Ranks of one run held against one another: what copies of one model must share, and what they must not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from reprocheck.model import Evidence, Fact, RankEvidence
from reprocheck.protocol import (
    EMPTY_DIGEST,
    FLAG_TAIL,
    FLAG_THREAD,
    STEP_HEADER,
    STEP_KINDS,
    digest_at,
    records,
)

CALLED, STEPPED = "replica-called", "replica-stepped"
"""Facts that a rank notes of itself: where it first called, and first stepped, a copy of a model."""
DIFFER, SAME_BATCHES = "replicas-differ", "ranks-same-batches"
LEAST_BATCHES = 3
"""Different ones in a rank: with fewer a program may mean to repeat one batch."""
MOST_STEPS = 100_000
_NUMBER = {kind: number for number, kind in enumerate(STEP_KINDS)}


def facts_between(ranks: Sequence[RankEvidence]) -> tuple[Fact, ...]:
    """Of the first start of all ranks, where every one trains a copy of the same model."""
    first = [one for one in ranks if not one.start and not one.left_open]
    world = {one.world_size for one in first}
    if len(first) < 2 or world != {len(first)} or not all(_trains_a_copy(one.evidence) for one in first):
        return ()
    own, *others = (one.evidence for one in first)
    if any(_start_of(own) != _start_of(other) for other in others):
        return ()  # each has a part of its own: shards, or optimizers that share the work
    found = []
    differing = _first_differing(first)
    if differing is not None:
        rank, step = differing
        found.append(_fact(DIFFER, rank.evidence, STEPPED, names=(rank.name,), step=step))
    elif _same_batches([own, *others]):
        names = tuple(one.name for one in first)
        found.append(_fact(SAME_BATCHES, own, CALLED, names=names, step=0))
    return tuple(found)


def _trains_a_copy(run: Evidence) -> bool:
    """And nothing else: it has one optimizer, which steps in the main thread."""
    called = sum(fact.count for fact in run.facts if fact.kind == CALLED)
    return called == 1 and any(fact.kind == STEPPED for fact in run.facts) and len(run.optimizers) == 1


def _start_of(run: Evidence) -> tuple[object, ...]:
    initial = {(record.name, record.shape, record.digest) for record in run.initial if record.kind == "parameter"}
    return run.optimizers, frozenset(initial)


def _first_differing(ranks: Sequence[RankEvidence]) -> tuple[RankEvidence, int] | None:
    """The first step after which parameters are not those of rank 0, and the rank."""
    known = [_digests(one.evidence, "parameters") for one in ranks]
    for step, together in enumerate(zip(*known, strict=False)):
        for rank, digest in zip(ranks, together, strict=True):
            if digest != together[0]:
                return rank, step
    return None


def _same_batches(runs: Sequence[Evidence]) -> bool:
    known = [_digests(run, "batch") for run in runs]
    own = set(known[0])
    return len(own) >= LEAST_BATCHES and EMPTY_DIGEST not in own and all(one == known[0] for one in known)


def _digests(run: Evidence, kind: str) -> list[bytes]:
    """Of every step."""
    found = []
    for record in islice(records(run.steps), MOST_STEPS):
        if not STEP_HEADER.unpack_from(record)[2] & (FLAG_TAIL | FLAG_THREAD):
            found.append(bytes(digest_at(record, _NUMBER[kind])))
    return found


def _fact(kind: str, run: Evidence, at: str, *, names: tuple[str, ...], step: int) -> Fact:
    place = next((fact.location for fact in run.facts if fact.kind == at), None)
    return Fact(kind=kind, location=place, names=names, named=len(names), step=step)
