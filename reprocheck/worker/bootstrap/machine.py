"""What the libraries of a run say of themselves: what can change bits, and which packages were at work."""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_SWITCHES = re.compile(
    r"(MKL_(CBWR|ENABLE_INSTRUCTIONS|DYNAMIC|THREADING_LAYER)|ATEN_CPU_CAPABILITY|(ONEDNN|DNNL)_\w+|KMP_DETERMINISTIC\w*"
    r"|OPENBLAS_CORETYPE|NPY_(DISABLE|ENABLE)_CPU_FEATURES|CUBLAS_WORKSPACE_CONFIG|NVIDIA_TF32_OVERRIDE|CUDNN_\w+"
    r"|TORCH_ALLOW_TF32\w*)"
)
"""Environment variables by which libraries choose other code for the same operation."""
_QUIET = re.compile(r"\w+_VERBOSE|CUDNN_LOG\w*")

_LIBRARIES = {
    "mkl": re.compile(r"Math Kernel Library Version ([\w.-]+)"),
    "onednn": re.compile(r"(?:MKL-DNN|oneDNN) v([\w.-]+)"),
    "blas": re.compile(r"\bBLAS_INFO=(\w+)"),
}


def libraries(torch: Any) -> Mapping[str, str]:
    """The numerical libraries that PyTorch was built with, by version."""
    try:
        text = str(torch.__config__.show())
    except (AttributeError, RuntimeError):
        return {}
    found = {name: pattern.search(text) for name, pattern in _LIBRARIES.items()}
    return {name: match[1] for name, match in found.items() if match}


def switches() -> Mapping[str, str]:
    """Those that are set, sorted."""
    chosen = {name: value for name, value in os.environ.items() if _SWITCHES.fullmatch(name)}
    return {name: value for name, value in sorted(chosen.items()) if not _QUIET.fullmatch(name)}


def imported() -> list[str]:
    """Top-level modules that are neither Python's own nor only here for ours, sorted."""
    names = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
    return sorted(name for name in names - {"reprocheck", "xxhash"} if not name.startswith("_"))


def thread_pools() -> dict[str, int]:
    """The most threads of each pool that is loaded (openblas, mkl, openmp, numba), where threadpoolctl is installed;
    numba names its own."""
    found: dict[str, int] = {}
    numba: Any = sys.modules.get("numba")
    with suppress(AttributeError):
        found |= {} if numba is None else {"numba": int(numba.config.NUMBA_NUM_THREADS)}
    try:
        threadpoolctl: Any = importlib.import_module("threadpoolctl")
    except ImportError:
        return found
    with suppress(Exception):  # what it says is no part of the run
        for pool in threadpoolctl.threadpool_info():
            name = str(pool.get("internal_api"))
            found[name] = max(found.get(name, 0), int(pool.get("num_threads") or 0))
    return found


def numpy_features() -> tuple[str, ...]:
    """The instructions beyond its baseline that numpy uses in this process; none where it does not say."""
    import numpy as np

    core: Any = getattr(np, "_core", None) or getattr(np, "core", None)
    try:
        known = core._multiarray_umath
        return tuple(one for one in known.__cpu_dispatch__ if known.__cpu_features__.get(one))
    except AttributeError:
        return ()


def manifest() -> Mapping[str, Any]:
    """The numerical class of the run: what can change bits. It loads libraries that the target did not ask for."""
    torch: Any = sys.modules.get("torch")
    numpy: Any = sys.modules.get("numpy")
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "numpy": getattr(numpy, "__version__", None),
        "torch": None if torch is None else str(torch.__version__),
        "imported": imported(),
        "switches": switches(),
    }
    found["thread_pools"] = thread_pools()
    if numpy is not None:
        found["numpy_features"] = numpy_features()
    if torch is not None and hasattr(torch, "version"):
        found |= libraries(torch)
        found["cuda"] = torch.version.cuda
        found["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
        found["threads"] = torch.get_num_threads()
        if getattr(torch, "cuda", None) and torch.cuda.is_initialized():
            found["cudnn"] = torch.backends.cudnn.version()
            found["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return found
