"""Recognised initialisers: every function of torch.nn.init in every kind of layer that takes it, at many sizes.

A case is right when the function that drew the values is among those that the answer names, and every answer names only
what fits. For figures that no scheme has (a standard deviation of 0.037) it is right when the family is, and the scale
within five standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.figures import Figure, Line
from reprocheck.model.initializers import Answer, Confidence, Family, Place
from reprocheck.worker.initializers.recognise import recognise

SIZES = (16, 64, 256, 1_000, 10_000, 100_000, 1_000_000)
SEEDS = 3
SLOW = 100_000
"""Elements from which one seed must do: orthogonal matrices take their time."""
ENOUGH = 1_000
GROUP = "initialisers"

Fill = Callable[[torch.Tensor], object]
init = nn.init


@dataclass(frozen=True, slots=True)
class Truth:
    """What an answer must say."""

    text: str = ""
    """A scheme that must be among its schemes."""
    family: Family | None = None
    scale: float = 0.0
    """With a family: the figure, unless 0."""

    def fits(self, answer: Answer, count: int, eps: float = 0.0) -> bool:
        if self.text:
            return self.text in answer.schemes
        if answer.family is not self.family:
            return False
        allowed = 12 / count if self.family is Family.UNIFORM else 5 / math.sqrt(2 * count)
        return not self.scale or (answer.scale is not None and abs(answer.scale / self.scale - 1) < allowed + eps)


@dataclass(frozen=True, slots=True)
class Case:
    """One tensor with a label."""

    function: str
    layer: str
    place: Place
    tensor: torch.Tensor
    truth: Truth


def lines(quick: bool) -> Iterator[Line]:
    """Shares of right answers by function, by kind of layer and by size, then in all."""
    kept: list[tuple[Case, Answer, bool]] = []
    for case in cases(SIZES[:4] if quick else SIZES, 1 if quick else SEEDS):
        eps = torch.finfo(case.tensor.dtype).eps
        answer = recognise(case.tensor.numpy(), case.place, eps)
        kept.append((case, answer, case.truth.fits(answer, case.tensor.numel())))
    large = [one for one in kept if one[0].tensor.numel() >= ENOUGH]
    for name in dict.fromkeys(case.function for case, _, _ in large):
        yield share(name, [right for case, _, right in large if case.function == name])
    for name in dict.fromkeys(case.layer for case, _, _ in large):
        yield share(f"all in {name}", [right for case, _, right in large if case.layer == name])
    for low, high in zip(SIZES, (*SIZES[1:], 10**9), strict=True):
        yield share(f"{low:,} elements or more", [r for case, _, r in kept if low <= case.tensor.numel() < high])
    yield share(f"all, {ENOUGH:,} elements or more", [right for *_, right in large], target=0.98)
    found = [len(answer.schemes) for _, answer, _ in large if answer.schemes]
    yield figure("schemes that an answer names, on average", sum(found) / len(found), f"of {len(found)}")
    high = [right for _, answer, right in kept if answer.confidence is Confidence.HIGH]
    yield figure("high confidence", len(high) / len(kept), f"of {len(kept):,} of any size", unit="")
    yield figure("wrong with high confidence", high.count(False), f"of {len(high):,}", target=0)


def share(name: str, right: list[bool], target: float | None = None) -> Figure:
    value = sum(right) / len(right) if right else math.nan
    return figure(name, value, f"{sum(right):,} of {len(right):,} right", target=target, at_least=True)


def figure(
    name: str, value: float, note: str, *, unit: str = "", target: float | None = None, at_least: bool = False
) -> Figure:
    return Figure(
        group=GROUP,
        name=name,
        value=value,
        low=value,
        high=value,
        unit=unit,
        target=target,
        at_least=at_least,
        note=note,
    )


def cases(sizes: tuple[int, ...], seeds: int) -> Iterator[Case]:
    """The whole set, one tensor at a time."""
    for number, size in enumerate(sizes):
        for seed in range(seeds if size < SLOW else 1):
            torch.manual_seed(1000 * number + seed)
            for layer, place, tensor in weights(size):
                yield Case("PyTorch's default", layer, place, tensor.clone(), _default(layer, place, tensor))
                for function, fill, truth in functions(tensor, layer, place):
                    with torch.no_grad():
                        filled = torch.empty_like(tensor)
                        fill(filled)
                    yield Case(function, layer, place, filled, truth)


def weights(size: int) -> Iterator[tuple[str, Place, torch.Tensor]]:
    """Parameters of about so many elements, as PyTorch makes them, with unequal and with equal fans."""
    side = max(2, math.isqrt(size))
    wide = max(2, math.isqrt(size // 4))
    for rows, columns in ((side, side), (wide, 4 * wide), (4 * wide, wide)):
        linear = nn.Linear(columns, rows)
        yield "Linear", Place(layer="Linear"), linear.weight.data
    yield "bias", Place(layer="Linear", name="bias", fan_in=50), nn.Linear(50, size).bias.data
    for dimensions, kernel in ((1, 4), (2, 3), (3, 2)):
        channels = max(2, math.isqrt(size // kernel**dimensions // 2))
        for kind in ("Conv", "ConvTranspose"):
            name = f"{kind}{dimensions}d"
            made = getattr(nn, name)(channels, 2 * channels, kernel)
            yield name, Place(layer=name), made.weight.data
    grouped = nn.Conv2d(4 * max(1, math.isqrt(size // 36)), 4 * max(1, math.isqrt(size // 36)), 3, groups=4)
    yield "Conv2d", Place(layer="Conv2d"), grouped.weight.data
    table = nn.Embedding(4 * wide, wide)
    yield "Embedding", Place(layer="Embedding"), table.weight.data
    table = nn.Embedding(4 * wide, wide, padding_idx=0)
    yield "Embedding", Place(layer="Embedding"), table.weight.data
    for name, gates in (("LSTM", 4), ("GRU", 3)):
        hidden = max(2, math.isqrt(size // (2 * gates)))
        made = getattr(nn, name)(2 * hidden, hidden)
        yield name, Place(layer=name, name="weight_ih_l0", hidden=hidden), made.weight_ih_l0.data
        yield name, Place(layer=name, name="bias_ih_l0", hidden=hidden), made.bias_ih_l0.data
    norm = nn.LayerNorm(size)
    yield "LayerNorm", Place(layer="LayerNorm"), norm.weight.data
    yield "LayerNorm", Place(layer="LayerNorm", name="bias"), norm.bias.data
    attention = nn.MultiheadAttention(max(2, math.isqrt(size // 3)), 1)
    yield "MultiheadAttention", Place(layer="MultiheadAttention", name="in_proj_weight"), attention.in_proj_weight.data


def _default(layer: str, place: Place, tensor: torch.Tensor) -> Truth:
    return Truth(text=f"default of {place.layer}")


def functions(tensor: torch.Tensor, layer: str, place: Place) -> Iterator[tuple[str, Fill, Truth]]:
    """All of torch.nn.init that takes a tensor of this shape."""
    yield "zeros_", init.zeros_, Truth("zeros_")
    yield "ones_", init.ones_, Truth("ones_")
    yield "constant_", lambda t: init.constant_(t, 0.3), Truth("constant_(0.3)")
    yield "uniform_", init.uniform_, Truth("uniform_()")
    yield "uniform_", lambda t: init.uniform_(t, -0.1, 0.1), Truth("uniform_(-0.1, 0.1)")
    yield "uniform_", lambda t: init.uniform_(t, -0.37, 0.37), Truth(family=Family.UNIFORM, scale=0.37)
    yield "uniform_", lambda t: init.uniform_(t, 0.2, 0.9), Truth(family=Family.UNIFORM, scale=0.35)
    yield "normal_", init.normal_, Truth("normal_()")
    yield "normal_", lambda t: init.normal_(t, std=0.02), Truth("normal_(std=0.02)")
    yield "normal_", lambda t: init.normal_(t, std=0.0037), Truth(family=Family.NORMAL, scale=0.0037)
    yield "normal_", lambda t: init.normal_(t, mean=1, std=0.02), Truth(family=Family.NORMAL, scale=0.02)
    yield "trunc_normal_", init.trunc_normal_, Truth("trunc_normal_()")
    yield "trunc_normal_", lambda t: init.trunc_normal_(t, std=0.02), Truth("trunc_normal_(std=0.02)")
    within: Fill = lambda t: init.trunc_normal_(t, std=0.02, a=-0.04, b=0.04)  # noqa: E731
    yield "trunc_normal_", within, Truth("trunc_normal_(std=0.02, cut at 2 std)")
    if tensor.dim() < 2:
        return
    yield "orthogonal_", init.orthogonal_, Truth("orthogonal_()")
    yield "orthogonal_", lambda t: init.orthogonal_(t, init.calculate_gain("relu")), Truth("orthogonal_(gain=relu)")
    if tensor.dim() == 2:
        yield "eye_", init.eye_, Truth("eye_")
        for sparsity in (0.1, 0.5):
            yield "sparse_", lambda t, s=sparsity: init.sparse_(t, s), Truth(family=Family.SPARSE)  # type: ignore[misc]
    else:
        yield "dirac_", init.dirac_, Truth("dirac_")
    for gain, word in ((1.0, ""), (init.calculate_gain("tanh"), "gain=tanh")):
        yield "xavier_uniform_", lambda t, g=gain: init.xavier_uniform_(t, g), Truth(f"xavier_uniform_({word})")  # type: ignore[misc]
        yield "xavier_normal_", lambda t, g=gain: init.xavier_normal_(t, g), Truth(f"xavier_normal_({word})")  # type: ignore[misc]
    for slope, word in ((0.0, "relu"), (0.2, "a=0.2"), (math.sqrt(5), "a=sqrt(5)")):
        for mode in ("fan_in", "fan_out"):
            found = word if mode == "fan_in" else f"fan_out, {word}"
            for kind in ("uniform", "normal"):
                name = f"kaiming_{kind}_"
                draw = getattr(init, name)
                yield name, lambda t, d=draw, s=slope, m=mode: d(t, a=s, mode=m), Truth(f"{name}({found})")  # type: ignore[misc]
