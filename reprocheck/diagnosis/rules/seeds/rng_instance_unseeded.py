"""random.Random() and numpy.random.RandomState() without a seed."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import UNSEEDED
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC504",
    slug="rng-instance-unseeded",
    title="a private generator is made without a seed",
    severity=ERROR,
    checks="`random.Random()` or `numpy.random.RandomState()` is called without a seed, as in many replay buffers.",
    why="The instance is seeded from the system's entropy; seeding the global generators does not reach it.",
    example="self.rng = random.Random()  # a different stream in every run",
    fix="pass a seed that comes from the run's seed: `random.Random(seed)`",
    limits="A generator without an effect is recognized only by the experiment that makes its seed constant.",
)


def match(case: Case) -> Match | None:
    made = entries(case, SourceKind.UNSEEDED, names=("Random", "RandomState"))
    return find(case, sources=UNSEEDED, entries=made, hits=with_hits(case, made, "unseeded-generator"))


RULE = Rule(page=PAGE, rank=213, match=match, alone=True)
