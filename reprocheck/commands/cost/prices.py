"""`reprocheck cost`, as one page: rows → interleaved runs → compare → prices → the cheapest that reproduces."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from reprocheck.commands.cost.measure import (
    base_of,
    interval_places,
    noise_ratio,
    peak_memory,
    ratio_to_plain,
    step_seconds,
)
from reprocheck.commands.cost.model import CostReport, Price, Ratio, Row
from reprocheck.commands.cost.rows import AGAIN, FILLED, PLAIN, UNFILLED, settings_of, why_not
from reprocheck.compare.runs import compare
from reprocheck.engine.progress import Progress
from reprocheck.engine.session import Session, session
from reprocheck.errors import ExitCode
from reprocheck.model import Comparison, Evidence, Instruments, Interventions, NotCompared, Outcome, Request
from reprocheck.report.wording import ending_of

COSTS = "costs"
"""The folder for evidence of these runs: they are no audits, and `diff latest` does not mean them."""
_WARM_UP_STEPS = 10
_T = TypeVar("_T")


@dataclass
class _Runs:
    """What there is of one row so far."""

    row: Row
    evidence: list[Evidence] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    """Of each run with the first."""
    failed: Outcome | None = None
    """It is not run again after this."""


def price(request: Request, rows: Sequence[Row], rounds: int, progress: Progress) -> CostReport:
    """Make the runs and the bill. Raises UsageError, NoVerdictError or Interrupted."""
    request = replace(request, repeats=max(2, rounds))
    with session(request, progress, COSTS) as one:
        ran, not_run = _run_all(one, rows, rounds)
        costs = _costs(request, ran, not_run, rounds)
        return replace(costs, directory=one.folder, seconds=one.seconds)


def _run_all(session: Session, rows: Sequence[Row], rounds: int) -> tuple[list[_Runs], tuple[NotCompared, ...]]:
    """Round after round. Before them a short plain run: it warms up the machine, says what applies here, and is no part
    of the prices.
    """
    ran = [_Runs(row) for row in (PLAIN, AGAIN, *rows)]
    session.progress.started(1 + rounds * len(ran))
    first = _Runs(PLAIN)
    _run(session, first, "warm-up", 0, _WARM_UP_STEPS)
    if first.failed is not None:
        return [first], ()
    manifest = first.evidence[0].manifest
    not_run = tuple(reason for one in ran if (reason := why_not(one.row, manifest)) is not None)
    ran = [one for one in ran if one.row.name not in {item.what for item in not_run}]
    session.progress.started(rounds * len(ran))
    for number in range(rounds):
        for one in in_round(ran, number):
            if one.failed is None:
                _run(session, one, f"{one.row.name.replace(' ', '-')}-{number + 1}", number)
        if any(one.failed is not None for one in ran[:2]):
            break
    return ran, not_run


def in_round(ran: Sequence[_T], number: int) -> list[_T]:
    """The order of one round: a plain run at each end, and every other round backwards.

    What slows down the machine bit by bit shows as noise between the two, and weighs on every setting from both sides.
    """
    plain, again, *others = ran
    order = [plain, *others, again]
    return order[::-1] if number % 2 else order


def _run(session: Session, one: _Runs, name: str, number: int, most_steps: int | None = None) -> None:
    planner = session.planner
    settings = settings_of(planner.request.settings, one.row)
    if most_steps is not None:
        settings = replace(settings, max_steps=min(most_steps, settings.max_steps or most_steps))
    spec = planner.spec(
        name,
        planner.request.seeds[0],
        number,
        planner.ambient(number),
        settings=settings,
        instruments=Instruments(times=True),
        interventions=Interventions(**dict[str, Any](one.row.overrides)),
    )
    (evidence,) = session.run([spec])
    if isinstance(evidence, Outcome):
        one.failed = evidence
        return
    one.evidence.append(evidence)
    if len(one.evidence) > 1:
        one.comparisons.append(compare(one.evidence[0], evidence, planner.request))


def _costs(request: Request, ran: Sequence[_Runs], not_run: tuple[NotCompared, ...], rounds: int) -> CostReport:
    failed = next((one.failed for one in ran[:2] if one.failed is not None), None)
    of_gpu = any(one.memory.get("cuda") for one in ran[0].evidence)
    fill = None
    if failed is not None:
        summary = f"no prices: the plain run {failed.spec.id} {ending_of(failed)}"
        prices = [Price(row=one.row, runs=len(one.evidence), reproduces=None) for one in ran[:1]]
        per, stderr_tail = "step", failed.stderr_tail
    else:
        per = "step" if all(step_seconds(one) is not None for runs in ran[:2] for one in runs.evidence) else "run"
        prices, stderr_tail = _prices(ran, per, of_gpu), ""
        fill = _fill(ran, per)
        summary = _summary(prices)
    return CostReport(
        request=request,
        exit_code=ExitCode.OK if failed is None else ExitCode.NO_VERDICT,
        summary=summary,
        prices=tuple(prices),
        cheapest=cheapest_of(prices),
        fill=fill,
        rounds=rounds,
        coverage=interval_places(rounds)[1],
        per=per,
        memory_of="gpu" if of_gpu else "host",
        not_run=not_run,
        stderr_tail=stderr_tail,
    )


def _prices(ran: Sequence[_Runs], per: str, of_gpu: bool) -> list[Price]:
    times = [[_seconds(one, per) for one in runs.evidence] for runs in ran]
    peaks = [[peak_memory(one, of_gpu) for one in runs.evidence] for runs in ran]
    prices = []
    for place, runs in enumerate(ran):
        whole = runs.failed is None
        reproduces, reason = _judge(runs)
        price = Price(
            row=runs.row,
            runs=len(runs.evidence),
            reproduces=reproduces,
            reason=reason,
            divergence=next((c.divergence for c in runs.comparisons if c.divergence is not None), None),
        )
        if whole:
            price = replace(price, **_quantity("seconds", "time_ratio", times, place))
            price = replace(price, **_quantity("memory", "memory_ratio", peaks, place))
        prices.append(price)
    return prices


def _quantity(name: str, ratio: str, values: Sequence[Sequence[float | None]], place: int) -> dict[str, Any]:
    """The median of one row, and its ratio to the plain rows, where all were measured."""
    plain, again, own = ([v for v in values[x] if v] for x in (0, 1, place))
    if not own or len({len(plain), len(again), len(own)}) > 1 or len(own) < len(values[0]):
        return {}
    noise = noise_ratio(plain, again)
    found = {name: statistics.median(own)}
    if place == 0:
        return found
    return {**found, ratio: noise if place == 1 else ratio_to_plain(own, base_of(plain, again), noise)}


def _fill(ran: Sequence[_Runs], per: str) -> Ratio | None:
    """What filling memory costs on top of deterministic algorithms, round by round."""
    by_name = {one.row.name: [_seconds(evidence, per) for evidence in one.evidence] for one in ran if not one.failed}
    names = (PLAIN.name, AGAIN.name, UNFILLED, FILLED)
    plain, again, without, filled = ([value for value in by_name.get(name, ()) if value] for name in names)
    if not plain or len({len(plain), len(again), len(without), len(filled)}) > 1:
        return None
    return ratio_to_plain(filled, without, noise_ratio(plain, again))


def _seconds(evidence: Evidence, per: str) -> float | None:
    """A run with fewer steps than the plain ones has no time of a step."""
    return step_seconds(evidence) if per == "step" else evidence.seconds


def _judge(runs: _Runs) -> tuple[bool | None, str]:
    if runs.failed is not None:
        return None, ending_of(runs.failed)
    if any(comparison.divergence is not None for comparison in runs.comparisons):
        return False, ""
    if not runs.comparisons:
        return None, "one run has nothing to be compared with"
    if not all(comparison.compared for comparison in runs.comparisons):
        return None, "nothing was compared: no step and no returned value was seen"
    return True, ""


def cheapest_of(prices: Sequence[Price]) -> str:
    """The name of the cheapest row that reproduces, or nothing. What reproduces as it is needs no setting.

    Settings whose intervals meet cost the same time: of those, one without a clear price in memory, and then the order
    of rows decides, which begins with what takes least out of a user's hands. What has no time may have done something
    else, and comes last.
    """
    found = [price for price in prices if price.reproduces and price.row is not AGAIN]
    if not found or found[0].row is PLAIN:
        return found[0].row.name if found else ""
    timed = [(price, price.time_ratio) for price in found if price.time_ratio is not None]
    if not timed:
        return found[0].row.name
    _, best = min(timed, key=lambda entry: entry[1].middle if entry[1].differs else 1.0)
    if best.differs:
        as_cheap = [price for price, ratio in timed if ratio.low <= best.high]
    else:  # it costs what plain costs, and so do those that are no difference, either
        as_cheap = [price for price, ratio in timed if not ratio.differs]
    return min(as_cheap, key=lambda price: _needs_more_memory(price.memory_ratio)).row.name


def _needs_more_memory(ratio: Ratio | None) -> bool:
    return ratio is not None and ratio.differs and ratio.middle > 1


def _summary(prices: Sequence[Price]) -> str:
    name = cheapest_of(prices)
    if not name:
        return "under no setting do the runs agree"
    if name == PLAIN.name:
        return "it reproduces as it is: no setting is needed"
    chosen = next(price for price in prices if price.row.name == name)
    return f"the cheapest setting that reproduces is {name} ({chosen.row.what})"
