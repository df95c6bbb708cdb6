"""Deterministic algorithms, and the fill of uninitialized memory that comes with them."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation
from reprocheck.model import Deterministic


def _mode(name: str, mode: Deterministic, emulates: str, fill: bool | None = None) -> Variation:
    on = mode is not Deterministic.OFF

    def why_not(facts: Facts) -> str:
        if (facts.settings.get("deterministic") != "off") is on:
            return f"the control has them {'on' if on else 'off'}"
        return ""

    def not_in_force(seen: InForce) -> str:
        used = seen.settings.get("deterministic")
        return "" if used == mode.value else f"the target sets {used}"

    return Variation(
        name=name,
        group="deterministic",
        emulates=emulates,
        change=Change(settings=(("deterministic", mode),), overrides=() if fill is None else (("fill_memory", fill),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


VARIATIONS = (
    _mode("deterministic-off", Deterministic.OFF, "a run without deterministic algorithms"),
    _mode("deterministic-warn", Deterministic.WARN, "deterministic algorithms, fresh memory filled", True),
    _mode("deterministic-unfilled", Deterministic.WARN, "deterministic algorithms alone", False),
)
