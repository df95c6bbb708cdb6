"""The number of threads that an operation is split over."""

from __future__ import annotations

import os

from reprocheck.vary.model import Change, Facts, InForce, Variation


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads(name: str, number: int, emulates: str, unless: tuple[int, ...] = ()) -> Variation:
    def why_not(facts: Facts) -> str:
        if facts.manifest.get("threads") == number:
            return f"the control runs on {number} thread{'s' if number > 1 else ''}"
        if number in unless:
            return f"this machine has {number} core{'s' if number > 1 else ''}: another row has so many threads"
        return ""

    def not_in_force(seen: InForce) -> str:
        used = seen.manifest.get("threads")
        return "" if used == number else f"it ran on {used} threads, which the target sets itself"

    return Variation(
        name=name,
        group="threads",
        emulates=emulates,
        change=Change(settings=(("threads", number),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


VARIATIONS = (
    _threads("threads-1", 1, "a machine, or a container, with one core"),
    _threads("threads-2", 2, "a machine with two cores"),
    _threads("threads-all", cores(), "all cores of this machine", unless=(1, 2)),
)
