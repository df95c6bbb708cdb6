"""Every command takes --format and --output, in the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reprocheck.config.checks import DOCUMENT_FORMATS, any_of
from tests.support.cli import reprocheck
from tests.support.pages import check_page

TRAINING = """
import torch


def train(seed: int = 0):
    torch.manual_seed(seed)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    return model
"""
COMMANDS = {
    "doctor": ("train.py:train",),
    "gpu-info": (),
    "vary": ("--list",),
}
SLOW = {
    "params": ("train.py:train",),
    "cost": ("--rounds", "2", "--only", "seeded", "train.py:train"),
    "vary": ("--only", "umask", "--no-explain", "train.py:train"),
    "resume": ("train.py:train",),
}
"""Beside these: `selftest`, in test_selftest."""


def check(folder: Path, command: str, arguments: tuple[str, ...]) -> None:
    (folder / "train.py").write_text(TRAINING)
    outputs = ("-o", "json=answer.json", "--output", "text=answer.txt", "-o", "html=answer.html")
    ran = reprocheck(command, "--format", "markdown", *outputs, *arguments, cwd=folder, timeout=900)
    assert ran.code in (0, 3), ran.out + ran.err
    assert ran.out.startswith(f"### reprocheck {command}")
    assert "| --- |" in ran.out or command == "gpu-info"
    assert (folder / "answer.txt").read_text().count("\n") > 2
    page = check_page((folder / "answer.html").read_text())
    assert page.data() == json.loads((folder / "answer.json").read_text())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_formats_and_files(tmp_path: Path, command: str) -> None:
    check(tmp_path, command, COMMANDS[command])


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(SLOW))
def test_formats_and_files_of_long_commands(tmp_path: Path, command: str) -> None:
    check(tmp_path, command, SLOW[command])


@pytest.mark.parametrize("command", ["cost", "diff", "doctor", "gpu-info", "params", "resume", "selftest", "vary"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "sarif"), f"--format must be {any_of(DOCUMENT_FORMATS)}, not 'sarif'"),
        (("--output", "xml=a"), f"--output must be {any_of(DOCUMENT_FORMATS)}, not 'xml' in 'xml=a'"),
        (("--output", "answer.txt"), "--output must be FORMAT=FILE, not 'answer.txt'"),
        (("--output", "text=no/such/folder"), "cannot write text report to no/such/folder"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_run(
    tmp_path: Path, command: str, arguments: tuple[str, ...], message: str
) -> None:
    target = {"diff": ("a", "b"), "gpu-info": (), "selftest": ()}.get(command, ("train.py:train",))
    ran = reprocheck(command, *arguments, *target, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert list(tmp_path.iterdir()) == []
