"""A cache on disk skips random draws."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.rules.candidate_lines import find, hits, on_lines
from reprocheck.diagnosis.rules.leftovers.written_files import (
    SOURCES,
    first_write,
    reads_of_written,
    skipped_draws,
    writers_of,
    written_after,
)
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import experiment_notes
from reprocheck.model.explanation import Case
from reprocheck.model.places import short_place

PAGE = Page(
    code="RC552",
    slug="cache-shift",
    title="a cache on disk skips work, and with it random draws",
    severity=ERROR,
    checks="Runs agree in fresh copies of the folder, and the source returns a stored result instead of computing it.",
    why="The first run draws random numbers while it fills the cache, later ones do not: all later numbers shift.",
    example="if CACHE.exists():\n    return torch.load(CACHE)\ndata = torch.randn(64, 5)  # skipped by later runs",
    fix="do cached work with a private generator, and put seed and configuration into the cache's name",
    limits="That the skipped work draws is shown only where the trace reaches it.",
)


def match(case: Case) -> Match | None:
    if case.equal_generators and not skipped_draws(case):
        return None  # nothing that was skipped draws, or all was seeded again later
    reads = reads_of_written(case)
    marks = hits(case, "cache-guard")
    looks = on_lines(reads, marks)
    kept = None if looks else _of_library(case)
    if kept is not None:
        return kept
    found = find(case, sources=SOURCES, entries=looks, hits=marks, evidence=writers_of(reads, case))
    written = first_write(looks, case)
    if found is None or found.location is None or written is None:
        return found
    # The arrow is on the end of the work that later runs skip.
    guard = short_place(found.location.path, found.location.line)
    shown = f"the first run writes `{looks[0].value}` here; later ones find it at {guard} and skip the work between"
    return replace(found, location=written.location, source=written.code, evidence=(*experiment_notes(case), shown))


def _of_library(case: Case) -> Match | None:
    """The cache is a library's (datasets, joblib, ...): no line of the target looks for it, but draws are missing."""
    for draw in skipped_draws(case):
        written = written_after(draw, case)
        if written is not None and written.location is not None:
            kept = short_place(written.location.path, written.location.line)
            shown = (
                f"`{draw.name}` is called here only where no earlier run has left its result: the first run writes "
                f"`{written.value}` at {kept}"
            )
            found = find(case, sources=SOURCES, entries=(draw,), evidence=(shown,))
            return None if found is None else replace(found, calls=(written.location,))
    return None


RULE = Rule(page=PAGE, rank=311, match=match)
