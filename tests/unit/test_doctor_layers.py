"""Layers and weights of one run are named by the same names."""

from __future__ import annotations

import pytest
import torch

from reprocheck.commands.doctor.model import Activation, Layers, weight_of
from reprocheck.commands.doctor.read import with_top_models
from reprocheck.commands.params.model import Start
from reprocheck.commands.params.read import _tensor
from reprocheck.commands.params.rows import rows_of
from reprocheck.worker.observe.weights import _lines


@pytest.mark.parametrize(
    ("top_models", "expected"),
    [
        ({"Policy": None}, ("Policy", "actor.net.0")),
        ({"": None, "Policy": None}, ("Policy", "actor.net.0")),
        ({"Policy.actor": None, "Policy": None}, ("Policy.actor", "net.0")),
        ({"Pol": None}, ("Policy.actor", "net.0")),
        ({}, ("Policy.actor", "net.0")),
    ],
)
def test_a_part_that_was_called_by_itself_belongs_to_its_whole(
    top_models: dict[str, None], expected: tuple[str, str]
) -> None:
    part = Activation(
        root="Policy.actor", name="net.0", module="Linear", layer="Linear", std=1.0, finite=True, nan=False
    )
    weight = ("Policy.actor", "net.0.weight")
    found = with_top_models(
        Layers(activations=(part,), gradients={weight: 1.0}, followed={weight: ("relu", None)}), top_models
    )
    assert (found.activations[0].root, found.activations[0].name) == expected
    assert list(found.gradients) == list(found.followed) == [(expected[0], f"{expected[1]}.weight")]


def test_a_layer_that_is_the_whole_part() -> None:
    part = Activation(root="Policy.head", name="", module="Linear", layer="Linear", std=1.0, finite=True, nan=False)
    [found] = with_top_models(Layers(activations=(part,)), {"Policy": None}).activations
    assert (found.root, found.name) == ("Policy", "head")


class Convolution(torch.nn.Module):
    """A layer that names its weight otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = torch.nn.Parameter(torch.ones(3, 4))
        self.bias = torch.nn.Parameter(torch.ones(4))


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ("own", "own.kernel"),
        ("linear", "linear.weight"),
        ("inner.own", "inner.own.kernel"),
        ("inner", "inner.weight"),
        ("lstm", "lstm.weight"),  # it has several, none of them its weight
        ("", "weight"),
    ],
)
def test_the_weight_of_a_layer_may_have_any_name(layer: str, name: str) -> None:
    model = torch.nn.ModuleDict({"own": Convolution(), "linear": torch.nn.Linear(2, 2), "lstm": torch.nn.LSTM(2, 2)})
    model["inner"] = torch.nn.ModuleDict({"own": Convolution()})
    tensors = tuple(_tensor("Model", line) for line in _lines(model, {}))
    rows = rows_of([Start(seed=0, stage="step", tensors=tensors)])
    assert weight_of(rows, "Model", layer) == ("Model", name)
    assert weight_of(rows, "Other", layer)[1].endswith("weight")
