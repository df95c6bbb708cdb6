"""The initialisers that a tensor of a shape may come from, each with the figures of its distribution. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reprocheck.model.initializers import Family, Place

RNN = {"RNN": 1, "LSTM": 4, "GRU": 3, "RNNCell": 1, "LSTMCell": 4, "GRUCell": 3}
"""Gates whose weights lie below one another in one tensor."""
NORMS = (
    *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"),
    *("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LayerNorm", "GroupNorm", "RMSNorm"),
)
_FAN = ("Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
_GAINS = (
    ("", 1.0),
    ("relu", math.sqrt(2)),
    ("tanh", 5 / 3),
    ("selu", 0.75),
)
_CUT_STD = 0.87962566103423978
"""Standard deviation of a normal distribution that is cut at ±2: timm, Keras and JAX divide by it."""
_SLOPES = (("relu", 0.0), ("a=0.01", 0.01), ("a=0.1", 0.1), ("a=0.2", 0.2), ("a=sqrt(5)", math.sqrt(5)))


@dataclass(frozen=True, slots=True)
class Scheme:
    """One initialiser with a distribution around zero, or from `low` to `high`."""

    text: str
    family: Family
    scale: float
    """The standard deviation of NORMAL and TRUNCATED (before the cut), half the width of UNIFORM."""
    prior: float = 1.0
    """How usual it is, next to the others."""
    centre: float = 0.0
    cut: float = 0.0
    """TRUNCATED: half the width of the interval."""


def fans(shape: Sequence[int]) -> tuple[int, int] | None:
    """fan_in and fan_out as torch.nn.init counts them; None below two dimensions."""
    if len(shape) < 2 or 0 in shape:
        return None
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def default(shape: Sequence[int], place: Place) -> Scheme | None:
    """What PyTorch itself draws for this parameter of this layer, where it draws at all."""
    layer, name = place.layer, place.name
    text = f"default of {layer}"
    found = fans(shape)
    if layer in RNN and place.hidden:
        return Scheme(text, Family.UNIFORM, 1 / math.sqrt(place.hidden), 8)
    if layer in ("Embedding", "EmbeddingBag") and name == "weight":
        return Scheme(text, Family.NORMAL, 1.0, 8)
    if layer in _FAN and name == "weight" and found:
        return Scheme(text, Family.UNIFORM, 1 / math.sqrt(found[0]), 8)
    if layer == "Bilinear" and name == "weight" and found:
        return Scheme(text, Family.UNIFORM, 1 / math.sqrt(shape[1]), 8)
    if layer in (*_FAN, "Bilinear") and name == "bias" and place.fan_in:
        return Scheme(text, Family.UNIFORM, 1 / math.sqrt(place.fan_in), 8)
    if layer == "MultiheadAttention" and name.endswith("_weight") and found:
        return Scheme(text, Family.UNIFORM, math.sqrt(6 / sum(found)), 8)
    if layer == "MultiheadAttention" and name in ("bias_k", "bias_v") and found:
        return Scheme(text, Family.NORMAL, math.sqrt(2 / sum(found)), 8)
    return None


def default_constant(place: Place) -> float | None:
    """The one value that PyTorch itself fills this parameter with, where it does."""
    if place.layer in NORMS:
        return 1.0 if place.name in ("weight", "running_var") else 0.0
    if place.layer == "MultiheadAttention" and place.name == "in_proj_bias":
        return 0.0
    return 0.25 if place.layer == "PReLU" else None


def named(shape: Sequence[int], place: Place) -> Iterator[Scheme]:
    """All of torch.nn.init with the gains that calculate_gain knows, and the layer's own default."""
    own = default(shape, place)
    if own is not None:
        yield own
    found = fans(shape)
    if found is None:
        return
    yield from _by_fans(*found, "")
    if place.layer in RNN and place.hidden and RNN[place.layer] > 1 and place.name.startswith("weight_"):
        yield from _by_fans(found[0], place.hidden, " for each gate")
    if place.layer == "MultiheadAttention" and place.name == "in_proj_weight":
        yield from _by_fans(found[0], found[0], " for each of q, k, v")


def _by_fans(fan_in: int, fan_out: int, suffix: str) -> Iterator[Scheme]:
    weight = 1.0 if not suffix else 0.5
    for word, gain in _GAINS:
        std = gain * math.sqrt(2 / (fan_in + fan_out))
        arguments = f"gain={word}" if word else ""
        yield from _both("xavier", arguments, std, weight * (4 if not word else 1), suffix)
    for mode, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
        arguments = "" if mode == "fan_in" else "fan_out"
        for word, slope in _SLOPES:
            usual = 4 if word == "relu" else 2 if word == "a=sqrt(5)" and mode == "fan_in" else 0.5
            parts = [part for part in (arguments, word) if part]
            std = math.sqrt(2 / ((1 + slope**2) * fan))
            yield from _both("kaiming", ", ".join(parts), std, weight * usual, suffix)
        for word, gain in (("lecun_normal", 1.0), ("he_normal", math.sqrt(2))):
            std = gain / math.sqrt(fan) / _CUT_STD
            text = f"{word} ({mode}, cut at 2 std){suffix}"
            yield Scheme(text, Family.TRUNCATED, std, weight * 0.3, 0, 2 * std)
        for word, gain in (("linear", 1.0), ("tanh", 5 / 3), ("selu", 0.75)):
            parts = [part for part in (arguments, word) if part]
            yield from _both("kaiming", ", ".join(parts), gain / math.sqrt(fan), weight * 0.5, suffix)


def _both(name: str, arguments: str, std: float, prior: float, suffix: str) -> Iterator[Scheme]:
    yield Scheme(f"{name}_uniform_({arguments}){suffix}", Family.UNIFORM, math.sqrt(3) * std, prior)
    yield Scheme(f"{name}_normal_({arguments}){suffix}", Family.NORMAL, std, prior)


def figures(scheme: Scheme) -> str:
    """The distribution as text."""
    if scheme.family is Family.UNIFORM:
        return f"uniform, {scheme.centre - scheme.scale:.4g} to {scheme.centre + scheme.scale:.4g}"
    centre = "" if scheme.centre == 0 else f"mean {scheme.centre:.3g}, "
    if scheme.family is Family.NORMAL:
        return f"normal, {centre}std {scheme.scale:.4g}"
    low, high = scheme.centre - scheme.cut, scheme.centre + scheme.cut
    return f"truncated normal, {centre}std {scheme.scale:.4g}, {low:.4g} to {high:.4g}"
