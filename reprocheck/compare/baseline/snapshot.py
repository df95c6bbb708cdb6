"""Evidence → snapshot: what is worth keeping of a run. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from reprocheck.compare.steps import has_observations, history_digest
from reprocheck.compare.verdict import digest_of, metrics_of
from reprocheck.model import CheckpointRecord, Evidence, TensorRecord
from reprocheck.model.baseline import Snapshot, Steps
from reprocheck.protocol import KIND_COUNT, RECORD_SIZE, count_steps, digest_at

RETURNED = "returned value"
"""The name of an output that is not part of anything."""
MOST_MARKS = 20
"""Steps that a baseline keeps per seed: more lines than that nobody reviews."""
_NO_WORD = re.compile(r"[\s\[]")


def snapshot_of(evidence: Evidence, ignored: Sequence[str] = ()) -> Snapshot:
    """Everything that can be compared later. `ignored` are globs of outputs to leave out."""
    kept = [leaf for leaf in evidence.outputs if not any(fnmatchcase(leaf.name, glob) for glob in ignored)]
    names = {leaf.name or RETURNED for leaf in kept}
    return Snapshot(
        init=_named(evidence.initial),
        init_digest=digest_of(evidence.initial),
        steps=steps_of(evidence),
        outputs=_named(kept),
        output_digest=digest_of(kept),
        metrics={_writable(name): value for name, value in metrics_of(evidence).items() if name in names},
        checkpoints=_named([*_checkpoints(evidence), *_ranks(evidence)]),
    )


def _ranks(evidence: Evidence) -> list[TensorRecord]:
    """Each rank as one observation: where its weights began, and all its steps."""
    from xxhash import xxh3_128_hexdigest

    found = []
    for one in evidence.ranks:
        whole = digest_of(one.evidence.initial) + history_digest(one.evidence.steps, one.evidence.optimizers)
        reason = "its evidence was not closed" if one.evidence.partial else "" if whole else "it trained nothing"
        digest = "" if reason else xxh3_128_hexdigest(whole.encode())
        found.append(TensorRecord(name=one.name, kind="checkpoint", digest=digest, reason=reason))
    return found


def _checkpoints(evidence: Evidence) -> list[TensorRecord]:
    """The target's own checkpoints, by name: what they observed, in the order of the calls."""
    from xxhash import xxh3_128_hexdigest

    named: dict[str, list[CheckpointRecord]] = {}
    for record in evidence.checkpoints:
        named.setdefault(record.name, []).append(record)
    found = []
    for name, calls in named.items():
        unread = sum(record.unread for record in calls)
        lines = "\n".join(f"{record.call}|{record.calls}|{record.digest}" for record in calls)
        digest, reason = (
            ("", f"{unread} values could not be read")
            if unread
            else (xxh3_128_hexdigest(lines.encode("utf-8", "surrogatepass")), "")
        )
        found.append(TensorRecord(name=name, kind="checkpoint", digest=digest, reason=reason))
    return found


def _named(leaves: Sequence[TensorRecord]) -> tuple[TensorRecord, ...]:
    """The leaves under names that a file can hold: none twice, none empty, no lone surrogates."""
    found: dict[str, TensorRecord] = {}
    for leaf in leaves:
        base = name = _writable(leaf.name) or RETURNED
        count = 2
        while name in found:
            name, count = f"{base} #{count}", count + 1
        found[name] = replace(leaf, name=name, dtype=_NO_WORD.sub("?", leaf.dtype))
    return tuple(found.values())


def _writable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def steps_of(evidence: Evidence) -> Steps:
    """The step records with their marks."""
    count = count_steps(evidence.steps)
    return Steps(
        observed=has_observations(evidence.steps),
        count=count,
        digest=history_digest(evidence.steps, evidence.optimizers),
        marks=tuple((step, mark_at(evidence.steps, step)) for step in marked_steps(count)),
        optimizers=len(evidence.optimizers),
        records=evidence.steps,
        keys=evidence.optimizers,
    )


def marked_steps(count: int) -> list[int]:
    """Every k-th step, with the roundest k that keeps them few, and the last one."""
    every = next(e * 10**power for power in range(20) for e in (1, 2, 5) if count // (e * 10**power) <= MOST_MARKS)
    found = list(range(every - 1, count, every))
    return found if not count or found[-1:] == [count - 1] else [*found, count - 1]


def mark_at(records: bytes | memoryview, step: int) -> str:
    """The digest of all that decides up to a step, in hexadecimal digits."""
    return digest_at(memoryview(records)[step * RECORD_SIZE : (step + 1) * RECORD_SIZE], KIND_COUNT).hex()
