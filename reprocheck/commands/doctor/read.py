"""Evidence of the run → layers and memory. The target may have written into it: nothing is trusted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from reprocheck.commands.doctor.model import Activation, DeviceMemory, Layers, Memory, Phase
from reprocheck.evidence.run import readable, whole_lines
from reprocheck.model import Outcome
from reprocheck.protocol import LAYERS_RECORD, MEMORY_RECORD


def read_doctor_report(outcome: Outcome) -> tuple[Layers, Memory]:
    """What the run wrote besides its ordinary evidence. Raises EvidenceUnreadable."""
    with readable(outcome.spec.directory):
        one = {line["record"]: line for line in whole_lines(outcome)}
        return _layers(one.get(LAYERS_RECORD, {})), _memory(one.get(MEMORY_RECORD, {}))


def with_top_models(layers: Layers, top_models: Collection[str]) -> Layers:
    """The same, by the models that the weights are named by: a part that was called by itself belongs to its whole."""

    def place(root: str, name: str) -> tuple[str, str]:
        whole = (
            "" if root in top_models else next((one for one in top_models if one and root.startswith(f"{one}.")), "")
        )
        if not whole:
            return root, name
        own = root.removeprefix(f"{whole}.")
        return whole, f"{own}.{name}" if name else own

    def moved(one: Activation) -> Activation:
        root, name = place(one.root, one.name)
        return replace(one, root=root, name=name)

    return replace(
        layers,
        activations=tuple(moved(one) for one in layers.activations),
        gradients={place(*key): rms for key, rms in layers.gradients.items()},
        followed={place(*key): after for key, after in layers.followed.items()},
    )


def _layers(line: Mapping[str, Any]) -> Layers:
    return Layers(
        activations=tuple(
            Activation(
                root=str(one["root"]),
                name=str(one["name"]),
                module=str(one["module"]),
                layer=str(one["layer"]),
                std=None if one["std"] is None else float(one["std"]),
                finite=bool(one["finite"]),
                nan=bool(one["nan"]),
            )
            for one in line.get("activations", ())
        ),
        gradients={
            (str(one["root"]), str(one["name"])): None if one["rms"] is None else float(one["rms"])
            for one in line.get("gradients", ())
        },
        followed={
            (str(one["root"]), str(one["name"])): (
                str(one["by"]),
                None if one["slope"] is None else float(one["slope"]),
            )
            for one in line.get("followed", ())
        },
    )


def _memory(line: Mapping[str, Any]) -> Memory:
    steps = line.get("steps", ())
    allocated: dict[int, list[int]] = {}
    for step in steps:
        for device, size in step["cuda"]:
            allocated.setdefault(int(device), []).append(int(size))
    return Memory(
        phases=tuple(_phase(str(name), plain) for name, plain in line.get("phases", {}).items()),
        resident=tuple(_size(step["rss"]) for step in steps),
        heap=tuple(_size(step["heap"]) for step in steps),
        allocated={device: tuple(sizes) for device, sizes in allocated.items()},
        given_back={int(one["device"]): int(one["before"]) - int(one["after"]) for one in line.get("empty_cache", ())},
    )


def _phase(name: str, plain: Mapping[str, Any]) -> Phase:
    return Phase(
        name=name,
        resident=_size(plain["rss"]),
        resident_peak=_size(plain["rss_peak"]),
        devices=tuple(
            DeviceMemory(
                device=int(one["device"]),
                allocated=int(one["allocated"]),
                reserved=int(one["reserved"]),
                allocated_peak=int(one["allocated_peak"]),
                reserved_peak=int(one["reserved_peak"]),
                split=int(one["split"]),
            )
            for one in plain["cuda"]
        ),
    )


def _size(value: Any) -> int | None:
    return None if value is None else int(value)
