"""A torch.Generator that is left at its default seed."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, with_hits
from reprocheck.diagnosis.rules.model import HIGH, WARNING, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC506",
    slug="generator-default-seed",
    title="a torch.Generator is used with its default seed",
    severity=WARNING,
    checks="A `torch.Generator()` draws without having been seeded.",
    why="An unseeded torch generator is not random: it always starts at 67280421310721. Its stream is the same in "
    "every run and for every seed, so results over seeds are less independent than they look.",
    example="loader = DataLoader(data, shuffle=True, generator=torch.Generator())  # one order for all seeds",
    fix="seed it from the run's seed: `torch.Generator().manual_seed(seed)`",
    limits="It repeats, so it never makes runs of one seed differ.",
)


def match(case: Case) -> Match | None:
    used = tuple(
        entry for entry in entries(case, SourceKind.UNSEEDED, names=("Generator",)) if "default" in entry.value
    )
    evidence = ("it draws from the constant default seed: the run's seed does not reach it",)
    found = find(
        case,
        sources=(INTRINSIC,),
        entries=used,
        hits=with_hits(case, used, "unseeded-generator"),
        shown=True,
        cap=HIGH,
        evidence=evidence,
    )
    return found


RULE = Rule(page=PAGE, rank=603, match=match, always=True)
