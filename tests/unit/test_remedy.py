"""Fixes that are tried: what is in force, and what they cost; noise is no price."""

from __future__ import annotations

import pytest

from reprocheck.diagnosis import remedy
from reprocheck.diagnosis.experiments import held_interventions
from reprocheck.diagnosis.explanation import answer, rounds
from reprocheck.diagnosis.remedy import hold_of, price
from reprocheck.model import Edit, Finding, Interventions
from reprocheck.model.explanation import Remedy, Trial
from reprocheck.model.kinds import Confidence, Severity
from tests.support.cases import INTRINSIC, case, entry, hit


@pytest.mark.parametrize(
    ("tried", "plain"),
    [
        ((0.5, 0.52), (1.0, 0.6)),  # the plain runs are as far apart
        ((1.1, 1.12), (1.0, 1.01)),  # less than what a machine drifts
        ((0.5,), (1.0, 1.01)),  # one run shows no spread
        ((1.0, 2.0), (1.0, 1.0)),
        ((0.0, 0.0), (1.0, 1.0)),
    ],
)
def test_noise_has_no_price(tried: tuple[float, ...], plain: tuple[float, ...]) -> None:
    assert price(tried, plain) is None


@pytest.mark.parametrize(("tried", "ratio"), [((2.0, 2.1), 2.05), ((0.5, 0.5, 0.51), 0.5)])
def test_what_is_far_beyond_the_spread_has_one(tried: tuple[float, ...], ratio: float) -> None:
    assert price(tried, (1.0, 1.0)) == pytest.approx(ratio)


def test_constants_of_several_lines_are_in_force_together() -> None:
    one, other = (
        Remedy(text=item, overrides=(("frozen", (item,)), ("loader_workers", 0))) for item in ("clock@a:1", "clock@a:2")
    )
    together = held_interventions(Interventions(calls=1), hold_of(one) + hold_of(other))
    assert together.frozen == ("clock@a:1", "clock@a:2")
    assert together.loader_workers == 0


def test_a_cause_whose_line_changes_nothing_comes_last_and_is_a_hint() -> None:
    edits = {
        cause: Edit(path="t.py", line=n, before="a", after="b") for n, cause in enumerate(("pool", "draw", "both"))
    }

    def finding(cause: str, confidence: Confidence) -> Finding:
        return Finding(
            code="RC571", severity=Severity.ERROR, message=cause, confidence=confidence, edit=edits[cause], cause=cause
        )

    found = [finding("pool", Confidence.MEDIUM), finding("draw", Confidence.MEDIUM), finding("both", Confidence.HIGH)]
    trials = [
        Trial(remedies=(Remedy(text=cause, edits=(edit,)),), agreed=1, runs=2, as_early=cause != "draw")
        for cause, edit in edits.items()
    ]
    settled = answer.settled_findings(found, trials)
    assert [(one.cause, one.confidence) for one in settled] == [("draw", "medium"), ("both", "high"), ("pool", "low")]


def test_a_pool_of_one_worker_is_the_likeliest_to_mend_a_race_beside_another_cause() -> None:
    pool = entry("pool", "multiprocessing.pool.Pool", 3)
    unordered = entry("pool", "multiprocessing.pool.Pool.imap_unordered", 10)
    marks = hit("imap-unordered", 10, edit=True), hit("pool-workers", 3, edit=True)
    of = case(attribution=INTRINSIC, entries=(pool, unordered), hits=marks, manifest={"threads": 1})
    assert [[edit.line for edit in hold.edits] for hold in rounds._against_races(of)] == [[3], [10]]


def test_trials_that_were_made_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the likeliest fix alone, and a look for another cause, the others are tried, and all of them together."""
    one, other = (Remedy(text=text) for text in ("one line", "another line"))
    hiding = Remedy(text="PYTHONHASHSEED=0", hides="the order stays unstable")
    made: list[tuple[str, ...]] = []

    def tried(_: object, remedies: tuple[Remedy, ...], *__: object) -> tuple[Trial, None]:
        made.append(tuple(remedy.text for remedy in remedies))
        return Trial(remedies=remedies, agreed=2 if len(remedies) > 1 else 1, runs=2), None

    class Runner:
        left = 20

    monkeypatch.setattr(remedy, "_try", tried)
    known = (Trial(remedies=(one,), agreed=1, runs=2),)
    answer = remedy.try_remedies(Runner(), [one, other, hiding], None, None, None, known)  # type: ignore[arg-type]
    assert made == [("another line",), ("one line", "another line")]
    assert [trial.works for trial in answer.trials] == [False, False, True]
