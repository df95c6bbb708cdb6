"""Several producers, one queue."""

from __future__ import annotations

from reprocheck.diagnosis.rules.concurrency import arrival_order_sum
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.scene import find, hits, on_lines, taps
from reprocheck.diagnosis.rules.standing import RACE
from reprocheck.model.explanation import Case

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
    started = tuple(tap for tap in on_lines(taps(case, "thread"), marks) if tap.count > 1 or len(marks) > 1)
    if not taps(case, "pool", names=("get", "get_nowait")):
        return None
    return find(case, sources=RACE, taps=started)


RULE = Rule(page=PAGE, rank=506, match=match)
