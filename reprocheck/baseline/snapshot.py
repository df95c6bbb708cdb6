"""Evidence → snapshot: what is worth keeping of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.baseline.model import Snapshot, Steps
from reprocheck.compare_steps import has_observations, history_digest
from reprocheck.judge import digest_of, metrics_of
from reprocheck.model import Evidence
from reprocheck.protocol import KIND_COUNT, RECORD_SIZE, count_steps, digest_at

MOST_MARKS = 50
"""Steps that a baseline keeps per seed: more lines than that nobody reviews."""


def snapshot_of(evidence: Evidence, ignored: Sequence[str] = ()) -> Snapshot:
    """Everything that can be compared later. `ignored` are globs of outputs to leave out."""
    from fnmatch import fnmatchcase

    outputs = tuple(leaf for leaf in evidence.outputs if not any(fnmatchcase(leaf.name, glob) for glob in ignored))
    names = {leaf.name or "returned value" for leaf in outputs}
    return Snapshot(
        init=evidence.initial,
        init_digest=digest_of(evidence.initial),
        steps=steps_of(evidence),
        outputs=outputs,
        output_digest=digest_of(outputs),
        metrics={name: value for name, value in metrics_of(evidence).items() if name in names},
    )


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
