"""`reprocheck bisect` on real histories: the commits that changed the results, and no other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import reprocheck
from tests.support.history import EXTRA_DRAW, HYPERPARAMETER, REFACTORED, REORDERED, Project

COUNT = "def train(seed: int = 0):\n    return {{'loss': {loss} + seed}}  # {number}\n"
BROKEN = "def train(seed: int = 0):\n    return {\n"
WITHOUT_TORCH = '[tool.reprocheck]\nisolation = "process"\n'
FLAKY = """\
import os


def train(seed: int = 0):
    return {'loss': 0.75 + seed, 'drawn': os.environ['REPROCHECK_RUN'][-1]}
"""


class Linear(Project):
    """A project with one file that costs no time to run, without torch: nothing has to import it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.number = 0
        self.names: list[str] = []

    def add(self, loss: float, text: str | None = None) -> str:
        """One commit; every one changes the file."""
        self.number += 1
        code = COUNT.format(loss=loss, number=self.number) if text is None else text + f"# {self.number}\n"
        name = self.commit(f"commit {self.number}", {"count.py": code, "pyproject.toml": WITHOUT_TORCH})
        self.names.append(name)
        return name

    def bisect(self, *arguments: str, code: int) -> Any:
        """From the first commit with the file to the newest; nothing may be left, nothing changed."""
        ran = reprocheck(
            "bisect",
            f"{self.names[0]}..main",
            "count.py:train",
            "--ambient",
            "fixed",
            "--jobs",
            "2",
            "--format",
            "json",
            *arguments,
            cwd=self.folder,
        )
        assert ran.code == code, ran.err + ran.out
        assert self.git("status", "--porcelain").replace("?? .reprocheck/", "").strip() == ""
        assert self.git("worktree", "list").count("\n") == 0
        return ran.json()


@pytest.fixture
def project(tmp_path: Path) -> Linear:
    return Linear(tmp_path / "project")


def changed(answer: Any) -> list[str]:
    return [change["commit"] for change in answer["changes"]]


def test_the_one_commit_is_found_with_few_audits(project: Linear) -> None:
    for _ in range(3):
        project.add(0.5)
    culprit = project.add(0.25)
    for _ in range(4):
        project.add(0.25)
    answer = project.bisect("--seeds", "2", code=1)
    assert changed(answer) == [culprit]
    assert len(answer["audited"]) <= math.ceil(math.log2(7)) + 2
    change = answer["changes"][0]
    assert change["files"] == ["count.py"]
    assert change["differing_seeds"] == [0, 1]
    assert change["before"]["subject"] == "commit 3"
    assert change["shifts"][0]["base"] == pytest.approx(1.0)
    assert change["shifts"][0]["here"] == pytest.approx(0.75)
    assert change["shifts"][0]["in_std"] == pytest.approx(-0.25 / math.sqrt(0.5))


@pytest.mark.slow
def test_forty_commits_with_two_changes_a_broken_and_a_flaky_one(project: Linear) -> None:
    losses = [0.5] * 14 + [0.25] * 13 + [0.125] * 14
    texts: dict[int, str] = {20: BROKEN, 10: FLAKY}
    names = [project.add(loss, texts.get(place)) for place, loss in enumerate(losses)]
    answer = project.bisect("--all", code=1)
    assert changed(answer) == [names[14], names[27]]
    reasons = {one["commit"]: one["reason"] for one in answer["audited"]}
    assert "does not reproduce" in (reasons.get(names[10]) or "does not reproduce")
    assert len(answer["audited"]) <= 2 * (math.ceil(math.log2(40)) + 2)
    one = project.bisect(code=1)
    assert len(one["changes"]) == 1
    assert one["more_changes"]
    assert len(one["audited"]) <= math.ceil(math.log2(40)) + 3  # one more where a broken one was asked for


@pytest.mark.slow
def test_no_change_is_said_after_two_audits(project: Linear) -> None:
    for _ in range(40):
        project.add(0.5)
    answer = project.bisect(code=0)
    assert answer["changes"] == []
    assert len(answer["audited"]) == 2


@pytest.mark.slow
def test_a_flaky_and_a_broken_commit_beside_the_change_are_not_blamed_alone(project: Linear) -> None:
    project.add(0.5)
    suspects = [project.add(0.5, FLAKY), project.add(0.5, BROKEN), project.add(0.25)]
    answer = project.bisect(code=1)
    assert [commit["commit"] for commit in answer["changes"][0]["one_of"]] == suspects
    reasons = {one["commit"]: one["reason"] for one in answer["audited"]}
    assert "does not reproduce" in reasons[suspects[0]]
    assert f"{suspects[1][:9]}:count.py:2: SyntaxError: '{{' was never closed" in reasons[suspects[1]]


@pytest.mark.slow
def test_an_end_that_does_not_reproduce_gives_no_verdict(project: Linear) -> None:
    project.add(0.5)
    project.add(0.5, FLAKY)
    answer = project.bisect(code=3)
    assert "does not reproduce" in answer["reason"]


@pytest.mark.slow
def test_a_change_that_came_with_a_merge_is_found_on_its_branch(project: Linear) -> None:
    project.add(0.5)
    project.git("checkout", "-q", "-b", "side")
    project.commit("beside it", {"other.txt": "1"})
    culprit = project.commit("changed here", {"count.py": COUNT.format(loss=0.25, number=1)})
    project.commit("after it", {"other.txt": "2"})
    project.git("checkout", "-q", "main")
    project.commit("on main", {"main.txt": "1"})
    project.git("merge", "-q", "--no-ff", "-m", "merge side", "side")
    project.commit("later", {"main.txt": "2"})
    answer = project.bisect(code=1)
    assert changed(answer) == [culprit]
    assert answer["changes"][0]["merged_by"]["subject"] == "merge side"


@pytest.mark.slow
def test_a_merge_that_changes_results_itself_is_named(project: Linear) -> None:
    project.add(0.5)
    project.git("checkout", "-q", "-b", "side")
    project.commit("on the side", {"other.txt": "1"})
    project.git("checkout", "-q", "main")
    project.commit("on main", {"main.txt": "1"})
    project.git("merge", "-q", "--no-ff", "--no-commit", "side")
    merge = project.commit("merge with an edit", {"count.py": COUNT.format(loss=0.25, number=1)})
    answer = project.bisect(code=1)
    assert changed(answer) == [merge]
    assert "a merge" in answer["changes"][0]["note"]


@pytest.mark.slow
def test_a_metric_that_got_worse_is_not_any_change(project: Linear) -> None:
    project.add(0.5)
    project.add(0.501)
    project.add(0.499)
    worse = project.add(0.6)
    project.add(0.61)
    answer = project.bisect("--metric", "loss", "--worse", "5%", code=1)
    assert changed(answer) == [worse]
    assert answer["criterion"] == {"metric": "loss", "worse": "5%"}
    assert project.bisect("--metric", "loss", "--worse", "50%", code=0)["changes"] == []
    assert "no metric accuracy" in project.bisect("--metric", "accuracy", "--worse", "5%", code=3)["reason"]


@pytest.mark.slow
def test_a_training_with_real_changes(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    start = project.git("rev-parse", "HEAD")
    project.commit("comments", {"train.py": REFACTORED})
    reordered = project.commit("sum in reverse", {"pipeline/model.py": REORDERED})
    project.commit("notes", {"notes.md": "text"})
    draw = project.commit("a draw more", {"pipeline/data.py": EXTRA_DRAW})
    rate = project.commit("another learning rate", {"train.py": HYPERPARAMETER})
    ran = reprocheck("bisect", f"{start}..", "train.py:train", "--all", "--format", "json", cwd=project.folder)
    assert ran.code == 1, ran.err
    assert changed(ran.json()) == [reordered, draw, rate]
    text = reprocheck("bisect", f"{start}..{reordered}", "train.py:train", cwd=project.folder)
    assert "this commit changed the results" in text.out
    assert "sum in reverse" in text.out
    assert "pipeline/model.py" in text.out


def test_bad_ranges_are_refused(project: Linear) -> None:
    name = project.add(0.5)
    for commits, message in [
        ("nothing..main", "git knows no such revision"),
        (f"main..{name}~1", "does not descend"),
        ("main", "GOOD..BAD"),
    ]:
        ran = reprocheck("bisect", commits, "count.py:train", cwd=project.folder)
        assert ran.code == 2
        assert message in ran.err
