"""The path of the temporary directory decides."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case, Remedy

FIXED_FOLDER = Remedy(
    text="TMPDIR=/tmp",
    environment=(("TMPDIR", "/tmp"),),
    hides="one temporary directory for all runs masks that its path affects the results",
    cost=6,
)

PAGE = Page(
    code="RC651",
    slug="tmpdir-dependence",
    title="the path of the temporary directory affects the results",
    severity=ERROR,
    checks="The difference depends on the temporary directory, and the source hashes, splits or sorts by paths.",
    why="The same file lies under a different path for another user, job or machine.",
    example="is_train = zlib.crc32(path.encode()) / 2**32 < 0.7  # path is absolute",
    fix="hash the name relative to the data folder, not the whole path",
    limits="The directory is proved by experiment, the line comes from the source.",
)


def match(case: Case) -> Match | None:
    marks = hits(case, "path-hash", "hash-call") or hits(case, "tempdir")
    return find(case, sources=("temporary directory",), hits=marks, fallback=True, remedies=(FIXED_FOLDER,))


RULE = Rule(page=PAGE, rank=309, match=match)
