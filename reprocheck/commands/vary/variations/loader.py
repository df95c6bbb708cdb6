"""Worker processes of DataLoaders, overridden from outside."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation


def _workers(number: int, emulates: str) -> Variation:
    def why_not(facts: Facts) -> str:
        return "" if "loader" in facts.calls else "the target makes no DataLoader"

    def not_in_force(seen: InForce) -> str:
        return "" if "loader" in seen.settings.get("applied", ()) else "no DataLoader was made"

    return Variation(
        name=f"workers-{number}",
        group="workers",
        emulates=emulates,
        change=Change(overrides=(("loader_workers", number),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


VARIATIONS = (
    _workers(0, "DataLoader(num_workers=0)"),
    _workers(1, "DataLoader(num_workers=1)"),
    _workers(2, "DataLoader(num_workers=2)"),
)
