"""What the rules for directory listings share."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.model import LOW, Match
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import Confidence, SourceKind

SORTED = Remedy(text="sorted directory listings", overrides=(("sorted_listings", True),), cost=4)
_ALL = ("listdir", "scandir", "iterdir", "walk", "glob")


def by_listing(case: Case, names: tuple[str, ...], patterns: tuple[str, ...]) -> Match | None:
    """The listing that decides. One whose result is sorted in the source decides nothing."""
    listed = entries(case, SourceKind.LISTING, names=names)
    unsorted = on_lines(listed, hits(case, *patterns))
    rivals = hits(case, *(pattern for pattern in _ALL if pattern not in patterns))
    if not unsorted and rivals:
        return None
    return find(
        case,
        sources=("directory order",),
        entries=unsorted or listed,
        hits=hits(case, *patterns),
        rivals=rivals,
        cap=Confidence.HIGH if unsorted else LOW,
        remedies=(SORTED,),
    )
