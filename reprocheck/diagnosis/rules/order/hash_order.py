"""What the rules for string hashes share: all their lines compete, since one hash seed decides them all."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import Match
from reprocheck.diagnosis.rules.scene import find, hits, walks
from reprocheck.model.explanation import Case, Remedy

FIXED_HASHES = Remedy(
    text="PYTHONHASHSEED=0",
    environment=(("PYTHONHASHSEED", "0"),),
    hides="a fixed string-hash seed masks the order: a run without it still differs",
    cost=6,
)
PATTERNS = ("set-iteration", "set-sum", "hash-call")


def by_hash(case: Case, pattern: str, *, fallback: bool = False) -> Match | None:
    """The likeliest line of one pattern, among the lines of all of them.

    Where the runs showed which sets they walked through, no other set counts, whatever it looks like in the source.
    """
    walked = walks(case, of_addresses=False)
    seen = tuple(tap.hit for tap in walked if tap.hit is not None)
    read = tuple(hit for hit in hits(case, *PATTERNS) if not walked or hit.pattern == "hash-call")
    every = (*seen, *read)
    rivals = tuple(hit for hit in every if hit.pattern != pattern)
    return find(
        case,
        sources=("hash seed",),
        taps=(tap for tap in walked if tap.hit is not None and tap.hit.pattern == pattern),
        hits=(hit for hit in every if hit.pattern == pattern),
        rivals=rivals,
        fallback=fallback and not rivals,
        remedies=(FIXED_HASHES,),
    )
