"""Experiments come from processes that make their comparison one of two executions. No process is started here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from reprocheck.diagnosis import experiments as experiments_module
from reprocheck.diagnosis import replay as replay_module
from reprocheck.diagnosis.attribution.held import HoldExperiments
from reprocheck.diagnosis.attribution.log import ExperimentLog
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.replay import Replay, replay
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import SilentProgress
from reprocheck.engine.templates import Templates
from reprocheck.model import Divergence, Evidence, Isolation, Request, RunSpec
from reprocheck.model.explanation import Hold, LedgerEntry
from tests.support.baselines import TARGET, evidence, records

PLANNER = Planner(
    request=Request(target=TARGET), environ={}, cwd=Path("/w"), directory=Path("/w/e"), tmp=Path("/w/tmp")
)
DIVERGENCE = Divergence(stage="step", step=0, runs=("s0r0", "s0r1"), kind="parameters", names=(), tensors=())


class Bench:
    """A lab whose runs are made up: `parts` says which of them differ from all others."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.templates = Templates(Isolation.TEMPLATE)
        self.parts: set[str] = set()
        self.made: list[RunSpec] = []
        specs = [PLANNER.spec(f"s0r{repeat}", 0, repeat, PLANNER.ambient(repeat)) for repeat in (0, 1)]
        self.templates.place(specs)
        self.a, self.b = (self.ran(spec) for spec in specs)
        monkeypatch.setattr(experiments_module, "launch", self.launch)
        monkeypatch.setattr(experiments_module, "read_run", lambda ran: ran)
        self.runner = ExperimentRunner(PLANNER, SilentProgress(), 20, templates=self.templates)

    def ran(self, spec: RunSpec) -> Evidence:
        return replace(evidence(steps=records(3, 0 if spec.id in self.parts else None)), spec=spec)

    def launch(self, specs: Sequence[RunSpec], *_: Any) -> list[Evidence]:
        self.templates.place(specs)
        self.made += specs
        return [self.ran(spec) for spec in specs]

    def sharing(self) -> set[tuple[str, str]]:
        names = ["s0r0", "s0r1", *(spec.id for spec in self.made)]
        return {pair for pair in combinations(names, 2) if self.templates.share(*pair)}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_every_traced_pair_has_addresses_of_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "_origin", lambda *_: (None, ()))
    monkeypatch.setattr(replay_module, "load_entries", lambda _: ())
    seen = replay(bench.runner, bench.a, bench.b, DIVERGENCE)
    assert (seen.pairs, len(bench.made)) == (3, 6)
    assert not bench.sharing()


def test_a_whole_trace_that_shows_nothing_of_a_difference_is_not_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "_origin", lambda *_: (None, ()))
    monkeypatch.setattr(replay_module, "load_entries", lambda _: ())
    bench.parts.add("x01")
    seen = replay(bench.runner, bench.a, bench.b, DIVERGENCE)
    assert (seen.pairs, seen.diverged) == (1, 1)


def test_threads_may_show_it_the_next_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "_origin", lambda *_: (None, ()))
    monkeypatch.setattr(replay_module, "load_entries", lambda _: (LedgerEntry(kind="thread", name="threading.Thread"),))
    bench.parts |= {"x01", "x03", "x05"}
    assert replay(bench.runner, bench.a, bench.b, DIVERGENCE).pairs == 3


def holds(bench: Bench) -> HoldExperiments:
    first, second = (PLANNER.spec(name, 0, n, PLANNER.ambient(n)) for n, name in enumerate(("x01", "x02")))
    one, other = (replace(spec, compared_with=("s0r0", "s0r1", "x01")) for spec in (first, second))
    bench.launch([one, other])
    seen = Replay(first=bench.ran(one), second=bench.ran(other), pairs=1, diverged=1)
    plain = [(bench.a, seen.first, False), (bench.b, seen.second, True)]
    return HoldExperiments(ExperimentLog(bench.runner, bench.a, bench.b, DIVERGENCE, seen, plain))  # type: ignore[arg-type]


def test_no_repeat_of_an_experiment_shares_addresses_with_another(bench: Bench) -> None:
    """Else it would agree by the same luck, and be counted again."""
    holds(bench).hold("frozen clock", "does it agree?", Hold(frozen=("clock",)))
    mine = {spec.id for spec in bench.made[2:]}
    assert len(mine) > 3
    assert not [pair for pair in bench.sharing() if set(pair) <= mine]


def test_agreement_of_two_runs_from_one_template_is_none(bench: Bench) -> None:
    a = bench.runner.run("?", [bench.runner.spec(bench.a, against=())])[0]
    b = bench.runner.run("?", [bench.runner.spec(bench.a, against=())])[0]
    assert bench.sharing() >= {(a.spec.id, b.spec.id)}
    assert bench.runner.agree(a, b, None) is None
    assert bench.runner.agree(a, a, None) is True
    bench.parts.add(a.spec.id)
    assert bench.runner.agree(bench.ran(a.spec), b, None) is False
