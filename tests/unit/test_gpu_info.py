"""gpu-info: the real build of PyTorch, and stand-ins for CUDA, HIP and NVML that answer or raise."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from reprocheck.cli import app
from reprocheck.commands.gpu_info import command as gpu_info
from reprocheck.commands.gpu_info.command import GpuInfo, GpuState, collect, import_torch, to_json
from reprocheck.engine.console import Style
from reprocheck.errors import ExitCode


def render_text(info: GpuInfo, style: Style | None = None) -> str:
    return gpu_info.FORMATS["text"](info, style or Style())


NO_DRIVER_FILE = Path("no-such-file")
TOO_OLD = (
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by "
    "downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx"
)


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        raise error

    return call


def properties(index: int, **changes: Any) -> SimpleNamespace:
    fields = {
        "name": f"NVIDIA H{index}",
        "uuid": f"3e5c-{index}",
        "major": 9,
        "minor": 0,
        "multi_processor_count": 132,
        "total_memory": 80 * 2**30,
        "pci_domain_id": 0,
        "pci_bus_id": 0x3B + index,
        "pci_device_id": 0,
    }
    return SimpleNamespace(**{**fields, **changes})


def fake_torch(devices: list[Any], **cuda: Any) -> SimpleNamespace:
    """PyTorch with CUDA; a device that is an exception raises it when its properties are asked for."""

    def get_properties(index: int) -> Any:
        if isinstance(devices[index], Exception):
            raise devices[index]
        return devices[index]

    answers: dict[str, Any] = {
        "init": lambda: None,
        "device_count": lambda: len(devices),
        "current_device": lambda: 0,
        "get_device_properties": get_properties,
        "mem_get_info": lambda index: (70 * 2**30 + index, 80 * 2**30),
        "memory_allocated": lambda index: 2048 + index,
        "memory_reserved": lambda index: 2**21,
        "nccl": SimpleNamespace(version=lambda: (2, 27, 5)),
    }
    return SimpleNamespace(
        __version__="2.13.0+cu130",
        version=SimpleNamespace(cuda="13.0", hip=None),
        cuda=SimpleNamespace(**{**answers, **cuda}),
        backends=SimpleNamespace(
            cudnn=SimpleNamespace(version=lambda: 91002, deterministic=True, benchmark=False, allow_tf32=True),
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)),
        ),
        utils=SimpleNamespace(deterministic=SimpleNamespace(fill_uninitialized_memory=True)),
        are_deterministic_algorithms_enabled=lambda: True,
        is_deterministic_algorithms_warn_only_enabled=lambda: False,
        get_float32_matmul_precision=lambda: "high",
    )


def fake_nvml(uuids: tuple[str, ...] = ("GPU-3e5c-0", "GPU-3e5c-1"), **changes: Any) -> SimpleNamespace:
    """NVML that finds devices by UUID; its handles are the UUIDs."""
    closed: list[bool] = []

    def by_uuid(uuid: str) -> str:
        if uuid not in uuids:
            raise LookupError(uuid)
        return uuid

    functions: dict[str, Any] = {
        "NVML_VOLATILE_ECC": 0,
        "NVML_MEMORY_ERROR_TYPE_CORRECTED": 0,
        "NVML_MEMORY_ERROR_TYPE_UNCORRECTED": 1,
        "NVML_TEMPERATURE_GPU": 0,
        "closed": closed,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: closed.append(True),
        "nvmlSystemGetDriverVersion": lambda: b"580.65.06",
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetHandleByPciBusId": raising(LookupError("pci")),
        "nvmlDeviceGetUUID": lambda handle: handle,
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(free=60 * 2**30),
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
            SimpleNamespace(pid=77, usedGpuMemory=None),
            SimpleNamespace(pid=5, usedGpuMemory=2**30),
        ],
        "nvmlSystemGetProcessName": lambda pid: f"/usr/bin/p{pid}".encode(),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=37, memory=4),
        "nvmlDeviceGetTotalEccErrors": lambda handle, kind, counter: 10 + kind,
        "nvmlDeviceGetTemperature": lambda handle, sensor: 41,
        "nvmlDeviceGetPowerUsage": lambda handle: 75_500,
        "nvmlDeviceGetPowerManagementLimit": lambda handle: 700_000,
    }
    return SimpleNamespace(**{**functions, **changes})


def look(
    torch: Any,
    binding: Any | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path = NO_DRIVER_FILE,
) -> GpuInfo:
    """Collect with stand-ins; an exception in their place is raised on import."""
    if binding is None:
        binding = ModuleNotFoundError("No module named 'pynvml'", name="pynvml")

    def loader(module: Any) -> Callable[[], Any]:
        return raising(module) if isinstance(module, Exception) else lambda: module

    return collect(loader(torch), loader(binding), environment or {}, file)


class TestAvailable:
    def test_two_devices(self) -> None:
        info = look(fake_torch([properties(0), properties(1)]))
        assert (info.availability.state, info.availability.reason) == (
            GpuState.AVAILABLE,
            "2 devices, with cuda",
        )
        assert (info.backend, info.torch, info.cuda) == ("cuda", "2.13.0+cu130", "13.0")
        assert (info.cudnn, info.nccl, info.current_device) == ("9.10.2", "2.27.5", 0)
        second = info.devices[1]
        assert (second.index, second.name, second.uuid) == (1, "NVIDIA H1", "GPU-3e5c-1")
        assert (second.capability, second.multiprocessors) == ("9.0", 132)
        assert (second.total_memory, second.free_memory) == (80 * 2**30, 70 * 2**30 + 1)
        assert (second.allocated, second.reserved) == (2049, 2**21)
        assert (second.nvml, second.problems) == (None, ())

    def test_a_device_that_raises_leaves_the_other_known(self) -> None:
        broken = RuntimeError("CUDA error: uncorrectable\n  ECC error")
        info = look(fake_torch([broken, properties(1)]))
        first, second = info.devices
        assert (first.name, first.uuid, first.capability, first.total_memory) == (None, None, None, None)
        assert first.problems == ("properties: CUDA error: uncorrectable ECC error",)
        assert (second.name, second.problems) == ("NVIDIA H1", ())
        report = render_text(info)
        assert "memory                  unknown total, 70.0 GiB free" in report
        assert "  note: properties: CUDA error: uncorrectable ECC error\n" in report

    @pytest.mark.parametrize("question", ["mem_get_info", "memory_allocated", "memory_reserved", "current_device"])
    def test_any_single_question_may_raise(self, question: str) -> None:
        info = look(fake_torch([properties(0)], **{question: raising(RuntimeError("no"))}))
        assert info.availability.state is GpuState.AVAILABLE
        problems = [*info.devices[0].problems, *info.notes]
        assert sum(problem.endswith(": no") for problem in problems) == 1

    def test_a_driver_that_answers_nothing_at_all(self) -> None:
        torch = SimpleNamespace(
            version=SimpleNamespace(cuda="13.0"),
            cuda=SimpleNamespace(init=lambda: None, device_count=lambda: 1),
        )
        info = look(torch, SimpleNamespace(nvmlInit=lambda: None))
        assert info.availability.state is GpuState.AVAILABLE
        assert set(info.flags.values()) == {None}
        assert (info.torch, info.cudnn, info.nccl, info.current_device) == (None, None, None, None)
        assert "name                    unknown" in render_text(info)

    def test_what_start_up_warns_of_is_kept(self) -> None:
        def init() -> None:
            warnings.warn("NVIDIA H9 with CUDA capability sm_200\n is not compatible", stacklevel=1)

        info = look(fake_torch([properties(0)], init=init))
        assert "NVIDIA H9 with CUDA capability sm_200 is not compatible" in info.notes

    def test_old_pytorch_without_uuids_is_found_by_pci_address(self) -> None:
        bare = properties(0)
        del bare.uuid
        binding = fake_nvml(nvmlDeviceGetHandleByPciBusId=lambda address: {"00000000:3b:00.0": "GPU-3e5c-0"}[address])
        (device,) = look(fake_torch([bare]), binding).devices
        assert device.uuid == "GPU-3e5c-0"
        assert device.nvml is not None

    def test_a_slice_is_never_taken_for_the_whole_device(self) -> None:
        mig = properties(0, name="NVIDIA A100-SXM4-40GB MIG 1g.5gb", uuid="c7-0")
        whole_by_address: dict[str, Any] = {"nvmlDeviceGetHandleByPciBusId": lambda address: "GPU-3e5c-0"}
        (unknown,) = look(fake_torch([mig]), fake_nvml(("GPU-c7-0",), **whole_by_address)).devices
        assert (unknown.uuid, unknown.nvml) == ("MIG-c7-0", None)
        assert unknown.problems == ("NVML: no device with this UUID or PCI address",)
        (known,) = look(fake_torch([mig]), fake_nvml(("MIG-c7-0",), **whole_by_address)).devices
        assert known.nvml is not None
        assert known.uuid == "MIG-c7-0"

    def test_hip(self) -> None:
        torch = fake_torch([properties(0)])
        torch.version.hip = "6.4"
        torch.version.cuda = None
        info = look(torch)
        assert (info.backend, info.cuda, info.availability.reason) == ("hip", "6.4", "1 device, with hip")
        assert info.cudnn == "91002"
        assert "  HIP                    6.4\n" in render_text(info)

    @pytest.mark.parametrize(("number", "version"), [(8902, "8.9.2"), (91900, "9.19.0"), (100100, "10.1.0")])
    def test_versions_of_cudnn(self, number: int, version: str) -> None:
        torch = fake_torch([properties(0)])
        torch.backends.cudnn.version = lambda: number
        assert look(torch).cudnn == version


class TestNvml:
    def test_readings(self) -> None:
        binding = fake_nvml()
        info = look(fake_torch([properties(0), properties(1)]), binding)
        readings = info.devices[1].nvml
        assert readings is not None
        assert (readings.uuid, readings.free_memory, readings.utilization) == ("GPU-3e5c-1", 60 * 2**30, 37)
        assert (readings.ecc_corrected, readings.ecc_uncorrected) == (10, 11)
        assert (readings.temperature, readings.power, readings.power_limit) == (41, 75.5, 700.0)
        assert readings.processes is not None
        assert [(p.pid, p.memory, p.name) for p in readings.processes] == [
            (5, 2**30, "/usr/bin/p5"),
            (77, None, "/usr/bin/p77"),
        ]
        assert info.devices[1].free_memory == 60 * 2**30
        assert (info.driver.version, info.driver.devices, info.notes) == ("580.65.06", 2, ())
        assert binding.closed == [True]

    def test_free_memory_from_nvml_spares_the_device_a_context(self) -> None:
        torch = fake_torch([properties(0)], mem_get_info=raising(AssertionError("context made")))
        assert look(torch, fake_nvml()).devices[0].problems == ()

    @pytest.mark.parametrize("function", [name for name in vars(fake_nvml()) if name.startswith("nvmlDeviceGet")])
    def test_any_single_question_may_raise(self, function: str) -> None:
        binding = fake_nvml()
        setattr(binding, function, raising(RuntimeError("lost")))
        info = look(fake_torch([properties(0)]), binding)
        assert info.availability.state is GpuState.AVAILABLE
        assert info.devices[0].uuid == "GPU-3e5c-0"
        assert (info.devices[0].free_memory or 0) >= 60 * 2**30
        assert render_text(info)

    @pytest.mark.parametrize(
        ("binding", "note"),
        [
            (
                ModuleNotFoundError("No module named 'pynvml'"),
                "NVML: the package nvidia-ml-py is not installed; ",
            ),
            (OSError("bad ELF"), "NVML did not load: bad ELF; "),
            (
                fake_nvml(nvmlInit=raising(RuntimeError("Library Not Found"))),
                "NVML did not load: Library Not Found; ",
            ),
        ],
        ids=["absent", "broken", "no-library"],
    )
    def test_without_it_a_note_says_so(self, binding: Any, note: str) -> None:
        info = look(fake_torch([properties(0)]), binding)
        assert info.devices[0].nvml is None
        assert [text.startswith(note) for text in info.notes] == [True]

    def test_a_shutdown_that_raises_is_no_error(self) -> None:
        info = look(fake_torch([properties(0)]), fake_nvml(nvmlShutdown=raising(RuntimeError("no"))))
        assert info.devices[0].nvml is not None

    def test_no_process_is_not_an_unknown_one(self) -> None:
        none = render_text(
            look(fake_torch([properties(0)]), fake_nvml(nvmlDeviceGetComputeRunningProcesses=lambda h: []))
        )
        lost = raising(RuntimeError("lost"))
        unknown = render_text(look(fake_torch([properties(0)]), fake_nvml(nvmlDeviceGetComputeRunningProcesses=lost)))
        assert "processes               none\n" in none
        assert "processes               unknown\n" in unknown


class TestUnavailable:
    @pytest.mark.parametrize(
        ("error", "state", "reason"),
        [
            (
                RuntimeError("Found no NVIDIA driver on your system. Please check"),
                GpuState.NO_DRIVER,
                "no NVIDIA driver",
            ),
            (RuntimeError(TOO_OLD), GpuState.DRIVER_TOO_OLD, "found version 11040"),
            (RuntimeError("No CUDA GPUs are available"), GpuState.NO_DEVICE, "there is no device"),
            (RuntimeError("No HIP GPUs are available"), GpuState.NO_DEVICE, "there is no device"),
            (
                RuntimeError("Unexpected error\nError 802: system not yet initialized"),
                GpuState.FAILED,
                "Error 802",
            ),
            (ValueError(), GpuState.FAILED, "could not be initialised: ValueError"),
        ],
    )
    def test_why_it_does_not_start(self, error: Exception, state: GpuState, reason: str) -> None:
        info = look(fake_torch([], init=raising(error)))
        assert info.availability.state is state
        assert reason in info.availability.reason
        assert "\n" not in info.availability.reason
        assert info.devices == ()
        assert info.flags["cudnn.deterministic"] is True

    @pytest.mark.parametrize("value", ["", "-1", "GPU-gone"])
    @pytest.mark.parametrize("init", [lambda: None, raising(RuntimeError("No CUDA GPUs are available"))])
    def test_hidden_devices(self, value: str, init: Callable[[], Any]) -> None:
        info = look(fake_torch([], init=init), fake_nvml(), {"CUDA_VISIBLE_DEVICES": value})
        assert info.availability.state is GpuState.HIDDEN
        expected = f"no device is visible with CUDA_VISIBLE_DEVICES={value!r}; devices of the driver: 2"
        assert info.availability.reason == expected

    def test_nothing_is_hidden_where_the_driver_has_nothing(self) -> None:
        binding = fake_nvml(nvmlDeviceGetCount=lambda: 0)
        info = look(fake_torch([]), binding, {"CUDA_VISIBLE_DEVICES": "0"})
        assert info.availability.state is GpuState.NO_DEVICE

    def test_hip_is_hidden_by_its_own_variables(self) -> None:
        torch = fake_torch([])
        torch.version.hip = "6.4"
        assert look(torch, None, {"HIP_VISIBLE_DEVICES": "-1"}).availability.state is GpuState.HIDDEN
        assert look(fake_torch([]), None, {"HIP_VISIBLE_DEVICES": "-1"}).availability.state is GpuState.NO_DEVICE

    @pytest.mark.parametrize(
        ("error", "state", "reason"),
        [
            (
                ModuleNotFoundError("No module named 'torch'", name="torch"),
                GpuState.TORCH_MISSING,
                "not installed",
            ),
            (ModuleNotFoundError("No module named 'sympy'", name="sympy"), GpuState.TORCH_BROKEN, "'sympy'"),
            (ImportError("undefined symbol: ncclCommRegister"), GpuState.TORCH_BROKEN, "ncclCommRegister"),
            (
                OSError("libcudnn.so.9: cannot open\nshared object file"),
                GpuState.TORCH_BROKEN,
                "open shared object",
            ),
        ],
    )
    def test_torch_that_cannot_be_imported(self, error: Exception, state: GpuState, reason: str) -> None:
        info = look(error, fake_nvml())
        assert info.availability.state is state
        assert reason in info.availability.reason
        assert info.driver.version == "580.65.06"
        assert "580.65.06" in render_text(info)
        assert json.loads(to_json(info))["flags"] == {}

    def test_a_folder_called_torch_is_not_pytorch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__file__="torch.py"))
        with pytest.raises(ImportError, match=r"`torch` at torch\.py is not PyTorch"):
            import_torch()

    def test_a_cpu_build_next_to_a_driver_says_what_to_install(self) -> None:
        torch = fake_torch([])
        torch.version.cuda = None
        assert look(torch).availability.hint is None
        assert "(580.65.06): install a CUDA build" in str(look(torch, fake_nvml()).availability.hint)

    @pytest.mark.parametrize(
        ("arguments", "version"),
        [
            (
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n",
                "535.129.03",
            ),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build\n",
                "550.54.14",
            ),
            ("nonsense", None),
        ],
    )
    def test_the_drivers_own_file_stands_in_for_nvml(self, tmp_path: Path, arguments: str, version: str | None) -> None:
        file = tmp_path / "version"
        file.write_text(arguments, encoding="utf-8")
        info = look(fake_torch([], init=raising(RuntimeError("Found no NVIDIA driver"))), None, {}, file)
        assert info.driver.version == version
        assert ("libcuda" in str(info.availability.hint)) is (version is not None)


class TestFlags:
    def test_all_are_read(self) -> None:
        assert look(fake_torch([])).flags == {
            "deterministic_algorithms": "error",
            "fill_uninitialized_memory": True,
            "cudnn.deterministic": True,
            "cudnn.benchmark": False,
            "cudnn.allow_tf32": True,
            "matmul.allow_tf32": False,
            "float32_matmul_precision": "high",
        }

    @pytest.mark.parametrize(("enabled", "warn", "mode"), [(False, True, "off"), (True, True, "warn")])
    def test_modes_of_deterministic_algorithms(self, enabled: bool, warn: bool, mode: str) -> None:
        torch = fake_torch([])
        torch.are_deterministic_algorithms_enabled = lambda: enabled
        torch.is_deterministic_algorithms_warn_only_enabled = lambda: warn
        assert look(torch).flags["deterministic_algorithms"] == mode

    def test_the_environment_reports_empty_from_not_set(self) -> None:
        info = look(fake_torch([properties(0)]), None, {"CUDA_VISIBLE_DEVICES": "", "CUDA_LAUNCH_BLOCKING": "1"})
        assert info.environment["CUDA_VISIBLE_DEVICES"] == ""
        report = render_text(info)
        assert '  CUDA_VISIBLE_DEVICES     ""\n' in report
        assert "  CUDA_LAUNCH_BLOCKING     1\n" in report
        assert "  CUBLAS_WORKSPACE_CONFIG  not set\n" in report


class TestReports:
    def test_json_is_sorted_and_complete(self) -> None:
        text = to_json(look(fake_torch([properties(0), RuntimeError("no")]), fake_nvml()))
        parsed = json.loads(text)
        assert text == json.dumps(parsed, sort_keys=True, indent=2) + "\n"
        assert parsed["schema_version"] == 1
        assert parsed["availability"]["state"] == "available"
        assert parsed["devices"][0]["nvml"]["processes"][0] == {
            "memory": 2**30,
            "name": "/usr/bin/p5",
            "pid": 5,
        }
        assert parsed["devices"][1]["name"] is None

    def test_a_pipe_gets_whole_lines_and_a_terminal_wrapped_ones(self) -> None:
        note = "word " * 60 + "end"
        info = look(fake_torch([], init=raising(RuntimeError(note))))
        assert f"no GPU: the GPU could not be initialised: {note}\n" in render_text(info)
        wrapped = render_text(info, Style(wraps=True, width=80))
        assert max(len(line) for line in wrapped.splitlines()) <= 80
        assert wrapped.split() == render_text(info).split()

    def test_text_from_outside_is_shown_and_not_obeyed(self) -> None:
        name = "a\x1b[31m\n[bold]:warning:\udc80"
        report = render_text(look(fake_torch([properties(0, name=name)])))
        assert r"  name                    a\x1b[31m\n[bold]:warning:\udc80" in report

    def test_values_stand_in_one_column(self) -> None:
        report = render_text(look(fake_torch([properties(0)]), fake_nvml()))
        section = report.split("device 0 (current)\n")[1].split("\n\n")[0].splitlines()
        assert {line[24:26].strip() == "" and line[26] != " " for line in section} == {True}
        assert "  ECC errors              11 uncorrected, 10 corrected" in section
        assert "  power                   75.5 W, limit 700 W" in section
        assert "  process                 pid 77, unknown, /usr/bin/p77" in section


def command(form: str, require: bool) -> int:
    """As `reprocheck gpu-info` does it."""
    with pytest.raises(typer.Exit) as left:
        app.gpu_info(format=form, output=None, as_json=False, require=require)
    return left.value.exit_code


class TestCommand:
    @pytest.fixture
    def no_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        info = look(ImportError("libtorch.so: bad\x1b[0m"))
        monkeypatch.setattr(gpu_info, "collect", lambda: info)

    @pytest.mark.usefixtures("no_gpu")
    def test_no_gpu_is_an_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command("text", require=False) == ExitCode.OK
        out, err = capsys.readouterr()
        assert out.startswith("no GPU: PyTorch cannot be imported: libtorch.so")
        assert err == ""

    @pytest.mark.usefixtures("no_gpu")
    def test_no_gpu_where_one_is_required(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command("json", require=True) == ExitCode.NO_VERDICT
        out, err = capsys.readouterr()
        assert json.loads(out)["availability"]["state"] == "torch-import-failed"
        assert err == "error: no GPU is available: PyTorch cannot be imported: libtorch.so: bad\\x1b[0m\n"

    def test_a_gpu_where_one_is_required(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        info = look(fake_torch([properties(0)]))
        monkeypatch.setattr(gpu_info, "collect", lambda: info)
        assert command("text", require=True) == ExitCode.OK
        out, err = capsys.readouterr()
        assert out.startswith("GPU available: 1 device, with cuda\n")
        assert err == ""

    def test_a_stream_that_cannot_show_a_name_gets_it_escaped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        info = look(fake_torch([properties(0, name="GPU Ω")]))
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(gpu_info, "collect", lambda: info)
        monkeypatch.setattr(sys, "stdout", stream)
        assert command("text", require=False) == ExitCode.OK
        stream.seek(0)
        assert r"GPU \u03a9" in stream.read()

    def test_looking_for_the_command_does_not_import_torch(self) -> None:
        names = "reprocheck.commands.gpu_info.command, reprocheck.config.settings"
        code = f"import sys, {names}; print({{'torch', 'rich'}} & {{*sys.modules}})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"


class TestReal:
    def test_the_build_that_is_installed(self) -> None:
        torch = pytest.importorskip("torch")
        info = collect()
        assert info.torch == str(torch.__version__)
        assert (info.availability.state is GpuState.AVAILABLE) is torch.cuda.is_available()
        assert None not in info.flags.values()
        assert json.loads(to_json(info))["torch"] == info.torch
        if torch.version.cuda is None and torch.version.hip is None:
            assert info.availability.state is GpuState.CPU_BUILD
            assert info.availability.reason == f"PyTorch {torch.__version__} is a CPU build"

    def test_flags_are_those_in_force(self) -> None:
        torch = pytest.importorskip("torch")
        before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = not before
        try:
            assert collect().flags["cudnn.benchmark"] is not before
        finally:
            torch.backends.cudnn.benchmark = before

    @pytest.mark.gpu
    def test_a_real_gpu(self) -> None:
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip(f"needs a GPU: {collect().availability.reason}")
        held = torch.zeros(2**20, device="cuda")
        info = collect()
        device = info.devices[torch.cuda.current_device()]
        assert len(info.devices) == torch.cuda.device_count()
        assert device.problems == ()
        assert device.name == torch.cuda.get_device_name()
        assert device.allocated is not None
        assert device.allocated >= held.nbytes
        assert 0 < (device.free_memory or 0) < (device.total_memory or 0)
        assert device.uuid is not None
        assert info.driver.version is not None
        assert info.cudnn is not None
