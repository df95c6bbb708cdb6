"""A generator is reseeded from the system's entropy."""

from __future__ import annotations

from reprocheck.diagnosis.generators import ENTROPY
from reprocheck.diagnosis.rules.candidate_lines import entries, find, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC505",
    slug="entropy-reseed",
    title="a generator is seeded from the system's entropy",
    severity=ERROR,
    checks="`torch.seed()`, `Generator.seed()`, `np.random.seed(None)` or `random.seed()` is called.",
    why="`.seed()` without a number does not set a seed, it discards the old one: every run continues differently.",
    example="generator = torch.Generator()\ngenerator.seed()  # a new seed in every run",
    fix="set a number: `.manual_seed(seed)`, `np.random.seed(seed)`, `random.seed(seed)`",
    limits="Calls in processes that the target spawns are not seen; RC641 looks for them in the source.",
)


def match(case: Case) -> Match | None:
    made = tuple(entry for entry in entries(case, SourceKind.SEED) if entry.value == ENTROPY)
    return find(case, sources=("unseeded", "entropy"), entries=made, hits=with_hits(case, made, "entropy-reseed"))


RULE = Rule(page=PAGE, rank=211, match=match, alone=True)
