"""What is wrong with how a training starts: scales that do not fit the activation functions, signals that die or blow
up on their way, uninitialized memory. Pure.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from statistics import median

from reprocheck.commands.doctor.model import Activation, Layers, Name
from reprocheck.commands.params.model import ERROR, NOTE, WARNING, Remark, Row
from reprocheck.model.initializers import Answer, Family
from reprocheck.model.kinds import Confidence

RECTIFIED = ("relu", "leaky_relu", "gelu", "silu", "hardtanh")
SATURATING = ("tanh", "sigmoid")
FEWEST_LAYERS = 4
"""Layers from which on a trend is one."""
SIGNAL, GRADIENT = 1e3, 1e4
"""Factors from the first to the last layer that a training rarely gets over."""
LARGEST_GAIN, SMALLEST_GAIN = 10.0, 0.02
_MIXING = ("Linear", "Bilinear", "Conv", "RNN", "LSTM", "GRU")
_FORMATS = {"float64": "<d", "float32": "<f", "float16": "<e"}


def gain_of(kind: str, slope: float | None = None) -> float | None:
    """What torch.nn.init.calculate_gain says; None for what it does not know."""
    known = {"sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    if kind == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if slope is None else slope) ** 2))
    return known.get(kind, math.sqrt(2) if kind in RECTIFIED else None)


def misfits(rows: Sequence[Row], layers: Layers) -> Iterator[Remark]:
    """Xavier in front of a rectifier, Kaiming in front of what saturates."""
    for scheme, kinds in (("xavier", RECTIFIED), ("kaiming", SATURATING)):
        bad: dict[str, list[str]] = {}
        for row in rows:
            kind, slope = layers.followed.get((row.tensor.root, row.tensor.name), ("", None))
            answer = row.tensor.answer
            if row.tensor.copied:  # PyTorch's own transformers draw so by themselves
                continue
            if kind in kinds and answer is not None and _is_plain(answer, scheme):
                gain = gain_of(kind, slope)
                bad.setdefault(f"{kind} (its gain: {gain:.3g})", []).append(row.name)
        names = tuple(name for found in bad.values() for name in found)
        if names:
            own = "1" if scheme == "xavier" else "sqrt(2), that of ReLU"
            yield Remark(
                slug=f"{scheme}-in-front-of-{'relu' if scheme == 'xavier' else 'tanh'}",
                severity=WARNING if len(names) > 1 else NOTE,
                message=f"weights are drawn for a gain of {own}, and go into {', '.join(bad)}",
                names=names,
                help="kaiming_normal_(w, nonlinearity='relu')"
                if scheme == "xavier"
                else "xavier_normal_(w, gain=nn.init.calculate_gain('tanh')), or gain 1 for sigmoid",
            )


def _is_plain(answer: Answer, scheme: str) -> bool:
    """Drawn by a scheme with its own default gain, and neither by PyTorch's default of the layer."""
    if answer.confidence is Confidence.LOW:
        return False
    same = answer.schemes[: max(1, answer.equal)]
    if any(text.startswith("default") for text in same):
        return False
    if scheme == "xavier":
        return any(text.startswith("xavier") and "gain" not in text for text in same)
    return any(text.startswith("kaiming") and ("relu" in text or "a=0." in text) for text in same)


def far_off(rows: Sequence[Row], layers: Layers) -> Iterator[Remark]:
    """Scales that no scheme gives. The last weight of a model, or of a head, may be small on purpose."""
    for root in dict.fromkeys(row.tensor.root for row in rows):
        own = [row for row in rows if row.tensor.root == root and _is_weight(row)]
        large = {row.name: gain for row in own if (gain := _gain(row)) is not None and gain > LARGEST_GAIN}
        inner = [row for row in own[:-1] if layers.followed.get(name_of(row), ("?", None))[0]]
        small = {row.name: gain for row in inner if (gain := _gain(row)) is not None and 0 < gain < SMALLEST_GAIN}
        for found, word, severity in ((large, "large", WARNING), (small, "small", NOTE)):
            if found:
                worst = max(found.values(), key=lambda gain: abs(math.log(gain)))
                yield Remark(
                    slug=f"{word}-weights",
                    severity=severity,
                    message=f"weights are too {word} for their fan-in: std x sqrt(fan_in) is {worst:.3g}, "
                    "and about 0.6 to 1.7 for every scheme",
                    names=tuple(found),
                    help="nn.init.kaiming_normal_ or xavier_normal_ take the size of the layer into account",
                )


def _is_weight(row: Row) -> bool:
    tensor = row.tensor
    return tensor.kind == "parameter" and len(tensor.shape) >= 2 and tensor.layer.startswith(_MIXING)


def _gain(row: Row) -> float | None:
    tensor = row.tensor
    fan_in = math.prod(tensor.shape[1:])
    if tensor.std is None or not fan_in or (tensor.answer is not None and tensor.answer.family is Family.SPARSE):
        return None
    return tensor.std * math.sqrt(fan_in)


def signals(layers: Layers) -> Iterator[Remark]:
    """Activations of the first batch that die out or blow up from layer to layer."""
    for root in dict.fromkeys(one.root for one in layers.activations):
        own = [one for one in layers.activations if one.root == root]
        broken = next((one for one in own if not one.finite), None)
        if broken is not None:
            yield Remark(
                slug="activations-not-finite",
                severity=ERROR if broken.nan else WARNING,  # a mask may be infinite on purpose
                message=f"the first batch is {'NaN' if broken.nan else 'infinite'} from {broken.module} on",
                names=(_shown(root, broken.name),),
                help="look at the data, at divisions and logarithms before it, and at the scale of the weights",
            )
            continue
        yield from _trend(root, [one for one in own if one.layer.startswith(_MIXING)])


def _trend(root: str, weighted: Sequence[Activation]) -> Iterator[Remark]:
    hidden = [one for one in weighted[:-1] if one.std]
    if len(hidden) < FEWEST_LAYERS:
        return
    stds = [one.std or 0.0 for one in hidden]
    factor = stds[-1] / stds[0]
    if 1 / SIGNAL <= factor <= SIGNAL:
        return
    vanishes = factor < 1
    yield Remark(
        slug="vanishing-activations" if vanishes else "exploding-activations",
        severity=WARNING,
        message=f"the first batch {'dies out' if vanishes else 'blows up'} on its way: its std goes from "
        f"{stds[0]:.3g} to {stds[-1]:.3g} over {len(hidden)} layers",
        names=(_shown(root, hidden[0].name), _shown(root, hidden[-1].name)),
        help="draw weights for the activation function (kaiming for ReLU, xavier with calculate_gain for tanh), or "
        "add norms or residual connections",
    )


def slopes(rows: Sequence[Row], layers: Layers) -> Iterator[Remark]:
    """Gradients of the first step that die out or blow up on their way back."""
    for root in dict.fromkeys(row.tensor.root for row in rows):
        own = [row for row in rows if row.tensor.root == root and _is_weight(row)]
        found = {row.name: layers.gradients.get((root, row.tensor.name), 0.0) for row in own}
        broken = tuple(name for name, rms in found.items() if rms is None)
        if broken:
            yield Remark(
                slug="gradients-not-finite",
                severity=WARNING,
                message="gradients of the first step are NaN or infinite",
                names=broken,
                help="with mixed precision the first steps may be skipped for it; else look at the loss",
            )
            continue
        # A last layer of zeros lets no gradient through at the first step, on purpose.
        sizes = {name: rms for name, rms in found.items() if rms}
        if len(sizes) < FEWEST_LAYERS:
            continue
        third = max(1, len(sizes) // 3)
        first, last = median([*sizes.values()][:third]), median([*sizes.values()][-third:])
        if 1 / GRADIENT <= first / last <= GRADIENT:
            continue
        vanishes = first < last
        yield Remark(
            slug="vanishing-gradients" if vanishes else "exploding-gradients",
            severity=WARNING,
            message=f"gradients of the first step {'die out' if vanishes else 'blow up'} on their way back: "
            f"{last:.3g} in the last layers, {first:.3g} in the first",
            names=(next(iter(sizes)), [*sizes][-1]),
            help="draw weights for the activation function, avoid sigmoid and tanh in deep models, add norms or "
            "residual connections",
        )


def unwritten(rows: Sequence[Row], heap_byte: int) -> Iterator[Remark]:
    """Parameters that hold what the heap was filled with: `heap_byte` is glibc's, which fills with its complement."""
    byte = bytes([~heap_byte & 0xFF])
    bad = []
    for row in rows:
        tensor = row.tensor
        filled = _filled(tensor.dtype, byte)
        if tensor.kind == "parameter" and filled is not None and filled in (tensor.low, tensor.high):
            bad.append(row)
    if bad:
        yield Remark(
            slug="uninitialised-memory",
            severity=ERROR if any(row.tensor.trainable for row in bad) else WARNING,
            message="parameters start as uninitialized memory",
            names=tuple(row.name for row in bad),
            help="torch.empty and nn.Parameter(torch.empty(...)) leave what was there before: initialise all of it",
        )


def _filled(dtype: str, byte: bytes) -> float | None:
    if dtype == "bfloat16":
        return float(struct.unpack("<f", b"\0\0" + byte * 2)[0])
    form = _FORMATS.get(dtype)
    return None if form is None else float(struct.unpack(form, byte * struct.calcsize(form))[0])


def _shown(root: str, name: str) -> str:
    return f"{root}.{name}" if name else root


def name_of(row: Row) -> Name:
    """The key of a parameter."""
    return row.tensor.root, row.tensor.name
