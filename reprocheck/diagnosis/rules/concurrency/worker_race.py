"""Data-loader workers pull work from one queue."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.seeds.worker_init_entropy import NO_WORKERS
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC525",
    slug="worker-race",
    title="data-loader workers take their work from one queue",
    severity=ERROR,
    checks="A dataset reads from a queue in `__iter__`, `__next__` or `__getitem__`, and its loader has workers.",
    why="Which worker gets which item depends on timing, and so does the order of the batches.",
    example="class Shared(IterableDataset):\n    def __iter__(self):\n        while True:\n"
    "            yield self.tasks.get()  # first come, first served",
    fix="give each worker its share by its number: `items[worker.id :: worker.num_workers]`",
    limits="The queue is found in the source; that it is shared by the workers is not proved.",
)


def match(case: Case) -> Match | None:
    if not any("num_workers=0" not in entry.value for entry in entries(case, SourceKind.LOADER)):
        return None
    return find(case, sources=RACE, hits=hits(case, "dataset-queue-get"), remedies=(NO_WORKERS,))


RULE = Rule(page=PAGE, rank=504, match=match)
