"""The globals of a target's modules at the end of a run: numbers, arrays and tensors, nothing of the clock."""

from __future__ import annotations

import collections
import random
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reprocheck.worker.observe import variables as module
from reprocheck.worker.observe.variables import variables

Put = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Give a module of a target such globals; what is seen of them."""
    target = types.ModuleType("a_target")
    target.__file__ = str(tmp_path / "a_target.py")
    monkeypatch.setitem(sys.modules, "a_target", target)
    only = [(name, found) for name, found in module.globals_of_target() if name == "a_target"]
    assert len(only) == 1
    monkeypatch.setattr(module, "globals_of_target", lambda: [("a_target", dict(vars(target)))])

    def seen(**found: Any) -> list[tuple[Any, ...]]:
        for name in [name for name in vars(target) if not name.startswith("__")]:
            delattr(target, name)
        vars(target).update(found)
        leaves = [leaf for leaf in variables() if leaf.name.startswith("a_target.")]
        assert not any(leaf.text or leaf.data for leaf in leaves)
        return [(leaf.name.removeprefix("a_target."), leaf.kind, leaf.digest) for leaf in leaves]

    return seen


def log_of(e: float) -> Any:
    return type("Log", (), {"__module__": "a_target", "rows": [{"accuracy": e}]})()


def update_of(e: float) -> Any:
    average = np.full(3, e)
    update = types.FunctionType((lambda: average).__code__, {}, closure=(types.CellType(average),))
    update.__module__ = "a_target"
    return update


@pytest.mark.parametrize(
    "make",
    [
        lambda e: np.full(3, e),
        lambda e: torch.full((2, 2), e),
        lambda e: {"accuracy": e},
        lambda e: [{"accuracy": 1.0}, {"accuracy": e}],
        lambda e: collections.deque([e]),
        lambda e: [float(n) + e for n in range(20)],
        log_of,
        update_of,
        lambda e: torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5 + e),
    ],
)
def test_numbers_arrays_and_tensors_are_seen(make: Callable[[float], Any], put: Put) -> None:
    assert put(found=make(0.0)) == put(found=make(0.0)) != []
    assert put(found=make(0.0)) != put(found=make(1.0))


def test_what_the_clock_says_and_what_is_observed_elsewhere_is_not(put: Put) -> None:
    hidden = {
        "t0": time.perf_counter(),
        "began": time.time(),
        "ended": 12.5,
        "took": 0.5,
        "ident": id(put),
        "hashed": hash("a"),
        "large": 1 << 300,
        "dt": 0.25,
        "running_mfu": 0.5,
        "step_times": [0.1 * n for n in range(20)],
        "stamps": [time.time() + n / 1000 for n in range(20)],
        "log": [{"elapsed": 0.5}],
        "name": f"run-{time.time()}",
        "model": torch.nn.Linear(2, 2),
        "generator": torch.Generator(),
        "rng": np.random.default_rng(),
        "other": random.Random(),
        "library": np,
        "layer": torch.nn.Linear,
    }
    assert put(**hidden) == []


def test_a_variable_without_end_is_stated_be_cut_off(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 100)
    found = put(table=[[n, "a"] for n in range(200)], small=1.5)
    assert ("table", "opaque", "") in found
    assert "small" in [name for name, _, _ in found]


def test_many_share_one_leaf(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LEAVES", 10)
    put(**{f"v{n}": n for n in range(50)})
    assert variables()[-1].name == module.REST


def test_whole_numbers_of_a_class_are_variables_of_its_objects(put: Put) -> None:
    def args(seed: int) -> Any:
        return type("Args", (), {"__module__": "a_target", "seed": seed})()

    assert [name for name, *_ in put(args=args(1))] == ["args.__class__.seed"]
    assert put(args=args(1)) == put(args=args(1)) != put(args=args(2))
    assert not put(args=args(1 << 40))  # an address or a hash
