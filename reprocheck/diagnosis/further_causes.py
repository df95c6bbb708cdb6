"""Causes that runs which agree may still have: files of earlier runs, which all but the first run find, and a clock
that happened to decide alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from reprocheck.diagnosis.agree import equal_generators, first_difference
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.ledger_file import load_entries
from reprocheck.diagnosis.leftovers import Leftover, first_work
from reprocheck.model import Divergence, Evidence, Instruments
from reprocheck.model.explanation import (
    WITH_AND_WITHOUT_CLOCK,
    WITH_AND_WITHOUT_EARLIER_FILES,
    Arm,
    Attribution,
    Hold,
    LedgerEntry,
)
from reprocheck.model.kinds import AttributionKind

_QUESTION = "with the other causes held constant, does a run without files of earlier ones differ from those with them?"


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherCause:
    """What the experiment with and without files of earlier runs came to."""

    divergence: Divergence | None = None
    attribution: Attribution | None = None
    """None where the files make no difference, or where it was not tried."""
    equal_generators: bool = False
    """As in Case."""
    entries: tuple[LedgerEntry, ...] = ()
    """The ledger of the run that shows it; empty where that of the first runs does."""
    not_tried: str = ""
    """Why it was not."""


def try_without(runner: ExperimentRunner, hold: Hold, a: Evidence, files: Sequence[Leftover]) -> FurtherCause:
    """Runs in copies of the folder, with these files and without them; `hold` makes runs agree that both find them."""
    home = os.path.realpath(a.spec.environment.get("HOME") or os.path.expanduser("~")) + os.sep
    fixed = next((one.path for one in files if one.is_outside and not one.path.startswith(home)), None)
    if fixed is not None:
        return FurtherCause(not_tried=f"a run wrote {fixed}, later ones read it, and it cannot be kept away from a run")
    if runner.left < 3:
        return FurtherCause(not_tried=f"whether {files[0].path}, which a run wrote and later ones read, has an effect")
    folder = os.path.realpath(a.spec.cwd)
    inside = [os.path.relpath(one.path, folder) for one in files if not one.is_outside]
    outside = [one.path for one in files if one.is_outside] or None
    ran = runner.run(
        "do files of earlier runs matter, too?",
        [
            runner.spec(a, fresh=True, home_without=outside, home_copies=True, hold=hold, against=()),
            runner.spec(
                a,
                fresh=True,
                home_without=outside,
                copy_without=inside,
                hold=hold,
                against=(),
                instruments=Instruments(ledger=True),
            ),
        ],
    )
    if runner.agree(ran[0], ran[1], None) is not False:
        return FurtherCause()
    control = runner.run(
        "do runs agree that find them?",
        [runner.spec(a, fresh=True, home_without=outside, home_copies=True, hold=hold, against=ran)],
    )[0]
    if runner.agree(ran[0], control, None) is not True:
        return FurtherCause(not_tried=f"whether {files[0].path}, which a run wrote and later ones read, has an effect")
    assert isinstance(ran[0], Evidence)
    assert isinstance(ran[1], Evidence)
    arm = Arm(name=WITH_AND_WITHOUT_EARLIER_FILES, question=_QUESTION, runs=3, agreed=0, differed=1, failed="")
    shown = Attribution(
        kind=AttributionKind.LEFTOVER,
        factors=("files of earlier runs",),
        arms=(arm,),
        first_work=first_work(ran[1], a),
    )
    return FurtherCause(
        divergence=first_difference(ran[1], ran[0], runner.request, None),
        attribution=shown,
        equal_generators=equal_generators(ran[1], ran[0]),
    )


def try_clock(runner: ExperimentRunner, hold: Hold, a: Evidence) -> FurtherCause:
    """A run with a constant clock, and one without; `hold` makes runs agree."""
    if runner.left < 2:
        return FurtherCause(not_tried="whether the clock, which the source compares, has an effect")
    constant = hold + Hold(frozen=("clock",))
    ran = runner.run(
        "does the clock matter, too?",
        [
            runner.spec(a, hold=hold, against=()),
            runner.spec(a, hold=constant, against=(), instruments=Instruments(ledger=True)),
        ],
    )
    same = runner.agree(ran[0], ran[1], None)
    if same is not False:
        return FurtherCause() if same else FurtherCause(not_tried="a run with a constant clock gave no evidence")
    assert isinstance(ran[0], Evidence)
    assert isinstance(ran[1], Evidence)
    question = "with the other causes held constant, does a run with a constant clock differ from one without?"
    arm = Arm(name=WITH_AND_WITHOUT_CLOCK, question=question, runs=2, agreed=0, differed=1)
    return FurtherCause(
        divergence=first_difference(ran[0], ran[1], runner.request, None),
        # That two runs would differ by it is not shown: they may always decide alike.
        attribution=Attribution(kind=AttributionKind.FROZEN, factors=("clock",), arms=(arm,), sure=False),
        entries=load_entries(ran[1].spec.directory),
    )
