"""A constant seed inside the training function."""

from __future__ import annotations

from reprocheck.diagnosis.generators import GLOBAL
from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC632",
    slug="seed-fixed-inside",
    title="the target sets a constant seed itself",
    severity=WARNING,
    checks="Other seeds gave the same run, and the target seeds a global generator with a constant.",
    why="All seeds give one result: a mean over seeds then measures nothing.",
    example="def train():\n    torch.manual_seed(42)  # whatever seed the run was given",
    fix="take the seed as an argument and pass it through",
    limits="Claimed only where the audit ran more than one seed.",
)


def match(case: Case) -> Match | None:
    if not case.equal_seeds or hits(case, "seed-parameter-unused"):
        return None
    one, other = case.equal_seeds[0]
    marks = hits(case, "constant-seed")
    seeds = tuple(entry for entry in entries(case, SourceKind.SEED) if entry.generator in GLOBAL and not entry.in_child)
    found = on_lines(seeds, marks)
    return find(
        case,
        sources=(INTRINSIC,),
        entries=found or seeds,
        hits=marks if found else (),
        shown=True,
        evidence=(f"seeds {one} and {other} gave equal runs",),
    )


RULE = Rule(page=PAGE, rank=602, match=match, always=True)
