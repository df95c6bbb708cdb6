"""Threads of a pool draw from one generator."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.diagnosis.generators import GLOBAL
from reprocheck.diagnosis.rules.candidate_lines import entries, find
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case, LedgerEntry
from reprocheck.model.kinds import OriginKind, SourceKind

PAGE = Page(
    code="RC573",
    slug="threads-share-rng",
    title="several threads draw from one generator",
    severity=ERROR,
    checks="One line draws from a global generator in more than one thread.",
    why="Each draw advances the generator for all threads. Which thread gets which number depends on scheduling.",
    example="def load(i):\n    return i + np.random.randn(3)\n\nlist(ThreadPoolExecutor(8).map(load, range(32)))",
    fix="one generator a task, seeded by its index: `np.random.default_rng([seed, i])`",
    limits="A race shows in some pairs of runs only.",
)


def match(case: Case) -> Match | None:
    drawn = tuple(entry for entry in entries(case, SourceKind.DRAW) if entry.threads > 1 and entry.generator in GLOBAL)
    if case.origin is not None and case.origin.kind != OriginKind.GENERATOR:  # else torch's draws would be the origin
        drawn = tuple(entry for entry in drawn if entry.generator != "torch")
    drawn = tuple(sorted(drawn, key=lambda entry: entry.order))
    return find(case, sources=RACE, entries=drawn[:1], evidence=_evidence(drawn))


def _evidence(drawn: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """Lines that draw from one generator are no rivals: they share the cause."""
    if not drawn:
        return ()
    lines = {entry.location for entry in drawn if entry.generator == drawn[0].generator}
    several = (f"{len(lines)} lines draw from the same generator in several threads",) if len(lines) > 1 else ()
    return (f"it was called from {drawn[0].threads} threads", *several)


RULE = Rule(page=PAGE, rank=502, match=match)
