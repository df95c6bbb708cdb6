"""The rate at which a difference grows: trainings whose growth is known, and intervals that hold it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import pytest
import torch

from reprocheck.compare.drift import compare_sketches
from reprocheck.compare.floor import against_floor, floor_of
from reprocheck.compare.growth import growth_of, slope_of
from reprocheck.evidence.sketch_file import load_sketch
from reprocheck.model import SketchWindow
from reprocheck.model.drift import Curve, Drift, Floor, Growth, Law, Size, Trend
from reprocheck.worker.bootstrap.nudge import move_by_one_ulp
from reprocheck.worker.fingerprint.digest import Unobserved
from reprocheck.worker.observe.sketch import Sketcher

Loss = Callable[[torch.Tensor, int], torch.Tensor]
_numbers = count()


def train(
    folder: Path,
    loss: Loss,
    start: torch.Tensor,
    rate: float,
    steps: int,
    kind: type[torch.optim.Optimizer] = torch.optim.SGD,
) -> Path:
    """A training with a sketch of each step, in this process."""
    folder.mkdir()
    sketcher = Sketcher(folder, SketchWindow())
    w = torch.nn.Parameter(start.clone())
    optimizer = kind([w], lr=rate)  # type: ignore[call-arg]
    for step in range(steps):
        optimizer.zero_grad()
        value = loss(w, step)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with Unobserved():
            sketcher.lost([value])
            trained = f"{kind.__name__}#0", [("w", w, w.grad)], [rate]
            sketcher.trained(step, lambda trained=trained: trained)
    return folder


def drift(folder: Path, loss: Loss, start: torch.Tensor, other: torch.Tensor, rate: float, steps: int) -> Drift:
    folder.mkdir(exist_ok=True)
    made = [train(folder / f"{next(_numbers)}", loss, w, rate, steps) for w in (start, other)]
    return compare_sketches(*map(load_sketch, made))


def quadratic(curvatures: torch.Tensor) -> Loss:
    return lambda w, _: (curvatures * w * w).sum() / 2


@pytest.mark.parametrize("curvature", [0.5, 1.0, 1.9, 2.0, 2.5, 3.0])
def test_a_quadratic_grows_by_its_known_factor(tmp_path: Path, curvature: float) -> None:
    """|1 - rate * curvature|, whatever direction."""
    torch.manual_seed(0)
    start = torch.randn(200, dtype=torch.float64)
    other = start + 1e-6 * torch.randn(200, dtype=torch.float64)
    rate, steps = 1.0 if curvature > 1.5 else 0.5, 40
    found = growth_of(
        drift(tmp_path, quadratic(torch.full((200,), curvature, dtype=torch.float64)), start, other, rate, steps)
    )
    known = math.log(abs(1 - rate * curvature)) if abs(1 - rate * curvature) > 0 else -math.inf
    if known == -math.inf:
        assert found.trend is Trend.NONE
        return
    if known == 0:
        assert found.trend is Trend.STAYS
    else:
        assert found.trend is (Trend.GROWS if known > 0 else Trend.DIES_OUT)
        assert found.law is Law.EXPONENTIAL
    assert found.low - 1e-6 <= known <= found.high + 1e-6
    assert found.rate == pytest.approx(known, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(("rate", "grows"), [(0.2, False), (1.9, False), (2.2, True), (3.0, True)])
def test_a_linear_regression_grows_as_its_steepest_direction(tmp_path: Path, rate: float, grows: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(64, 6, dtype=torch.float64, generator=generator) * torch.tensor([3.0, 0.5, 0.5, 0.4, 0.3, 0.2])
    y = x.sum(dim=1)
    curvatures = torch.linalg.eigvalsh(x.T @ x * 2 / 64)
    rate /= float(curvatures.max())
    factors = (1 - rate * curvatures).abs()
    start = torch.randn(6, dtype=torch.float64, generator=generator)
    steepest = torch.linalg.eigh(x.T @ x * 2 / 64).eigenvectors[:, int(factors.argmax())]
    found = growth_of(
        drift(tmp_path, lambda w, _: (x @ w - y).square().mean(), start, start + 1e-9 * steepest, rate, 60)
    )
    known = math.log(float(factors.max()))
    assert (known > 0) is grows
    assert found.low - 1e-6 <= known <= found.high + 1e-6
    assert found.trend is (Trend.GROWS if grows else Trend.DIES_OUT if known * 60 < math.log(0.1) else Trend.SHRINKS)


def test_of_one_ulp_in_single_precision_a_contraction_leaves_nothing_and_an_expansion_says_its_factor(
    tmp_path: Path,
) -> None:
    start = torch.randn(300, generator=torch.Generator().manual_seed(0)) + 3
    other = start.clone()
    move_by_one_ulp(other, torch.Generator().manual_seed(1))

    def away(w: torch.Tensor, _: int) -> torch.Tensor:
        return ((w - 1) ** 2).sum() / 2

    dead = growth_of(drift(tmp_path, away, start, other, 0.3, 100))
    assert dead.trend is Trend.DIES_OUT
    alive = growth_of(drift(tmp_path, away, start, other, 2.2, 60))
    assert alive.trend is Trend.GROWS
    assert alive.rate == pytest.approx(math.log(1.2), rel=0.1)
    assert alive.low <= math.log(1.2) <= alive.high


def test_a_difference_in_proportion_to_the_steps_is_no_doubling(tmp_path: Path) -> None:
    start = torch.zeros(50, dtype=torch.float64)
    made = [
        train(tmp_path / name, lambda w, _, slope=slope: slope * w.sum(), start + 1, 0.1, 200)  # type: ignore[misc]
        for name, slope in (("a", 1.0), ("b", 1.0 + 1e-7))
    ]
    found = growth_of(compare_sketches(*map(load_sketch, made)))
    assert (found.trend, found.law) == (Trend.GROWS, Law.POWER)
    assert found.rate == pytest.approx(1, abs=0.05)


def test_growth_in_one_burst_has_no_rate_and_is_growth() -> None:
    steps = tuple(range(100))
    found = growth_of(drift_of(steps, tuple(1e-7 if step < 70 else 1e-2 for step in steps)))
    assert (found.trend, found.law) == (Trend.GROWS, None)
    assert found.end / found.start == pytest.approx(1e5)


def test_a_random_walk_is_no_doubling() -> None:
    """As biases under Adam do whose gradients are rounding."""
    steps = tuple(range(200))
    random, at, curve = Random(1), [0.0] * 50, []
    for _ in steps:
        at = [value + random.choice((-1e-3, 1e-3)) for value in at]
        curve.append(math.hypot(*at))
    found = growth_of(drift_of(steps, tuple(curve)))
    assert (found.trend, found.law) == (Trend.GROWS, Law.POWER)
    assert 0.35 < found.rate < 0.65


def test_an_update_of_adam_that_changes_its_sign_is_a_jump_and_no_growth(tmp_path: Path) -> None:
    """Gradients of a few elements are rounding around zero, the others are not."""
    start = torch.randn(2000, generator=torch.Generator().manual_seed(0))

    def loss(turned: bool) -> Loss:
        def made(w: torch.Tensor, step: int) -> torch.Tensor:
            slopes = torch.ones(2000)
            slopes[::100] = -1e-6 if turned and step == 0 else 1e-6
            return (slopes * w).sum()

        return made

    made = [train(tmp_path / str(turned), loss(turned), start, 1e-3, 40, torch.optim.Adam) for turned in (False, True)]
    found = growth_of(compare_sketches(*map(load_sketch, made)))
    assert found.jump is not None
    assert (found.jump.step, found.jump.signs) == (0, True)
    assert found.jump.after > 100 * found.jump.before
    assert 0.5 <= found.jump.rates <= 20
    assert found.jump.touched <= 0.1
    assert found.trend in (Trend.STAYS, Trend.GROWS)
    assert found.end < 10 * found.start


def test_another_batch_under_adam_is_no_change_of_signs(tmp_path: Path) -> None:
    start = torch.randn(2000, generator=torch.Generator().manual_seed(0))

    def loss(key: int) -> Loss:
        batch = torch.randn(2000, generator=torch.Generator().manual_seed(key))
        return lambda w, step: ((w - batch * (step > 1)) ** 2).sum()

    made = [train(tmp_path / str(key), loss(key), start, 1e-3, 40, torch.optim.Adam) for key in (1, 2)]
    found = growth_of(compare_sketches(*map(load_sketch, made)))
    assert found.jump is not None
    assert not found.jump.signs


def test_a_difference_that_grows_to_the_size_of_the_training_stops_there(tmp_path: Path) -> None:
    steps = tuple(range(100))
    curve = tuple(min(1e-7 * 1.5**step, 0.05) for step in steps)
    way = tuple(0.1 for _ in steps)
    made = replace(drift_of(steps, curve), travelled=Curve(steps=steps, distances=way))
    found = growth_of(made)
    assert found.saturated
    assert found.rate == pytest.approx(math.log(1.5), rel=0.01)


def drift_of(steps: tuple[int, ...], distances: tuple[float, ...], gradients: tuple[float, ...] = ()) -> Drift:
    curve = Curve(steps=steps, distances=distances)
    first = next((step for step, value in zip(steps, distances, strict=True) if value), None)
    slopes = Curve(steps=steps, distances=gradients) if gradients else Curve()
    return Drift(runs=("a", "b"), first=first, parameters=curve, gradients=slopes, loss=Curve())


def test_a_difference_that_stays_about_one_ulp_does_not_die_out() -> None:
    """Its greatest value is just above two ULP, its last one just below."""
    distances = tuple(1e-8 + 2.5e-7 * math.sin(step / 20 * 2.8) for step in range(20))
    assert distances[-1] < 2 * 0.6 * 2.0**-23 < max(distances)
    assert growth_of(drift_of(tuple(range(20)), distances)).trend is not Trend.DIES_OUT


def test_runs_that_become_equal_again_are_said_to() -> None:
    found = growth_of(drift_of(tuple(range(20)), (0.0, 1e-3, 1e-5, *[0.0] * 17)))
    assert (found.trend, found.equal_from) == (Trend.DIES_OUT, 3)
    assert growth_of(drift_of((0, 1), (0.0, 0.0))) == Growth(trend=Trend.NONE)
    assert growth_of(drift_of((0, 1), (1e-3, math.inf))).trend is Trend.NOT_FINITE


NOISES: dict[str, Callable[[Random], Callable[[float], float]]] = {
    "independent": lambda random: lambda _: random.gauss(0, 0.3),
    "like its neighbour": lambda random: lambda last: 0.9 * last + random.gauss(0, 0.1),
    "staying": lambda random: lambda last: last + random.gauss(0, 0.05),
    "heavy tails": lambda random: lambda _: random.gauss(0, 0.1) / max(0.05, random.random()),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("length", [30, 200])
def test_intervals_hold_the_rate_in_nine_of_ten_repeats(noise: str, length: int) -> None:
    random, held, repeats = Random(f"{noise} {length}"), 0, 300
    for _ in range(repeats):
        following, last, values = NOISES[noise](random), 0.0, []
        rate = random.uniform(-0.1, 0.1)
        for step in range(length):
            last = following(last)
            values.append(rate * step + last)
        found = slope_of([float(step) for step in range(length)], values)
        assert found is not None
        held += found.low <= rate <= found.high
    assert held / repeats >= 0.9 - 2 * math.sqrt(0.09 / repeats)


def test_the_floor_holds_a_further_twin_in_nine_of_ten_repeats() -> None:
    random, held, repeats = Random(0), 0, 400
    for _ in range(repeats):
        twins = [drift_of((0, 1, 2), (1e-7, 1e-6, 1e-5 * math.exp(random.gauss(0, 0.7)))) for _ in range(6)]
        floor = floor_of(twins[:5], Floor())
        low, high = floor.low.at(2), floor.high.at(2)
        further = floor_of(twins[5:], Floor()).middle.at(2)
        assert low is not None
        assert high is not None
        assert further is not None
        held += low <= further <= high
    assert held / repeats >= 0.9 - 2 * math.sqrt(0.09 / repeats)


STEPS = tuple(range(20))


def twins(growth: float = 1.2, gradient: float = 2e-7) -> list[Drift]:
    return [
        drift_of(STEPS, tuple(8e-8 * size * growth**step for step in STEPS), tuple(gradient * size for _ in STEPS))
        for size in (0.8, 0.9, 1.0, 1.1, 1.2)
    ]


def judged(difference: Drift, floor: list[Drift] | None = None) -> Floor:
    made = floor or twins()
    return against_floor(difference, made, floor_of(made, Floor()))


def test_rounding_that_grows_as_twins_do_is_within() -> None:
    found = judged(drift_of(STEPS, tuple(2e-8 * 1.2**step for step in STEPS), (3e-7,) * 20))
    assert found.size is Size.WITHIN
    assert found.end is not None
    assert found.end < 1


def test_rounding_that_comes_back_each_step_is_within_where_one_ulp_dies_out() -> None:
    found = judged(drift_of(STEPS, (6e-8,) * 20, (3e-7,) * 20), twins(growth=0.5))
    assert found.size is Size.WITHIN


def test_other_data_are_beyond_even_where_every_difference_ends_as_large() -> None:
    floor = [replace(twin, parameters=Curve(steps=STEPS, distances=(1e-7, *[0.3] * 19))) for twin in twins()]
    found = judged(drift_of(STEPS, (1e-3, *[0.3] * 19), (0.7,) * 20), floor)
    assert found.size is Size.BEYOND
    assert found.onset is not None
    assert found.onset > 1e5
    assert found.end is not None
    assert found.end < 2


def test_other_data_are_beyond_where_a_learning_rate_is_next_to_nothing() -> None:
    found = judged(drift_of(STEPS, (1e-8,) * 20, (0.7,) * 20))
    assert found.size is Size.BEYOND


def test_in_between_nothing_is_decided() -> None:
    found = judged(drift_of(STEPS, tuple(2e-6 * 1.2**step for step in STEPS), (6e-6,) * 20))
    assert found.size is Size.BETWEEN


def test_products_in_bfloat16_may_differ_by_more() -> None:
    difference = drift_of(STEPS, tuple(8e-6 * 1.2**step for step in STEPS), (1e-4,) * 20)
    assert judged(difference).size is Size.BEYOND
    assert judged(replace(difference, precision=2.0**-7)).size is Size.BETWEEN


def test_a_changed_sign_that_no_twin_has_is_not_beyond() -> None:
    difference = drift_of(STEPS, (1e-4,) * 20, (2e-7,) * 20)
    assert judged(difference).size is Size.BEYOND
    assert judged(replace(difference, normalizes=True)).size is Size.BETWEEN
