"""README.md keeps its word: its commands run and end as it says, its tables are those of the code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from reprocheck.config.settings import OPTIONS, load_config
from reprocheck.errors import EXIT_CODE_MEANINGS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)$")
_LIMIT = 300


class Command(NamedTuple):
    line: str
    exit_code: int


def blocks(language: str) -> list[str]:
    return [body for found, body in _BLOCK.findall(README) if found == language]


def commands(blocks: list[str]) -> list[Command]:
    found = []
    for body in blocks:
        for line in body.replace("\\\n", " ").splitlines():
            if line.startswith("$ reprocheck "):
                code = _EXIT.search(line)
                found.append(Command(_EXIT.sub("", line)[2:], int(code[1]) if code else 0))
    return found


COMMANDS = commands(blocks("console"))


@pytest.fixture
def checkout(tmp_path):
    """What the commands need of a checkout; its own, so that no evidence is left in ours."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def reprocheck(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "reprocheck", *shlex.split(line)[1:]],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_LIMIT,
    )


def needed_cores(line: str) -> int:
    threads = re.search(r"--threads (\d+)", line)
    return int(threads[1]) if threads else 1


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=[command.line for command in COMMANDS])
def test_command_ends_as_the_readme_says(command, checkout):
    if needed_cores(command.line) > available_cores():
        pytest.skip("the race needs as many cores as threads")
    done = reprocheck(command.line, checkout)
    assert done.returncode == command.exit_code, done.stdout + done.stderr


def test_readme_has_the_commands_that_it_is_about():
    lines = " ".join(command.line for command in COMMANDS)
    for words in ("run examples/digits.py:train", "run examples/gcn.py:train", "wine_mlp.py", "gpu-info"):
        assert words in lines
    assert {command.exit_code for command in COMMANDS} == {0, 1, 2, 3}


def test_exit_code_is_read_from_the_comment():
    found = commands(["$ reprocheck run a.py:f  # exit 1\noutput\n$ reprocheck \\\n  gpu-info\n$ make demo\n"])
    assert [(shlex.split(line), code) for line, code in found] == [
        (["reprocheck", "run", "a.py:f"], 1),
        (["reprocheck", "gpu-info"], 0),
    ]


def test_exit_code_table_is_that_of_the_code():
    section = README.partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [(str(int(code)), meaning) for code, meaning in EXIT_CODE_MEANINGS.items()]


def test_help_states_every_exit_code(tmp_path):
    done = reprocheck("reprocheck --help", tmp_path)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"[\s│|]+", " ", done.stdout)
    for code, meaning in EXIT_CODE_MEANINGS.items():
        assert re.search(rf"(?<!\d){int(code)}\W+{re.escape(meaning)}", text), f"{int(code)} {meaning}"


@pytest.mark.parametrize("name", OPTIONS)
def test_readme_has_every_option(name):
    section = README.partition("\n## Options\n")[2].partition("\n## ")[0]
    assert re.search(rf"^\| `--{name}[ `]", section, re.MULTILINE)


def test_readme_has_no_option_that_is_not_there():
    section = README.partition("\n## Options\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `--([a-z0-9-]+)", section, re.MULTILINE)) == set(OPTIONS)


def test_configuration_of_the_readme_is_valid(tmp_path):
    (example,) = blocks("toml")
    file = tmp_path / "pyproject.toml"
    file.write_text(example, encoding="utf-8")
    assert load_config(file)["seeds"] == 3
