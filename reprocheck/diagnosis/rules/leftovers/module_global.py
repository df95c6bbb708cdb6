"""State that outlives a call of the training function."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC553",
    slug="module-global",
    title="state of the process outlives the training function",
    severity=ERROR,
    checks="A second call of the function in one process differs from the first, though fresh processes agree.",
    why="Globals, `lru_cache`, mutable defaults and class attributes keep what the first call left.",
    example="def record(loss, history=[]):  # one list for all calls\n    history.append(loss)",
    fix="create the state inside the training function",
    limits="Asked only with `--in-process-repeat`. The line comes from the source.",
)


def match(case: Case) -> Match | None:
    if case.attribution is None or "process state" not in case.attribution.factors:
        return None
    return find(case, sources=("process state",), hits=hits(case, "module-state"), shown=True, fallback=True)


RULE = Rule(page=PAGE, rank=314, match=match)
