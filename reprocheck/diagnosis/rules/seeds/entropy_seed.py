"""Numbers made from uuid, secrets or os.urandom."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.rules.candidate_lines import differing_seeds, entries, find, hits, on_lines, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import Support, support_of
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import AttributionKind, SourceKind

PAGE = Page(
    code="RC507",
    slug="entropy-seed",
    title="numbers come from the system's entropy",
    severity=ERROR,
    checks="`uuid.uuid4`, `secrets`, `os.urandom`, `random.SystemRandom`, a bare `SeedSequence()` or the random names "
    "of `tempfile` feed a seed, a split, labels, an order or a result.",
    why="The system's entropy cannot be seeded: what is made from it is never the same twice.",
    example="run_id = uuid.uuid4()\ntorch.manual_seed(run_id.int % 2**32)  # no seed reaches this",
    fix="derive the number from the run's seed; names may be random where nothing is sorted or seeded by them",
    limits="Entropy that only names files is not reported: a seed must differ, or the freezing experiment show it.",
)

TEMPFILE = "tempfile"
"""What the ledger calls the names of temporary files."""
_NAMES = "the names of temporary files are random: number the files yourself, or do not sort or seed by their names"


def match(case: Case) -> Match | None:
    sources = ("entropy", "unseeded")
    if case.alone:  # the line itself must show it
        found = on_lines(
            entries(case, SourceKind.SEED, SourceKind.ENTROPY, SourceKind.UNSEEDED), hits(case, "seed-from-entropy")
        )
        return find(case, sources=sources, entries=found[:1], hits=with_hits(case, found, "seed-from-entropy"))
    sequences = tuple(
        entry for entry in entries(case, SourceKind.UNSEEDED, names=("SeedSequence",)) if "SeedSequence" in entry.code
    )
    drawn = () if _frozen_is(case, "unseeded") else entries(case, SourceKind.ENTROPY)
    if support_of(case, *sources) is not Support.SHOWN:
        seeds = differing_seeds(case)
        drawn = tuple(
            entry for entry in drawn if entry.name != TEMPFILE and any(seed.order >= entry.order for seed in seeds)
        )
    found = (*sequences, *drawn)
    marks = with_hits(case, found, "seed-from-entropy", "unseeded-generator")
    best = find(case, sources=sources, entries=found, hits=marks)
    named = any(entry.name == TEMPFILE and entry.location == best.location for entry in found) if best else False
    return replace(best, help=_NAMES) if best is not None and named else best


def _frozen_is(case: Case, factor: str) -> bool:
    attribution = case.attribution
    return attribution is not None and attribution.kind == AttributionKind.FROZEN and attribution.factors == (factor,)


RULE = Rule(page=PAGE, rank=209, match=match, alone=True)
