"""Where the training runs: without a GPU, or on another one."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation

MOST = 8


def _gpu(number: int) -> Variation:
    def why_not(facts: Facts) -> str:
        gpus = facts.manifest.get("gpus") or ()
        if not gpus:
            return "the training used no GPU"
        if number >= len(gpus):
            return f"the training saw {len(gpus)} GPU{'' if len(gpus) == 1 else 's'}"
        return "the control runs on it" if len(gpus) == 1 else ""

    return Variation(
        name=f"gpu-{number}",
        group="device",
        emulates=f"GPU {number} of this machine alone",
        change=Change(settings=(("device", str(number)),)),
        why_not=why_not,
    )


def _no_gpu(facts: Facts) -> str:
    return "" if facts.manifest.get("gpus") else "the training used no GPU"


def _still_a_gpu(seen: InForce) -> str:
    return "it used a GPU" if seen.manifest.get("gpus") else ""


VARIATIONS = (
    Variation(
        name="cpu",
        group="device",
        emulates="a machine without a GPU",
        change=Change(settings=(("device", "-1"),)),
        why_not=_no_gpu,
        not_in_force=_still_a_gpu,
    ),
    *(_gpu(number) for number in range(MOST)),
)
