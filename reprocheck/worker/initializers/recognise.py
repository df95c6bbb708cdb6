"""From a tensor's values to the initialiser that drew them, with a stated confidence.

Patterns first. Then every scheme that the shape and the layer allow is weighed by its likelihood, with distributions
whose figures are fitted; what fits is shown as one set, because values cannot separate what draws alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reprocheck.model.initializers import Answer, Family, Place
from reprocheck.model.kinds import Confidence
from reprocheck.worker.initializers.draw import Sample, fitted, log_likelihood, misfit, sample, tails
from reprocheck.worker.initializers.patterns import pattern, zeros_by_column
from reprocheck.worker.initializers.schemes import Scheme, fans, figures, named
from reprocheck.worker.initializers.usual import usual

Array = NDArray[np.float64]
Pair = tuple[Scheme, float]
"""With its score in nats."""

EXCLUDED = 7.0
"""Nats behind the likeliest at which a scheme is left out: a thousand times less likely."""
CERTAIN = 12.0
"""Nats that must lie between the answer and anything else for high confidence."""
ENOUGH = 256
"""Values below which no draw is named with high confidence."""
SOME = 64
"""Values below which all confidence is low."""
NEAR = 1e-3
"""Relative difference up to which two scales are shown as one."""
MOST_MISFIT = 2.5
MOST_TAILS = 8.0
"""Standard errors by which the tails of a normal sample may be off; with high confidence, CERTAIN_TAILS."""
CERTAIN_TAILS = 4.0
MOST_CHANCE = 0.05
"""Chance that some scheme fits a scale that comes from none, up to which a scheme is named with high confidence."""
LEAST_DISTINCT = 0.6
"""Share of different values below which they are copies of one another, where the dtype has room for many."""
SMALLEST = 1e-60
"""Least and greatest magnitude of what may be squared."""
FINE = 1e-5
"""Eps of a dtype that has room for a million different draws."""


def recognise(values: NDArray[np.generic], place: Place, eps: float, shape: Sequence[int] | None = None) -> Answer:
    """Of any number of values; `eps` is that of the dtype that they are stored in, 0 for integers.

    `shape` is that of the whole tensor, where `values` are some of its rows only.
    """
    if values.size == 0:
        return _unknown("no elements")
    array = np.asarray(values, dtype=np.float64)
    if not bool(np.isfinite(array).all()):
        return _unknown("not all finite")
    reach = float(np.abs(array).max())
    if reach and not SMALLEST < reach < 1 / SMALLEST:
        return _unknown(f"values up to {reach:.3g}")
    found = pattern(array, place, eps)
    if found is not None:
        return found
    if eps == 0:
        return _unknown("whole numbers")
    whole = array.shape if shape is None else shape
    return _padded(array, place, eps, whole) or _sparse(array, place, eps) or _drawn(array, place, eps, whole)


def _padded(values: Array, place: Place, eps: float, shape: Sequence[int]) -> Answer | None:
    """An embedding whose padding row is zero."""
    if values.ndim != 2 or place.layer not in ("Embedding", "EmbeddingBag") or len(values) < 2:
        return None
    empty = ~values.any(axis=1)
    if int(empty.sum()) != 1:
        return None
    rest = _drawn(values[~empty], place, eps, shape)
    return _with_note(rest, f"row {int(np.flatnonzero(empty)[0])} is zero (padding)")


def _sparse(values: Array, place: Place, eps: float) -> Answer | None:
    zeros = zeros_by_column(values)
    if not zeros:
        return None
    rest = _drawn(values[values != 0], place, eps, ())
    if rest.family is not Family.NORMAL and np.count_nonzero(values) >= ENOUGH:
        return None
    rows, drawn = values.shape[0], values[values != 0]
    std = math.sqrt(float(np.square(drawn).mean()))
    near = abs(std / 0.01 - 1) < 4 / math.sqrt(2 * drawn.size)
    share = f"sparsity={_decimal((zeros - 1) / rows, zeros / rows)}"
    several = values.shape[1] >= 4 and zeros < rows and values.size >= ENOUGH
    return Answer(
        family=Family.SPARSE,
        confidence=Confidence.HIGH if several else Confidence.MEDIUM if values.shape[1] >= 2 else Confidence.LOW,
        shape=f"{zeros} zeros in each column of {rows}, else normal, std {std:.3g}",
        schemes=(f"sparse_({share})" if near else f"sparse_({share}, std={std:.3g})",),
        equal=1,
    )


def _decimal(above: float, upto: float) -> str:
    """The shortest decimal in an interval that is open below; the interval where several are as short."""
    for digits in range(1, 8):
        last = math.floor(upto * 10**digits + 1e-9)
        first = math.floor(above * 10**digits + 1e-9) + 1
        if first <= last:
            return f"{last / 10**digits:g}" if first == last else f"{above:.3g} to {upto:.3g}"
    return f"{upto:.4g}"


def _drawn(values: Array, place: Place, eps: float, shape: Sequence[int]) -> Answer:
    if values.size < 2:
        return _unknown("too few values")
    seen = sample(values, eps)
    free = [(scheme, log_likelihood(seen, scheme) - penalty) for scheme, penalty in fitted(seen)]
    known = [(s, log_likelihood(seen, s) + math.log(s.prior)) for s in (*named(shape, place), *usual(seen))]
    top = max(score for _, score in (*free, *known))
    if not math.isfinite(top):
        return _unknown("no distribution")
    fits = sorted((pair for pair in known if pair[1] > top - EXCLUDED), key=_score, reverse=True)
    best = fits[0][0] if fits else max(free, key=_score)[0]
    off = tails(seen) if best.family is Family.NORMAL and seen.count >= ENOUGH else 0.0
    if misfit(seen, best) > MOST_MISFIT or abs(off) > MOST_TAILS or _is_copied(seen, eps):
        return _unknown(f"mean {seen.mean:.3g}, std {seen.std:.3g}", nearest=best.text or figures(best))
    fits.sort(key=lambda pair: not _is_near(pair[0], best))  # what is the same distribution comes right behind it
    names = tuple(dict.fromkeys(scheme.text for scheme, _ in fits))
    same = dict.fromkeys(scheme.text for scheme, _ in fits if _is_near(scheme, best))
    return Answer(
        family=best.family,
        confidence=_confidence(seen, best, known, free),
        shape=figures(best),
        schemes=names,
        equal=len(same),
        scale=best.scale,
        centre=best.centre,
        note="" if names or best.centre else _gains(best, shape),
    )


def _gains(best: Scheme, shape: Sequence[int]) -> str:
    """A scale that no usual gain gives, as the gain that would."""
    found = fans(shape)
    if found is None or best.family is Family.TRUNCATED:
        return ""
    std = best.scale / math.sqrt(3) if best.family is Family.UNIFORM else best.scale
    xavier = std / math.sqrt(2 / sum(found))
    fan_in, fan_out = (std * math.sqrt(fan) for fan in found)
    return f"a gain of {xavier:.3g} for xavier, {fan_in:.3g} for kaiming with fan_in, {fan_out:.3g} with fan_out"


def _confidence(seen: Sample, best: Scheme, known: Sequence[Pair], free: Sequence[Pair]) -> Confidence:
    """High: no other distribution comes near. Medium: at least the family is sure."""
    own = log_likelihood(seen, best)
    rivals = [score for scheme, score in known if not _is_near(scheme, best)]
    if best.family is Family.TRUNCATED:  # of several figures: it must be better than a normal one that has its own
        free = [(scheme, log_likelihood(seen, scheme)) for scheme, _ in free]
    families = [score for scheme, score in (*known, *free) if _kind(scheme) is not _kind(best)]
    lead, family_lead = (own - max(scores, default=-math.inf) for scores in (rivals, families))
    shaped = best.family is not Family.NORMAL or abs(tails(seen)) <= CERTAIN_TAILS
    sure = shaped and (not best.text or _chance(seen, best, known) <= MOST_CHANCE)
    if seen.count >= ENOUGH and min(lead, family_lead) >= CERTAIN and sure:
        return Confidence.HIGH
    if seen.count >= SOME and (family_lead >= EXCLUDED or lead >= EXCLUDED):
        return Confidence.MEDIUM
    return Confidence.LOW


def _score(pair: Pair) -> float:
    return pair[1]


def _chance(seen: Sample, best: Scheme, known: Sequence[Pair]) -> float:
    """The chance that a scale out of the air is taken for this scheme or for one as usual.

    Such schemes in reach (a factor of e to either side), times the share of that reach that each of them covers.
    """
    usual = [s.scale for s, _ in known if _kind(s) is _kind(best) and s.prior >= best.prior and s.centre == best.centre]
    scales = {round(math.log(scale / best.scale) / NEAR) for scale in usual if abs(math.log(scale / best.scale)) < 1}
    covered = EXCLUDED / seen.count
    if best.family is not Family.UNIFORM:
        covered = 2 * math.sqrt(EXCLUDED / seen.count)  # to both sides
    return len(scales) * covered / 2


def _is_near(a: Scheme, b: Scheme) -> bool:
    """Whether two schemes are one distribution, or nearly: Kaiming for ReLU and for a leaky one with a=0.01."""
    return (
        a.family is b.family
        and abs(a.scale / b.scale - 1) < NEAR
        and abs(a.centre - b.centre) < NEAR * b.scale
        and (a.family is not Family.TRUNCATED or abs(a.cut / b.cut - 1) < NEAR)
    )


def _kind(scheme: Scheme) -> Family:
    """A normal distribution that is cut far out is as good as a whole one."""
    far = scheme.family is Family.TRUNCATED and scheme.cut >= 2.99 * scheme.scale
    return Family.NORMAL if far else scheme.family


def _is_copied(seen: Sample, eps: float) -> bool:
    if eps > FINE or seen.count < SOME:
        return False
    distinct = 1 + int(np.count_nonzero(np.diff(seen.some)))
    return distinct < LEAST_DISTINCT * len(seen.some)


def _unknown(shape: str, nearest: str = "") -> Answer:
    return Answer(family=Family.UNKNOWN, confidence=Confidence.LOW, shape=shape, nearest=nearest)


def _with_note(answer: Answer, note: str) -> Answer:
    return replace(answer, note=note)
