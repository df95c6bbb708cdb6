"""The data file grows with each run."""

from __future__ import annotations

from reprocheck.diagnosis.rules.leftovers.written_files import SOURCES, reads_of_written, tells_of
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.scene import find, taps, with_hits
from reprocheck.model.explanation import Case

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
    read = {tap.value for tap in reads}
    grown = tuple(tap for tap in taps(case, "write") if tap.generator == "append" and tap.value in read)
    return find(
        case, sources=SOURCES, taps=grown, hits=with_hits(case, grown, "append-open"), evidence=tells_of(reads, case)
    )


RULE = Rule(page=PAGE, rank=310, match=match)
