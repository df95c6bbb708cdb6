"""The best result of earlier runs decides."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits, on_lines
from reprocheck.diagnosis.rules.leftovers.written_files import SOURCES, reads_of_written, writers_of
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import Stage

PAGE = Page(
    code="RC554",
    slug="best-file",
    title="the best result of earlier runs gets into this one",
    severity=ERROR,
    checks="Runs agree in fresh copies of the folder, training repeats, and a file of an earlier run is read for the "
    "result.",
    why="The score that is reported is the best of all runs so far, not that of this one.",
    example='if os.path.exists("best.pt"):\n    best = torch.load("best.pt")',
    fix="keep the best per run, in a folder of the run's own",
    limits="Distinguished from RC551 by what differs: only what the run returns or writes, not its steps.",
)


def match(case: Case) -> Match | None:
    if case.divergence is None or case.divergence.stage not in (Stage.METRIC, Stage.OUTPUT, Stage.STDOUT, Stage.FILES):
        return None
    reads = reads_of_written(case)
    marks = hits(case, "guarded-load")
    return find(
        case, sources=SOURCES, entries=on_lines(reads, marks) or reads, hits=marks, evidence=writers_of(reads, case)
    )


RULE = Rule(page=PAGE, rank=312, match=match)
