"""The data file grows with each run."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, with_hits
from reprocheck.diagnosis.rules.leftovers.written_files import SOURCES, reads_of_written, writers_of
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC544",
    slug="data-changed",
    title="a run changes the data that the next one reads",
    severity=ERROR,
    checks="Runs agree in fresh copies of the folder, and a file that is read is also opened to append to it.",
    why="Each run reads what all the runs before it wrote: no two of them see the same data.",
    example='with open("samples.csv", "a") as f:\n    write_rows(f)\ntable = read("samples.csv")',
    fix="write the file from scratch, or into a folder of the run's own; check the data against a digest",
    limits="Data that something else changes between the runs looks the same.",
)


def match(case: Case) -> Match | None:
    reads = reads_of_written(case)
    read = {entry.value for entry in reads}
    grown = tuple(
        entry for entry in entries(case, SourceKind.WRITE) if entry.generator == "append" and entry.value in read
    )
    return find(
        case,
        sources=SOURCES,
        entries=grown,
        hits=with_hits(case, grown, "append-open"),
        evidence=writers_of(reads, case),
    )


RULE = Rule(page=PAGE, rank=310, match=match)
