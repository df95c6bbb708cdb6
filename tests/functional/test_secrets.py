"""A secret that a target is told is in no report and in no file that is left, even where the target prints it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import environment, reprocheck

SECRETS = ("sesame-open-12345", "hunter2-hunter2", "hf_" + "A1b2" * 8)
TARGET = f"""\
import os, sys
import torch


def train(api_key="", lr=0.1):
    print("key", api_key, os.environ["SERVICE_PASSWORD"])
    print("{SECRETS[2]}", file=sys.stderr)
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 2)).sum().backward()
        optimizer.step()
    return {{"key": api_key, "run": os.environ["REPROCHECK_RUN"][-2:], "model": model}}
"""
ARGUMENT = ("--arg", f"api_key='{SECRETS[0]}'")
COMMANDS = {
    **{
        f"run {name}": ("run", "--format", name, "--no-explain")
        for name in ("json", "text", "sarif", "junit", "github")
    },
    **{name: (name,) for name in ("doctor", "params", "resume")},
    "cost": ("cost", "--rounds", "2", "--only", "seeded"),
    "vary": ("vary", "--only", "threads"),
}


@pytest.mark.parametrize("name", ["run json", *(pytest.param(n, marks=pytest.mark.slow) for n in list(COMMANDS)[1:])])
def test_it_is_masked_everywhere(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TARGET, encoding="utf-8")
    command, *options = COMMANDS[name]
    ran = reprocheck(
        command,
        *options,
        "t.py:train",
        *ARGUMENT,
        cwd=tmp_path,
        env=environment(SERVICE_PASSWORD=SECRETS[1]),
        timeout=600,
    )
    assert ran.code in (0, 1, 3), ran.err
    for secret in SECRETS:
        assert secret not in ran.out + ran.err
        left = [path for path in (tmp_path / ".reprocheck").rglob("*") if path.is_file()]
        assert [path for path in left if secret.encode() in path.read_bytes()] == []
