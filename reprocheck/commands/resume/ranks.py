"""A resumption of several ranks: the lowest is judged as a run is, and every other one is held against itself from
where that one resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reprocheck.commands.resume.compare import Ran, compare_resumed
from reprocheck.commands.resume.model import Alignment, Compared, ResumeOrder
from reprocheck.model import NotCompared


def with_other_ranks(
    found: Compared,
    through: Mapping[int | None, Ran],
    resumed: Mapping[int | None, Ran],
    alignment: Alignment,
    order: ResumeOrder,
) -> Compared:
    """The first difference of the lowest process that has one."""
    lowest, *others = through
    if not others:
        return found
    if found.difference is not None:
        rest = ", ".join(map(_name, others))
        return replace(found, notes=(*found.notes, f"this is {_name(lowest)}; not looked at: {rest}"))
    missing, same = list(found.not_compared), [_name(lowest)]
    for rank in others:
        ours, theirs = through[rank], resumed.get(rank)
        if theirs is None or len(ours.history.steps) <= alignment.step:
            missing.append(NotCompared(what=_name(rank), reason="it took no step after the resumption", is_result=True))
            continue
        one = compare_resumed(ours, theirs, alignment, order.request)
        if one.difference is not None:
            detail = ": ".join(filter(None, (f"in {_name(rank)}", one.difference.detail)))
            return replace(one, difference=replace(one.difference, detail=detail), not_compared=tuple(missing))
        same.append(_name(rank))
    return replace(found, not_compared=tuple(missing), notes=(*found.notes, f"the same in {', '.join(same)}"))


def _name(rank: int | None) -> str:
    return "the process of the run" if rank is None else f"rank {rank}"
