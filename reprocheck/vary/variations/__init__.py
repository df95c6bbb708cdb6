"""Every variation, in order. Pure: each says what it changes, where it cannot apply, and how a run shows it."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.checks import nearest, shown
from reprocheck.errors import UsageError
from reprocheck.vary.model import Variation
from reprocheck.vary.variations import (
    again,
    compiler,
    deterministic,
    devices,
    instructions,
    libraries,
    loader,
    optimizers,
    precision,
    surroundings,
    threads,
)

VARIATIONS: tuple[Variation, ...] = (
    *surroundings.VARIATIONS,
    *threads.VARIATIONS,
    *instructions.VARIATIONS,
    *libraries.VARIATIONS,
    *precision.VARIATIONS,
    *deterministic.VARIATIONS,
    *optimizers.VARIATIONS,
    *compiler.VARIATIONS,
    *loader.VARIATIONS,
    *devices.VARIATIONS,
    *again.VARIATIONS,
)


def choose(option: str, words: Sequence[str]) -> frozenset[str]:
    """The names of the variations that words mean: each a name or a group. Raises UsageError."""
    known = {word for variation in VARIATIONS for word in (variation.name, variation.group)}
    wanted = {word for text in words for word in text.split(",") if word}
    for word in sorted(wanted - known):
        groups = dict.fromkeys(variation.group for variation in VARIATIONS)
        raise UsageError(
            f"{option}: there is no variation {shown(word)}",
            nearest(word, known) or f"they are {', '.join(groups)}; `reprocheck vary --list` shows all",
        )
    return frozenset(v.name for v in VARIATIONS if v.name in wanted or v.group in wanted)
