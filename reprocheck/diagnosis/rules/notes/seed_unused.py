"""A seed is taken and not used."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC633",
    slug="seed-unused",
    title="a seed is accepted and never used",
    severity=WARNING,
    checks="Other seeds gave the same run, and the source takes a seed that it never reads.",
    why="All seeds give one result: a mean over seeds then measures nothing.",
    example='parser.add_argument("--seed", type=int)\nseed_everything(config.seed)  # not args.seed',
    fix="pass the seed that was asked for to the code that seeds",
    limits="Claimed only where the audit ran more than one seed. The line comes from the source.",
)


def match(case: Case) -> Match | None:
    if not case.equal_seeds and not case.alone:
        return None
    evidence = tuple(f"seeds {one} and {other} gave equal runs" for one, other in case.equal_seeds[:1])
    marks = hits(case, "seed-parameter-unused")
    return find(case, sources=(INTRINSIC,), hits=marks, shown=bool(evidence), evidence=evidence)


RULE = Rule(page=PAGE, rank=601, match=match, always=True)
