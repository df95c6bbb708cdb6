"""A distributed sampler whose `set_epoch` is never called."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import MEDIUM, NOTE, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC529",
    slug="sampler-epoch",
    title="a distributed sampler shuffles every epoch alike: `set_epoch` is never called",
    severity=NOTE,
    checks="A `DistributedSampler` is made, the training goes through its data more than once, and `set_epoch` is "
    "called nowhere in the target's code.",
    why="The sampler's order depends on its seed and on the epoch that `set_epoch` gives it. Without that all "
    "epochs have the order of the first.",
    example="sampler = DistributedSampler(data)\nloader = DataLoader(data, sampler=sampler)\n"
    "for epoch in range(10):\n    for batch in loader:\n        ...",
    fix="call `sampler.set_epoch(epoch)` at the start of every epoch",
    limits="Read from the source alone; it repeats, so it never makes runs differ. Not asked where a library runs the "
    "epochs.",
)


def match(case: Case) -> Match | None:
    if hits(case, "set-epoch") or not hits(case, "epoch-loop"):
        return None
    return find(case, sources=(INTRINSIC,), hits=hits(case, "sampler-without-epoch"), shown=True, cap=MEDIUM)


RULE = Rule(page=PAGE, rank=610, match=match, always=True, alone=True, is_cause=False)
