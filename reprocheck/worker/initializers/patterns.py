"""Initialisers that leave a pattern: constants, eye, dirac, arange, sparse, orthogonal. Pure, on numpy arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from reprocheck.model.initializers import Answer, Family, Place
from reprocheck.model.kinds import Confidence
from reprocheck.worker.initializers.schemes import RNN, default_constant

Array = NDArray[np.float64]

MOST_VECTORS = 256
"""Rows or columns whose angles are looked at: any choice of an orthogonal set is orthogonal."""
SURE = 4
"""So many equal elements are no accident."""
_GAINS = ((1.0, ""), (math.sqrt(2), "gain=relu"), (5 / 3, "gain=tanh"), (0.75, "gain=selu"))


def pattern(values: Array, place: Place, precision: float) -> Answer | None:
    """The answer for values that are no draw element by element, or None. `precision`: the dtype's eps."""
    for find in (_constant, _by_gate, _unit, _arange):
        found = find(values, place)
        if found is not None:
            return found
    return _orthogonal(values, place, precision)


def _constant(values: Array, place: Place) -> Answer | None:
    first = float(values.flat[0])
    if not bool((values == first).all()):
        return None
    own = default_constant(place)
    schemes = [f"default of {place.layer}"] if own == first else []
    family = {0.0: Family.ZEROS, 1.0: Family.ONES}.get(first, Family.CONSTANT)
    schemes.append(f"{family.value}_" if family is not Family.CONSTANT else f"constant_({first:.6g})")
    if first == 1 and values.size == 1 and values.ndim >= 2:  # the smallest eye, the smallest dirac
        schemes.append("eye_" if values.ndim == 2 else "dirac_")
    if values.size == 1 and first != own and first not in (0, 1):
        return Answer(family=Family.CONSTANT, confidence=Confidence.LOW, shape=f"one value, {first:.6g}")
    sure = Confidence.HIGH if values.size >= SURE or own == first else Confidence.MEDIUM
    return Answer(
        family=family,
        confidence=sure,
        shape=f"all {first:.6g}",
        schemes=tuple(schemes),
        equal=len(schemes),
    )


def _by_gate(values: Array, place: Place) -> Answer | None:
    """One value for each gate: a forget gate that starts at 1."""
    gates = RNN.get(place.layer, 1)
    if values.ndim != 1 or gates < 2 or values.size % gates or values.size // gates < 2:
        return None
    blocks = values.reshape(gates, -1)
    if not bool((blocks == blocks[:, :1]).all()):
        return None
    text = "a constant for each gate: " + ", ".join(f"{value:.4g}" for value in blocks[:, 0])
    sure = Confidence.HIGH if values.size >= 2 * SURE else Confidence.MEDIUM
    return Answer(family=Family.CONSTANT, confidence=sure, shape=text, schemes=(text,), equal=1)


def _unit(values: Array, place: Place) -> Answer | None:
    """eye_ and dirac_: zeros and ones in the one place where they put them."""
    if values.ndim < 2 or values.ndim > 5 or not bool(((values == 0) | (values == 1)).all()):
        return None
    sure = Confidence.HIGH if values.size >= 2 * SURE else Confidence.LOW
    if values.ndim == 2:
        if not bool((values == np.eye(*values.shape)).all()):
            return None
        return Answer(family=Family.EYE, confidence=sure, shape="ones on the diagonal", schemes=("eye_",), equal=1)
    centre = tuple(size // 2 for size in values.shape[2:])
    for groups in (g for g in range(1, values.shape[0] + 1) if values.shape[0] % g == 0):
        rows = values.shape[0] // groups
        expected = np.zeros_like(values)
        for row in range(min(rows, values.shape[1])):
            for group in range(groups):
                expected[(group * rows + row, row, *centre)] = 1
        if bool((values == expected).all()):
            scheme = "dirac_" if groups == 1 else f"dirac_(groups={groups})"
            shape = "ones that pass channels on"
            return Answer(family=Family.DIRAC, confidence=sure, shape=shape, schemes=(scheme,), equal=1)
    return None


def _arange(values: Array, place: Place) -> Answer | None:
    flat = values.reshape(-1)
    if flat.size < 2 or not bool((flat == np.arange(flat.size)).all()):
        return None
    sure = Confidence.HIGH if flat.size >= 2 * SURE else Confidence.MEDIUM
    return Answer(
        family=Family.ARANGE, confidence=sure, shape=f"0 to {flat.size - 1} in order", schemes=("arange",), equal=1
    )


def _orthogonal(values: Array, place: Place, precision: float) -> Answer | None:
    if values.ndim < 2 or min(values.shape[0], values[0].size) < 2:
        return None
    matrix = values.reshape(values.shape[0], -1)
    norm = _norm_if_orthogonal(matrix, precision)
    suffix = ""
    if norm is None or matrix.shape[0] > matrix.shape[1]:
        parts = 3 if place.layer == "MultiheadAttention" and place.name == "in_proj_weight" else RNN.get(place.layer, 1)
        by_part = _norm_by_parts(matrix, parts, precision)
        if by_part is not None:
            norm, suffix = (
                by_part,
                " for each of q, k, v" if parts == 3 and place.layer not in RNN else " for each gate",
            )
    if norm is None:
        return None
    close = [text for gain, text in _GAINS if abs(norm / gain - 1) < max(1e-4, 4 * precision)]
    text = close[0] if close else f"gain={norm:.4g}"
    small = values.size < 2 * SURE
    return Answer(
        family=Family.ORTHOGONAL,
        confidence=Confidence.LOW if small and not close else Confidence.MEDIUM if small else Confidence.HIGH,
        shape=f"orthogonal, gain {norm:.4g}",
        schemes=(f"orthogonal_({text}){suffix}",),
        equal=1,
    )


def _norm_by_parts(matrix: Array, parts: int, precision: float) -> float | None:
    if parts < 2 or matrix.shape[0] % parts or matrix.shape[0] // parts < 2:
        return None
    norms = [_norm_if_orthogonal(part, precision) for part in np.split(matrix, parts)]
    if None in norms:
        return None
    first, *others = (norm for norm in norms if norm is not None)
    return first if all(abs(other / first - 1) < 1e-3 for other in others) else None


def _norm_if_orthogonal(matrix: Array, precision: float) -> float | None:
    """The common length of the rows (or of the columns, where there are fewer), if they are orthogonal."""
    vectors = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    chosen = vectors[np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_VECTORS)).astype(int)]
    gram = chosen @ chosen.T
    squares = np.diag(gram)
    mean = float(squares.mean())
    # Rounding errors of independent elements add up as a walk: relative to their length they shrink.
    allowed = max(20 * precision / math.sqrt(chosen.shape[1]), 1e-5) * mean
    if not mean > 0 or not math.isfinite(mean) or bool((np.abs(squares - mean) > allowed).any()):
        return None
    if bool((np.abs(gram - np.diag(squares)) > allowed).any()):
        return None
    return math.sqrt(mean)


def zeros_by_column(values: Array) -> int:
    """Zeros in each column of a matrix, if all columns have as many and no row is all zeros; else 0."""
    if values.ndim != 2:
        return 0
    empty = values == 0
    counts = empty.sum(axis=0)
    count = int(counts.min())
    drawn = 1 + values.size // 1_000_000  # a normal generator gives a zero once in 2^25 draws
    if count == len(values) or int((counts - count).sum()) > drawn * (values.shape[1] > 1):
        return 0
    return 0 if bool(empty.all(axis=1).any()) and count < len(values) / 2 else count
