"""Sketches: what is written of a step, and what two of them say of the distance between two runs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from reprocheck.compare.drift import compare_sketches
from reprocheck.evidence.run import EvidenceUnreadable
from reprocheck.evidence.sketch_file import load_sketch
from reprocheck.model import Nudge, SketchWindow
from reprocheck.model.drift import Drift
from reprocheck.protocol import SKETCH_FILE, SKETCH_TABLE_FILE
from reprocheck.protocol.sketch_format import BLOCK, MOST_BYTES, VALUES, dense_steps, is_kept, places, signs
from reprocheck.worker.bootstrap.nudge import Nudger, move_by_one_ulp
from reprocheck.worker.fingerprint.digest import Unobserved
from reprocheck.worker.observe.sketch import Sketcher

Step = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]
"""Parameters and gradients."""


def sketched(folder: Path, steps: Iterable[Step], rate: float | None = 0.1, first: int = 0) -> Path:
    folder.mkdir()
    sketcher = Sketcher(folder, SketchWindow(first=first))
    with Unobserved():
        for number, (parameters, gradients) in enumerate(steps):
            named = [(name, tensor, gradients.get(name)) for name, tensor in parameters.items()]
            trained = "SGD#0", named, [] if rate is None else [rate]
            sketcher.trained(number, lambda trained=trained: trained)
    return folder


def drift(folder: Path, one: torch.Tensor, other: torch.Tensor) -> Drift:
    paths = [sketched(folder / name, [({"w": tensor}, {})]) for name, tensor in (("a", one), ("b", other))]
    return compare_sketches(*map(load_sketch, paths))


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.linalg.norm(one.double() - other.double()) / torch.linalg.norm(one.double()))


@pytest.mark.parametrize("size", [1, 7, 32, 33, 100, 5000, 16384, 100_003])
def test_the_distance_of_dense_differences_comes_out(tmp_path: Path, size: int) -> None:
    torch.manual_seed(size)
    one = torch.randn(size)
    other = one + 1e-4 * torch.randn(size)
    found = drift(tmp_path, one, other).parameters.distances[0]
    assert found == pytest.approx(apart(one, other), rel=0.45 if size > 32 else 1e-9)


def test_distances_are_right_on_average(tmp_path: Path) -> None:
    torch.manual_seed(0)
    ratios = []
    for number in range(30):
        one = torch.randn(1000)
        other = one + 1e-3 * torch.randn(1000)
        (tmp_path / str(number)).mkdir()
        ratios.append(drift(tmp_path / str(number), one, other).parameters.distances[0] / apart(one, other))
    assert sum(ratios) / len(ratios) == pytest.approx(1, abs=0.06)
    assert torch.tensor(ratios).std() < 0.15


@pytest.mark.parametrize("place", [0, 17, 999])
def test_one_element_that_differs_is_seen_exactly(tmp_path: Path, place: int) -> None:
    one = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    other = one.clone()
    other[place] = torch.nextafter(one[place], torch.tensor(9.0))
    assert drift(tmp_path, one, other).parameters.distances[0] == pytest.approx(apart(one, other), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_one_ulp_is_one_ulp_in_every_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    one = torch.randn(3000, generator=torch.Generator().manual_seed(1)).to(dtype)
    other = one.clone()
    move_by_one_ulp(other, torch.Generator().manual_seed(2))
    found = drift(tmp_path, one, other)
    layer = found.layers[0]
    assert (layer.first, layer.max_ulp, layer.end_ulp) == (0, 1, 1)
    assert layer.end == pytest.approx(apart(one, other), rel=0.5)
    assert found.first == 0


def test_equal_runs_are_equal(tmp_path: Path) -> None:
    tensor = torch.randn(40_000)
    found = drift(tmp_path, tensor, tensor.clone())
    assert (found.first, found.parameters.distances, found.layers[0].end) == (None, (0.0,), 0.0)


def test_where_one_run_has_no_numbers_the_distance_is_infinite(tmp_path: Path) -> None:
    one = torch.randn(100)
    other = one.clone()
    other[3] = math.nan
    assert drift(tmp_path, one, other).parameters.distances == (math.inf,)


def test_forms_that_cannot_be_read_as_numbers_are_left_out(tmp_path: Path) -> None:
    odd = {
        "i": torch.arange(9),
        "s": torch.eye(3).to_sparse(),
        "e": torch.zeros(0),
        "c": torch.ones(4, dtype=torch.cfloat),
    }
    found = load_sketch(sketched(tmp_path / "a", [(odd, {})]))
    assert [(row.name, row.shape, row.dtype) for row in found.rows if row.kind != "rate"] == [("c", (4, 2), "float32")]


def test_gradients_loss_and_rates_are_there(tmp_path: Path) -> None:
    w = torch.randn(50)

    def made(name: str, slope: torch.Tensor) -> Path:
        (tmp_path / name).mkdir()
        sketcher = Sketcher(tmp_path / name, SketchWindow())
        with Unobserved():
            sketcher.lost([slope.mean(), slope.sum()])
            sketcher.trained(0, lambda: ("Adam#0", [("w", w, slope), ("frozen", w, None)], [0.1, 0.2]))
        return tmp_path / name

    found = compare_sketches(load_sketch(made("a", w)), load_sketch(made("b", w * 1.5)))
    assert found.parameters.distances == (0.0,)
    assert found.gradients.distances[0] == pytest.approx(0.5, rel=0.3)
    assert found.loss.distances[0] == pytest.approx(0.5)
    assert [(layer.kind, layer.name) for layer in found.layers] == [
        ("parameters", "w"),
        ("gradients", "w"),
        ("parameters", "frozen"),
        ("loss", "loss"),
    ]


def test_what_moved_by_a_learning_rate_is_counted(tmp_path: Path) -> None:
    one = torch.linspace(1, 2, 32)
    other = one.clone()
    other[:4] += 0.2
    found = drift(tmp_path, one, other)
    assert found.largest_step == pytest.approx((2.0,), rel=1e-5)
    assert found.touched == (4 / 32,)


def test_a_layer_a_step_takes_at_most_2_kb(tmp_path: Path) -> None:
    w = torch.randn(100_000)
    folder = sketched(tmp_path / "a", [({"w": w}, {"w": w})], rate=None)
    assert (folder / SKETCH_FILE).stat().st_size <= 2048


def test_long_trainings_are_thinned_out_and_files_stay_bounded() -> None:
    for size in (100, 100_000, 10_000_000):
        dense = dense_steps(size)
        kept = [number for number in range(200_000) if is_kept(number, dense)]
        assert kept[:16] == list(range(16))
        assert len(kept) * size <= MOST_BYTES or dense == 16
    assert len([number for number in range(100_000) if is_kept(number, 1024)]) < 5000


def test_a_full_file_says_from_where_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reprocheck.worker.observe.sketch.MOST_BYTES", 5000)
    w = torch.randn(100)
    found = load_sketch(sketched(tmp_path / "a", [({"w": w}, {"w": w})] * 5))
    assert (sorted(found.steps), found.full) == ([0, 1], 2)


def test_steps_before_the_window_are_not_written(tmp_path: Path) -> None:
    w = torch.randn(100)
    assert sorted(load_sketch(sketched(tmp_path / "a", [({"w": w}, {})] * 5, first=3)).steps) == [3, 4]


def test_places_are_fixed_by_name_and_shape() -> None:
    assert places("w", [100, 100]) == places("w", (100, 100))
    assert places("w", [100, 100]) != places("v", [100, 100])
    assert len(set(places("w", [33]))) == 32
    assert abs(sum(signs())) < 500


def test_files_that_say_nonsense_are_refused(tmp_path: Path) -> None:
    w = torch.randn(100)
    folder = sketched(tmp_path / "a", [({"w": w}, {})] * 2)
    whole, table = (folder / SKETCH_FILE).read_bytes(), (folder / SKETCH_TABLE_FILE).read_bytes()

    def refused() -> bool:
        try:
            load_sketch(folder)
        except EvidenceUnreadable:
            return True
        return False

    assert not refused()
    for damaged in (
        BLOCK.pack(0, 2**31) + whole,
        BLOCK.pack(9, 1) + b"\xff\xff\xff\xff" + bytes(8 * VALUES),
        whole[: len(whole) // 2].replace(b"\0", b"\1", 1) + whole,
        BLOCK.pack(9, 1) + bytes(4 + 8 * VALUES) + whole,
    ):
        (folder / SKETCH_FILE).write_bytes(damaged)
        assert refused()
    (folder / SKETCH_FILE).write_bytes(whole[:-1])  # a run that was killed
    assert sorted(load_sketch(folder).steps) == [0]
    (folder / SKETCH_FILE).write_bytes(whole)
    for line in (
        b'{"row": 1, "kind": "x", "name": "a", "dtype": "float32", "shape": [2]}',
        b'{"row": 7, "kind": "parameters", "name": "a", "dtype": "float32", "shape": [2]}',
        b'{"row": 1, "kind": "parameters", "name": "a", "dtype": "float32", "shape": [0]}',
        b'{"row": 1, "kind": "parameters", "name": "a", "dtype": "float32", "shape": [9999999999999999]}',
        b'{"row": 1, "kind": "parameters", "name": 1, "dtype": "float32", "shape": [2]}',
    ):
        (folder / SKETCH_TABLE_FILE).write_bytes(table + line + b"\n")
        assert refused(), line
    (folder / SKETCH_TABLE_FILE).unlink()
    assert refused()


def test_a_nudge_moves_each_element_by_one_ulp_and_leaves_zeros() -> None:
    for dtype, word in ((torch.float32, torch.int32), (torch.float64, torch.int64), (torch.bfloat16, torch.int16)):
        one = torch.randn(1000).to(dtype)
        one[:3] = torch.tensor([0.0, -0.0, math.inf]).to(dtype)
        other = one.clone()
        move_by_one_ulp(other, torch.Generator().manual_seed(0))
        steps = (other.view(word).long() - one.view(word).long()).abs()
        assert steps[:3].tolist() == [0, 0, 0]
        assert steps[3:].tolist() == [1] * 997
        assert 300 < int((other > one).sum()) < 700


def test_a_nudge_comes_once_before_its_step_and_draws_from_no_generator_of_the_target() -> None:
    state = torch.get_rng_state()
    weight, frozen = torch.nn.Parameter(torch.ones(8)), torch.nn.Parameter(torch.ones(8), requires_grad=False)

    def moved(key: int) -> torch.Tensor:
        with torch.no_grad():
            weight.fill_(1.0)
        nudger = Nudger(Nudge(step=2, key=key), int)
        with Unobserved():
            for step in (0, 1):
                nudger.before(step, [weight, frozen])
                assert torch.equal(weight, torch.ones(8))
            nudger.before(2, [weight, frozen])
            once = weight.detach().clone()
            nudger.before(2, [weight, frozen])
            nudger.before(3, [weight, frozen])
        assert torch.equal(weight, once)
        return once

    first = moved(1)
    assert torch.equal(moved(1), first)
    assert not torch.equal(moved(2), first)
    assert not torch.equal(first, torch.ones(8))
    assert torch.equal(frozen, torch.ones(8))
    assert torch.equal(torch.get_rng_state(), state)
