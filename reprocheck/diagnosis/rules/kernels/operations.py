"""What the rules for operations share: the origin shows equal inputs and another output."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import at_origin
from reprocheck.diagnosis.rules.model import HIGH, LOW, MEDIUM, Match
from reprocheck.diagnosis.rules.support import Support, support_of
from reprocheck.model import Deterministic
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import OriginKind

ONE_THREAD = Remedy(text="--threads 1", settings=(("threads", 1),), cost=2)
DETERMINISTIC = Remedy(
    text="--deterministic warn (memory not filled)",
    settings=(("deterministic", Deterministic.WARN),),
    overrides=(("fill_memory", False),),
    cost=3,
)


def op_name(case: Case) -> str:
    """The operation where the runs diverge, without namespace: `index_put_`. Empty unless it is the origin itself."""
    if case.origin is None or case.origin.kind != OriginKind.OP:
        return ""
    return case.origin.call.op.partition("::")[2].partition(".")[0]


def by_operation(
    case: Case, *sources: str, evidence: tuple[str, ...] = (), remedies: tuple[Remedy, ...] = ()
) -> Match | None:
    """The origin is the cause, unless an experiment blames something that it cannot depend on."""
    if case.origin is None or support_of(case, *sources) is Support.AGAINST:
        return None
    given = "inputs that were not recorded" if case.origin.unknown_inputs else "equal inputs"
    evidence_lines = (f"`{case.origin.call.op}` got {given} and gave another output", *evidence)
    confidence = HIGH if case.attribution is not None else MEDIUM
    confidence = LOW if case.origin.unknown_inputs else confidence
    return at_origin(case, confidence, evidence_lines, remedies)
