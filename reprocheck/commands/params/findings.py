"""What is wrong with initial weights for certain, from their values alone. Pure.

An error only where training cannot repair it: numbers that are no numbers, and a model whose units are all alike. What
people do on purpose (a last layer of zeros, weights from a file, layers that PyTorch copies) is a note at most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from reprocheck.commands.params.model import ERROR, NOTE, WARNING, Remark, Row, Tensor
from reprocheck.model.initializers import Family

DRAWN = (Family.SPARSE, Family.ORTHOGONAL, Family.UNIFORM, Family.NORMAL, Family.TRUNCATED, Family.UNKNOWN)
CONSTANT = (Family.ZEROS, Family.ONES, Family.CONSTANT)
FEW = 4
"""Elements up to which equal draws say nothing."""
_MIXING = ("Linear", "Bilinear", "Conv", "RNN", "LSTM", "GRU")
"""Layers whose units all see the same inputs."""


def find(rows: Sequence[Row], seeds: Sequence[int]) -> tuple[Remark, ...]:
    """All findings, errors first."""
    checks: tuple[Callable[[], Iterator[Remark]], ...] = (
        lambda: not_finite(rows),
        lambda: all_alike(rows),
        lambda: equal_units(rows),
        lambda: equal_layers(rows),
        lambda: equal_over_seeds(rows, seeds),
    )
    found = [remark for check in checks for remark in check()]
    return tuple(sorted(found, key=lambda remark: (ERROR, WARNING, NOTE).index(remark.severity)))


def not_finite(rows: Sequence[Row]) -> Iterator[Remark]:
    """Buffers may be infinite on purpose: masks of an attention are."""
    bad = [row for row in rows if row.tensor.kind == "parameter" and (row.tensor.nan or row.tensor.inf)]
    if bad:
        nan, inf = sum(row.tensor.nan for row in bad), sum(row.tensor.inf for row in bad)
        yield Remark(
            slug="not-finite",
            severity=ERROR if any(row.tensor.trainable for row in bad) else WARNING,
            message=f"parameters start with {nan:,} NaN and {inf:,} infinite values",
            names=_names(bad),
            help="uninitialized memory (torch.empty), a division by zero, or a broken file; initialise all of it",
        )


def all_alike(rows: Sequence[Row]) -> Iterator[Remark]:
    """Every trainable tensor of a model holds one number: all units of a layer stay alike for ever.

    With a single weight matrix they need not: a softmax regression may start from zeros.
    """
    for root in dict.fromkeys(row.tensor.root for row in rows):
        own = [row for row in rows if row.tensor.root == root and row.tensor.kind == "parameter"]
        matrices = [row for row in own if len(row.tensor.shape) >= 2 and _is_mixing(row.tensor)]
        hidden = [row for row in matrices[:-1] if row.tensor.shape[0] > 1]
        if root and hidden and all(_is_constant(row.tensor) for row in own):
            yield Remark(
                slug="constant-weights",
                severity=ERROR,
                message="every parameter starts as one number: the units of a layer are equal and stay equal",
                names=_names(matrices),
                help="draw weights (nn.init.kaiming_uniform_, xavier_uniform_); only biases may be constant",
            )


def equal_units(rows: Sequence[Row]) -> Iterator[Remark]:
    """Rows or filters that start alike. Zeros are left out: last layers start from them on purpose."""
    whole = {name for remark in all_alike(rows) for name in remark.names}
    bad = [
        row
        for row in rows
        if row.name not in whole
        and row.tensor.trainable
        and row.tensor.equal_units
        and _is_mixing(row.tensor)
        and not _is_depthwise(row.tensor)
        and not (row.tensor.low == row.tensor.high == 0)
    ]
    if bad:
        yield Remark(
            slug="equal-units",
            severity=WARNING,
            message="all rows or filters of a weight start equal: only what follows can part these units",
            names=_names(bad),
            help="draw the weights (nn.init.kaiming_uniform_, xavier_uniform_) instead of giving all the same",
        )


def equal_layers(rows: Sequence[Row]) -> Iterator[Remark]:
    """Two trainable tensors of one model with equal draws: copied, or drawn after the same seed."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.tensor.trainable and row.tensor.digest and row.tensor.root and _is_drawn(row.tensor):
            groups[row.tensor.root, row.tensor.digest].append(row)
    together: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for group in groups.values():
        if len(group) > 1:
            together[tuple(row.name.rpartition(".")[0] for row in group)].extend(group)
    if together:
        bad = [row for group in together.values() for row in group]
        yield Remark(
            slug="equal-layers",
            severity=NOTE if all(row.tensor.copied for row in bad) else WARNING,
            message="layers of one model start with equal values: copied, or drawn after the same seed",
            names=_names(bad),
            help="make each layer by itself instead of copying one (nn.TransformerEncoder copies its layer: reset its "
            "parameters), and seed once, not before each layer",
        )


def equal_over_seeds(rows: Sequence[Row], seeds: Sequence[int]) -> Iterator[Remark]:
    """Drawn, and yet the same for every seed. By value alone, weights from a file look the same."""
    drawn = [row for row in rows if row.tensor.kind == "parameter" and row.tensor.digest and _is_drawn(row.tensor)]
    drawn = [row for row in drawn if len(row.digests) == len(seeds) > 1 and not row.tensor.loaded]
    same = [row for row in drawn if len(set(row.digests.values())) == 1]
    if not same:
        return
    every = len(same) == len(drawn)
    what = "no parameter depends on the seed" if every else "some parameters are equal for every seed, others are not"
    yield Remark(
        slug="equal-over-seeds",
        severity=NOTE,
        message=f"{what}: loaded from a file, or drawn by a generator with a seed of its own",
        names=_names(same),
        help="expected of pretrained weights; else let the run's seed reach what draws them",
    )


def _names(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.name for row in rows))


def _is_drawn(tensor: Tensor) -> bool:
    return tensor.answer is not None and tensor.answer.family in DRAWN and tensor.count > FEW


def _is_constant(tensor: Tensor) -> bool:
    return tensor.trainable and tensor.answer is not None and tensor.answer.family in CONSTANT


def _is_mixing(tensor: Tensor) -> bool:
    return tensor.layer.startswith(_MIXING)


def _is_depthwise(tensor: Tensor) -> bool:
    """Each filter sees a channel of its own."""
    return tensor.layer.startswith("Conv") and tensor.shape[1] == 1
