"""What two honest executions never share: the environment factors, and what belongs to a user's account and shell."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.commands.vary.model import Change, Facts, Variation
from reprocheck.config.hash_seeds import HASH_SEEDS_FROM
from reprocheck.engine.plan import HEAP_BYTES, START_GAP, SWITCH_INTERVALS

HOME = "{home}"
"""Stands for a folder that is made for the runs."""


def _no_copy(facts: Facts) -> str:
    return "" if facts.is_copied else "the folder is too large to be copied"


def _pinned(variable: str) -> Callable[[Facts], str]:
    def why_not(facts: Facts) -> str:
        return f"--env sets {variable}" if variable in dict(facts.request.settings.env) else ""

    return why_not


VARIATIONS = (
    Variation(
        name="hash-seed",
        group="hash-seed",
        emulates="another start of Python: the order of sets of strings",
        change=Change(ambient=(("hash_seed", HASH_SEEDS_FROM + 1),)),
        is_environment=True,
        why_not=_pinned("PYTHONHASHSEED"),
    ),
    Variation(
        name="heap",
        group="heap",
        emulates="what memory held before: reads of uninitialized memory",
        change=Change(ambient=(("heap_byte", HEAP_BYTES[1]),)),
        is_environment=True,
        why_not=_pinned("MALLOC_PERTURB_"),
    ),
    Variation(
        name="listing-order",
        group="listing-order",
        emulates="another file system: the order of directory listings",
        change=Change(ambient=(("listing_key", 1),)),
        is_environment=True,
    ),
    Variation(
        name="switch-interval",
        group="switch-interval",
        emulates="a busier machine: when Python switches threads",
        change=Change(ambient=(("switch_interval", SWITCH_INTERVALS[1]),)),
        is_environment=True,
    ),
    Variation(
        name="tmpdir",
        group="tmpdir",
        emulates="another TMPDIR",
        change=Change(ambient=(("own_tmpdir", True),)),
        is_environment=True,
        why_not=_pinned("TMPDIR"),
    ),
    Variation(
        name="start-time",
        group="start-time",
        emulates="a start in another second",
        change=Change(ambient=(("start_gap", START_GAP),)),
        is_environment=True,
    ),
    Variation(
        name="time-zone",
        group="time-zone",
        emulates="a machine on the other side of the world (TZ)",
        change=Change(environment=(("TZ", "Pacific/Kiritimati"),)),
        is_environment=True,
        why_not=_pinned("TZ"),
    ),
    Variation(
        name="locale",
        group="locale",
        emulates="another language (LC_ALL, LANG)",
        change=Change(environment=(("LC_ALL", "C"), ("LANG", "C"))),
        is_environment=True,
        why_not=_pinned("LC_ALL"),
    ),
    Variation(
        name="umask",
        group="umask",
        emulates="an account whose new files are private",
        change=Change(overrides=(("umask", 0o077),)),
        is_environment=True,
    ),
    Variation(
        name="home",
        group="home",
        emulates="another account: an empty home folder",
        change=Change(environment=(("HOME", HOME), ("XDG_CACHE_HOME", HOME), ("XDG_CONFIG_HOME", HOME))),
        is_environment=True,
        why_not=_pinned("HOME"),
    ),
    Variation(
        name="folder-path",
        group="folder-path",
        emulates="a checkout at another path",
        change=Change(elsewhere=True),
        is_environment=True,
        why_not=_no_copy,
    ),
)
