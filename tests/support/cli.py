"""Run the real command in a process of its own, in a scrubbed environment.

Most are forked from a process that has imported the command (warm_command). With an environment of its own, or in a
test that is marked `own_templates`, it is an interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocheck.engine.template_server import inherited
from reprocheck.protocol import SERVER_VARIABLE
from tests.support.warm_command import COMMAND_VARIABLE, call

_SCRUBBED = (
    *("COLOR", "GITHUB_", "REPROCHECK_", COMMAND_VARIABLE, "OMP_", "MKL_", "PYTHONHASHSEED", "MALLOC_", "TMPDIR", "CI"),
    "PYTEST_CURRENT_TEST",
)
_AT_START = inherited() if sys.platform == "linux" else []
"""What a process has from this one, apart from the environment; a test may change it."""


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


def reprocheck(*arguments: str, cwd: Path, timeout: float = 600, env: dict[str, str] | None = None) -> Ran:
    server = os.environ.get(COMMAND_VARIABLE)
    if server is not None and (env is None or env == environment()) and inherited() == _AT_START:
        ran = Ran(*call(server, arguments, cwd, environment(), timeout))
    else:
        done = subprocess.run(
            [sys.executable, "-m", "reprocheck", *arguments],
            cwd=cwd,
            env=env or environment(),
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=timeout,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
    assert "Traceback (most recent call last)" not in ran.err, ran.err
    assert "a bug in reprocheck, please report" not in ran.out, ran.out
    return ran
