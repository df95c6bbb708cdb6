"""A hyperparameter search with several jobs."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import ERROR, LOW, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC578",
    slug="parallel-search",
    title="a search runs its trials in parallel",
    severity=ERROR,
    checks="The source optimises with `n_jobs` other than 1, and the runs differ with everything equal.",
    why="A sampler proposes from the trials that are finished. Which ones those are depends on timing.",
    example="study.optimize(objective, n_trials=100, n_jobs=4)",
    fix="`n_jobs=1` with a seeded sampler, or a sampler that does not look at other trials",
    limits="Found in the source only, so never with more than low confidence.",
)


def match(case: Case) -> Match | None:
    marks = tuple(hit for hit in hits(case, "n-jobs") if ".optimize(" in hit.code)
    return find(case, sources=RACE, hits=marks, cap=LOW)


RULE = Rule(page=PAGE, rank=512, match=match)
