"""What the rules for string hashes share: all their lines compete, since one hash seed decides them all."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits, walks
from reprocheck.diagnosis.rules.model import Match
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
    seen = tuple(entry.hit for entry in walked if entry.hit is not None)
    read = tuple(hit for hit in hits(case, *PATTERNS) if not walked or hit.pattern == "hash-call")
    every = (*seen, *read)
    rivals = tuple(hit for hit in every if hit.pattern != pattern)
    return find(
        case,
        sources=("hash seed",),
        entries=(entry for entry in walked if entry.hit is not None and entry.hit.pattern == pattern),
        hits=(hit for hit in every if hit.pattern == pattern),
        rivals=rivals,
        fallback=fallback and not rivals,
        remedies=(FIXED_HASHES,),
    )
