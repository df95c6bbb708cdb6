"""The same seed is set again and again."""

from __future__ import annotations

from reprocheck.diagnosis.generators import GLOBAL
from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.model import MEDIUM, NOTE, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC635",
    slug="reseed-per-epoch",
    title="a generator gets the same constant seed again in mid-training",
    severity=NOTE,
    checks="One line seeds a global generator with a constant more than once, also after the first step.",
    why="Every epoch then has the same shuffle and the same dropout masks: less variety than it seems.",
    example="for epoch in range(10):\n    torch.manual_seed(0)\n    train_epoch()",
    fix="seed once before training, or with `seed + epoch`",
    limits="It repeats, so it never makes runs differ.",
)


def match(case: Case) -> Match | None:
    seeds = (entry for entry in entries(case, SourceKind.SEED) if entry.generator in GLOBAL and not entry.in_child)
    again = tuple(entry for entry in on_lines(seeds, hits(case, "constant-seed")) if entry.count > 1 and entry.step > 0)
    return find(case, sources=(INTRINSIC,), entries=again, shown=True, cap=MEDIUM)


RULE = Rule(page=PAGE, rank=609, match=match, always=True)
