"""A constructor or a library sets the global seed again."""

from __future__ import annotations

from reprocheck.diagnosis.generators import GLOBAL
from reprocheck.diagnosis.rules.candidate_lines import differing_seeds, entries, find, hits, on_lines, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import CLOCK
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC634",
    slug="library-reseeds",
    title="a constructor or library sets the global seed again",
    severity=ERROR,
    checks="After the target's own seed, a constructor or a package seeds a global generator with a value that differs "
    "between runs.",
    why="Building an object should not move the generators of everybody else.",
    example="class Features:\n    def __init__(self):\n        torch.manual_seed(time.time_ns())  # of everybody",
    fix="build it under `torch.random.fork_rng()`, or give it a generator of its own, and seed again afterwards",
    limits="A constructor is known by its name `__init__` in the source, a package by where its code lies.",
)


def match(case: Case) -> Match | None:
    moved = tuple(entry for entry in differing_seeds(case) if entry.generator in GLOBAL and not entry.in_child)
    foreign = (*on_lines(moved, hits(case, "constructor-seed")), *(entry for entry in moved if entry.library))
    own = (entry.order for entry in entries(case, SourceKind.SEED) if entry.generator in GLOBAL and entry not in moved)
    before = min(own, default=None)
    after = tuple(entry for entry in foreign if before is not None and entry.order > before)
    marks = with_hits(case, after, "constructor-seed")
    return find(case, sources=(*CLOCK, "pid", "entropy", "unseeded"), entries=after, hits=marks)


RULE = Rule(page=PAGE, rank=202, match=match, alone=True)
