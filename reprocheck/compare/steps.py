"""The step records of two runs: where they diverge, and in what. Pure.

Records are chained: a record's chain digest covers all deciding kinds up to it, so equal chains mean equal
histories and the first difference is found by bisection.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reprocheck.protocol import (
    DECIDING_KINDS,
    EMPTY_DIGEST,
    FLAG_BACKWARD,
    FLAG_DEVICE,
    FLAG_TAIL,
    FLAG_THREAD,
    KIND_COUNT,
    RECORD_SIZE,
    STEP_HEADER,
    STEP_KINDS,
    count_steps,
    digest_at,
    records,
)

Records = bytes | memoryview

MANY_RECORDS = 200_000
"""A history of several optimizers that is longer is digested in run order."""

_OF_THE_MODEL = frozenset({"batch", "forward", "loss", "buffers"})
"""Kinds that belong to the run's order rather than to one optimizer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDifference:
    """The first step whose deciding kinds differ."""

    step: int
    kind: str
    """A step kind, or `steps`: one run has a step that the other has not."""
    in_tail: bool = False
    """It was observed after the last step."""
    counts: tuple[int, int] = (0, 0)
    generators: tuple[str, ...] = ()
    """Generators whose state diverged from the other run's before this."""
    hyperparameters: bool = False
    """The optimizer's hyperparameters differ in this step, too."""


def compare_steps(
    a: Records, b: Records, keys_a: Sequence[str], keys_b: Sequence[str]
) -> tuple[StepDifference | None, bool]:
    """The first difference, and whether equal steps of independent optimizers came in another order."""
    common = min(len(a), len(b)) // RECORD_SIZE
    if len(a) == len(b) and (not common or _chain(a, common - 1) == _chain(b, common - 1)):
        return None, False
    several = len(keys_a) > 1 and len(a) == len(b)
    if several and _by_optimizer(a, keys_a) == _by_optimizer(b, keys_b):
        return None, True
    if several:
        found = _beside_equal_threads(a, b, keys_a, keys_b)
        if found is not None:
            return found, False
    first = _first_parting(a, b, common)
    counts = count_steps(a), count_steps(b)
    if first == common:
        return StepDifference(step=min(counts), kind="steps", counts=counts), False
    left, right = _record(a, first), _record(b, first)
    number, _, flags_a, _ = STEP_HEADER.unpack_from(left)
    flags_b = STEP_HEADER.unpack_from(right)[2]
    if (flags_a ^ flags_b) & FLAG_TAIL:
        kind = _first_kind(left, right, also_absent=False) or "steps"
        return StepDifference(step=number, kind=kind, counts=counts), False
    return (
        StepDifference(
            step=number,
            kind=_first_kind(left, right, also_absent=True) or "steps",
            in_tail=bool(flags_a & FLAG_TAIL),
            counts=counts,
            generators=_diverged_generators(a, b, first),
            hyperparameters=_differs(left, right, "hyperparameters"),
        ),
        False,
    )


def compare_cut_threads(
    a: Records, b: Records, keys_a: Sequence[str], keys_b: Sequence[str]
) -> tuple[StepDifference | None, bool]:
    """The first difference of runs that were ended after so many steps while threads trained, and whether this could be
    told: which thread took how many of these steps is chance, so each is compared as far as both runs went."""
    threads = _streams(a, keys_a), _streams(b, keys_b)
    others = [
        [one for one in records(data) if not STEP_HEADER.unpack_from(one)[2] & (FLAG_THREAD | FLAG_TAIL)]
        for data in (a, b)
    ]
    pairs = list(zip(*others, strict=False))
    if threads[0].keys() - threads[1].keys() and threads[1].keys() - threads[0].keys():
        return None, False  # each run trained something that the other did not begin with
    for key in threads[0].keys() & threads[1].keys():
        left, right = ([*streams[key]] for streams in threads)
        for one in sorted(left, key=len, reverse=True):
            if right:
                twin = max(right, key=lambda other: (_equal_steps(one, other), -abs(len(other) - len(one))))
                right.remove(twin)
                pairs += zip(one, twin, strict=False)
    several = max(sum(map(len, streams.values())) for streams in threads) > 1
    if not pairs or not several:
        return None, False
    different = [pair for pair in pairs if _first_kind(*pair, also_absent=True) is not None]
    if not different:
        return None, True
    first, second = min(different, key=lambda pair: max(STEP_HEADER.unpack_from(one)[0] for one in pair))
    return StepDifference(
        step=max(STEP_HEADER.unpack_from(one)[0] for one in (first, second)),
        kind=_first_kind(first, second, also_absent=True) or "steps",
        counts=(count_steps(a), count_steps(b)),
        hyperparameters=_differs(first, second, "hyperparameters"),
    ), True


def _streams(data: Records, keys: Sequence[str]) -> dict[str, list[list[memoryview]]]:
    """The steps that threads took, of each optimizer, by what it began with."""
    found: dict[int, list[memoryview]] = defaultdict(list)
    for record in records(data):
        _, optimizer, flags, _ = STEP_HEADER.unpack_from(record)
        if flags & FLAG_THREAD and not flags & (FLAG_BACKWARD | FLAG_TAIL):
            found[optimizer].append(memoryview(record))
    by_key: dict[str, list[list[memoryview]]] = defaultdict(list)
    for optimizer, steps in found.items():
        by_key[keys[optimizer] if optimizer < len(keys) else ""].append(steps)
    return by_key


def _equal_steps(one: Sequence[memoryview], other: Sequence[memoryview]) -> int:
    equal = 0
    for left, right in zip(one, other, strict=False):
        if _first_kind(left, right, also_absent=True) is not None:
            break
        equal += 1
    return equal


def is_cut_in_threads(data: Records, keys: Sequence[str]) -> bool:
    """Whether several optimizers were stepped by threads: where a run was ended, their steps are no fixed set."""
    return len(keys) > 1 and sum(map(len, _streams(data, keys).values())) > 1


def has_observations(data: Records) -> bool:
    """Whether any record holds a digest that decides."""
    deciding = [index for index, kind in enumerate(STEP_KINDS) if kind in DECIDING_KINDS]
    return any(digest_at(record, index) != EMPTY_DIGEST for record in records(data) for index in deciding)


def hashed_elsewhere(a: Records, b: Records) -> bool:
    """Whether the first step where the histories part was read on a device in one run only: that alone parts them."""
    common = min(len(a), len(b)) // RECORD_SIZE
    first = _first_parting(a, b, common)
    if first == common:
        return False
    flags = [STEP_HEADER.unpack_from(_record(data, first))[2] for data in (a, b)]
    return bool((flags[0] ^ flags[1]) & FLAG_DEVICE)


def history_digest(data: Records, keys: Sequence[str]) -> str:
    """One digest for the whole history; that of several optimizers does not depend on which stepped first."""
    from xxhash import xxh3_128_hexdigest

    if not data:
        return ""
    count = len(data) // RECORD_SIZE
    if len(keys) > 1 and count <= MANY_RECORDS:
        return xxh3_128_hexdigest(repr(_by_optimizer(data, keys)).encode())
    return _chain(data, count - 1).hex()


def _record(data: Records, index: int) -> memoryview:
    return memoryview(data)[index * RECORD_SIZE : (index + 1) * RECORD_SIZE]


def _chain(data: Records, index: int) -> bytes:
    return digest_at(_record(data, index), KIND_COUNT)


def _first_parting(a: Records, b: Records, common: int) -> int:
    """The first record with another chain; `common` when all common ones agree."""
    low, high = 0, common
    while low < high:
        middle = (low + high) // 2
        if _chain(a, middle) == _chain(b, middle):
            low = middle + 1
        else:
            high = middle
    return low


def _differs(left: memoryview, right: memoryview, kind: str) -> bool:
    index = STEP_KINDS.index(kind)
    return digest_at(left, index) != digest_at(right, index)


def _first_kind(left: memoryview, right: memoryview, *, also_absent: bool) -> str | None:
    for index, kind in enumerate(STEP_KINDS):
        pair = digest_at(left, index), digest_at(right, index)
        if kind in ("parameters", "buffers") and not also_absent:  # a tail has those of all models, in no order
            continue
        if kind in DECIDING_KINDS and pair[0] != pair[1] and (also_absent or EMPTY_DIGEST not in pair):
            return kind
    return None


def _diverged_generators(a: Records, b: Records, first: int) -> tuple[str, ...]:
    """Generators that agreed at some step and no longer did before record `first` was complete."""
    has_diverged = []
    for index, kind in enumerate(STEP_KINDS):
        if kind.startswith("rng ") and first > 0:
            before = digest_at(_record(a, first - 1), index), digest_at(_record(b, first - 1), index)
            start = digest_at(_record(a, 0), index), digest_at(_record(b, 0), index)
            if before[0] != before[1] and start[0] == start[1]:
                has_diverged.append(kind.removeprefix("rng "))
    return tuple(has_diverged)


def _beside_equal_threads(
    a: Records, b: Records, keys_a: Sequence[str], keys_b: Sequence[str]
) -> StepDifference | None:
    """The first difference in what is left without the optimizers that threads stepped alike in both runs: theirs come
    in an order of their own. None where no optimizer is one of these, or where what is left does not show it."""
    streams = _of_threads(a, keys_a), _of_threads(b, keys_b)
    equal = [Counter(one.values()) for one in streams]
    alike = equal[0] & equal[1]
    rest = []
    for data, own in zip((a, b), streams, strict=True):
        free, dropped = Counter(alike), set()
        for optimizer, stream in own.items():
            if free[stream] > 0:
                free[stream] -= 1
                dropped.add(optimizer)
        rest.append([one for one in records(data) if STEP_HEADER.unpack_from(one)[1] not in dropped])
    if not alike or len(rest[0]) != len(rest[1]):
        return None
    for left, right in zip(*rest, strict=True):
        kind = _first_kind(left, right, also_absent=True)
        if kind is not None:
            headers = STEP_HEADER.unpack_from(left), STEP_HEADER.unpack_from(right)
            return StepDifference(
                step=max(number for number, *_ in headers),
                kind=kind,
                in_tail=bool(headers[0][2] & FLAG_TAIL),
                counts=(count_steps(a), count_steps(b)),
                hyperparameters=_differs(left, right, "hyperparameters"),
            )
    return None


def _of_threads(data: Records, keys: Sequence[str]) -> dict[int, bytes]:
    """The steps of each optimizer that threads stepped, as far as they decide."""
    deciding = [index for index, kind in enumerate(STEP_KINDS) if kind in DECIDING_KINDS]
    found: dict[int, list[bytes]] = defaultdict(list)
    others = set()
    for record in records(data):
        _, optimizer, flags, _ = STEP_HEADER.unpack_from(record)
        if flags & FLAG_THREAD and not flags & (FLAG_BACKWARD | FLAG_TAIL):
            found[optimizer] += [bytes(digest_at(record, index)) for index in deciding]
        else:
            others.add(optimizer)
    return {
        optimizer: (keys[optimizer] if optimizer < len(keys) else "").encode() + b"".join(steps)
        for optimizer, steps in found.items()
        if optimizer not in others
    }


def _by_optimizer(data: Records, keys: Sequence[str]) -> object:
    """What does not depend on the order in which independent optimizers step.

    Optimizers are known by their parameters before their first step. What belongs to a model counts in run order,
    unless a thread took the step: then it goes with the optimizer.
    """
    order: list[tuple[bytes, ...]] = []
    streams: dict[str, list[bytes]] = defaultdict(list)
    optimizers: dict[int, list[bytes]] = defaultdict(list)
    for record in records(data):
        _, optimizer, flags, _ = STEP_HEADER.unpack_from(record)
        of_model = tuple(digest_at(record, index) for index, kind in enumerate(STEP_KINDS) if kind in _OF_THE_MODEL)
        own = [
            digest_at(record, index)
            for index, kind in enumerate(STEP_KINDS)
            if kind in DECIDING_KINDS and kind not in _OF_THE_MODEL
        ]
        # What was made before there was any optimizer, and what is left at the end, counts in run order.
        if flags & (FLAG_BACKWARD | FLAG_TAIL):
            order.append((*of_model, *own))
            continue
        if flags & FLAG_THREAD:
            own.extend(of_model)
        elif any(digest != EMPTY_DIGEST for digest in of_model):
            order.append(of_model)
        optimizers[optimizer].append(b"".join(own))
    for optimizer, steps in optimizers.items():
        key = keys[optimizer] if optimizer < len(keys) else ""
        streams[key].append(b"".join(steps))
    return order, sorted((key, sorted(values)) for key, values in streams.items())
