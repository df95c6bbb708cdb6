"""Metrics over seeds: against numbers from tables and from hand, and where there are none to be had."""

from __future__ import annotations

import math
import sys

import pytest

from reprocheck.compare.seed_statistics import (
    between_deviation,
    seed_deviation,
    summarize_metric,
    summarize_metrics,
    t_coverage,
    t_quantile,
)
from reprocheck.engine.console import Style
from reprocheck.model import MetricSummary, SeedAudit, Verdict
from reprocheck.report import render_markdown, render_text
from reprocheck.report.json.v1 import to_plain
from reprocheck.report.writers.plot import MOST_ROWS, SHARED_ROWS, plot_lines
from tests.support.audits import PLAIN, audit, run


def summary(*per_seed: list[float], name: str = "loss") -> MetricSummary:
    found = {seed: values for seed, values in enumerate(per_seed) if values}
    return summarize_metric(name, found, len(per_seed), len(per_seed) * max(map(len, per_seed)))


def seeds_with(*metrics: list[dict[str, float]]) -> tuple[SeedAudit, ...]:
    return tuple(
        SeedAudit(
            seed=seed,
            verdict=Verdict.REPRODUCIBLE,
            reason="",
            runs=tuple(run(repeat, id=f"s{seed}r{repeat}", metrics=found) for repeat, found in enumerate(of_seed)),
            divergence=None,
        )
        for seed, of_seed in enumerate(metrics)
    )


@pytest.mark.parametrize(
    ("freedom", "level", "value"),
    [  # from printed tables of Student's t
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (3, 0.95, 3.182),
        (4, 0.95, 2.776),
        (5, 0.95, 2.571),
        (9, 0.95, 2.262),
        (30, 0.95, 2.042),
        (120, 0.95, 1.980),
        (1, 0.99, 63.657),
        (6, 0.99, 3.707),
        (15, 0.90, 1.753),
    ],
)
def test_quantiles_of_student(freedom: int, level: float, value: float) -> None:
    assert t_quantile(freedom, level) == pytest.approx(value, abs=0.0006)
    assert t_coverage(t_quantile(freedom, level), freedom) == pytest.approx(level)


def test_quantiles_near_those_of_the_normal_distribution() -> None:
    assert t_quantile(100_000) == pytest.approx(1.95996, abs=1e-4)


def test_seed_and_what_remains_by_hand() -> None:
    # Means 2 and 6; squares within a seed 2 and 2, so the variance within is 2, of the means 8, from the seed 8 - 2/2.
    found = summary([1.0, 3.0], [5.0, 7.0])
    assert (found.mean, found.minimum, found.maximum, found.within) == (4.0, 2.0, 6.0, 2.0)
    assert found.std == pytest.approx(math.sqrt(8))
    assert found.within_std == pytest.approx(math.sqrt(2))
    assert found.seed_std == pytest.approx(math.sqrt(7))
    half = 12.706 * math.sqrt(8) / math.sqrt(2)
    assert found.interval == pytest.approx((4 - half, 4 + half), rel=1e-4)
    assert (found.seeds, found.runs) == (2, 4)


def test_the_parts_of_the_variance() -> None:
    assert between_deviation([[1.0, 5.0], [3.0, 3.0]]) == 0.0  # less than the repeats scatter
    assert summary([1.0, 5.0], [3.5, 2.5]).notes[:1] == ("the same in all seeds",)
    assert summary([1.0, 5.0], [3.5, 3.5]).notes[0] == "seeds scatter no more than runs of one seed do"
    alone = summary([1.0], [3.0])
    assert (alone.seed_std, alone.within_std) == (alone.std, None)
    assert alone.notes[0].startswith("one run a seed")
    # Of unequal size, by hand: squares between 3*(2-2.75)^2+1*(5-2.75)^2 = 6.75, within 2/2 = 1, size (4-10/4)/1 = 1.5.
    assert between_deviation([[1.0, 2.0, 3.0], [5.0]]) == pytest.approx(math.sqrt((6.75 - 1) / 1.5))


def test_one_seed_has_no_deviation() -> None:
    found = summary([1.0, 1.5])
    assert (found.mean, found.std, found.interval, found.seed_std) == (1.25, None, None, None)
    assert found.within_std == pytest.approx(math.sqrt(0.125))
    assert found.notes == ()


def test_equal_values_have_no_spread_at_all() -> None:
    found = summary([0.1] * 3, [0.1] * 3, [0.1] * 3)
    assert (found.mean, found.std, found.interval) == (0.1, 0.0, (0.1, 0.1))
    assert (found.seed_std, found.within_std, found.within) == (0.0, 0.0, 0.0)
    assert found.notes == ("the same in all seeds",)


def test_few_seeds_are_stated_to_be_few() -> None:
    few, enough = (summary(*([float(seed)] * 2 for seed in range(n))) for n in (4, 5))
    assert few.notes == ("4 seeds are few: the interval is wide, and holds only if seeds scatter normally",)
    assert enough.notes == ()


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([[math.inf], [-math.inf]], "inf and -inf in seeds 0, 1: no statistics"),
        ([[1.0, 1.0], [1.0, math.nan]], "nan in seed 1: no statistics"),
        ([[sys.float_info.max] * 2, [-sys.float_info.max] * 2], "too great for statistics"),
        ([[sys.float_info.max, -sys.float_info.max], [0.0, 0.0]], "too great for statistics"),
        ([[1e200, 2e200], [3e200, 4e200]], "too great for statistics"),
    ],
)
def test_numbers_that_have_no_statistics(values: list[list[float]], note: str) -> None:
    found = summary(*values)
    assert (found.seeds, found.std, found.interval, found.seed_std) == (2, None, None, None)
    assert not math.isfinite(found.mean)
    assert found.notes == (note,)


def test_metrics_that_only_some_runs_have() -> None:
    both = {"loss": 1.0, "late": 2.0}
    loss, late, once = summarize_metrics(seeds_with([both, both], [{"loss": 3.0}, {"loss": 3.0, "once": 1.0}]))
    assert (loss.seeds, loss.runs, late.seeds, late.runs, once.runs) == (2, 4, 1, 2, 1)
    assert late.notes == ("in 1 of 2 seeds only",)
    assert summarize_metrics(seeds_with([both, {"loss": 1.0}]))[1].notes == ("in 1 of 2 runs only",)


def test_the_yardstick() -> None:
    seeds = seeds_with([{"loss": 1.0}] * 2, [{"loss": 3.0}] * 2, [{"loss": 5.0, "nan": math.nan}] * 2)
    assert seed_deviation("loss", seeds) == 2.0
    assert seed_deviation("nan", seeds) is None
    assert seed_deviation("absent", seeds) is None
    assert seed_deviation("loss", seeds[:1]) is None


def test_reports_over_seeds() -> None:
    seeds = seeds_with([{"loss": 1.0, "nan": math.nan}] * 2, [{"loss": 3.0}] * 2)
    over_two = audit(seeds=seeds, metrics=summarize_metrics(seeds))
    text = render_text(over_two, PLAIN)
    assert "metrics over 2 seeds\n  metric  mean    std  min  max  95 % interval of the mean  std from the seed" in text
    assert "  loss       2  1.414    1    3        -10.7062 to 14.7062              1.414                  0\n" in text
    assert "  nan      nan      -    -    -                          -                  -                  -\n" in text
    assert "  = note: nan: in 1 of 2 seeds only\n" in text
    assert "\u25cf" not in text
    drawn = render_text(over_two, Style(plots=True))
    assert drawn.count("\u25cf") == 2
    assert "  mean    <\u2500" in drawn  # the interval goes on beyond the plot
    assert "\x1b" not in drawn
    page = render_markdown(over_two, PLAIN)
    assert "| `loss` | 2 | 1.414 | 1 | 3 | -10.7062 to 14.7062 | 1.414 | 0 |" in page
    assert "- `nan`: in 1 of 2 seeds only; nan in seed 0: no statistics" in page
    loss, nan = to_plain(over_two)["metrics"]
    assert (loss["min"], loss["max"], loss["seed_std"], loss["within_std"]) == (1.0, 3.0, math.sqrt(2), 0.0)
    assert loss["interval"] == pytest.approx([-10.7062, 14.7062], abs=1e-4)
    assert (nan["mean"], nan["std"], nan["interval"], nan["seeds"]) == ("nan", None, None, 1)


class TestPlot:
    def test_each_seed_has_a_row_and_every_run_a_place(self) -> None:
        metric = summary([0.0, 10.0], [5.0, 5.0], [10.0, 0.0])
        lines = plot_lines(metric, Style(plots=True))
        assert [line.split()[0] for line in lines[:4]] == ["loss", "seed", "seed", "seed"]
        assert [line.count("\u25cf") for line in lines] == [0, 1, 1, 1, 0, 0]
        assert [line.count("\u25cb") for line in lines] == [0, 1, 0, 1, 0, 0]
        assert lines[2].index("\u25cf") == lines[4].index("\u253c")
        assert lines[1].index("\u25cf") == lines[3].index("\u25cb") < lines[2].index("\u25cf")

    def test_where_it_cannot_be_drawn(self) -> None:
        metric = summary([1.0], [2.0])
        assert plot_lines(metric, Style()) == []
        assert plot_lines(metric, Style(plots=True, width=20)) == []
        for still in (summary([1.0], [1.0]), summary([1.0]), summary([math.nan], [1.0])):
            assert plot_lines(still, Style(plots=True)) == []
        assert "\n".join(plot_lines(metric, Style(plots=True, ascii=True))).isascii()

    def test_many_seeds_share_rows(self) -> None:
        metric = summary(*([float(seed)] for seed in range(MOST_ROWS + 1)))
        lines = plot_lines(metric, Style(plots=True))
        assert len(lines) == SHARED_ROWS + 3
        assert sum(line.count("\u25cf") for line in lines) == MOST_ROWS + 1
        assert all(len(line) <= Style().width for line in lines)
