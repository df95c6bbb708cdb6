"""What the rules for string hashes share: all their lines compete, since one hash seed decides them all."""

from __future__ import annotations

from reprocheck.explain.model import Case, Remedy
from reprocheck.rules.model import Match
from reprocheck.rules.scene import find, hits

FIXED_HASHES = Remedy(
    text="PYTHONHASHSEED=0",
    environment=(("PYTHONHASHSEED", "0"),),
    hides="a fixed string-hash seed hides the order: a run without it still differs",
    cost=6,
)
PATTERNS = ("set-iteration", "set-sum", "hash-call")


def by_hash(case: Case, pattern: str, *, fallback: bool = False) -> Match | None:
    """The likeliest line of one pattern, among the lines of all of them."""
    rivals = hits(case, *(other for other in PATTERNS if other != pattern))
    return find(
        case,
        sources=("hash seed",),
        hits=hits(case, pattern),
        rivals=rivals,
        fallback=fallback and not rivals,
        remedies=(FIXED_HASHES,),
    )
