"""Ranks of one run held against one another: what copies of one model must share, and what they must not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, pairwise

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

CALLED, STEPPED, DROPS = "replica-called", "replica-stepped", "replica-drops"
"""Facts that a rank notes of itself: where it first called, and first stepped, a copy of a model, and that this one has
dropout: where, the seed of its generator, who gave it (`own` line, `library` or `unknown`), and those given before."""
CALLED_ALONE = "rank-called"
"""The same as CALLED of a model that `DistributedDataParallel` does not hold."""
DIFFER, SAME_BATCHES, SAME_MASKS = "replicas-differ", "ranks-same-batches", "ranks-same-masks"
NOT_AVERAGED, OTHER_START = "gradients-not-averaged", "ranks-other-start"
LEAST_BATCHES = 3
"""Different ones in a rank: with fewer a program may mean to repeat one batch."""
LEAST_STEPS = 3
"""Of all ranks, for what is to be so at every step."""
MOST_STEPS = 100_000
_NUMBER = {kind: number for number, kind in enumerate(STEP_KINDS)}


def facts_between(ranks: Sequence[RankEvidence]) -> tuple[Fact, ...]:
    """Of the first start of all ranks, where every one trains a copy of the same model."""
    first = [one for one in ranks if not one.start and not one.left_open]
    world = {one.world_size for one in first}
    if len(first) < 2 or world != {len(first)}:
        return ()
    if all(_trains_a_copy(one.evidence, CALLED) for one in first):
        return (*_of_copies(first), *_same_masks(first))
    if all(_trains_a_copy(one.evidence, CALLED_ALONE) for one in first):
        return (*_of_equal_models(first), *_same_masks(first))
    return ()


def _of_copies(first: Sequence[RankEvidence]) -> Iterator[Fact]:
    """Where `DistributedDataParallel` averages the gradients."""
    own, *others = (one.evidence for one in first)
    if any(_start_of(own) != _start_of(other) for other in others):
        return  # each has a part of its own: shards, or optimizers that share the work
    differing = _first_differing(first)
    if differing is not None:
        rank, step = differing
        yield _fact(DIFFER, rank.evidence, STEPPED, names=(rank.name,), step=step)
    elif _same_batches([own, *others]):
        names = tuple(one.name for one in first)
        yield _fact(SAME_BATCHES, own, CALLED, names=names, step=0)


def _of_equal_models(first: Sequence[RankEvidence]) -> Iterator[Fact]:
    """Where the training itself has to."""
    own, *others = (one.evidence for one in first)
    if any(_forms_of(own) != _forms_of(other) for other in others) or not own.initial:
        return
    names = tuple(one.name for one in first)
    if all(_start_of(own) == _start_of(other) for other in others):
        differing = _first_differing(first)
        if differing is not None and not _come_together(first):
            rank, step = differing
            if _at(rank, "gradients", step) != _at(first[0], "gradients", step):
                yield _fact(NOT_AVERAGED, rank.evidence, STEPPED, names=(rank.name,), step=step)
        return
    gradients = [_digests(one.evidence, "gradients") for one in first]
    steps = min(map(len, gradients))
    various = EMPTY_DIGEST not in gradients[0] and len(set(gradients[0])) >= LEAST_STEPS
    if steps >= LEAST_STEPS and various and all(one[:steps] == gradients[0][:steps] for one in gradients):
        yield _fact(OTHER_START, own, STEPPED, names=names, step=0)


def _come_together(ranks: Sequence[RankEvidence]) -> bool:
    """Whether all end with equal parameters: they are averaged themselves. Not known of ranks that were ended."""
    if any(one.evidence.partial or one.evidence.stopped_at is not None for one in ranks):
        return True
    ends = [_end(one.evidence) for one in ranks]
    return EMPTY_DIGEST in ends or len(set(ends)) == 1


def _end(run: Evidence) -> bytes:
    """The digest of the parameters at the end."""
    last = EMPTY_DIGEST
    for record in islice(records(run.steps), MOST_STEPS):
        if STEP_HEADER.unpack_from(record)[2] & FLAG_TAIL:
            last = bytes(digest_at(record, _NUMBER["parameters"]))
    return last


def _same_masks(first: Sequence[RankEvidence]) -> Iterator[Fact]:
    """Where models drop out, and the generators of all ranks are equal at every step, in which something was drawn.

    A library that seeds all ranks alike does so by design (and has an option for the other); a line of the user's that
    does may be changed. And who had given each rank a seed of its own did not want them to be equal."""
    drops = [fact for one in first for fact in one.evidence.facts if fact.kind == DROPS][: len(first)]
    known = [fact for fact in drops if fact.names[2:3] in (("own",), ("library",))]
    if len(drops) < len(first) or not known:
        return
    by_library = any(fact.names[2] == "library" for fact in known)
    if by_library and len({fact.names[3:] for fact in drops}) == 1:
        return
    states = [_digests(one.evidence, "rng torch") for one in first]
    batches = [_digests(one.evidence, "batch") for one in first]
    steps = min(map(len, states))
    drawn = all(before != after for before, after in pairwise(states[0][:steps]))
    if steps < LEAST_STEPS or not drawn or any(one[:steps] != states[0][:steps] for one in states):
        return
    if any(one[:1] != batches[0][:1] for one in batches[1:]):  # of equal batches something else is said
        names = (known[0].names[0], *(one.name for one in first))
        yield replace(known[0], kind=SAME_MASKS, names=names, named=len(names), step=0)


def _forms_of(run: Evidence) -> tuple[object, ...]:
    """What a model consists of, whatever its values."""
    return tuple(sorted((record.name, record.kind, record.shape) for record in run.initial))


def _at(rank: RankEvidence, kind: str, step: int) -> bytes:
    return _digests(rank.evidence, kind)[step]


def _trains_a_copy(run: Evidence, kind: str) -> bool:
    """And nothing else: it has one optimizer, which steps in the main thread."""
    called = sum(fact.count for fact in run.facts if fact.kind in (CALLED, CALLED_ALONE))
    if not any(fact.kind == kind for fact in run.facts):
        return False
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
