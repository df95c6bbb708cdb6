"""A target finds the world that plain Python would have given it, and every way out of it is understood.

Most of these need no PyTorch: what the target saw is in the file that it wrote.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import environment, reprocheck

TRAIN = """\
import os, sys
import torch
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(3):
    optimizer.zero_grad()
    model(torch.randn(4, 2)).square().mean().backward()
    optimizer.step()
"""
SEEN = """\
import sys
seen = {
    "annotations": __annotations__,
    "names": sorted(name for name in globals() if name.startswith("__")),
    "argv": sys.argv,
    "orig_argv": sys.orig_argv[1:],
    "file": __file__,
    "path0": sys.path[0],
}
import resource, random
seen["own module"] = resource.__file__, random.__file__
open("seen.txt", "w").write(repr(seen))
"""


@pytest.mark.parametrize("arguments", [("script.py",), ("-m", "package.script")], ids=["script", "module"])
def test_a_target_sees_what_plain_python_shows_it(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    for folder in (tmp_path, tmp_path / "package"):
        (folder / "script.py").write_text(SEEN)
    (tmp_path / "resource.py").write_text("")
    seen = tmp_path / "seen.txt"
    subprocess.run([sys.executable, *arguments, "--flag"], cwd=tmp_path, env=environment(), check=True)
    plain = seen.read_text()
    seen.unlink()
    reprocheck("run", "--repeats", "1", *arguments, "--", "--flag", cwd=tmp_path)
    assert seen.read_text() == plain


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "code"),
    [("sys.stdout.flush(); os._exit(0)", 0), ("os._exit(3)", 3), ("if os.fork() == 0: os._exit(3)\nos.wait()", 0)],
    ids=["well", "badly", "a child"],
)
def test_a_hard_exit_is_an_end_like_any_other(ending: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(TRAIN + ending)
    ran = reprocheck("run", "--jobs", "2", "--threads", "1", "--no-explain", "script.py", cwd=tmp_path)
    assert ran.code == code, ran.out
    if code:
        assert "exited with status 3" in ran.out


def test_a_function_that_never_comes_back_has_not_ended_well(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import os\ndef train():\n    os._exit(0)\n")
    assert reprocheck("run", "script.py:train", cwd=tmp_path).code == 3


RESTARTS = """\
import os, sys
if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, {argv})
print(sys.argv[1:], list({{"a", "b", "c"}}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("argv", ["[sys.executable, *sys.argv]", "[sys.executable, '-u', *sys.argv]", "sys.orig_argv"])
def test_a_script_may_start_itself_again(argv: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(RESTARTS.format(argv=argv) + TRAIN)
    arguments = ("run", "--jobs", "2", "--threads", "1", "--no-explain", "--compare", "stdout", "--format", "json")
    ran = reprocheck(*arguments, "script.py", "--", "--seed", "{seed}", cwd=tmp_path)
    assert ran.code == 0, ran.out
    assert ran.json()["seeds"][0]["runs"][0]["steps"]


@pytest.mark.slow
def test_another_program_takes_the_place_of_the_target(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import os\nos.execvp('true', ['true'])\n")
    ran = reprocheck("run", "script.py", cwd=tmp_path)
    assert ran.code == 3
    assert "became another program (true)" in ran.out
