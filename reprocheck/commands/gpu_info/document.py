"""GpuInfo for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from reprocheck.report.document import Block, Document, Heading, KeyValues, document, indented

if TYPE_CHECKING:
    from reprocheck.commands.gpu_info.command import GpuInfo
    from reprocheck.commands.gpu_info.device import GpuDevice, GpuProcess, Readings

_UNKNOWN = "unknown"

Row = tuple[str, str]


def gpu_document(info: GpuInfo) -> Document:
    """The report."""
    state = "GPU available" if info.devices else "no GPU"
    hint = [f"help: {info.availability.hint}"] if info.availability.hint else []
    unset = "not set"
    environment = [(name, unset if value is None else value or '""') for name, value in info.environment.items()]
    return document(
        "reprocheck gpu-info",
        [f"{state}: {info.availability.reason}", *indented(hint)],
        _section("versions", _version_rows(info)),
        *(_device(device, info) for device in info.devices),
        _section("switches in this process", [(name, _shown(value)) for name, value in info.flags.items()]),
        _section("fingerprints", [] if info.fingerprints is None else [("on the CPU", info.fingerprints)]),
        _section("environment", environment),
        [Heading("notes"), *indented(info.notes)] if info.notes else [],
    )


def _section(title: str, rows: Iterable[Row], notes: Iterable[str] = ()) -> list[Block]:
    kept = tuple(rows)
    return [Heading(title), *indented([KeyValues(kept), *notes])] if kept else []


def _device(device: GpuDevice, info: GpuInfo) -> list[Block]:
    current = " (current)" if device.index == info.current_device else ""
    notes = (f"note: {problem}" for problem in device.problems)
    return _section(f"device {device.index}{current}", _device_rows(device), notes)


def _version_rows(info: GpuInfo) -> list[Row]:
    torch = ("PyTorch", _shown(info.torch))
    driver = [
        ("NVIDIA driver", _shown(info.driver.version)),
        ("devices of the driver", _shown(info.driver.devices)),
    ]
    if info.backend is None:
        return [torch, *driver]
    names = ("HIP", "MIOpen", "RCCL") if info.backend == "hip" else ("CUDA", "cuDNN", "NCCL")
    versions = (info.cuda, info.cudnn, info.nccl)
    return [torch, *((name, _shown(value)) for name, value in zip(names, versions, strict=True)), *driver]


def _device_rows(device: GpuDevice) -> list[Row]:
    rows = [
        ("name", _shown(device.name)),
        ("UUID", _shown(device.uuid)),
        ("compute capability", _shown(device.capability)),
        ("multiprocessors", _shown(device.multiprocessors)),
        ("memory", f"{_size(device.total_memory)} total, {_size(device.free_memory)} free"),
        ("memory of this process", f"{_size(device.allocated)} allocated, {_size(device.reserved)} reserved"),
    ]
    return rows if device.nvml is None else rows + _reading_rows(device.nvml)


def _reading_rows(readings: Readings) -> list[Row]:
    return [
        ("utilisation", _with_unit(readings.utilization, "%")),
        (
            "ECC errors",
            f"{_shown(readings.ecc_uncorrected)} uncorrected, {_shown(readings.ecc_corrected)} corrected",
        ),
        ("temperature", _with_unit(readings.temperature, " C")),
        ("power", f"{_with_unit(readings.power, ' W')}, limit {_with_unit(readings.power_limit, ' W')}"),
        *_process_rows(readings.processes),
    ]


def _process_rows(processes: tuple[GpuProcess, ...] | None) -> list[Row]:
    if not processes:
        return [("processes", _UNKNOWN if processes is None else "none")]
    return [("process", f"pid {process.pid}, {_size(process.memory)}, {_shown(process.name)}") for process in processes]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return _UNKNOWN if value is None else str(value)


def _with_unit(value: float | None, unit: str) -> str:
    return _UNKNOWN if value is None else f"{value:g}{unit}"


def _size(size: int | None) -> str:
    if size is None:
        return _UNKNOWN
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"
