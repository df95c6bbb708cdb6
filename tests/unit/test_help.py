"""Pages of help: grouped, in the order of use, with examples that can be typed; completion for three shells."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reprocheck.cli.app import app
from reprocheck.cli.help import EXAMPLES, GENERAL, ORDER
from reprocheck.cli.reference import commands, options
from reprocheck.config.options import Group

PROGRAM = "import sys; sys.argv = ['reprocheck']; from reprocheck.cli.app import main; main()"
ROOT = Path(__file__).parents[2]


def help_of(*words: str) -> str:
    answer = CliRunner().invoke(app, [*words, "--help"], prog_name="reprocheck", terminal_width=80)
    assert answer.exit_code == 0, answer.output
    return answer.output


def titles(text: str) -> list[str]:
    return re.findall(r"(?m)^(\S.*):$", text)


def test_commands_come_in_the_order_of_the_readme() -> None:
    table = (ROOT / "README.md").read_text().partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"\[`([a-z-]+)`\]\(docs/commands", table)) == ORDER
    assert set(commands()) == set(ORDER)
    listed = re.findall(r"(?m)^  ([a-z-]+)  +[A-Z]", help_of().partition("Commands:")[2])
    assert tuple(listed) == ORDER


def test_options_stand_in_groups() -> None:
    found = titles(help_of("run"))
    groups = [group.value for group in Group]
    assert [title for title in found if title in groups] == groups
    assert found[:2] == ["Arguments", "Options of this command"]
    assert found[-4:] == ["Progress", GENERAL, "Exit codes", "Examples"]


@pytest.mark.parametrize("command", ORDER)
def test_every_option_stands_there_once(command: str) -> None:
    text = re.split(r"(?m)^\S.*:$", help_of(command), maxsplit=1)[1]
    for option in options(command):
        assert len(re.findall(rf"(?m)^  (?:-\w, )?{option.name}\b(?!-)", text)) == 1, option.name


@pytest.mark.parametrize("command", ["", *ORDER])
def test_a_page_fits_and_ends_with_examples_that_can_be_typed(command: str) -> None:
    text = help_of(*([command] if command else []))
    assert max(map(len, text.splitlines())) <= 80
    assert titles(text)[-1] == "Examples"
    assert EXAMPLES[command]
    for line, what in EXAMPLES[command]:
        assert f"  {line}\n      {what}\n" in text
        _, name, *words = shlex.split(line)
        assert not command or name == command
        own = words[: words.index("--")] if "--" in words else words
        known = {option.name for option in options(name)}
        assert {word for word in own if word.startswith("--")} <= known


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_completion(shell: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "_REPROCHECK_COMPLETE": f"source_{shell}",
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "reprocheck" in ran.stdout
    assert "_REPROCHECK_COMPLETE=complete_" in ran.stdout
    words = {"COMP_WORDS": "reprocheck run --see", "COMP_CWORD": "2"}
    args = {"_TYPER_COMPLETE_ARGS": "reprocheck run --see", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "_REPROCHECK_COMPLETE": f"complete_{shell}", **words, **args},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "--seeds" in ran.stdout
    assert "--threads" not in ran.stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("run --deterministic ", ["off", "warn", "error"]),
        ("diff --format ma", ["markdown"]),
        ("explain RC50", ["RC501", "RC502"]),
        ("run tr", []),  # files, by the shell itself
        ("run --baseline b", []),
    ],
)
def test_values_are_completed(line: str, offered: list[str]) -> None:
    words = f"reprocheck {line}"
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "_REPROCHECK_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(line.split(" "))),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.split()[: len(offered)] == offered
    assert offered or not ran.stdout.split()
