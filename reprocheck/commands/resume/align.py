"""Which step of the run that was not stopped the resumed run begins with. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reprocheck.commands.resume.model import Alignment, History, Start, StepState


def align(through: History, resumed: History, taken: int) -> Alignment | None:
    """Find the state that the resumed run begins in among those of the other.

    `taken`: steps that the cut run took, as no checkpoint is later. None where no state of the other is the same.
    Parameters decide; where they were not restored the optimizer's state does, else the number of steps left.
    """
    start, first = resumed.starts[0], resumed.steps[0]
    places = range(min(len(through.steps), taken + 1))
    before = [state_before(through, k) for k in places]
    initial = {one.parameters for one in through.starts}
    with_parameters = [k for k in places if before[k][0] == start.parameters]
    left = len(through.steps) - len(resumed.steps)
    if start.parameters not in initial and with_parameters:
        by, pool = "parameters", with_parameters
    elif start.entries and (with_state := [k for k in places if before[k][1] == start.state]):
        by, pool = "optimizer state", with_state
    elif with_parameters and 0 < left < len(before):
        by, pool = "steps left", [left]
    elif with_parameters:
        by, pool = "parameters", with_parameters
    else:
        return None

    def likeness(k: int) -> tuple[int, int]:
        same = sum(_alike(through.steps[k], first)) + 2 * (before[k][1] == start.state) + 2 * (k == left)
        return same, k

    return Alignment(step=max(pool, key=likeness), by=by)


def state_before(history: History, place: int) -> tuple[str, str]:
    """Parameters and state of the optimizer that takes step `place`, right before it."""
    optimizer = history.steps[place].optimizer
    for earlier in range(place - 1, -1, -1):
        if history.steps[earlier].optimizer == optimizer:
            return history.steps[earlier].parameters, history.steps[earlier].state
    start = start_of(history.starts, optimizer)
    return (start.parameters, start.state) if start is not None else ("", "")


def start_of(starts: Iterable[Start], optimizer: int) -> Start | None:
    """An optimizer before its first step."""
    return next((start for start in starts if start.optimizer == optimizer), None)


def _alike(a: StepState, b: StepState) -> Iterable[bool]:
    yield a.batch == b.batch
    yield a.generators == b.generators
    yield a.rates == b.rates
    yield a.scalers == b.scalers
    yield a.loss == b.loss
