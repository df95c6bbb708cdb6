"""Generators left unseeded next to the causes of a difference: reprocheck seeds them, and so hides them.

That a generator was drawn from and never seeded is a fact of one run. Whether results depend on it is shown where runs
agree with all other causes held constant: one more run, without reprocheck's seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reprocheck.diagnosis.agreement import raised, unseeded_generators
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.generators import drawn_before_seeded, steps_until_all_used, used
from reprocheck.diagnosis.ledger_file import entries_as_of
from reprocheck.diagnosis.place import place_for
from reprocheck.diagnosis.rules import diagnose
from reprocheck.engine.plan import Planner
from reprocheck.evidence.run import Ran
from reprocheck.model import Evidence, Finding, Instruments, RunSpec, Seeding, UnseededGenerator
from reprocheck.model.explanation import WITH_AND_WITHOUT_SEEDS, Arm, Attribution, Case, Hold, LedgerEntry
from reprocheck.model.kinds import AttributionKind, SourceKind
from reprocheck.model.run_spec import PLAIN

SHOWN = Arm(
    name=WITH_AND_WITHOUT_SEEDS,
    question="with the other causes held constant, does it agree without reprocheck's seeding?",
    runs=1,
    agreed=0,
    differed=1,
)


def find_hidden(
    planner: Planner,
    runner: ExperimentRunner,
    case: Case,
    entries: Sequence[LedgerEntry],
    runs: tuple[Evidence, Evidence],
    hold: Hold | None,
) -> tuple[Finding, ...]:
    """What reprocheck's seeds hide. `entries`: what was seen so far. `hold`: what makes runs agree; None: nothing is
    known to. Raises Interrupted."""
    if runner.request.settings.seeding is Seeding.NONE:
        return ()
    first = runs[0]
    seeded = {entry.generator for entry in entries if entry.kind == SourceKind.SEED and not entry.in_child}
    known = drawn_before_seeded(entries, Seeding.NONE)
    if not known and all(name in seeded for name in used(first)):
        return ()
    is_shown = False
    place = place_for(planner, [first], [runs[1]]) if hold is not None and runner.left >= 2 else ""
    if hold is not None and not isinstance(place, str):
        limit = steps_until_all_used(first, max((entry.step for entry in known.values()), default=0) + 1)

        def spec(held: Hold, *against: Ran, instruments: Instruments = PLAIN) -> RunSpec:
            return runner.spec(
                first,
                limit=limit,
                hold=held,
                against=against,
                instruments=instruments,
                fresh=place.fresh or None,
                home_without=place.home_without,
                home_copies=True,
            )

        unseeded = hold + Hold(settings=(("seeding", Seeding.NONE),))
        asked = spec(unseeded, instruments=Instruments(ledger=True))
        ran = runner.run("what is used before it is seeded?", [asked])[0]
        entries = entries_as_of(ran, first) or entries
        if not drawn_before_seeded(entries, Seeding.NONE):
            return ()
        control = runner.run("and seeded?", [spec(hold, ran)])[0]
        same = runner.agree(ran, control, limit)
        if same and runner.left >= 1:  # a choice between two may come out alike
            same = runner.agree(runner.run("was that luck?", [spec(unseeded, control)])[0], control, limit)
        if same:
            return ()  # it reaches nothing that is compared
        is_shown = same is False
    if not is_shown:  # what a library does while it is imported is its own business
        entries = [entry for entry in entries if not (entry.in_import and entry.library)]
    return _findings(case, entries, is_shown)


def _findings(case: Case, entries: Sequence[LedgerEntry], is_shown: bool) -> tuple[Finding, ...]:
    request = replace(case.request, settings=replace(case.request.settings, seeding=Seeding.NONE))
    drawn = drawn_before_seeded(entries, Seeding.NONE)
    attribution = Attribution(
        kind=AttributionKind.SEEDING, factors=tuple(drawn), arms=(SHOWN,) if is_shown else (), sure=is_shown
    )
    hidden = replace(
        case,
        request=request,
        divergence=None,
        origin=None,
        attribution=attribution,
        entries=tuple(entries),
        other_entries=(),
        facts=(),
    )
    unseeded = unseeded_generators(hidden)
    return tuple(
        raised(one, unseeded, request.target) if is_shown else _unproved(one)
        for one in diagnose(hidden)
        if _is_about(one, unseeded)
    )


def _is_about(finding: Finding, unseeded: Sequence[UnseededGenerator]) -> bool:
    return any(one.location is not None and one.location in (finding.location, *finding.calls) for one in unseeded)


def _unproved(finding: Finding) -> Finding:
    unknown = "reprocheck seeds it in all runs; whether the results depend on it was not shown"
    return replace(finding, evidence=(*finding.evidence, unknown))
