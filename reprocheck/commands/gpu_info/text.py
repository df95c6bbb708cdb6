"""GpuInfo → text for a person: aligned lines, the same in a pipe as in a terminal, where long ones wrap."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprocheck.commands.gpu_info.command import GpuInfo
    from reprocheck.commands.gpu_info.device import GpuDevice, GpuProcess, Readings

_UNKNOWN = "unknown"
_INDENT = "  "
_LEAST_WIDTH = 40

Row = tuple[str, str]


def render_text(info: GpuInfo, width: int | None = None) -> str:
    """The report. `width` is that of a terminal; None cuts and wraps nothing."""
    available = bool(info.devices)
    lines = [f"GPU available: {info.availability.reason}" if available else f"no GPU: {info.availability.reason}"]
    if info.availability.hint:
        lines.append(f"{_INDENT}help: {info.availability.hint}")
    lines += _section("versions", _version_rows(info))
    for device in info.devices:
        current = " (current)" if device.index == info.current_device else ""
        lines += _section(f"device {device.index}{current}", _device_rows(device))
        lines += [f"{_INDENT}note: {problem}" for problem in device.problems]
    lines += _section("switches in this process", [(name, _shown(value)) for name, value in info.flags.items()])
    unset = "not set"
    environment = [(name, unset if value is None else value or '""') for name, value in info.environment.items()]
    lines += _section("environment", environment)
    if info.notes:
        lines += ["", "notes", *(f"{_INDENT}{note}" for note in info.notes)]
    return "".join(f"{line}\n" for text in lines for line in _wrapped(printable(text), width))


def _section(title: str, rows: Iterable[Row]) -> list[str]:
    kept = list(rows)
    if not kept:
        return []
    column = max(len(name) for name, _ in kept)
    return ["", title, *(f"{_INDENT}{name.ljust(column)}  {value}" for name, value in kept)]


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


def printable(text: str) -> str:
    """Names and messages come from outside: nothing in them may steer the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _wrapped(line: str, width: int | None) -> list[str]:
    if width is None or len(line) <= width or width < _LEAST_WIDTH:
        return [line]
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=_INDENT * 3,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
    )
