"""Whether a difference matters, as the reports say it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from reprocheck.engine.console import Style
from reprocheck.model import Audit
from reprocheck.model.drift import (
    Curve,
    Drift,
    DriftAnswer,
    Floor,
    Growth,
    Jump,
    Law,
    LayerDrift,
    Size,
    Trend,
)
from reprocheck.model.explanation import Explanation
from reprocheck.report import FORMATS
from reprocheck.report.drift_text import drift_sentence
from reprocheck.report.json.v1 import render_json
from tests.support.audits import different, divergence, run

STEPS = tuple(range(3, 60))
CURVE = Curve(steps=STEPS, distances=tuple(1e-8 * 1.06**step for step in STEPS))
LAYER = LayerDrift(
    kind="gradients", name="fc.weight", elements=4096, first=3, max_ulp=4, end=1e-6, end_ulp=90, curve=CURVE
)
DRIFT = Drift(runs=("x06", "x07"), first=3, parameters=CURVE, gradients=CURVE, loss=CURVE, layers=(LAYER,))
GROWS = Growth(
    trend=Trend.GROWS,
    law=Law.EXPONENTIAL,
    rate=math.log(2) / 12,
    low=math.log(2) / 15,
    high=math.log(2) / 10,
    first_step=3,
    last_step=59,
    start=1e-8,
    end=1.2e-4,
    end_step=59,
)
WITHIN = Floor(twins=5, wanted=5, step=3, middle=CURVE, low=CURVE, high=CURVE, size=Size.WITHIN, onset=0.3, end=0.7)
BEYOND = replace(WITHIN, twins=1, wanted=1, size=Size.BEYOND, onset=412.0, end=390.0)
ANSWER = DriftAnswer(seed=0, drift=DRIFT, growth=GROWS, floor=WITHIN, runs=7)


def audit(answer: DriftAnswer = ANSWER, **changes: Any) -> Audit:
    explanation = Explanation(seed=0, attribution=None, origin=None, drift=answer, runs=9)
    return different(divergence(), run(1, metrics={"accuracy": 0.81}), explanation=explanation, **changes)


def sentence(**changes: Any) -> str:
    return drift_sentence(audit(replace(ANSWER, **changes)))


def test_rounding_that_doubles() -> None:
    assert sentence() == (
        "the difference doubles every 12 steps (10 to 15) and ends at 0.00012 of the norm of the parameters: "
        "within what rounding does here, 0.7 times what one ULP comes to (5 twins)"
    )


def test_a_bug_is_not_called_rounding() -> None:
    assert sentence(floor=BEYOND).endswith(
        "of the parameters: where it begins it is 410 times what one ULP does: not rounding (1 twin)"
    )
    late = sentence(floor=replace(BEYOND, end=1.1))
    assert late.endswith("not rounding (1 twin); at the end one ULP comes about as far")


def test_between_both_nothing_is_decided() -> None:
    text = sentence(floor=replace(WITHIN, size=Size.BETWEEN, onset=30.0, end=12.0))
    assert text.endswith(
        "where it begins it is 30 times what one ULP does, at the end 12 times: "
        "neither clearly rounding nor clearly more (5 twins)"
    )


def test_without_a_floor_nothing_is_said_of_rounding() -> None:
    text = sentence(floor=Floor(reason="runs with everything equal differ from one another, so twins would, too"))
    assert "not known: runs with everything equal differ" in text
    assert "within" not in text
    assert sentence(floor=replace(WITHIN, twins=2, reason="--explain-budget 9 was used up")).endswith(
        "(2 twins of 5: --explain-budget 9 was used up)"
    )


def test_what_is_not_seen_to_double_is_not_said_to() -> None:
    slow = replace(GROWS, rate=0.005, low=0.004, high=0.006)
    assert "grows 1.3-fold in 56 steps" in sentence(growth=slow)


@pytest.mark.parametrize(
    ("growth", "said"),
    [
        (replace(GROWS, law=Law.POWER, rate=0.98, low=0.9, high=1.1), "grows with the steps to the power of 0.98"),
        (replace(GROWS, saturated=True), "doubles every 12 steps (10 to 15), then stays"),
        (replace(GROWS, trend=Trend.DIES_OUT, rate=-0.2, low=-0.3, high=-0.1), "halves every 3.5 steps"),
        (replace(GROWS, trend=Trend.DIES_OUT, law=None, equal_from=9), "from step 9 on the values are equal again"),
        (replace(GROWS, law=None), "grows 1.2e+04-fold in 56 steps, at no steady rate, and ends at"),
        (replace(GROWS, trend=Trend.STAYS), "neither clearly grows nor dies out"),
        (replace(GROWS, trend=Trend.STAYS, law=None, end_step=5), "has 3 steps, too few for a rate,"),
        (replace(GROWS, trend=Trend.NOT_FINITE), "ends in values that are no numbers"),
        (Growth(trend=Trend.NONE), "no parameter differs"),
    ],
)
def test_every_trend_has_its_words(growth: Growth, said: str) -> None:
    assert said in sentence(growth=growth)


def test_seeds_are_the_yardstick_where_there_are_several() -> None:
    seeds = audit().seeds
    others = tuple(
        replace(
            seeds[0],
            seed=number,
            divergence=None,
            runs=tuple(replace(one, metrics={"accuracy": 0.8 + 0.1 * number}) for one in seeds[0].runs),
        )
        for number in (1, 2)
    )
    text = drift_sentence(audit(seeds=(*seeds, *others)))
    assert ", `accuracy` at 0.1 of one standard deviation over 3 seeds: within" in text
    assert "standard deviation" not in sentence()


def test_a_sign_that_changes_under_adam_has_a_note() -> None:
    jump = Jump(step=3, before=8e-8, after=4e-4, rates=2.0, touched=0.01, signs=True)
    text = FORMATS["text"](audit(replace(ANSWER, growth=replace(GROWS, jump=jump))), Style())
    assert "= note: step 3 took the difference from 8e-08 to 0.0004: gradients near zero changed sign" in text
    assert "changed sign" not in FORMATS["text"](audit(), Style())


def test_every_format_for_people_has_it_below_the_difference() -> None:
    for form in ("text", "markdown", "html"):
        text = FORMATS[form](audit(), Style())
        assert "does it matter?" in text
        assert "doubles every 12 steps" in text
        assert "fc.weight" in text
    text = FORMATS["text"](audit(), Style())
    assert text.index("RC303") < text.index("does it matter?") < text.index("seed 0: different")
    assert '<svg viewBox="0 0 560 240"' in FORMATS["html"](audit(), Style())


def test_where_nobody_asked_nothing_is_said() -> None:
    bare = replace(audit(), explanation=replace(audit().explanation, drift=None))  # type: ignore[type-var]
    assert "does it matter?" not in FORMATS["text"](bare, Style())
    assert json.loads(render_json(bare, Style()))["drift"] is None


def test_a_reason_stands_in_place_of_an_answer() -> None:
    text = FORMATS["text"](audit(DriftAnswer(seed=0, reason="--explain-budget 2 was used up")), Style())
    assert "not known: --explain-budget 2 was used up" in text


def test_json_has_the_figures() -> None:
    found = json.loads(render_json(audit(), Style()))["drift"]
    assert found["sentence"] == sentence()
    assert found["growth"]["rate"]["median"] == pytest.approx(math.log(2) / 12)
    assert (found["floor"]["size"], found["floor"]["twins"], found["runs"]) == ("within", 5, 7)
    assert found["curves"]["parameters"]["steps"] == list(STEPS)
    assert found["layers"][0]["name"] == "fc.weight"
    assert found["metrics"] == [{"name": "accuracy", "runs": [0.8, 0.81], "std": None, "seeds": 1, "in_std": None}]


def test_a_drawing_is_for_those_who_look() -> None:
    seen = FORMATS["text"](audit(), Style(plots=True, width=80))
    assert "o difference, . one ULP" in seen
    assert "o difference" not in FORMATS["text"](audit(), Style())


def test_parameters_without_a_counterpart_are_counted() -> None:
    some = replace(ANSWER, drift=replace(DRIFT, unmatched=(2, 1)))
    assert "2 parameters of one run and 1 of the other have no counterpart" in FORMATS["text"](audit(some), Style())
    none = replace(ANSWER, drift=replace(DRIFT, unmatched=(2, 2), parameters=Curve()), growth=Growth(trend=Trend.NONE))
    assert drift_sentence(audit(none)).startswith("not known: no parameter has the same name")
