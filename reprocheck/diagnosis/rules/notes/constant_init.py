"""All parameters start from one number."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import MEDIUM, WARNING, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC621",
    slug="constant-init",
    title="every parameter is set to one constant",
    severity=WARNING,
    checks="Seeds start from equal parameters, and the source gives all of a model, weights as well, the same number.",
    why="Hidden units that start equal stay equal, and the initial weights do not depend on the seed.",
    example="for p in model.parameters():\n    nn.init.constant_(p, 0.1)",
    fix="initialise weights with `nn.init.kaiming_uniform_` or `xavier_uniform_`, only biases with a constant",
    limits="It takes two seeds that start from equal parameters; the line is read from the source.",
)


def match(case: Case) -> Match | None:
    if not case.equal_starts:
        return None
    one, other = case.equal_starts[0]
    evidence = (f"seeds {one} and {other} start from equal parameters",)
    marks = hits(case, "constant-init")
    return find(case, sources=(INTRINSIC,), hits=marks, shown=True, cap=MEDIUM, evidence=evidence)


RULE = Rule(page=PAGE, rank=604, match=match, always=True)
