"""A run goes on from what an earlier one left."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits, on_lines
from reprocheck.diagnosis.rules.leftovers import best_file, cache_shift, data_changed
from reprocheck.diagnosis.rules.leftovers.written_files import SOURCES, reads_of_written, writers_of
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC551",
    slug="auto-resume",
    title="a run continues from the files of an earlier one",
    severity=ERROR,
    checks="Runs agree in fresh copies of the folder, and the source loads a file if it is there.",
    why="The second run does not start where the first one did: it continues it.",
    example='if os.path.exists("last.pt"):\n    model.load_state_dict(torch.load("last.pt"))',
    fix="start in an empty output folder, or resume only with an explicit option",
    limits="The line comes from the source and from the files that were read.",
)

_MORE_PARTICULAR = (data_changed.match, cache_shift.match, best_file.match)


def match(case: Case) -> Match | None:
    if any(match_of(case) is not None for match_of in _MORE_PARTICULAR):
        return None
    reads = reads_of_written(case)
    marks = hits(case, "state-update") or hits(case, "guarded-load")
    found = on_lines(reads, marks)
    if not marks:
        found = tuple(entry for entry in reads if entry.kind == SourceKind.READ)
    return find(case, sources=SOURCES, entries=found, hits=marks, fallback=True, evidence=writers_of(reads, case))


RULE = Rule(page=PAGE, rank=313, match=match)
