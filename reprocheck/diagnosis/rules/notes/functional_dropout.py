"""functional.dropout that is always on."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import MEDIUM, NOTE, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC613",
    slug="functional-dropout",
    title="functional dropout is on in evaluation, too",
    severity=NOTE,
    checks="The source calls `torch.nn.functional.dropout` without `training=`.",
    why="Its default is on: `model.eval()` does not switch it off, and evaluating twice gives two scores.",
    example="x = F.dropout(x, 0.5)",
    fix="`F.dropout(x, 0.5, training=self.training)`, or `nn.Dropout`",
    limits="Read from the source. It repeats under one seed, so it never makes runs differ.",
)


def match(case: Case) -> Match | None:
    return find(case, sources=(INTRINSIC,), hits=hits(case, "functional-dropout"), shown=True, cap=MEDIUM)


RULE = Rule(page=PAGE, rank=608, match=match, always=True)
