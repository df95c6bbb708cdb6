"""Every target of the corpus gets the verdict that its header states."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.cli import environment, reprocheck

FOLDER = Path(__file__).parent.parent / "targets"
CODES = {"reproducible": 0, "different": 1, "no_verdict": 3}
FIRST_TIER = {"manual_sgd_tensors", "own_dispatch_mode", "empty_parameter", "pid_seed", "exits_at_once"}
"""The rest runs in the second tier."""


def headers(path: Path) -> dict[str, str]:
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.match(r"# ([a-z0-9-]+): (.*)", line)
        if match is None:
            break
        found[match[1]] = match[2].strip()
    return found


def cases() -> list[object]:
    found = []
    for path in sorted((*FOLDER.glob("clean/*.py"), *FOLDER.glob("faulty/*.py"))):
        marks = () if path.stem in FIRST_TIER else (pytest.mark.slow,)
        found.append(pytest.param(path, marks=marks, id=f"{path.parent.name}/{path.stem}"))
    return found


@pytest.mark.parametrize("path", cases())
def test_verdict(path: Path, tmp_path: Path) -> None:
    head = headers(path)
    work = tmp_path / "work"
    shutil.copytree(path.parent, work, ignore=shutil.ignore_patterns("__pycache__"))
    target = path.name if head["target"] == "script" else f"{path.name}:{head['target']}"
    argv = ["--", *shlex.split(head["argv"])] if "argv" in head else []
    options = shlex.split(head.get("options", ""))
    if "2cores" not in head.get("needs", "") and "--threads" not in options:
        options += ["--threads", "1"]
    if head.get("race") == "yes":
        options += ["--repeats", "4"]
    ran = reprocheck("run", "--no-explain", *options, "--format", "json", target, *argv, cwd=work, env=environment())
    assert ran.code == CODES[head["expect"]], ran.out + ran.err
    answer = ran.json()
    assert answer["verdict"] == head["expect"]
    if head["expect"] == "different" and head.get("race") != "yes":
        divergence = answer["divergence"]
        if "stage" in head and divergence["stage"] not in ("stdout", "files"):
            assert divergence["stage"] == head["stage"], divergence
        if "step" in head:
            assert divergence["step"] == int(head["step"]), divergence
    if "finding" in head and head["finding"] in ("seed-fixed-inside", "seed-unused"):
        assert "seed-no-effect" in [finding["cause"] for finding in answer["findings"]]
    if path.parent.name == "clean":
        assert not [finding for finding in answer["findings"] if finding["severity"] == "error"]
