"""One random stream ignores the seed that the others follow."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import MEDIUM, NOTE, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC636",
    slug="fixed-stream",
    title="the batches are the same for every seed",
    severity=NOTE,
    checks="Seeds start from other weights and get the same batches, step by step; a generator of its own is seeded "
    "with a constant in the source.",
    why="The order of the data then adds nothing to the spread over seeds: it looks smaller than it is.",
    example="order = torch.Generator().manual_seed(0)\nloader = DataLoader(data, shuffle=True, generator=order)",
    fix="seed it from the run's seed, unless all seeds are meant to see the data in one order",
    limits="Which of several such lines makes the batches is not shown. It repeats, so it never makes runs differ.",
)


def match(case: Case) -> Match | None:
    if not case.equal_batches:
        return None
    one, other = case.equal_batches[0]
    evidence = (f"seeds {one} and {other} start from other weights and get the same batches",)
    marks = hits(case, "constant-stream")
    return find(case, sources=(INTRINSIC,), hits=marks, shown=True, cap=MEDIUM, evidence=evidence)


RULE = Rule(page=PAGE, rank=611, match=match, always=True, is_cause=False)
