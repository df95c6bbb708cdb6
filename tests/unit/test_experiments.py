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
from reprocheck.diagnosis.attribution.first_run import one_run_alone
from reprocheck.diagnosis.attribution.held import HoldExperiments
from reprocheck.diagnosis.attribution.log import ExperimentLog
from reprocheck.diagnosis.attribution.outside import OutsideExperiments
from reprocheck.diagnosis.attribution.several import Several
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.replay import Replay, replay
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import SilentProgress
from reprocheck.engine.templates import Templates
from reprocheck.model import Divergence, Evidence, Instruments, Isolation, Request, RunSpec, TraceWindow
from reprocheck.model.explanation import Attribution, Hold, LedgerEntry, Origin
from tests.support.baselines import TARGET, evidence, records, tensor
from tests.support.cases import origin

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
    return HoldExperiments(ExperimentLog(bench.runner, bench.a, bench.b, DIVERGENCE, seen, plain=plain))  # type: ignore[arg-type]


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


def twin_of(bench: Bench, monkeypatch: pytest.MonkeyPatch, place: Origin | None) -> tuple[ExperimentLog, object]:
    """The runs differ at a listing in line 10; with equal factors, at `place`."""
    monkeypatch.setattr(replay_module, "_origin", lambda *_, **__: (place, ()))
    monkeypatch.setattr(replay_module, "load_entries", lambda _: ())
    runs = holds(bench)
    log = runs.log
    traced = Instruments(ledger=True, trace=TraceWindow(first=None, last=0))
    first = replace(log.seen.first, spec=replace(log.seen.first.spec, instruments=traced))  # type: ignore[union-attr, type-var]
    log.seen = replace(log.seen, origin=origin("aten::lift_fresh", kind="outside"), first=first)
    return log, OutsideExperiments(runs, Several(runs)).attribute()


def test_a_race_beside_another_cause_is_seen_where_equal_factors_differ_elsewhere(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    race = origin("aten::index_put_", 20)
    log, found = twin_of(bench, monkeypatch, race)
    assert isinstance(found, Attribution)
    assert found.kind == "intrinsic"
    assert log.seen.origin is race
    assert not {arm.name for arm in found.arms} & {"filled heap"}


@pytest.mark.parametrize(
    "place",
    [None, origin("aten::lift_fresh", kind="outside"), origin("aten::add", 20, kind="outside")],
    ids=["agrees", "same place", "no race"],
)
def test_equal_factors_that_show_no_race_elsewhere_show_nothing_new(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: Origin | None
) -> None:
    log, _ = twin_of(bench, monkeypatch, place)
    assert log.seen.origin is not None
    assert log.seen.origin.call.op == "aten::lift_fresh"
    assert "filled heap" in {arm.name for arm in log.arms}


@pytest.mark.parametrize(
    ("shown_upto", "limit", "known"), [(2, 1, True), (2, 2, True), (2, 3, False), (2, None, False), (None, None, True)]
)
def test_what_was_not_needed_is_known_as_far_as_it_was_looked_at(
    bench: Bench, shown_upto: int | None, limit: int | None, known: bool
) -> None:
    log = holds(bench).log
    log.limit = limit
    assert not log.is_known("fresh folder")
    bench.runner.not_needed["fresh folder"] = shown_upto
    assert log.is_known("fresh folder") is known


class LuckyRun(Bench):
    """One race in the second run, which does not come back, beside a dependence on the hash seed."""

    depends = True

    def ran(self, spec: RunSpec) -> Evidence:
        one = replace(evidence(steps=records(3, 0 if spec.id == "s0r1" else None)), spec=spec)
        other_hashes = self.depends and spec.ambient.hash_seed != PLANNER.ambient(0).hash_seed
        return replace(one, initial=(tensor("w", "other"),)) if other_hashes else one


@pytest.mark.parametrize("depends", [True, False])
def test_a_race_in_one_run_does_not_hide_what_all_others_depend_on(
    monkeypatch: pytest.MonkeyPatch, depends: bool
) -> None:
    monkeypatch.setattr(LuckyRun, "depends", depends)
    log = holds(LuckyRun(monkeypatch)).log
    log.plain = [(log.a, log.seen.first, True), (log.b, log.seen.second, False)]  # type: ignore[list-item]
    found = one_run_alone(log)
    assert found.sure is False
    if depends:
        assert (found.kind, found.factors) == ("ambient", ("hash seed",))
    else:
        assert (found.kind, found.note) == ("unclear", "only run s0r1 differs: all further runs agree with one another")
        assert "leftover" in found.excluded
