"""numpy.random.default_rng() without a seed."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import UNSEEDED
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC503",
    slug="numpy-generator-unseeded",
    title="a numpy generator is made without a seed",
    severity=ERROR,
    checks="`numpy.random.default_rng()` or `Generator(PCG64())` is called without a seed.",
    why="A new generator takes its seed from the system's entropy. `np.random.seed` does not reach it.",
    example="np.random.seed(0)\nrng = np.random.default_rng()  # a different stream in every run",
    fix="give it the run's seed: `np.random.default_rng(seed)`",
    limits="A generator without an effect is recognized only by the experiment that makes its seed constant.",
)


def match(case: Case) -> Match | None:
    made = entries(case, SourceKind.UNSEEDED, names=("default_rng", "PCG64", "MT19937", "Philox", "SFC64", "Generator"))
    made += tuple(
        entry
        for entry in entries(case, SourceKind.UNSEEDED, names=("SeedSequence",))
        if "SeedSequence" not in entry.code
    )
    return find(case, sources=UNSEEDED, entries=made, hits=with_hits(case, made, "unseeded-generator"))


RULE = Rule(page=PAGE, rank=212, match=match, alone=True)
