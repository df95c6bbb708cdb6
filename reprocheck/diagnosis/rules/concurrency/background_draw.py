"""A background thread draws from the training's generator."""

from __future__ import annotations

from reprocheck.diagnosis.generators import GLOBAL
from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import OriginKind, SourceKind

PAGE = Page(
    code="RC574",
    slug="background-draw",
    title="a background thread draws from the generator of the training",
    severity=ERROR,
    checks="A global generator is used in the main thread and in another thread.",
    why="Between two draws of the training the other thread draws now more, now less: later numbers shift.",
    example="def monitor():\n    while running:\n        sample.append(torch.randint(0, 100, (1,)))",
    fix="give the thread a generator of its own",
    limits="Draws inside torch's kernels (dropout) are not taken down; a race shows in some pairs only.",
)


def match(case: Case) -> Match | None:
    drawn = tuple(entry for entry in entries(case, SourceKind.DRAW) if entry.generator in GLOBAL and not entry.in_child)
    aside = tuple(entry for entry in drawn if entry.value == "thread")
    marks = with_hits(case, drawn, "thread-draw")
    if case.origin is not None and case.origin.kind == OriginKind.OP:
        return None
    if not aside and not (marks and hits(case, "thread-draw") and entries(case, SourceKind.THREAD)):
        return None
    found = tuple(entry for entry in aside if entry.threads == 1)
    return find(case, sources=RACE, entries=found, hits=marks)


RULE = Rule(page=PAGE, rank=503, match=match)
