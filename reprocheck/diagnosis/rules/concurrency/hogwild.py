"""Lock-free updates of shared weights."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, with_hits
from reprocheck.diagnosis.rules.concurrency import arrival_order_sum
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC575",
    slug="hogwild",
    title="several threads or processes update the same weights",
    severity=ERROR,
    checks="A model's memory is shared with other processes, or a thread's function changes tensors in place, and the "
    "runs differ with everything equal.",
    why="Which update comes first, and from which weights it was computed, depends on scheduling.",
    example="model.share_memory()\nfor rank in range(2):\n    Process(target=train, args=(model,)).start()",
    fix="update synchronously; else report mean and spread over several runs instead of one number",
    limits="That the threads work on the same tensors is read from the source.",
)


def match(case: Case) -> Match | None:
    if arrival_order_sum.match(case) is not None:
        return None  # the main thread adds up what it takes from a queue: nobody else writes there
    shared = entries(case, SourceKind.SHARE_MEMORY)
    marks = with_hits(case, shared, "share-memory")
    if not shared:
        marks = (
            hits(case, "thread-update") if entries(case, SourceKind.THREAD) or entries(case, SourceKind.POOL) else ()
        )
    return find(case, sources=RACE, entries=shared, hits=marks)


RULE = Rule(page=PAGE, rank=507, match=match)
