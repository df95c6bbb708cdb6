"""One GPU, as PyTorch and as NVIDIA's management library (NVML) see it.

Standard library only: `torch.cuda` and the NVML binding (`pynvml`, from nvidia-ml-py) are handed in. A driver
may raise on any question, so each is asked alone: no answer depends on another, and a missing one is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that computes on a device."""

    pid: int
    """As the driver counts, which is not as a container does."""
    memory: int | None
    """Bytes."""
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """One device, as NVML sees it. None: the device or the driver does not say."""

    uuid: str | None
    free_memory: int | None
    """Bytes."""
    processes: tuple[GpuProcess, ...] | None
    utilization: int | None
    """Percent of the last sample period in which a kernel ran."""
    ecc_corrected: int | None
    """Errors since the driver was loaded."""
    ecc_uncorrected: int | None
    temperature: int | None
    """Degrees Celsius."""
    power: float | None
    """Watts."""
    power_limit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuDevice:
    """One device that PyTorch sees. None: unknown."""

    index: int
    name: str | None
    uuid: str | None
    """As CUDA_VISIBLE_DEVICES takes it."""
    capability: str | None
    """Compute capability."""
    multiprocessors: int | None
    total_memory: int | None
    """Bytes, as all memory here."""
    free_memory: int | None
    allocated: int | None
    """In tensors of this process."""
    reserved: int | None
    """By PyTorch's allocator in this process."""
    nvml: Readings | None
    problems: tuple[str, ...]
    """Questions that were answered with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The driver that is loaded. None: unknown, or there is none."""

    version: str | None
    devices: int | None
    """How many the driver has, whatever is visible to this process."""


class Probe:
    """Asks questions, and writes down those that raise."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def ask(self, what: str, question: Callable[[], Answer]) -> Answer | None:
        """The answer, or None."""
        try:
            return question()
        except Exception as error:
            self.problems.append(f"{what}: {one_line(error)}")
            return None


def answer(question: Callable[[], Answer]) -> Answer | None:
    """The answer, or None: for what a device may lack, so that its absence is no problem."""
    return Probe().ask("", question)


def one_line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def opened_nvml(load: Callable[[], Any], notes: list[str]) -> Iterator[Any | None]:
    """The binding, ready for questions; or None, and a note that says why not."""
    unknown = "processes, utilisation, ECC errors, temperature and power are unknown"
    try:
        binding = load()
        binding.nvmlInit()
    except ModuleNotFoundError:
        notes.append(f"NVML: the package nvidia-ml-py is not installed; {unknown}")
        binding = None
    except Exception as error:  # no library, no driver, a version mismatch, ...
        notes.append(f"NVML did not load: {one_line(error)}; {unknown}")
        binding = None
    try:
        yield binding
    finally:
        if binding is not None:
            answer(lambda: binding.nvmlShutdown())


def read_device(cuda: Any, index: int, binding: Any | None) -> GpuDevice:
    """Ask `torch.cuda`, and NVML where there is a binding."""
    probe = Probe()
    properties = probe.ask("properties", lambda: cuda.get_device_properties(index))
    name = _field(properties, "name", str)
    uuid = _uuid(_field(properties, "uuid", str), name)
    readings = _find_readings(binding, uuid, properties, probe) if binding is not None else None
    free = readings.free_memory if readings else None
    if free is None:  # NOTE: asked second, for PyTorch makes a context, which takes memory on the device
        free = probe.ask("free memory", lambda: int(cuda.mem_get_info(index)[0]))
    major, minor = _field(properties, "major", int), _field(properties, "minor", int)
    return GpuDevice(
        index=index,
        name=name,
        uuid=(readings.uuid if readings else None) or uuid,
        capability=None if major is None or minor is None else f"{major}.{minor}",
        multiprocessors=_field(properties, "multi_processor_count", int),
        total_memory=_field(properties, "total_memory", int),
        free_memory=free,
        allocated=probe.ask("allocated memory", lambda: int(cuda.memory_allocated(index))),
        reserved=probe.ask("reserved memory", lambda: int(cuda.memory_reserved(index))),
        nvml=readings,
        problems=tuple(probe.problems),
    )


def _field(properties: Any, name: str, kind: Callable[[Any], Answer]) -> Answer | None:
    return answer(lambda: kind(getattr(properties, name)))


def _is_mig(name: str | None) -> bool:
    """A slice of a device says so in its name: `NVIDIA A100-SXM4-40GB MIG 1g.5gb`."""
    return name is not None and " MIG " in name


def _uuid(bare: str | None, name: str | None) -> str | None:
    """PyTorch leaves out the prefix that CUDA_VISIBLE_DEVICES and NVML want."""
    if bare is None or bare.startswith(("GPU-", "MIG-")):
        return bare
    return f"MIG-{bare}" if _is_mig(name) else f"GPU-{bare}"


def _find_readings(binding: Any, uuid: str | None, properties: Any, probe: Probe) -> Readings | None:
    """The same device in NVML. NOTE: not by index, for CUDA and NVML may count in different orders."""
    handle = answer(lambda: binding.nvmlDeviceGetHandleByUUID(uuid)) if uuid else None
    # A slice shares its PCI address with the whole device, whose readings are not its own.
    if handle is None and not _is_mig(_field(properties, "name", str)):
        handle = answer(lambda: binding.nvmlDeviceGetHandleByPciBusId(_pci_address(properties)))
    if handle is None:
        probe.problems.append("NVML: no device with this UUID or PCI address")
        return None
    return _read(binding, handle)


def _pci_address(properties: Any) -> str:
    domain, bus, device = (int(getattr(properties, f"pci_{part}_id")) for part in ("domain", "bus", "device"))
    return f"{domain:08x}:{bus:02x}:{device:02x}.0"


def _read(binding: Any, handle: Any) -> Readings:
    def ecc(kind: str) -> int | None:
        return answer(
            lambda: int(binding.nvmlDeviceGetTotalEccErrors(handle, getattr(binding, kind), binding.NVML_VOLATILE_ECC))
        )

    return Readings(
        uuid=answer(lambda: text(binding.nvmlDeviceGetUUID(handle))),
        free_memory=answer(lambda: int(binding.nvmlDeviceGetMemoryInfo(handle).free)),
        processes=answer(lambda: _processes(binding, handle)),
        utilization=answer(lambda: int(binding.nvmlDeviceGetUtilizationRates(handle).gpu)),
        ecc_corrected=ecc("NVML_MEMORY_ERROR_TYPE_CORRECTED"),
        ecc_uncorrected=ecc("NVML_MEMORY_ERROR_TYPE_UNCORRECTED"),
        temperature=answer(lambda: int(binding.nvmlDeviceGetTemperature(handle, binding.NVML_TEMPERATURE_GPU))),
        power=answer(lambda: int(binding.nvmlDeviceGetPowerUsage(handle)) / 1000),
        power_limit=answer(lambda: int(binding.nvmlDeviceGetPowerManagementLimit(handle)) / 1000),
    )


def _processes(binding: Any, handle: Any) -> tuple[GpuProcess, ...]:
    found = (_process(binding, process) for process in binding.nvmlDeviceGetComputeRunningProcesses(handle))
    return tuple(sorted(found, key=lambda process: process.pid))


def _process(binding: Any, process: Any) -> GpuProcess:
    return GpuProcess(
        pid=int(process.pid),
        memory=answer(lambda: int(process.usedGpuMemory)),
        name=answer(lambda: text(binding.nvmlSystemGetProcessName(process.pid))),
    )


def text(value: Any) -> str:
    """A string of NVML; older bindings answer with bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
