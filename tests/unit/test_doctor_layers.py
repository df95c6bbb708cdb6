"""Layers and weights of one run are named by the same names."""

from __future__ import annotations

import pytest

from reprocheck.commands.doctor.model import Activation, Layers
from reprocheck.commands.doctor.read import with_top_models


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
