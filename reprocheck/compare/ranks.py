"""The ranks of two runs: each is compared with the same rank of the other run. Between ranks there is no order.

And their named parts (cells of a notebook, epochs): in which of them a difference begins. That decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from reprocheck.model import Comparison, Divergence, Evidence, NotCompared, PartRecord, RankEvidence, Request
from reprocheck.model.kinds import Stage
from reprocheck.protocol import STEP_KINDS, count_steps

SAME_START = "two processes of one run were this rank at the same time: which is which is chance"
_MOST_NAMES = 3
_HAS_A_STEP = (Stage.INIT, Stage.DATA, Stage.STEP)


def compare_ranks(
    a: Evidence, b: Evidence, request: Request, compare: Callable[[Evidence, Evidence, Request], Comparison]
) -> tuple[list[Divergence], list[str], list[NotCompared]]:
    """The first difference of each rank that differs, what was compared, and what could not be."""
    request = replace(request, compare=())
    theirs = {(one.rank, one.start): one for one in b.ranks}
    found: list[Divergence] = []
    compared: dict[str, None] = {}
    missing: dict[NotCompared, None] = {}
    for one in a.ranks:
        other = theirs.pop((one.rank, one.start), None)
        if other is None:
            missing[_alone(one, a)] = None
        elif one.left_open or other.left_open:
            missing[NotCompared(what=one.name, reason=SAME_START, is_result=True)] = None
        else:
            answer = compare(one.evidence, other.evidence, request)
            if answer.divergence is not None:
                found.append(replace(answer.divergence, rank=one.rank))
            compared.update(dict.fromkeys(answer.compared))
            results = [item for item in answer.not_compared if item.is_result]
            missing.update(dict.fromkeys(_of(one, item) for item in results))
    missing.update(dict.fromkeys(_alone(one, b) for one in theirs.values()))
    return found, list(compared), list(missing)


def _alone(one: RankEvidence, run: Evidence) -> NotCompared:
    reason = f"only run {run.spec.id} has it: the other has fewer processes, or it was not seen there"
    return NotCompared(what=one.name, reason=reason, is_result=True)


def _of(one: RankEvidence, item: NotCompared) -> NotCompared:
    return item if one.name in item.what else replace(item, what=f"{item.what} ({one.name})")


def first_of(divergences: Iterable[Divergence]) -> Divergence | None:
    """The one to look at: that of the earliest step and, within it, of what comes earliest in a step. Which of two
    ranks came first is not claimed: with equal ones the lowest is shown."""
    return min(divergences, key=when, default=None)


def when(divergence: Divergence) -> tuple[int, int, int]:
    """By what is known of every run: steps, what comes first in a step, and the run itself before its ranks."""
    rank = -1 if divergence.rank is None else divergence.rank
    if divergence.stage not in (Stage.INIT, Stage.DATA, Stage.STEP, Stage.CHECKPOINT) or (
        divergence.stage == Stage.CHECKPOINT and divergence.step is None
    ):
        return 1 << 62, 0, rank
    kinds = STEP_KINDS
    kind = kinds.index(divergence.kind) if divergence.kind in kinds else len(kinds)
    return divergence.step or 0, -1 if divergence.stage == Stage.INIT else kind, rank


def in_part(divergence: Divergence | None, a: Evidence, b: Evidence) -> Divergence | None:
    """The divergence with its part; and with the first part whose values differ, which may come before it."""
    if divergence is None or not a.parts or divergence.rank is not None:
        return divergence
    if divergence.stage in _HAS_A_STEP:
        step = divergence.step or 0
        # Behind the last step, or without any, parts are not told apart by steps.
        name = _at(a.parts, step) if step < max(count_steps(a.steps), count_steps(b.steps)) else ""
    else:
        name = ""
    found = first_differing(a.parts, b.parts)
    if found is None:
        return replace(divergence, part=name)
    first, names = found
    shown = ", ".join(f"`{one}`" for one in names[:_MOST_NAMES]) + (", ..." if names[_MOST_NAMES:] else "")
    note = f"the first values that differ are those of {first}: {shown}" if first != name else ""
    return replace(divergence, part=name or first, note="; ".join(filter(None, (divergence.note, note))))


def first_differing(a: tuple[PartRecord, ...], b: tuple[PartRecord, ...]) -> tuple[str, tuple[str, ...]] | None:
    """The first part that left other values in both runs, and their names."""
    for one, other in zip(a, b, strict=False):
        if one.name != other.name:
            return None
        digests = {record.name: record.digest for record in other.values}
        names = tuple(x.name for x in one.values if x.name in digests and digests[x.name] != x.digest)
        if names:
            return one.name, names
    return None


def _at(parts: tuple[PartRecord, ...], step: int) -> str:
    """The last part that had begun by then."""
    return next((part.name for part in reversed(parts) if part.step <= step), "")
