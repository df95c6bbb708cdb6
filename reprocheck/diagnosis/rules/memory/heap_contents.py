"""What the rules for uninitialized memory share: the place of the difference distinguishes the kinds of memory."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits, origin_place, walks
from reprocheck.diagnosis.rules.model import Match
from reprocheck.model import Deterministic
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import Confidence

FILLED = Remedy(
    text="--deterministic warn (memory filled)",
    settings=(("deterministic", Deterministic.WARN),),
    overrides=(("fill_memory", True),),
    hides="it masks the read of uninitialized memory: the value is still not meant",
    cost=7,
)
PATTERNS = ("parameter-empty", "torch-empty", "np-empty")


def by_heap(case: Case, pattern: str, *, fits: bool) -> Match | None:
    """The likeliest line of one kind of memory. fits: this kind is what such a difference would come from."""
    others = tuple(other for other in PATTERNS if other != pattern)
    rivals = hits(case, *others)
    own = hits(case, pattern)
    if walks(case, of_addresses=True) and not own:
        return None  # what is in memory also moves the addresses of objects
    if rivals and not fits:
        return None if not own else find(case, sources=_SOURCES, hits=own, cap=Confidence.LOW, remedies=(FILLED,))
    return find(
        case,
        sources=_SOURCES,
        hits=own,
        fallback=fits and not rivals and origin_place(case)[0] is not None,
        evidence=("fresh memory is read before anybody wrote to it",),
        remedies=(FILLED,),
    )


_SOURCES = ("heap contents",)
