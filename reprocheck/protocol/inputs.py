"""The state of what a run took in, as it is now: files, folders, packages, machine.

The worker writes it down at the end of a run; `--cached` asks again and compares. Nothing here changes anything.
"""

from __future__ import annotations

import os
import platform
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from xxhash import xxh3_128

from reprocheck.protocol import EVIDENCE_FOLDER

BLOCK = 1 << 20
_NOISE = (EVIDENCE_FOLDER, "__pycache__")
"""Names in a folder that come and go without the user."""
_MODULES = (".py", ".so", ".pyd")
_GPUS = "/proc/driver/nvidia/gpus"

_listdir = os.listdir  # the system's own: a run replaces it


def stat_of(path: str) -> tuple[int, ...] | None:
    """Size and what the system notes of a regular file; None when there is none."""
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return None
    return (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino) if stat.S_ISREG(seen.st_mode) else None


def digest_of(path: str) -> str:
    """Of the bytes of a file; empty when it cannot be read."""
    state = xxh3_128()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                state.update(block)
    except OSError:
        return ""
    return state.hexdigest()


def names_in(folder: str, evidence: str) -> str:
    """The names in a folder, without those of reprocheck and Python's caches; empty when there is no such folder."""
    parent, own = os.path.split(evidence)
    hidden = {*_NOISE, own} if os.path.realpath(folder) == parent else set(_NOISE)
    return _listed(name for name in _names(folder) if name not in hidden)


def modules_in(folder: str) -> str:
    """What a folder offers to `import`: a new name in it may be found before another module."""
    found = []
    for name in _names(folder):
        if name.endswith(_MODULES) or os.path.isfile(os.path.join(folder, name, "__init__.py")):
            found.append(name)
    return _listed(found)


def packages_in(folder: str) -> str:
    """The packages that are installed in a folder, each with its version and the state of its list of files."""
    found = []
    for name in _names(folder):
        if name.endswith((".dist-info", ".egg-info", ".egg-link", ".pth")):
            record = stat_of(os.path.join(folder, name, "RECORD")) or stat_of(os.path.join(folder, name))
            found.append(f"{name} {'' if record is None else record[:2]}")
    return _listed(found)


def kind_of(path: str) -> str:
    """Whether there is a file or a folder; empty when there is neither."""
    return "folder" if os.path.isdir(path) else "file" if os.path.exists(path) else ""


def machine() -> dict[str, str]:
    """What can change bits and is no package: Python, the processor, GPUs and their driver."""
    return {
        "python": f"{sys.version} {os.path.abspath(sys.executable)}",
        "platform": f"{platform.system()} {platform.machine()}",
        "processors": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "processor": _processor(),
        "driver": _text("/proc/driver/nvidia/version"),
        "gpus": " ".join(_model(gpu) for gpu in sorted(_names(_GPUS))),
    }


def _processor() -> str:
    """Of the first processor the lines that do not change by the moment; the rest of a long list is not read."""
    wanted = ("model name", "flags", "Features", "CPU part", "microcode", "stepping")
    lines = _text("/proc/cpuinfo").partition("\n\n")[0].splitlines()
    return _listed(line for line in lines if line.startswith(wanted))


def _model(gpu: str) -> str:
    lines = _text(f"{_GPUS}/{gpu}/information").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("Model")), gpu)


def _text(path: str) -> str:
    with suppress(OSError), Path(path).open("rb") as file:
        return file.read(1 << 14).decode("utf-8", "replace")
    return ""


def _names(folder: str) -> list[str]:
    try:
        return _listdir(folder)
    except (OSError, ValueError):
        return []


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    return xxh3_128("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest() if names else ""
