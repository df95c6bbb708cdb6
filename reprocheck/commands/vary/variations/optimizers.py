"""The implementation of the optimizer: a loop over parameters, lists of tensors, or one fused kernel."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation


def _implementation(word: str, emulates: str) -> Variation:
    def why_not(facts: Facts) -> str:
        return "" if "optimizer" in facts.calls else "the target makes no optimizer that offers it"

    def not_in_force(seen: InForce) -> str:
        return "" if "optimizer" in seen.settings.get("applied", ()) else "no optimizer took it"

    return Variation(
        name=f"optimizer-{word}",
        group="optimizer",
        emulates=emulates,
        change=Change(overrides=(("optimizer", word),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


VARIATIONS = (
    _implementation("loop", "foreach=False: PyTorch's default on a CPU"),
    _implementation("foreach", "foreach=True: PyTorch's default on a GPU"),
    _implementation("fused", "fused=True"),
)
