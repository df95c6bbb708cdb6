"""A resumption of several ranks: the lowest says where they resumed, and each is held against itself from there on."""

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
    """The difference of the earliest step; of two ranks that differ at one step it is that of the lower one."""
    lowest, *others = through
    if not others:
        return found
    missing, by_rank = list(found.not_compared), {lowest: found}
    for rank in others:
        ours, theirs = through[rank], resumed.get(rank)
        if theirs is None or len(ours.history.steps) <= alignment.step:
            missing.append(NotCompared(what=_name(rank), reason="it took no step after the resumption", is_result=True))
        else:
            by_rank[rank] = compare_resumed(ours, theirs, alignment, order.request)
    differing = {rank: one for rank, one in by_rank.items() if one.difference is not None}
    same = ", ".join(_name(rank) for rank in by_rank if rank not in differing)
    if not differing:
        return replace(found, not_compared=tuple(missing), notes=(*found.notes, f"the same in {same}"))
    rank, first = min(differing.items(), key=lambda item: _step(item[1]))
    assert first.difference is not None
    detail = ": ".join(filter(None, (f"in {_name(rank)}", first.difference.detail)))
    note = (f"the same in {same}",) if same else ()
    return replace(
        first,
        difference=replace(first.difference, detail=detail),
        not_compared=tuple(missing),
        notes=(*first.notes, *note),
    )


def _step(found: Compared) -> int:
    """Where nobody knows the step it is before the first one."""
    return -1 if found.difference is None or found.difference.step is None else found.difference.step


def _name(rank: int | None) -> str:
    return "the process of the run" if rank is None else f"rank {rank}"
