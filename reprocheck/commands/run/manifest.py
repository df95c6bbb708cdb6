"""What an audit was made of: source, revision, packages, machine. Part of every report."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from reprocheck.model import Target
from reprocheck.protocol.reading import read_source

_CLASS = (
    *("platform", "cpu", "instructions", "cpu_capability", "threads", "torch", "blas", "mkl", "onednn"),
    *("cuda", "cudnn", "gpus", "switches"),
)
"""What can change bits between machines. Python cannot."""
_INSTRUCTIONS = re.compile(r"sse4\w*|avx\w*|fma\w*|f16c|amx\w*|asimd\w*|sve\d*|sme\d*|fphp|i8mm|bf16")
"""Vector instructions that libraries choose their code by."""
_FIELD = re.compile(r"^(Name|Version): *(\S+)\s*$", re.MULTILINE)


def make_manifest(target: Target, cwd: Path, of_run: Mapping[str, Any]) -> Mapping[str, Any]:
    """`of_run` is what the first complete run said of itself."""
    manifest: dict[str, Any] = dict(of_run)
    manifest["source_sha256"] = _source_digest(target)
    manifest["git"] = _git(cwd if target.path is None else target.path.parent)
    manifest["packages"] = _packages()
    manifest["driver"] = _driver()
    manifest |= _cpu()
    manifest["numerical_class"] = {key: manifest[key] for key in _CLASS if manifest.get(key)}
    return manifest


def _source_digest(target: Target) -> str | None:
    if target.path is None:
        return None
    try:
        return hashlib.sha256(read_source(target.path)).hexdigest()
    except OSError:
        return None


def _git(folder: Path) -> Mapping[str, Any] | None:
    """Revision, and whether tracked files differ from it; None outside a repository."""
    revision = _ask_git(folder, "rev-parse", "HEAD")
    if revision is None:
        return None
    changes = _ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"revision": revision, "dirty": bool(changes)}


def _ask_git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return done.stdout.strip()


def _packages() -> Mapping[str, str]:
    found = {}
    for distribution in importlib.metadata.distributions():
        name, version = _name_and_version(distribution)
        if name:
            found[name.lower()] = version
    return dict(sorted(found.items()))


def _name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str | None, str]:
    """From the head alone: the standard library parses the whole description as well."""
    head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    lines = dict(_FIELD.findall(head))
    if "Name" in lines and "Version" in lines:
        return lines["Name"], lines["Version"]
    return distribution.metadata["Name"], distribution.version


def _cpu() -> Mapping[str, str]:
    """The model, and the vector instructions that it (or the virtual machine) offers."""
    facts: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags", facts.get("Features", "")).split()
    return {
        "cpu": facts.get("model name") or platform.processor(),
        "instructions": " ".join(sorted(flag for flag in flags if _INSTRUCTIONS.fullmatch(flag))),
    }


def _driver() -> str | None:
    """The version of NVIDIA's driver, without asking a GPU."""
    try:
        driver = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"\b(\d+\.\d+[.\d]*)\b", driver)
    return found[1] if found else None
