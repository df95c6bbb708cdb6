"""One run that differs from all others, which agree: the first found no files of earlier runs, or it was luck."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from reprocheck.diagnosis.agree import first_difference
from reprocheck.diagnosis.attribution.environment import FIELD_OF_FACTOR, responsible_factors
from reprocheck.diagnosis.attribution.log import FROZEN_KINDS, ExperimentLog
from reprocheck.diagnosis.experiments import why_failed
from reprocheck.diagnosis.leftovers import Leftover, first_work, leftovers
from reprocheck.evidence.run import Ran
from reprocheck.model import Evidence, Instruments
from reprocheck.model.explanation import Attribution, Hold
from reprocheck.model.kinds import AttributionKind


def one_run_alone(log: ExperimentLog) -> Attribution:
    """All plain pairs but one agree: what its first run differs in."""
    alone = next(one for one, _, outcome in log.plain if outcome is False)
    return _first_alone(log) if alone is log.a else _another_alone(log, alone)


def _another_alone(log: ExperimentLog, one: Ran) -> Attribution:
    """A run that is not the first differs from its twin, which found the same files: what made it do so does not come
    back. Where the twin differs from the first run, too, that has a cause of its own."""
    name, twin = one.spec.id, next(twin for first, twin, outcome in log.plain if first is one and outcome is False)
    parts = first_difference(log.a, twin, log.runner.request, log.limit) if isinstance(twin, Evidence) else None
    if one is log.b and isinstance(twin, Evidence) and parts is not None:
        log.b, log.divergence = twin, parts
        ambient = responsible_factors(log)
        if ambient is not None:
            return replace(ambient, sure=False, rate=log.rate())
    agree = "all further runs agree with one another" if parts is None else "further runs agree with their twins"
    return log.answer(
        AttributionKind.UNCLEAR,
        rate=log.rate(),
        note=f"only run {name} differs: {agree}",
        excluded=(*FROZEN_KINDS, "leftover"),
        sure=False,
    )


def _first_alone(log: ExperimentLog) -> Attribution:
    """The first run differs, and all later ones agree with their twins: it found something that they did not."""
    later = next(twin for one, twin, outcome in log.plain if one is log.a and outcome is False)
    assert isinstance(later, Evidence)
    found = leftovers((*log.seen.entries, *log.seen.other_entries), log.a, log.b)
    shown = _as_at_first(log, found, later) if found and log.runner.left >= 1 else None
    parts = first_difference(later, log.b, log.runner.request, log.limit)
    if shown is not None:
        log.rest = None if parts is None else (later, log.b)
        return shown
    if parts is not None and not found:
        log.a, log.divergence = later, parts
        ambient = responsible_factors(log)
        if ambient is not None:
            return replace(ambient, sure=False, rate=log.rate())
    note = "only the first run differs: all later ones agree with one another"
    if found:
        note += f"; they read {found[0].path}, which a run wrote"
    return log.answer(
        AttributionKind.UNCLEAR,
        ["files of earlier runs"] if found else [],
        rate=log.rate(),
        note=note,
        excluded=(*FROZEN_KINDS, "seeding", "intrinsic", *FIELD_OF_FACTOR) if found else FROZEN_KINDS,
    )


def _as_at_first(log: ExperimentLog, found: Sequence[Leftover], later: Evidence) -> Attribution | None:
    """A run without the files that earlier ones wrote must agree with the first run, and not with later ones."""
    runner = log.runner
    folder = os.path.realpath(log.a.spec.cwd)
    inside = [os.path.relpath(one.path, folder) for one in found if not one.is_outside]
    outside = [one.path for one in found if one.is_outside]
    spec = runner.spec(
        log.a,
        limit=log.limit,
        fresh=True,
        copy_without=inside,
        home_without=outside if outside else None,
        against=(log.a, later),
        instruments=Instruments(ledger=True),
    )
    ran = runner.run("does it agree with the first run where no run has left a file?", [spec])[0]
    same = log.agree(log.a, ran)
    differs = log.agree(later, ran) is False
    question = "does a run without files of earlier ones agree with the first run, and differ from later ones?"
    outcome = same and differs if same is not None else None
    log.arm("without earlier files", question, 1, [outcome], why_failed(ran))
    if not (same and differs):
        return None
    return log.answer(
        AttributionKind.LEFTOVER,
        ["files of earlier runs"],
        hold=Hold(),
        rate=log.rate(),
        first_work=first_work(ran, log.a),
    )
