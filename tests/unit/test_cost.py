"""Prices from constructed times: what is a difference, what is noise, which setting is the cheapest."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.commands.cost.command import FORMATS
from reprocheck.commands.cost.json import render_cost_json
from reprocheck.commands.cost.measure import base_of, interval_places, median_step, noise_ratio, ratio_to_plain, warm_up
from reprocheck.commands.cost.model import CostReport, Price, Ratio, Row
from reprocheck.commands.cost.prices import cheapest_of, in_round
from reprocheck.commands.cost.rows import AGAIN, PLAIN, ROWS, choose_rows, settings_of, why_not
from reprocheck.errors import ExitCode, UsageError
from reprocheck.model import Deterministic, Request, Seeding, Settings, Target, TargetKind
from reprocheck.protocol import TIME_RECORD
from tests.support.audits import PLAIN as STYLE


def row(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


def times(ends: list[float], own: list[float]) -> bytes:
    return b"".join(TIME_RECORD.pack(end, so_far) for end, so_far in zip(ends, own, strict=True))


def machine(rng: random.Random, rounds: int, factor: float = 1.0) -> list[float]:
    """Times of one row on a machine with a few percent of noise and now and then a hiccup."""
    return [factor * rng.lognormvariate(0, 0.03) * (1.5 if rng.random() < 0.05 else 1.0) for _ in range(rounds)]


class TestSteps:
    def test_observation_and_warm_up_are_left_out(self) -> None:
        # Steps of 1 s, the first two of 10 s; observation takes 2 s in each.
        own = [2.0 * step for step in range(11)]
        ends = [own[step] + step + 9 * min(step, 2) for step in range(11)]
        assert median_step(times(ends, own), without_own=True) == pytest.approx(1.0)
        assert median_step(times(ends, own), without_own=False) == pytest.approx(3.0)

    def test_too_few_steps_have_no_median(self) -> None:
        five, six = (times([float(n) for n in range(count)], [0.0] * count) for count in (5, 6))
        assert median_step(five, True) is None
        assert median_step(six, True) == 1.0
        assert median_step(six + b"torn", True) == 1.0
        assert (warm_up(5), warm_up(1000)) == (1, 10)


class TestRatios:
    @pytest.mark.parametrize(
        ("rounds", "left_out", "coverage"), [(2, 0, 0.5), (5, 0, 0.9375), (6, 0, 0.96875), (9, 1, 0.9609375)]
    )
    def test_the_interval_for_a_median(self, rounds: int, left_out: int, coverage: float) -> None:
        assert interval_places(rounds) == (left_out, pytest.approx(coverage))

    def test_two_plain_runs_are_no_difference_and_their_noise_is_reported(self) -> None:
        noise = noise_ratio([1.0, 1.0, 1.0], [1.1, 0.98, 1.02])
        assert not noise.differs
        assert (noise.low, noise.high) == (pytest.approx(1 / 1.1), pytest.approx(1.1))
        assert noise.middle == 1.02
        slow = noise_ratio([1.0, 1.0, 1.0], [1.1, 1.1, 1.1])  # the same setting: so much is noise here
        assert not slow.differs
        assert slow.low <= 1 <= slow.high

    def test_equal_settings_are_seldom_called_different_and_dear_ones_seldom_missed(self) -> None:
        rng = random.Random(5)
        called = {1.0: 0, 1.3: 0}
        for _ in range(500):
            plain, again = machine(rng, 5), machine(rng, 5)
            for factor in called:
                found = ratio_to_plain(machine(rng, 5, factor), base_of(plain, again), noise_ratio(plain, again))
                assert found.low <= found.middle <= found.high
                called[factor] += found.differs
        assert called[1.0] < 500 * 0.05
        assert called[1.3] > 500 * 0.5

    def test_a_clear_price(self) -> None:
        noise = noise_ratio([1.0, 1.0, 1.0], [1.01, 1.0, 0.99])
        dear = ratio_to_plain([1.2, 1.21, 1.19], [1.0, 1.0, 1.0], noise)
        assert dear == Ratio(middle=1.2, low=1.19, high=1.21, differs=True)
        assert ratio_to_plain([0.8, 0.81, 0.79], [1.0, 1.0, 1.0], noise).differs
        assert not ratio_to_plain([1.2, 1.21, 0.99], [1.0, 1.0, 1.0], noise).differs  # the interval has 1 in it
        assert not ratio_to_plain([1.008] * 3, [1.0] * 3, noise).differs  # within the noise
        quiet = noise_ratio([1.0] * 3, [1.0] * 3)
        assert not ratio_to_plain([1.004] * 3, [1.0] * 3, quiet).differs  # too little to speak of

    def test_a_machine_that_slows_down_weighs_on_all_alike(self) -> None:
        slower = [1.0, 2.0, 4.0]
        noise = noise_ratio(slower, slower)
        found = ratio_to_plain([1.5 * base for base in slower], base_of(slower, slower), noise)
        assert (found.middle, found.low, found.high, found.differs) == (1.5, 1.5, 1.5, True)

    def test_a_plain_run_at_each_end_of_a_round(self) -> None:
        names = ["plain", "again", "a", "b"]
        assert in_round(names, 0) == ["plain", "a", "b", "again"]
        assert in_round(names, 1) == ["again", "b", "a", "plain"]


class TestRows:
    def test_the_presets_and_the_fill_apart(self) -> None:
        assert [row.name for row in ROWS if row.preset] == ["seeded", "deterministic", "strict"]
        assert row("deterministic-unfilled").overrides == (("fill_memory", False),)
        assert row("deterministic-unfilled").settings == row("deterministic-warn").settings

    def test_plain_is_plain_whatever_the_configuration_says(self) -> None:
        asked = Settings(
            seeding=Seeding.NONE, deterministic=Deterministic.ERROR, tf32=False, threads=2, env=(("A", "1"),)
        )
        assert settings_of(asked, PLAIN) == Settings(seeding=Seeding.NONE, threads=2, env=(("A", "1"),))
        seeded = settings_of(asked, row("mkl-cbwr"))
        assert (seeded.seeding, seeded.env) == (Seeding.ALL, (("A", "1"), ("MKL_CBWR", "AUTO,STRICT")))
        strict = settings_of(asked, row("strict"))
        assert (strict.threads, strict.deterministic, strict.tf32) == (1, Deterministic.ERROR, None)

    def test_rows_by_name(self) -> None:
        assert [row.name for row in choose_rows(["strict,seeded", "workers-0"])] == ["seeded", "workers-0", "strict"]
        assert choose_rows([]) == ROWS
        with pytest.raises(UsageError, match="no setting 'strct'") as refused:
            choose_rows(["strct"])
        assert "strict" in (refused.value.hint or "")

    def test_what_cannot_apply_says_why(self) -> None:
        cpu = {"gpus": [], "mkl": "2024", "threads": 1}
        reasons = {found.what: found.reason for row in ROWS if (found := why_not(row, cpu)) is not None}
        assert reasons["tf32-off"] == "the training used no GPU"
        assert reasons["one-thread"] == "the training runs on one thread already"
        assert "mkl-cbwr" not in reasons
        assert why_not(row("one-thread"), {"threads": 2}) is None


def priced(row: Row, reproduces: bool | None, ratio: Ratio | None) -> Price:
    return Price(row=row, runs=5, reproduces=reproduces, seconds=0.01, memory=2**20, time_ratio=ratio)


SAME = Ratio(middle=1.04, low=0.9, high=1.1, differs=False)
DEAR = Ratio(middle=1.2, low=1.1, high=1.3, differs=True)
CHEAP = Ratio(middle=0.9, low=0.8, high=0.95, differs=True)


class TestCheapest:
    @pytest.mark.parametrize(
        ("seeded", "workers", "strict", "cheapest"),
        [
            ((True, DEAR), (True, SAME), (True, SAME), "workers-0"),  # of no difference: the first
            ((False, CHEAP), (True, DEAR), (None, CHEAP), "workers-0"),
            ((True, None), (True, DEAR), (False, SAME), "workers-0"),  # without a time it is not known to be cheap
            ((True, None), (False, None), (False, None), "seeded"),
            ((True, SAME), (True, CHEAP), (True, DEAR), "seeded"),  # their intervals meet
            ((True, DEAR), (True, CHEAP), (True, DEAR), "workers-0"),
            ((False, SAME), (False, SAME), (None, None), ""),
        ],
    )
    def test_of_those_that_reproduce(self, seeded, workers, strict, cheapest) -> None:
        rows = (row("seeded"), row("workers-0"), row("strict"))
        prices = [priced(PLAIN, False, None), priced(AGAIN, True, SAME)]
        prices += [priced(one, *found) for one, found in zip(rows, (seeded, workers, strict), strict=True)]
        assert cheapest_of(prices) == cheapest

    def test_what_reproduces_as_it_is_needs_nothing(self) -> None:
        prices = [priced(PLAIN, True, None), priced(AGAIN, True, SAME), priced(row("one-thread"), True, CHEAP)]
        assert cheapest_of(prices) == "plain"

    def test_what_cannot_be_distinguished_in_time_costs_the_same(self) -> None:
        a_little_less = Ratio(middle=0.88, low=0.84, high=0.96, differs=True)
        prices = [priced(row("one-thread"), True, CHEAP), priced(row("strict"), True, a_little_less)]
        assert cheapest_of(prices) == "one-thread"
        more_memory = replace(prices[0], memory_ratio=DEAR)
        assert cheapest_of([more_memory, prices[1]]) == "strict"
        assert cheapest_of([replace(more_memory, memory_ratio=SAME), prices[1]]) == "one-thread"


def test_the_cost_report_as_text_and_as_json() -> None:
    noise = Ratio(middle=1.01, low=0.97, high=1.031, differs=False)
    prices = (
        priced(PLAIN, False, None),
        replace(priced(AGAIN, False, noise), memory_ratio=noise),
        replace(priced(row("seeded"), True, DEAR), memory_ratio=SAME),
        replace(priced(row("strict"), None, None), reason="failed: no deterministic \x1b implementation", seconds=None),
    )
    costs = CostReport(
        request=Request(target=Target(text="t.py:train", kind=TargetKind.FILE_FUNCTION)),
        exit_code=ExitCode.OK,
        summary="the cheapest setting that reproduces is seeded (generators seeded)",
        prices=prices,
        cheapest="seeded",
        rounds=2,
        coverage=0.5,
        per="step",
        memory_of="host",
        fill=SAME,
        directory=Path("/evidence/1"),
    )
    text = FORMATS["text"](costs, STYLE)
    assert text.startswith("REPRODUCES  t.py:train  the cheapest setting that reproduces is seeded")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "seeded yes, 5 runs 10 ms x1.20 (1.10 to 1.30) 1.0 MiB no difference (0.90 to 1.10)" in lines
    assert "plain again no 10 ms no difference (0.97 to 1.03) 1.0 MiB no difference (0.97 to 1.03)" in lines
    assert "strict failed - 1.0 MiB" in lines
    assert "strict: failed: no deterministic \\x1b implementation" in text
    assert "noise: two plain runs of one round come out up to x1.031 in time and x1.031 in peak memory apart" in text
    assert "fill of uninitialized memory alone: no difference (0.90 to 1.10) in time" in text
    assert "2 rounds are too few: try" in text
    assert '"fill": {\n      "differs": false,' in render_cost_json(costs, STYLE)
