"""Findings about initial weights: for each what triggers it, and what people do on purpose and must not."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import nn

from reprocheck.commands.params.findings import find
from reprocheck.commands.params.model import Row, Start
from reprocheck.commands.params.read import _tensor
from reprocheck.commands.params.rows import rows_of
from reprocheck.worker.observe.weights import _lines

Make = Callable[[], nn.Module]


def rows(make: Make, seeds: Sequence[int] = (0, 1)) -> tuple[Row, ...]:
    starts = []
    for seed in seeds:
        torch.manual_seed(seed)
        tensors = tuple(_tensor("Model", line) for line in _lines(make(), {}))
        starts.append(Start(seed=seed, stage="step", tensors=tensors))
    return rows_of(starts)


def found(make: Make, seeds: Sequence[int] = (0, 1)) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.severity, one.slug, one.names) for one in find(rows(make, seeds), seeds)]


def mlp(change: Callable[[nn.Sequential], object] = lambda model: None) -> Make:
    def make() -> nn.Module:
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
        with torch.no_grad():
            change(model)
        return model

    return make


def zeros(*modules: nn.Module) -> None:
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)


def test_a_plain_model_has_none() -> None:
    assert found(mlp()) == []
    assert found(lambda: nn.LSTM(10, 20, num_layers=2, bidirectional=True)) == []
    assert found(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Embedding(10, 4))) == []


def test_not_finite() -> None:
    def spoil(model: nn.Sequential) -> None:
        model[2].weight[3, 3] = math.nan  # type: ignore[index, operator]

    assert found(mlp(spoil))[0] == ("error", "not-finite", ("2.weight",))

    def freeze(model: nn.Sequential) -> None:
        spoil(model)
        model[2].weight.requires_grad_(False)  # type: ignore[operator, union-attr]

    assert found(mlp(freeze))[0] == ("warning", "not-finite", ("2.weight",))

    def masked() -> nn.Module:
        model = nn.Linear(8, 8)
        model.register_buffer("mask", torch.full((8, 8), -math.inf).triu(1))
        return model

    assert found(masked) == []


def test_every_parameter_one_number() -> None:
    def constant(model: nn.Sequential) -> None:
        for parameter in model.parameters():
            nn.init.constant_(parameter, 0.1)

    assert found(mlp(constant)) == [("error", "constant-weights", ("0.weight", "2.weight", "4.weight"))]
    assert found(mlp(lambda model: zeros(model)))[0][:2] == ("error", "constant-weights")
    assert found(mlp(lambda model: zeros(model[4]))) == []  # a last layer that starts from zeros
    assert found(mlp(lambda model: zeros(model[2], model[4]))) == []

    def regression() -> nn.Module:  # convex: there are no hidden units
        model = nn.Linear(20, 10)
        zeros(model)
        return model

    assert found(regression) == []

    def line() -> nn.Module:  # one unit has no other to be equal to
        model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
        zeros(model)
        return model

    assert found(line) == []


def test_equal_units() -> None:
    def same_rows(model: nn.Sequential) -> None:
        model[2].weight[:] = model[2].weight[0].clone()  # type: ignore[index, operator, union-attr]

    assert found(mlp(same_rows)) == [("warning", "equal-units", ("2.weight",))]
    assert found(mlp(lambda model: nn.init.ones_(model[0].weight))) == [("warning", "equal-units", ("0.weight",))]  # type: ignore[arg-type]

    def same_columns(model: nn.Sequential) -> None:
        model[2].weight[:] = model[2].weight[:, :1].clone()  # type: ignore[index, operator, union-attr]

    assert found(mlp(same_columns)) == []

    def convolution(groups: int, kind: type[nn.Module] = nn.Conv2d) -> Make:
        def make() -> nn.Module:
            model = kind(8, 8, 3, groups=groups)
            with torch.no_grad():
                weight = model.weight
                weight[:] = (weight[:, :1] if kind is nn.ConvTranspose2d else weight[:1]).clone()  # type: ignore[index, operator]
            return model

        return make

    assert found(convolution(1)) == [("warning", "equal-units", ("weight",))]
    assert found(convolution(1, nn.ConvTranspose2d)) == [("warning", "equal-units", ("weight",))]
    assert found(convolution(8)) == []  # a blur: each filter has a channel of its own


def test_equal_layers() -> None:
    def copied() -> nn.Module:
        first = nn.Linear(6, 6)
        return nn.ModuleDict({"a": first, "b": copy.deepcopy(first), "c": nn.Linear(6, 6)})

    assert found(copied) == [("warning", "equal-layers", ("a.weight", "b.weight", "a.bias", "b.bias"))]

    def reseeded() -> nn.Module:
        layers = []
        for _ in range(2):
            torch.manual_seed(7)
            layers.append(nn.Linear(6, 6))
        return nn.Sequential(*layers)

    assert [one[:2] for one in found(reseeded)] == [("warning", "equal-layers"), ("note", "equal-over-seeds")]

    def momentum() -> nn.Module:  # a target network that follows is not trained
        model = nn.Sequential(nn.Linear(6, 6))
        model.append(copy.deepcopy(model[0]).requires_grad_(False))
        return model

    assert found(momentum) == []

    def tied() -> nn.Module:
        model = nn.Sequential(nn.Embedding(20, 6), nn.Linear(6, 20, bias=False))
        model[1].weight = model[0].weight
        return model

    assert found(tied) == []
    stack = nn.TransformerEncoderLayer(8, 2, 16)
    (only,) = found(lambda: nn.TransformerEncoder(copy.deepcopy(stack), 2), seeds=(0,))
    assert only[:2] == ("note", "equal-layers")  # PyTorch itself copies its layer
    (only,) = found(lambda: nn.ModuleDict({"layers": copied()}), seeds=(0,))
    assert only[:2] == ("warning", "equal-layers")


def test_equal_over_seeds() -> None:
    def backbone(model: nn.Sequential) -> None:
        model[0].weight[:] = torch.arange(48.0).reshape(8, 6).sin()  # type: ignore[index, operator]

    assert found(mlp(backbone)) == [("note", "equal-over-seeds", ("0.weight",))]
    assert found(mlp(backbone), seeds=(0,)) == []
    fixed = torch.Generator().manual_seed(3)

    def all_fixed() -> nn.Module:
        model = nn.Linear(6, 6, bias=False)
        nn.init.normal_(model.weight, generator=fixed.manual_seed(3))
        return model

    assert [one[:2] for one in found(all_fixed)] == [("note", "equal-over-seeds")]


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e4m3fn, torch.int8, torch.bool])
def test_odd_dtypes_break_nothing(dtype: torch.dtype) -> None:
    def make() -> nn.Module:
        model = nn.Module()
        model.register_buffer("odd", torch.ones(4, 4).to(dtype))
        return model

    (row,) = rows(make, (0,))
    assert row.tensor.digest
    assert row.tensor.answer is not None or row.tensor.reason
