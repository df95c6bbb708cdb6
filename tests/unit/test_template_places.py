"""Which runs may come from one template: never two that are compared with one another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.engine.plan import Planner
from reprocheck.engine.templates import Templates
from reprocheck.model import Instruments, Interventions, Isolation, Request, RunSpec, Target, TargetKind, TraceWindow
from reprocheck.model.run_spec import PLAIN

TARGET = Target(text="t.py", kind=TargetKind.SCRIPT, path=Path("/w/t.py"))
PLANNER = Planner(
    request=Request(target=TARGET), environ={}, cwd=Path("/w"), directory=Path("/w/e"), tmp=Path("/w/tmp")
)


def given(asked: Instruments | Interventions) -> dict[str, Any]:
    return {"instruments" if isinstance(asked, Instruments) else "interventions": asked}


def planned(
    name: str, repeat: int = 0, asked: Instruments | Interventions = PLAIN, against: tuple[str, ...] | None = None
) -> RunSpec:
    spec = PLANNER.spec(name, 0, repeat, PLANNER.ambient(repeat), **given(asked))
    return replace(spec, compared_with=against)


def audited() -> Templates:
    templates = Templates(Isolation.TEMPLATE)
    templates.place([planned("s0r0"), planned("s0r1", 1)])
    return templates


def test_a_run_comes_from_the_template_of_one_that_it_is_not_compared_with() -> None:
    templates = audited()
    templates.place([planned("x01", against=())])
    assert templates.share("s0r0", "x01")
    assert not templates.share("s0r1", "x01")


def test_a_run_shares_no_template_with_what_it_is_compared_with() -> None:
    templates = audited()
    templates.place([planned("x01", against=("s0r0",)), planned("x02", against=("s0r0", "x01"))])
    assert not templates.share("s0r0", "x01")
    assert not templates.share("x01", "x02")
    templates.place([planned("x03", against=("x01",))])
    assert templates.share("s0r0", "x03")
    assert not templates.share("x01", "x03")


def test_a_run_is_what_it_is() -> None:
    assert not audited().share("s0r0", "s0r0")


def test_a_run_in_another_environment_shares_no_template() -> None:
    templates = audited()
    environment = {**planned("x01").environment, "MALLOC_PERTURB_": "7"}
    templates.place([replace(planned("x01", against=()), environment=environment)])
    assert not any(templates.share(one, "x01") for one in ("s0r0", "s0r1"))


@pytest.mark.parametrize(
    ("asked", "forked"),
    [
        (Instruments(ledger=True, trace=TraceWindow()), True),
        (Interventions(frozen=("clock",)), True),
        (Interventions(calls=2), False),
        (Instruments(weights=True), False),
        (Instruments(times=True), False),
        (Instruments(doctor=True), False),
        (Instruments(states=True), False),
    ],
)
def test_what_is_looked_into_may_be_forked_but_for_measurements(
    asked: Instruments | Interventions, forked: bool
) -> None:
    templates = audited()
    templates.place([planned("x01", asked=asked, against=())])
    assert templates.share("s0r0", "x01") is forked
