"""Apply the settings to torch, and read them back at the end of the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from reprocheck.model import Deterministic, Settings
from reprocheck.worker.bootstrap import overrides
from reprocheck.worker.bootstrap.memory_limit import cap_cuda


def apply_to_torch(settings: Settings) -> None:
    """Set what was asked for; leave every other flag alone. Never initialises CUDA: that would break forks."""
    import torch

    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    if settings.cudnn_deterministic is not None:
        torch.backends.cudnn.deterministic = settings.cudnn_deterministic
    if settings.cudnn_benchmark is not None:
        torch.backends.cudnn.benchmark = settings.cudnn_benchmark
    if settings.tf32 is not None:
        torch.backends.cuda.matmul.allow_tf32 = settings.tf32
        torch.backends.cudnn.allow_tf32 = settings.tf32
    if settings.deterministic is not None:
        torch.use_deterministic_algorithms(
            settings.deterministic is not Deterministic.OFF,
            warn_only=settings.deterministic is Deterministic.WARN,
        )
    if torch.version.cuda or torch.version.hip:
        _when_cuda_starts(settings)


def _when_cuda_starts(settings: Settings) -> None:
    import torch

    def prepare() -> None:
        torch.cuda.empty_cache()
        for device in range(torch.cuda.device_count()):
            cap_cuda(settings, device)
            torch.cuda.reset_peak_memory_stats(device)

    torch.cuda._lazy_call(prepare)  # type: ignore[no-untyped-call]


def read_settings() -> Mapping[str, Any]:
    """The settings in force now, by the names of `Settings`, and PyTorch's other determinism flags."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    mode = "off"
    if torch.are_deterministic_algorithms_enabled():
        mode = "warn" if torch.is_deterministic_algorithms_warn_only_enabled() else "error"
    return {
        "threads": torch.get_num_threads(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "deterministic": mode,
        "tf32": _tf32(torch),
        "float32_matmul_precision": _matmul_precision(torch),
        "fill_uninitialized_memory": torch.utils.deterministic.fill_uninitialized_memory,
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "cublas_workspace_config": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        "mkldnn": torch.backends.mkldnn.is_available() and bool(torch._C._get_mkldnn_enabled()),
        **({"applied": sorted(overrides.applied)} if overrides.applied else {}),
    }


def _tf32(torch: Any) -> bool | None:
    try:
        return bool(torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32)
    except RuntimeError:  # newer PyTorch refuses to answer when old and new switches were mixed
        return None


def _matmul_precision(torch: Any) -> str | None:
    try:
        return str(torch.get_float32_matmul_precision())
    except RuntimeError:
        return None
