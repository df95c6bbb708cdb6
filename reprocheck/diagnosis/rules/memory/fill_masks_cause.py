"""Deterministic mode fills memory, and so hides an uninitialised read."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, walks
from reprocheck.diagnosis.rules.memory.heap_contents import is_of_python
from reprocheck.diagnosis.rules.model import HIGH, NOTE, Match, Page, Rule
from reprocheck.diagnosis.rules.support import Support, experiment_notes, support_of
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC594",
    slug="fill-masks-cause",
    title="deterministic mode would only hide this",
    severity=NOTE,
    checks="The difference depends on the contents of fresh memory.",
    why="`torch.use_deterministic_algorithms(True)` also fills fresh tensors with NaN or the greatest integer. A "
    "difference that goes away with it need not come from the order of additions.",
    example="torch.use_deterministic_algorithms(True)  # also fills what torch.empty returns",
    fix="fix the read itself; to tell the two apart, set `torch.utils.deterministic.fill_uninitialized_memory = False`",
    limits="It is not a cause; it accompanies the one that is.",
)


def match(case: Case) -> Match | None:
    if support_of(case, "heap contents") is not Support.SHOWN:
        return None
    if is_of_python(case) or walks(case, of_addresses=True) or entries(case, SourceKind.THREAD, SourceKind.POOL):
        return None  # what is in memory also moves addresses, and a race may agree by luck
    return Match(confidence=HIGH, evidence=experiment_notes(case))


RULE = Rule(page=PAGE, rank=607, match=match)
