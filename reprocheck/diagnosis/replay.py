"""Localize: run the two runs that differed again, traced around the first difference, and compare their operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reprocheck.diagnosis.agree import first_difference, has_step, limit_of
from reprocheck.diagnosis.experiments import ExperimentRunner, why_failed
from reprocheck.diagnosis.ledger_file import load_entries
from reprocheck.diagnosis.leftovers import reads_what_was_written
from reprocheck.diagnosis.localization.communication import find_spread, folders_of_ranks, run_of
from reprocheck.diagnosis.localization.localize import locate
from reprocheck.diagnosis.localization.watch import TraceWatch
from reprocheck.evidence.run import EvidenceUnreadable, Ran
from reprocheck.model import Divergence, Evidence, Instruments, NotCompared, Outcome, Status, TraceWindow
from reprocheck.model.explanation import LedgerEntry, Origin, Spread
from reprocheck.model.kinds import SourceKind, Stage
from reprocheck.protocol import TRACE_FILE, count_steps

MOST_PAIRS = 3
"""Traced pairs at most: a race may not come back at once."""
MOST_TWINS = 3
"""Further traced runs with equal factors, for the same reason."""
KEPT_FOR_OTHERS = 6
"""Runs that a second look for a vanished difference must leave to the rest of the explanation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What the traced pair showed."""

    origin: Origin | None = None
    entries: tuple[LedgerEntry, ...] = ()
    other_entries: tuple[LedgerEntry, ...] = ()
    first: Evidence | None = None
    second: Evidence | None = None
    """The traced runs, if they went as far as they were to: with the factors of the first and of the second run
    that differed."""
    diverged: int = 0
    pairs: int = 0
    """Traced pairs that diverged, of how many."""
    not_done: tuple[NotCompared, ...] = ()
    spread: Spread | None = None
    """Of ranks: the collective through which it went from one to the others."""


def replay(runner: ExperimentRunner, a: Evidence, b: Evidence, divergence: Divergence, across: bool = False) -> Replay:
    """Traced pairs until one of them shows where it parts. `across`: they are of two revisions of the code."""
    window: TraceWindow | None = window_of(divergence, a, b)
    answer = Replay()
    shown: Origin | None = None
    if _is_traced(a) and _is_traced(b):
        origin, unread = _origin(a, b, across)
        answer, shown = Replay(origin=origin, not_done=unread), origin
        window = None if origin is not None and not origin.unknown_inputs else window
    traced: list[Ran] = []
    for attempt in range(MOST_PAIRS):
        if runner.left < (2 if attempt == 0 else KEPT_FOR_OTHERS):
            break
        first, second = _traced_pair(runner, a, b, window, traced)
        traced += [first, second]
        stopped = any(map(_is_stopped, (first, second)))
        if not stopped and not (isinstance(first, Evidence) and isinstance(second, Evidence)):
            if window is None:
                reason = why_failed(first, second)
                return Replay(
                    origin=shown,
                    not_done=(NotCompared(what="localization", reason=f"a traced run gave none: {reason}"),),
                )
            window = None  # the target does not bear the trace: take the ledger alone
            continue
        one, other = (run if isinstance(run, Evidence) else None for run in (first, second))
        difference = first_difference(one, other, runner.request, limit_of(divergence)) if one and other else None
        spread = _spread(runner.rank, first, second) if window is not None else None
        folders = [_folder(run, spread) for run in (first, second)]
        origin, unread = _origin(first, second, across, spread) if window is not None else (answer.origin, ())
        answer = Replay(
            origin=origin,
            spread=spread,
            entries=load_entries(folders[0]),
            other_entries=load_entries(folders[1]),
            first=one,
            second=other,
            diverged=answer.diverged + (difference is not None or origin is not None),
            pairs=answer.pairs + 1,
            not_done=unread,
        )
        if origin is not None or window is None or unread:
            break
        if difference is None and reads_what_was_written((*answer.entries, *answer.other_entries), a, b):
            break  # what earlier runs left behind is the same for both now
        if one and other and difference is not None:
            if _is_earlier(difference, divergence):
                divergence = difference
                window = window_of(difference, one, other)
            elif window.first is None and not _has_threads(answer):
                break  # a whole trace of one thread shows nothing of it, nor would another one
    return replace(answer, origin=answer.origin or shown)


def replay_twin(runner: ExperimentRunner, a: Evidence, b: Evidence, seen: Replay) -> Replay | None:
    """Where a traced run and its twin diverge, which has every environment factor equal; None where they agree, or
    where that cannot be seen."""
    first = seen.first
    if first is None or first.spec.instruments.trace is None or runner.rank is not None:
        return None
    twins: list[Evidence] = [first]
    for _ in range(MOST_TWINS):
        if runner.left < KEPT_FOR_OTHERS:
            break
        spec = runner.spec(a, instruments=first.spec.instruments, against=(a, b, *twins))
        twin = runner.run("tracing operations with every environment factor equal", [spec])[0]
        if not isinstance(twin, Evidence):
            break
        for one in twins:
            origin, _ = _origin(one, twin, across=False)
            if origin is not None:
                entries = load_entries(one.spec.directory), load_entries(twin.spec.directory)
                return Replay(
                    origin=origin,
                    entries=entries[0],
                    other_entries=entries[1],
                    first=one,
                    second=twin,
                    diverged=1,
                    pairs=len(twins),
                )
        twins.append(twin)
    return None


def window_of(divergence: Divergence, a: Evidence, b: Evidence) -> TraceWindow:
    """What has to be traced to see a difference arise."""
    if has_step(divergence):
        step = divergence.step or 0
        return TraceWindow(first=step if step and divergence.stage != Stage.INIT else None, last=step)
    return TraceWindow(first=_steps(a, b) or None, last=None)


def _steps(a: Evidence, b: Evidence) -> int:
    """Optimizer steps that both runs finished."""
    return min(count_steps(a.steps), count_steps(b.steps))


def _is_traced(run: Evidence) -> bool:
    return run.spec.instruments.trace is not None


def _has_threads(seen: Replay) -> bool:
    return any(
        entry.kind in (SourceKind.THREAD, SourceKind.POOL) or entry.threads > 1
        for entry in (*seen.entries, *seen.other_entries)
    )


def _is_earlier(difference: Divergence, divergence: Divergence) -> bool:
    if not has_step(divergence):
        return has_step(difference)
    return (difference.step or 0) < (divergence.step or 0)


def _traced_pair(
    runner: ExperimentRunner, a: Evidence, b: Evidence, window: TraceWindow | None, before: Sequence[Ran]
) -> tuple[Ran, Ran]:
    specs = [
        runner.spec(run, instruments=Instruments(ledger=True, trace=window), against=(a, b, *before)) for run in (a, b)
    ]
    endless = window is not None and (window.last is None or window.last >= _steps(a, b))
    ran = runner.run("tracing operations", specs, TraceWatch(*map(runner.folder_of, specs)) if endless else None)
    return ran[0], ran[1]


def _is_stopped(run: Ran) -> bool:
    """Ended, with its trace so far, because the pair had diverged."""
    return isinstance(run, Outcome) and run.status is Status.STOPPED


def _spread(rank: int | None, first: Ran, second: Ran) -> Spread | None:
    """Between the ranks of both runs, and the one of them to look at: that which differs first in its own compute.
    `rank`: None is the process of the run, which may be one of them."""
    one, other = (run_of(run.spec.directory) for run in (first, second))
    try:
        found = find_spread(one, other)
    except EvidenceUnreadable:
        return None
    if found is None:
        return None
    if rank is None:
        rank = next((number for number, folder in folders_of_ranks(one).items() if folder == one), None)
    own = found.gave if len(found.gave) < len(found.ranks) else ()
    return replace(found, origin_in=rank if rank in own or not own else own[0])


def _folder(run: Ran, spread: Spread | None) -> Path:
    """Of the rank to look at."""
    folder = run.spec.directory
    if spread is None or spread.origin_in is None:
        return folder
    return folders_of_ranks(run_of(folder)).get(spread.origin_in, folder)


def _origin(
    first: Ran, second: Ran, across: bool, spread: Spread | None = None
) -> tuple[Origin | None, tuple[NotCompared, ...]]:
    a, b = _folder(first, spread), _folder(second, spread)
    if not (a / TRACE_FILE).exists() and not (b / TRACE_FILE).exists():
        return None, (NotCompared(what="operations", reason="the runs did none in PyTorch"),)
    try:
        return locate(a, b, (first.spec.id, second.spec.id), across), ()
    except EvidenceUnreadable as error:
        return None, (NotCompared(what="operations", reason=error.message),)
