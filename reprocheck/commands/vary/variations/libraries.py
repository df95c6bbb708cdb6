"""Libraries that PyTorch hands operations to."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation


def _no_onednn(facts: Facts) -> str:
    return "" if facts.settings.get("mkldnn") else "oneDNN is not in use here"


def _onednn_on(seen: InForce) -> str:
    return "the target switches it on again" if seen.settings.get("mkldnn") else ""


def _no_gpu(facts: Facts) -> str:
    return "" if facts.manifest.get("gpus") else "the training used no GPU"


def _cudnn(name: str, setting: str, emulates: str) -> Variation:
    def why_not(facts: Facts) -> str:
        return _no_gpu(facts) or ("the control has it on" if facts.settings.get(setting) else "")

    def not_in_force(seen: InForce) -> str:
        return "" if seen.settings.get(setting) else "the target switches it off again"

    return Variation(
        name=name,
        group="cudnn",
        emulates=emulates,
        change=Change(settings=((setting, True),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


VARIATIONS = (
    Variation(
        name="onednn-off",
        group="onednn",
        emulates="a PyTorch without oneDNN, such as builds for other processors",
        change=Change(overrides=(("mkldnn", False),)),
        why_not=_no_onednn,
        not_in_force=_onednn_on,
    ),
    _cudnn("cudnn-deterministic", "cudnn_deterministic", "cuDNN with deterministic algorithms"),
    _cudnn("cudnn-benchmark", "cudnn_benchmark", "cuDNN with algorithms chosen by timing them"),
)
