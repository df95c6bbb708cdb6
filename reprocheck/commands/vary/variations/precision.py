"""What float32 matrix products are computed in."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation


def _precision(word: str, emulates: str) -> Variation:
    def why_not(facts: Facts) -> str:
        same = facts.settings.get("float32_matmul_precision") == word
        return f"the control runs with {word} precision" if same else ""

    def not_in_force(seen: InForce) -> str:
        used = seen.settings.get("float32_matmul_precision")
        return "" if used == word else f"the target sets {used}"

    return Variation(
        name=f"matmul-{word}",
        group="matmul-precision",
        emulates=emulates,
        change=Change(overrides=(("matmul_precision", word),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


def _tf32(on: bool) -> Variation:
    def why_not(facts: Facts) -> str:
        if not facts.manifest.get("gpus"):
            return "the training used no GPU"
        return f"the control has it {'on' if on else 'off'}" if facts.settings.get("tf32") is on else ""

    def not_in_force(seen: InForce) -> str:
        return "" if seen.settings.get("tf32") is on else "the target sets it itself"

    return Variation(
        name=f"tf32-{'on' if on else 'off'}",
        group="tf32",
        emulates="a GPU with TF32 in use" if on else "a GPU without TF32",
        change=Change(settings=(("tf32", on),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


VARIATIONS = (
    _precision("high", "torch.set_float32_matmul_precision('high')"),
    _precision("medium", "torch.set_float32_matmul_precision('medium')"),
    _tf32(True),
    _tf32(False),
)
