"""What the rules for uninitialized memory share: the place of the difference distinguishes the kinds of memory."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits, origin_place, walks
from reprocheck.diagnosis.rules.model import Match
from reprocheck.model import Deterministic
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import Confidence, OriginKind

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
        fallback=fits and not rivals and origin_place(case)[0] is not None and not is_of_python(case),
        evidence=("fresh memory is read before anybody wrote to it",),
        remedies=(FILLED,),
    )


def is_of_python(case: Case) -> bool:
    """Values that Python made parted first, and no line leaves memory unwritten: a race may agree where memory is
    filled, by luck."""
    origin = case.origin
    is_outside = origin is not None and origin.kind == OriginKind.OUTSIDE and origin.call.op == "aten::lift_fresh"
    return is_outside and not hits(case, *PATTERNS)


_SOURCES = ("heap contents",)
