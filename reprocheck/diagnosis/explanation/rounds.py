"""One look at a pair of runs that differs: where, what it depends on, and which causes that shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from reprocheck.diagnosis.agree import equal_generators, when
from reprocheck.diagnosis.attribution.attribute import Attributor
from reprocheck.diagnosis.attribution.log import is_race, place_of
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.further_causes import FurtherCause
from reprocheck.diagnosis.leftovers import written_by
from reprocheck.diagnosis.remedy import hold_of
from reprocheck.diagnosis.replay import Replay, replay
from reprocheck.diagnosis.rules import diagnose, remedies
from reprocheck.diagnosis.torch_warnings import nondeterministic
from reprocheck.model import Divergence, Edit, Evidence, Finding
from reprocheck.model.explanation import Attribution, Case, Hold, SourceHit
from reprocheck.model.kinds import AttributionKind, Confidence, Severity

MOST_RACES = 2
"""What may mend a race, tried with what comes from outside held constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One look at a pair that differs, with the causes of the rounds before held constant."""

    divergence: Divergence
    seen: Replay
    """The traced pair that shows the cause."""
    plain: Replay
    """The one that repeats the difference."""
    attribution: Attribution
    cases: tuple[Case, ...]
    """One for each cause that was shown."""
    others: tuple[Round, ...] = ()
    """Causes that an experiment of this round showed next to its own."""


def look(
    runner: ExperimentRunner,
    a: Evidence,
    b: Evidence,
    divergence: Divergence,
    hits: tuple[SourceHit, ...],
    *,
    again: bool,
) -> tuple[Round, tuple[Evidence, Evidence] | None]:
    """Localize, attribute; and the runs that still differ with what was found held constant, if any do."""
    seen = replay(runner, a, b, divergence)
    attributor = Attributor(runner, a, b, divergence, seen, again=again)
    attribution = attributor.attribute()
    plain, seen = seen, attributor.seen
    case = Case(
        request=runner.request,
        divergence=divergence,
        origin=seen.origin,
        attribution=attribution,
        entries=seen.entries,
        other_entries=seen.other_entries,
        hits=hits,
        settings_at_end=a.settings_at_end,
        manifest=a.manifest,
        facts=a.facts,
        warnings=nondeterministic((a, b)),
        written=written_by(a, b),
        equal_generators=equal_generators(a, b),
        cwd=str(a.spec.cwd),
    )
    if attribution.kind == AttributionKind.INTRINSIC:
        attribution = attributor.beside_races(_against_races(case)) or attribution
    if attribution.hold is not None:
        runner.hold = runner.hold + attribution.hold

    def round_of(why: Attribution) -> Round:
        cases = tuple(replace(case, attribution=one) for one in _each(why))
        return Round(divergence=divergence, seen=seen, plain=plain, attribution=why, cases=cases)

    others = tuple(round_of(other) for other in attributor.others)
    return replace(round_of(attribution), others=others), attributor.rest


def _against_races(case: Case) -> list[Hold]:
    """What may mend a race, the likeliest first: a pool of one worker has no order of its own."""
    one_worker = {hit.edit for hit in case.hits if hit.pattern == "pool-workers"}
    tried = [one for one in remedies(case) if not one.hides]
    return [hold_of(one) for one in sorted(tried, key=lambda one: one_worker.isdisjoint(one.edits))][:MOST_RACES]


def _each(attribution: Attribution) -> tuple[Attribution, ...]:
    """One for each set of factors that is enough by itself; or for each of several lines that have to be constant."""
    if attribution.kind == AttributionKind.FROZEN and len(attribution.lines) > 1:
        return tuple(replace(attribution, lines=(line,), together=True) for line in attribution.lines)
    if len(attribution.sets) < 2:
        return (attribution,)
    return tuple(replace(attribution, factors=factors, sets=(factors,)) for factors in attribution.sets)


def is_shown(one: Round) -> bool:
    """A cause is named, and not as a guess."""
    return any(
        finding.severity == Severity.ERROR and finding.confidence != Confidence.LOW for finding in findings_of([one])
    )


def is_known(one: Round, rounds: Iterable[Round]) -> bool:
    """It begins in the race in which an earlier round did: what was held constant did not mend that."""
    place = _race_of(one)
    return place is not None and place in [_race_of(known) for known in rounds]


def _race_of(one: Round) -> object:
    """The operation that gave other results of equal inputs."""
    return place_of(one.seen.origin) if is_race(one.seen.origin) else None


def without_lines(one: Round) -> Round:
    """The same cause, where the lines that seemed to be enough were not."""

    def bare(attribution: Attribution) -> Attribution:
        return replace(attribution, lines=(), sure=False)

    cases = tuple(replace(case, attribution=bare(case.attribution)) for case in one.cases if case.attribution)
    return replace(one, attribution=bare(one.attribution), cases=cases)


def further_round(first: Round, found: FurtherCause) -> Round:
    """A cause that an experiment showed beside those of the rounds."""
    assert found.attribution is not None
    divergence = found.divergence or first.divergence
    case = replace(
        first.cases[0],
        origin=None,
        attribution=found.attribution,
        divergence=divergence,
        equal_generators=found.equal_generators,
    )
    if found.entries:
        case = replace(case, entries=found.entries, other_entries=())
    return Round(
        divergence=divergence, seen=first.seen, plain=first.plain, attribution=found.attribution, cases=(case,)
    )


def findings_of(rounds: Sequence[Round], proved: Collection[Edit] = ()) -> tuple[Finding, ...]:
    """The causes in the order of their first effects, then the other findings, each once."""
    ordered = sorted(rounds, key=lambda one: when(one.divergence))
    found = [finding for one in ordered for case in one.cases for finding in diagnose(case, proved)]
    distinct: dict[tuple[object, ...], Finding] = {}
    for finding in sorted(found, key=lambda finding: finding.severity != Severity.ERROR):
        distinct.setdefault((finding.code, finding.location), finding)
    return tuple(distinct.values())
