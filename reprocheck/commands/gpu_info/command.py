"""`reprocheck gpu-info`: whether PyTorch can use a GPU here, if not why, and what decides its numbers.

In come PyTorch and the driver as they are; out goes a GpuInfo. Questions may go unanswered; none may raise.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

from reprocheck.commands.gpu_info.device import (
    Driver,
    GpuDevice,
    Probe,
    answer,
    one_line,
    opened_nvml,
    read_device,
    text,
)
from reprocheck.commands.gpu_info.document import gpu_document
from reprocheck.engine.console import Style, print_message
from reprocheck.errors import ExitCode
from reprocheck.report.formats import formats_of
from reprocheck.worker.fingerprint.public import helper_state

SCHEMA_VERSION = 1

_DRIVER_FILE = Path("/proc/driver/nvidia/version")
_HIDING = {
    "cuda": ("CUDA_VISIBLE_DEVICES",),
    "hip": ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
}
_ENVIRONMENT = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
    "ROCR_VISIBLE_DEVICES",
)
_INSTALL = "see https://pytorch.org/get-started/locally/"


class GpuState(str, Enum):
    """Whether PyTorch can use a GPU, and if not, the first thing that is in the way."""

    AVAILABLE = "available"
    TORCH_MISSING = "torch-not-installed"
    TORCH_BROKEN = "torch-import-failed"
    CPU_BUILD = "cpu-build"
    NO_DRIVER = "no-driver"
    DRIVER_TOO_OLD = "driver-too-old"
    HIDDEN = "devices-hidden"
    NO_DEVICE = "no-device"
    FAILED = "initialisation-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """The answer to the question that the command is run for."""

    state: GpuState
    reason: str
    """One line: what is available, or why nothing is."""
    hint: str | None = None
    devices: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuInfo:
    """What decides whether, and with which numbers, PyTorch computes on a GPU here. None: not known."""

    availability: Availability
    backend: str | None = None
    """cuda or hip; None for a build without either."""
    torch: str | None = None
    cuda: str | None = None
    """The version that PyTorch was built for; with hip, that of HIP."""
    cudnn: str | None = None
    """With hip, that of MIOpen."""
    nccl: str | None = None
    driver: Driver
    current_device: int | None = None
    devices: tuple[GpuDevice, ...] = ()
    flags: Mapping[str, str | bool | None]
    """PyTorch's switches that change bits, as they stand in this process."""
    environment: Mapping[str, str | None]
    """None: not set."""
    notes: tuple[str, ...]
    fingerprints: str | None = None
    """How runs take those of tensors on the CPU: with the compiled helper, or in Python and why."""


def refuse_without_gpu(info: GpuInfo) -> ExitCode:
    """For --require: no GPU is an exit code and a line on stderr."""
    if info.availability.state is GpuState.AVAILABLE:
        return ExitCode.OK
    print_message(f"error: no GPU is available: {info.availability.reason}")
    return ExitCode.NO_VERDICT


def _as_json(info: GpuInfo, style: Style) -> str:
    return to_json(info)


FORMATS = formats_of(document=gpu_document, json=_as_json)


def to_json(info: GpuInfo) -> str:
    """For machines: sorted keys, null for what is unknown."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(info)}, sort_keys=True, indent=2) + "\n"


def import_torch() -> Any:
    """PyTorch, or ImportError where something else has its name (a folder next to the script is enough)."""
    torch = import_module("torch")
    if not hasattr(torch, "version") or not hasattr(torch, "cuda"):
        raise ImportError(f"the module `torch` at {getattr(torch, '__file__', None)} is not PyTorch")
    return torch


def import_nvml() -> Any:
    """NVIDIA's binding for NVML."""
    return import_module("pynvml")


def collect(
    load_torch: Callable[[], Any] = import_torch,
    load_nvml: Callable[[], Any] = import_nvml,
    environment: Mapping[str, str] = os.environ,
    driver_file: Path = _DRIVER_FILE,
) -> GpuInfo:
    """Look at PyTorch, the driver and the environment. Raises nothing."""
    notes: list[str] = []
    with warnings.catch_warnings(), opened_nvml(load_nvml, notes) as binding:
        warnings.simplefilter("ignore")  # to read a deprecated switch is not to use it
        driver = _read_driver(binding, driver_file)
        try:
            torch = load_torch()
        except Exception as error:  # a shared library that does not load: OSError; a bad mix of versions: anything
            return GpuInfo(
                availability=_explain_import(error),
                driver=driver,
                flags={},
                environment={name: environment.get(name) for name in _ENVIRONMENT},
                notes=tuple(notes),
            )
        return _look(torch, binding, environment, driver, notes)


def _look(torch: Any, binding: Any | None, environment: Mapping[str, str], driver: Driver, notes: list[str]) -> GpuInfo:
    probe = Probe()
    version, backend = _backend(torch, probe)
    availability = _start(torch, backend, environment, driver, notes)
    count = availability.devices
    return GpuInfo(
        availability=availability,
        backend=backend,
        torch=probe.ask("PyTorch version", lambda: str(torch.__version__)),
        cuda=version,
        cudnn=probe.ask("cuDNN version", lambda: _cudnn_version(torch.backends.cudnn.version(), backend)),
        nccl=probe.ask("NCCL version", lambda: _dotted(torch.cuda.nccl.version())) if backend else None,
        driver=driver,
        current_device=probe.ask("current device", lambda: int(torch.cuda.current_device())) if count else None,
        devices=tuple(read_device(torch.cuda, index, binding) for index in range(count)),
        flags=_read_flags(torch, probe),
        environment={name: environment.get(name) for name in _ENVIRONMENT},
        fingerprints=probe.ask("fingerprints", helper_state),
        notes=(*notes, *probe.problems),
    )


def _backend(torch: Any, probe: Probe) -> tuple[str | None, str | None]:
    """The version that PyTorch was built for, and whether that is of CUDA or HIP."""
    if hip := probe.ask("HIP version", lambda: torch.version.hip):
        return str(hip), "hip"
    if cuda := probe.ask("CUDA version", lambda: torch.version.cuda):
        return str(cuda), "cuda"
    return None, None


def _start(
    torch: Any, backend: str | None, environment: Mapping[str, str], driver: Driver, notes: list[str]
) -> Availability:
    """Start CUDA, as only that shows whether it works; what it warns of is kept."""
    if backend is None:
        hint = f"an NVIDIA driver is loaded ({driver.version}): install a CUDA build of PyTorch, {_INSTALL}"
        return Availability(
            state=GpuState.CPU_BUILD,
            reason=f"PyTorch {getattr(torch, '__version__', '')} is a CPU build",
            hint=hint if driver.version else None,
        )
    hiding = {name: environment[name] for name in _HIDING[backend] if name in environment}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.init()
            count = int(torch.cuda.device_count())
    except Exception as error:
        return _explain_start(one_line(error), hiding, driver)
    notes.extend(" ".join(str(warning.message).split()) for warning in caught)
    if count < 1:
        return _explain_no_device(hiding, driver)
    devices = "device" if count == 1 else "devices"
    return Availability(state=GpuState.AVAILABLE, reason=f"{count} {devices}, with {backend}", devices=count)


def _explain_import(error: Exception) -> Availability:
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return Availability(
            state=GpuState.TORCH_MISSING,
            reason="PyTorch is not installed",
            hint=f"install it in the environment that runs reprocheck, {_INSTALL}",
        )
    return Availability(
        state=GpuState.TORCH_BROKEN,
        reason=f"PyTorch cannot be imported: {one_line(error)}",
        hint='try `python -c "import torch"` in the environment that runs reprocheck',
    )


def _explain_start(message: str, hiding: Mapping[str, str], driver: Driver) -> Availability:
    """What PyTorch says when CUDA does not start → what is in the way."""
    if "Found no NVIDIA driver" in message:
        hint = "install the driver; a container must be started with access to the GPU"
        if driver.version:
            hint = f"a driver is loaded ({driver.version}), but its library libcuda was not found"
        return Availability(state=GpuState.NO_DRIVER, reason="PyTorch found no NVIDIA driver", hint=hint)
    if "too old" in message:
        return Availability(
            state=GpuState.DRIVER_TOO_OLD,
            reason=f"the driver is too old for this PyTorch: {message}",
            hint=f"update the driver, or install a PyTorch for an older CUDA, {_INSTALL}",
        )
    if "GPUs are available" in message:
        return _explain_no_device(hiding, driver)
    return Availability(state=GpuState.FAILED, reason=f"the GPU could not be initialised: {message}")


def _explain_no_device(hiding: Mapping[str, str], driver: Driver) -> Availability:
    if not hiding or driver.devices == 0:
        return Availability(state=GpuState.NO_DEVICE, reason="there is no device that PyTorch can use")
    setting = " ".join(f"{name}={value!r}" for name, value in hiding.items())
    count = "" if driver.devices is None else f"; devices of the driver: {driver.devices}"
    return Availability(
        state=GpuState.HIDDEN,
        reason=f"no device is visible with {setting}{count}",
        hint=f"unset {' and '.join(hiding)}, or name a device that exists",
    )


def _read_driver(binding: Any | None, file: Path) -> Driver:
    version = answer(lambda: text(binding.nvmlSystemGetDriverVersion())) if binding is not None else None
    devices = answer(lambda: int(binding.nvmlDeviceGetCount())) if binding is not None else None
    return Driver(version=version or answer(lambda: _driver_in(file.read_text("utf-8"))), devices=devices)


def _driver_in(driver_output: str) -> str | None:
    """`NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build` → 550.54.14."""
    found = re.search(r"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)", driver_output)
    return found[1] if found else None


def _cudnn_version(number: Any, backend: str | None) -> str | None:
    """91002 → 9.10.2; cuDNN 8 and older wrote 8902 for 8.9.2."""
    if number is None or backend != "cuda":
        return None if number is None else str(number)
    major = 10_000 if number >= 90_000 else 1_000
    return f"{number // major}.{number % major // 100}.{number % 100}"


def _dotted(version: Any) -> str:
    return ".".join(str(part) for part in version) if isinstance(version, tuple) else str(version)


def _read_flags(torch: Any, probe: Probe) -> dict[str, str | bool | None]:
    def mode() -> str:
        if not torch.are_deterministic_algorithms_enabled():
            return "off"
        return "warn" if torch.is_deterministic_algorithms_warn_only_enabled() else "error"

    questions: dict[str, Callable[[], str | bool]] = {
        "deterministic_algorithms": mode,
        "fill_uninitialized_memory": lambda: bool(torch.utils.deterministic.fill_uninitialized_memory),
        "cudnn.deterministic": lambda: bool(torch.backends.cudnn.deterministic),
        "cudnn.benchmark": lambda: bool(torch.backends.cudnn.benchmark),
        "cudnn.allow_tf32": lambda: bool(torch.backends.cudnn.allow_tf32),
        "matmul.allow_tf32": lambda: bool(torch.backends.cuda.matmul.allow_tf32),
        "float32_matmul_precision": lambda: str(torch.get_float32_matmul_precision()),
    }
    return {name: probe.ask(name, question) for name, question in questions.items()}
