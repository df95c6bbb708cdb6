"""Several producers, one queue."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.concurrency import arrival_order_sum
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC572",
    slug="producer-race",
    title="several threads fill one queue",
    severity=ERROR,
    checks="More than one thread is started whose function puts into a queue, and the main thread takes from one.",
    why="The order in which they put items depends on scheduling: batches contain other items in every run.",
    example="for shard in shards:\n    Thread(target=produce, args=(shard, batches)).start()",
    fix="give each producer a queue of its own and take from them in turn",
    limits="That the threads share the queue is read from the source.",
)


def match(case: Case) -> Match | None:
    if arrival_order_sum.match(case) is not None:
        return None  # in which order they come makes no difference but to the sum
    marks = hits(case, "thread-producer")
    started = tuple(
        entry for entry in on_lines(entries(case, SourceKind.THREAD), marks) if entry.count > 1 or len(marks) > 1
    )
    if not entries(case, SourceKind.POOL, names=("get", "get_nowait")):
        return None
    return find(case, sources=RACE, entries=started)


RULE = Rule(page=PAGE, rank=506, match=match)
