"""What seeds have to do with it where all runs agree: they reach nothing, or it is reprocheck that sets them.

reprocheck seeds the generators before the target is imported, and so hides that the target does not. One short run
without that, in a copy of the folder, shows it; a second one, seeded again, that it was nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reprocheck.compare.verdict import unasked
from reprocheck.diagnosis.agree import first_difference
from reprocheck.diagnosis.experiments import ExperimentRunner, why_failed
from reprocheck.diagnosis.generators import drawn_before_seeded, drawn_unseeded, steps_until_all_used
from reprocheck.diagnosis.ledger_file import entries_as_of
from reprocheck.diagnosis.place import Place, place_for
from reprocheck.diagnosis.rules import diagnose
from reprocheck.diagnosis.rules.difference import equal_batches, equal_starts
from reprocheck.diagnosis.rules.model import ERROR, WARNING
from reprocheck.diagnosis.source.scan import scan
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.templates import Templates
from reprocheck.evidence.run import Ran
from reprocheck.model import (
    Evidence,
    Finding,
    Instruments,
    NotCompared,
    Request,
    RunSpec,
    Seeding,
    SelfSeeding,
    Target,
    UnseededGenerator,
    as_rank,
)
from reprocheck.model.explanation import Arm, Attribution, Case, SourceHit
from reprocheck.model.kinds import AttributionKind, SourceKind
from reprocheck.model.run_spec import PLAIN
from reprocheck.protocol import count_steps

STEPS = 10
"""Optimizer steps after which these runs end, unless a generator is first used later."""
HELP = "--seeding none shows it"
WHAT = "a run without reprocheck's seeding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What was found out about the seeds of a target whose runs agree."""

    findings: tuple[Finding, ...] = ()
    not_done: tuple[NotCompared, ...] = ()
    self_seeding: SelfSeeding | None = None


def explain_agreement(
    planner: Planner,
    progress: Progress,
    firsts: Sequence[Evidence],
    equal: Sequence[tuple[int, int]],
    templates: Templates,
    lasts: Sequence[Evidence] = (),
) -> Agreement:
    """What is wrong with the seeds of a target that reproduces, and what could not be asked. Raises Interrupted.

    `firsts` and `lasts` have a run of each seed, `equal` the pairs of seeds whose runs agree.
    """
    runner = ExperimentRunner(planner, progress, planner.request.explain_budget, templates=templates)
    of_run = firsts[0]
    runner.rank = _trains_in(of_run)
    firsts = [as_rank(one, runner.rank) for one in firsts]
    lasts = [as_rank(one, runner.rank) for one in lasts]
    first = firsts[0]
    limit = steps_until_all_used(first, STEPS)
    hits = scan(Path(path) for path in first.sources)
    case = Case(
        request=planner.request,
        divergence=None,
        hits=hits,
        equal_seeds=tuple(equal),
        equal_starts=equal_starts(firsts),
        equal_batches=equal_batches(firsts),
        settings_at_end=first.settings_at_end,
        manifest=first.manifest,
        facts=first.facts,
    )
    place = place_for(planner, firsts, lasts) if _is_of_interest(planner.request) else "not asked for"
    why_not = place if isinstance(place, str) else ""
    depends = False
    if isinstance(place, Place):
        ran = runner.run("does it reproduce without reprocheck's seeding?", [_unseeded(runner, first, limit, place)])[0]
        why_not = why_failed(ran)
        depends = runner.agree(first, ran, limit) is False
        if not depends and isinstance(ran, Evidence) and runner.left >= 1 and _may_be_luck(first, ran, limit):
            ran = runner.run("was that luck?", [_unseeded(runner, first, limit, place)])[0]
            depends = runner.agree(first, ran, limit) is False
    if depends and isinstance(place, Place):
        first = _seen_where_it_differs(runner, of_run, first, ran, limit)
        case, why_not = _dependent(runner, first, case, limit, place)
    elif runner.left >= 1 and _is_worth_a_run(equal, hits):
        ran = runner.run("following the seed", [runner.spec(first, limit=limit, instruments=Instruments(ledger=True))])[
            0
        ]
        case = replace(case, entries=entries_as_of(ran, first))
    not_done = (
        (NotCompared(what=WHAT, reason=why_not, help=HELP),) if why_not and _is_of_interest(planner.request) else ()
    )
    unseeded = unseeded_generators(case) if depends and not why_not else ()
    return Agreement(
        findings=tuple(raised(finding, unseeded, planner.request.target) for finding in diagnose(case)),
        not_done=not_done,
        self_seeding=_self_seeding(planner.request, why_not, unseeded),
    )


def _trains_in(run: Evidence) -> int | None:
    """The rank to look at where the process of the run only launches ranks."""
    return run.ranks[0].rank if run.ranks and not count_steps(run.steps) else None


def _seen_where_it_differs(
    runner: ExperimentRunner, of_run: Evidence, first: Evidence, ran: Ran, limit: int | None
) -> Evidence:
    """The first run from the rank that depends on our seeds, from which further runs are looked at, too."""
    difference = first_difference(first, ran, runner.request, limit) if isinstance(ran, Evidence) else None
    if difference is None or difference.rank is None:
        return first
    runner.rank = difference.rank
    return as_rank(of_run, runner.rank)


def _may_be_luck(seeded: Evidence, unseeded: Evidence, limit: int | None) -> bool:
    """It agrees, and yet drew from a generator that nobody seeds: a choice between two may come out alike."""
    return bool(drawn_unseeded(seeded, unseeded, limit))


def _self_seeding(request: Request, why_not: str, unseeded: tuple[UnseededGenerator, ...]) -> SelfSeeding | None:
    if not _is_of_interest(request):
        return unasked(request)
    if why_not:
        return SelfSeeding(seeds_itself=None, reason=why_not)
    return SelfSeeding(seeds_itself=not unseeded, unseeded=unseeded)


def unseeded_generators(case: Case) -> tuple[UnseededGenerator, ...]:
    """By the order of their first draws."""
    found = []
    for entry in sorted(drawn_before_seeded(case.entries, Seeding.NONE).values(), key=lambda entry: entry.order):
        late = any(
            other.kind == SourceKind.SEED and other.generator == entry.generator and not other.in_child
            for other in case.entries
        )
        found.append(UnseededGenerator(name=entry.generator, location=entry.location, late=late))
    return tuple(found)


def raised(finding: Finding, unseeded: Sequence[UnseededGenerator], target: Target) -> Finding:
    """Nobody calls a script that could seed for it: what it leaves unseeded is an error there."""
    is_of_seeds = finding.severity == WARNING and any(
        one.location in (finding.location, *finding.calls) for one in unseeded
    )
    return replace(finding, severity=ERROR) if is_of_seeds and target.function is None else finding


def _is_of_interest(request: Request) -> bool:
    return request.settings.seeding is not Seeding.NONE and request.explain_budget > 0


def _is_worth_a_run(equal: Sequence[tuple[int, int]], hits: Sequence[SourceHit]) -> bool:
    """Seeds agree, or the source has a generator that nobody seeds."""
    return bool(equal) or any(hit.pattern == "unseeded-generator" for hit in hits)


def _unseeded(
    runner: ExperimentRunner, first: Evidence, limit: int | None, place: Place, instruments: Instruments = PLAIN
) -> RunSpec:
    """A run like the last repeat of the first seed, but for our seeding: all repeats agree."""
    request = runner.request
    settings = replace(request.settings, seeding=Seeding.NONE)
    ambient = runner.ambient(request.repeats - 1)
    return runner.spec(
        first,
        limit=limit,
        ambient=ambient,
        settings=settings,
        instruments=instruments,
        against=(first,),
        fresh=place.fresh,
        home_without=place.home_without,
        home_copies=True,
    )


def _dependent(
    runner: ExperimentRunner, first: Evidence, case: Case, limit: int | None, place: Place
) -> tuple[Case, str]:
    """The case of a target that repeats because we seed, if that is shown; else why it is not."""
    if runner.left < 2:
        return case, f"--explain-budget {runner.request.explain_budget} was used up"
    ran = runner.run(
        "what is used before it is seeded?", [_unseeded(runner, first, limit, place, Instruments(ledger=True))]
    )[0]
    case = replace(case, entries=entries_as_of(ran, first))
    drawn = drawn_before_seeded(case.entries, Seeding.NONE)
    if not drawn:
        return case, why_failed(ran) or "it differs, and no generator was seen in use before it was seeded"
    seeded = runner.spec(first, limit=limit, fresh=place.fresh, home_without=place.home_without, home_copies=True)
    control = runner.run("and seeded, in the same folder?", [seeded])[0]
    where = "in a copy of the folder" if place.fresh else "in the folder"
    if not runner.agree(first, control, limit):
        return case, why_failed(control) or f"it differs, but so does a seeded one {where}"
    arm = Arm(name="seeding none", question="does it agree without reprocheck's seeding?", runs=1, agreed=0, differed=1)
    request = replace(case.request, settings=replace(case.request.settings, seeding=Seeding.NONE))
    return replace(
        case, request=request, attribution=Attribution(kind=AttributionKind.SEEDING, factors=tuple(drawn), arms=(arm,))
    ), ""
