"""Build the compiled helper with the package where there is a C compiler; without one, the package works as it is."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("reprocheck", "worker", "fingerprint", "native.c")
LIBRARY = SOURCE.with_name("_native.so")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs for wheels, also for those of editable installs: there the library lies beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """A wheel with the library is for this platform, of any Python 3."""
        if self.target_name != "wheel":
            return
        problem = build(Path(self.root))
        if problem:
            self.app.display_warning(f"reprocheck is installed without its compiled helper: {problem}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"
        build_data["artifacts"].append(f"/{LIBRARY.as_posix()}")


def platform_tag() -> str:
    """Of this interpreter: what auditwheel and delocate start from."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def compiler() -> list[str]:
    """`CC` if it is set, else what there is."""
    given = shlex.split(os.environ.get("CC", ""))
    found = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), "")
    return given or ([found] if found else [])


def build(root: Path) -> str:
    """Compile the library in place; why not, where it fails. An older one is gone then."""
    library = root / LIBRARY
    try:
        library.unlink(missing_ok=True)
    except OSError as error:
        return f"{LIBRARY} cannot be replaced: {error.strerror}"
    command = compiler()
    if not command:
        return "there is no C compiler"
    of_system = ["-dynamiclib", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    arguments = ["-std=c11", "-O2", "-fPIC", *of_system, "-o", str(library), str(root / SOURCE)]
    try:
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{command[0]} cannot be run ({error})"
    if done.returncode or not library.is_file():
        library.unlink(missing_ok=True)
        return f"{command[0]} failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}"
    return ""
