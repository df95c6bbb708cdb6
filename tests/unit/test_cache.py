"""--cached: what lets a seed stand in for new runs, and what makes it run again.

One real audit is made; every test changes one thing in a copy of it and asks what could be used again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.api import make_order
from reprocheck.engine.cache import Reuse, reuse
from reprocheck.engine.plan import Planner, plan_runs
from reprocheck.engine.store import create_audit_folder
from tests.support.cli import environment, reprocheck

TARGET = """
import os
from pathlib import Path

import sizes

def train(rate=0.5):
    values = [float(word) for word in Path("data/x.txt").read_text().split()]
    total = rate * sum(values) + len(os.listdir("data")) + sizes.WIDTH
    if os.path.exists("resume.txt"):
        total = 0.0
    Path("out.txt").write_text(str(total))
    return total + float(Path("out.txt").read_text())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one audit of a training that reads, lists, imports, asks and writes."""
    folder = tmp_path_factory.mktemp("cached") / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "packages" / "helper-1.0.dist-info").mkdir(parents=True)
    (folder / "t.py").write_text(TARGET)
    (folder / "sizes.py").write_text("WIDTH = 3\n")
    (folder / "data" / "x.txt").write_text("1 2 3")
    ran = reprocheck("run", "t.py:train", cwd=folder, env=_environ(folder))
    assert ran.code == 0, ran.out + ran.err
    return folder


@dataclass(frozen=True)
class Here:
    """The project as it is for one test; only what is in it may be changed."""

    folder: Path
    environ: dict[str, str]

    @property
    def run(self) -> Path:
        return next((self.folder / ".reprocheck" / "audits").iterdir()) / "s0r1"

    def ask(self, **options: Any) -> Reuse:
        request = make_order("t.py:train", None, (), options, None).request
        audit = create_audit_folder(request.evidence)
        tmp = self.folder / "tmp"
        planner = Planner(request=request, environ=self.environ, cwd=self.folder, directory=audit, tmp=tmp)
        try:
            return reuse(request, plan_runs(planner), audit)
        finally:
            shutil.rmtree(audit)


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Paths are part of what is remembered: the folder is set aside and put back."""
    aside = project.with_name("aside")
    shutil.copytree(project, aside, symlinks=True)
    monkeypatch.chdir(project)
    yield Here(project, _environ(project))
    for entry in project.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(aside, project, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(aside)


def _environ(folder: Path, **extra: str) -> dict[str, str]:
    return environment(PYTHONPATH=str(folder / "packages"), PYTHONDONTWRITEBYTECODE="1", **extra)


def _why(reused: Reuse) -> str:
    assert reused.outcomes == ()
    return reused.run_again[0]


def test_unchanged_runs_are_used_again(here: Here) -> None:
    reused = here.ask()
    assert [outcome.spec.id for outcome in reused.outcomes] == ["s0r0", "s0r1"]
    assert reused.run_again == {}
    assert {outcome.reused_from for outcome in reused.outcomes} == {here.run.parent.name}


def test_files_that_were_only_touched_are_the_same(here: Here) -> None:
    (here.folder / "data" / "x.txt").write_text("1 2 3")
    os.utime(here.folder / "t.py", (1, 1))
    assert len(here.ask().outcomes) == 2


def test_noise_in_the_environment_is_ignored(here: Here) -> None:
    noisy = replace(here, environ={**here.environ, "SHLVL": "7", "GITHUB_RUN_ID": "12", "TERM": "vt100", "_": "x"})
    assert len(noisy.ask().outcomes) == 2


@pytest.mark.parametrize(
    ("change", "output"),
    [
        (lambda f: (f / "t.py").write_text(TARGET + "\n# later\n"), "t.py has changed"),
        (lambda f: (f / "sizes.py").write_text("WIDTH = 4\n"), "sizes.py has changed"),
        (lambda f: (f / "data" / "x.txt").write_text("1 2 4"), "x.txt has changed"),
        (lambda f: (f / "data" / "x.txt").unlink(), "x.txt has changed"),
        (lambda f: (f / "data" / "y.txt").write_text(""), "the names in"),
        (lambda f: (f / "resume.txt").write_text(""), "resume.txt has come or gone"),
        (lambda f: (f / "random.py").write_text(""), "the modules in"),
        (lambda f: (f / "packages" / "other-1.0.dist-info").mkdir(), "the packages in"),
        (lambda f: (f / "packages" / "helper-1.0.dist-info" / "RECORD").write_text("x"), "the packages in"),
    ],
)
def test_what_a_run_took_in_must_be_as_it_was(here: Here, change: Callable[[Path], Any], output: str) -> None:
    change(here.folder)
    assert output in _why(here.ask())


@pytest.mark.parametrize("options", [{"arg": ["rate=0.25"]}, {"threads": 1}, {"env": ["A=1"]}, {"seed": [1]}])
def test_another_order_is_another_run(here: Here, options: dict[str, Any]) -> None:
    reused = here.ask(**options)
    assert reused.outcomes == ()
    assert set(reused.run_again.values()) == {"no earlier audit has the same runs"}


def test_another_environment_is_another_run(here: Here) -> None:
    assert "no earlier audit" in _why(replace(here, environ={**here.environ, "MODE": "fast"}).ask())


def test_more_repeats_than_before_run_again(here: Here) -> None:
    assert "fewer runs" in _why(here.ask(repeats=3))


def test_copies_of_the_folder_are_always_made(here: Here) -> None:
    assert "fresh copy" in _why(here.ask(workdir="fresh"))


def test_a_difference_has_to_be_seen_again(here: Here) -> None:
    report = here.run.parent / "audit.json"
    plain = json.loads(report.read_text())
    plain["seeds"][0]["verdict"] = "different"
    report.write_text(json.dumps(plain))
    assert "has to be seen again" in _why(here.ask())


def test_a_newer_audit_without_an_end_leads_to_new_runs(here: Here) -> None:
    shutil.copytree(here.run.parent, here.run.parent.with_name("99999999-000000-1"))
    (here.run.parent.with_name("99999999-000000-1") / "audit.json").unlink()
    assert "cannot be used" in _why(here.ask())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _with_inputs(run: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = run / "evidence.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(next(line for line in lines if line["record"] == "inputs"))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: _cut(run / "evidence.jsonl"),
        lambda run: _cut(run / "spec.json"),
        lambda run: (run / "spec.json").write_text("{}"),
        lambda run: _cut(run.parent / "audit.json"),
        lambda run: (run.parent / "audit.json").write_text("[" * 100_000),
        lambda run: (run / "steps.bin").write_bytes(b"x"),
        lambda run: (run / "stdout.txt").unlink(),
        lambda run: _linked(run / "evidence.jsonl"),
        lambda run: _linked(run / "stdout.txt"),
        lambda run: _with_inputs(run, lambda line: line.update(files={"/dev/zero": [0, 0, 0, 0, "0"]})),
        lambda run: _with_inputs(run, lambda line: line.update(files=7)),
        lambda run: _with_inputs(run, lambda line: line.update(folders={"x\0y": "0"})),
        lambda run: _with_inputs(run, lambda line: line.update(version="0.0.1")),
        lambda run: _with_inputs(run, lambda line: line["machine"].update(processor="another")),
        lambda run: _with_inputs(run, lambda line: line.update(obstacles=["it used the network"])),
        lambda run: _with_inputs(run, lambda line: line.pop("machine")),
        lambda run: _with_inputs(run, lambda line: line.update(record="note", text="")),
    ],
)
def test_damaged_or_hostile_evidence_leads_to_new_runs(here: Here, damage: Callable[[Path], Any]) -> None:
    damage(here.run)
    assert _why(here.ask()) != "no earlier audit has the same runs"
