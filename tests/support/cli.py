"""Run the real command in a process of its own, in a scrubbed environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocheck.protocol import SERVER_VARIABLE

_SCRUBBED = (
    *("COLOR", "GITHUB_", "REPROCHECK_", "OMP_", "MKL_", "PYTHONHASHSEED", "MALLOC_", "TMPDIR", "CI"),
    "PYTEST_CURRENT_TEST",
)


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def environment(**extra: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    server = {name: os.environ[name] for name in (SERVER_VARIABLE,) if name in os.environ}
    return {**clean, "OMP_WAIT_POLICY": "passive", **server, **extra}


def reprocheck(*arguments: str, cwd: Path, timeout: float = 240, env: dict[str, str] | None = None) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "reprocheck", *arguments],
        cwd=cwd,
        env=env or environment(),
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=timeout,
    )
    assert "Traceback (most recent call last)" not in done.stderr, done.stderr
    assert "a bug in reprocheck, please report" not in done.stdout, done.stdout
    return Ran(done.returncode, done.stdout, done.stderr)
