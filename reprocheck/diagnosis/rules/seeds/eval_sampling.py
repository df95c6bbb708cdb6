"""Training repeats; the evaluation draws."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind, Stage

PAGE = Page(
    code="RC512",
    slug="eval-sampling",
    title="the evaluation draws from an unseeded generator",
    severity=ERROR,
    checks="Only a metric differs, and an unseeded generator is made or used after the last training step.",
    why="The model is the same, the score is not: two such scores cannot be compared, however small the noise.",
    example="subset = np.random.default_rng().choice(len(x), 100)  # another subset in every run\n"
    "score = mse(model(x[subset]), y[subset])",
    fix="evaluate on a fixed subset, or draw it from a generator with a seed of its own",
    limits="Only generators that are first used after training are counted.",
)


def match(case: Case) -> Match | None:
    if case.divergence is None or case.divergence.stage != Stage.METRIC:
        return None
    late = tuple(
        entry for entry in entries(case, SourceKind.UNSEEDED) if entry.step > 0 and "default" not in entry.value
    )
    marks = with_hits(case, late, "unseeded-generator", "random-state-none")
    return find(case, sources=("unseeded",), entries=late, hits=marks)


RULE = Rule(page=PAGE, rank=206, match=match)
