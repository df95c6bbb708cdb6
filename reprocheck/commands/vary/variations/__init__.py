"""Every variation, in order. Pure: each says what it changes, where it cannot apply, and how a run shows it."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.vary.model import Variation
from reprocheck.commands.vary.variations import (
    again,
    compiler,
    deterministic,
    devices,
    environment,
    instructions,
    libraries,
    loader,
    optimizers,
    precision,
    ranks,
    threads,
)
from reprocheck.config.checks import nearest, shown
from reprocheck.errors import UsageError

ENVIRONMENT = "environment"
"""All environment factors: what nobody promises to keep equal."""
_OLD_NAMES = {"surroundings": ENVIRONMENT}

VARIATIONS: tuple[Variation, ...] = (
    *environment.VARIATIONS,
    *threads.VARIATIONS,
    *instructions.VARIATIONS,
    *libraries.VARIATIONS,
    *precision.VARIATIONS,
    *deterministic.VARIATIONS,
    *optimizers.VARIATIONS,
    *compiler.VARIATIONS,
    *loader.VARIATIONS,
    *ranks.VARIATIONS,
    *devices.VARIATIONS,
    *again.VARIATIONS,
)


def choose(option: str, names: Sequence[str]) -> frozenset[str]:
    """The names of the variations that names mean: each a name, a group or `environment`. Raises UsageError."""
    known = {word for variation in VARIATIONS for word in (variation.name, variation.group)} | {ENVIRONMENT}
    wanted = {_OLD_NAMES.get(word, word) for text in names for word in text.split(",") if word}
    for word in sorted(wanted - known):
        groups = dict.fromkeys(variation.group for variation in VARIATIONS)
        raise UsageError(
            f"{option}: there is no variation {shown(word)}",
            nearest(word, known) or f"they are {', '.join(groups)}; `reprocheck vary --list` shows all",
        )
    everywhere = ENVIRONMENT in wanted
    return frozenset(
        one.name
        for one in VARIATIONS
        if one.name in wanted or one.group in wanted or (everywhere and one.is_environment)
    )
