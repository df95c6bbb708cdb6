"""`--against REV` on real histories: gates right on each commit, names the true line, leaves the checkout alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Ran, environment, reprocheck
from tests.support.history import EXTRA_DRAW, HYPERPARAMETER, REFACTORED, REORDERED, Project

COUNT = "def train(seed: int = 0):\n    return {'loss': 0.5 + seed}\n"
"""A target without PyTorch: its runs take no time."""
MOVED = COUNT.replace("0.5", "0.25")


def place(location: dict[str, Any]) -> dict[str, Any]:
    """Without the columns of the expression."""
    return {"path": location["path"], "line": location["line"]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    project.commit("count", {"count.py": COUNT})
    return project


def gate(project: Project, *arguments: str, folder: str = ".", **extra: str) -> Ran:
    """Without an explanation; nothing of a worktree may be left, and nothing of the checkout changed."""
    before = project.git("status", "--porcelain")
    ran = reprocheck(
        "run", "--no-explain", "--jobs", "2", *arguments, cwd=project.folder / folder, env=environment(**extra)
    )
    after = project.git("status", "--porcelain").replace(f"?? {folder}/.reprocheck/", "").strip()
    assert after.replace("?? .reprocheck/", "").strip() == before.strip()
    assert project.git("worktree", "list").count("\n") == 0
    return ran


def against(ran: Ran) -> Any:
    return ran.json()["against"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "line", "before", "after"),
    [
        ({"train.py": REFACTORED}, None, None, None),
        (
            {"pipeline/model.py": REORDERED},
            {"path": "pipeline/model.py", "line": 13},
            "for head in self.heads:",
            "for head in reversed(self.heads):",
        ),
        (
            {"pipeline/data.py": EXTRA_DRAW},
            {"path": "pipeline/data.py", "line": 7},
            None,
            "noise = torch.rand(1)  # for a log line",
        ),
        (
            {"train.py": HYPERPARAMETER},
            {"path": "train.py", "line": 11},
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)",
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.04, momentum=0.9)",
        ),
    ],
    ids=["refactored", "reordered", "extra draw", "hyperparameter"],
)
def test_gates_right_on_each_commit_with_the_true_line(
    tmp_path: Path, files: dict[str, str], line: Any, before: str | None, after: str | None
) -> None:
    project = Project(tmp_path / "project")
    project.commit("refactored", {"train.py": REFACTORED})
    if "train.py" in files and files["train.py"] == REFACTORED:
        revision = "HEAD~1"
    else:
        revision = "HEAD"
        project.write(files)  # not committed: the current side is what stands there
    ran = reprocheck(
        "run", "train.py:train", "--against", revision, "--threads", "1", "--jobs", "2", "--drift", "--format", "json",
        cwd=project.folder,
    )  # fmt: skip
    assert ran.code == (0 if line is None else 1), ran.out + ran.err
    answer = ran.json()
    found = answer["against"]
    if line is None:
        assert (found["verdict"], found["divergence"]) == ("reproducible", None)
        return
    assert place(answer["divergence"]["location"]) == place(found["here"]["location"]) == line
    assert found["here"]["code"] == after
    assert found["base"]["location"]["path"] == f"HEAD:{line['path']}"
    assert found["base"]["code"] == (before or found["base"]["code"])
    assert answer["explanation"]["origin"] is not None, answer["not_compared"]
    assert answer["explanation"]["origin"]["runs"] == ["HEAD", "current state"]
    assert [finding["code"] for finding in answer["findings"]] == ["RC310"]
    of_rounding = files.get("pipeline/model.py") == REORDERED
    assert answer["drift"]["floor"]["size"] == ("within" if of_rounding else "beyond"), answer["drift"]["sentence"]
    if line["path"] == "pipeline/data.py":
        assert answer["explanation"]["origin"]["kind"] == "extra"
        assert answer["explanation"]["origin"]["note"] == "from step 0 on, PyTorch's generator is in a different state"


@pytest.mark.slow
def test_streams_are_aligned_though_every_line_moved(tmp_path: Path) -> None:
    """Two changes, so that only the operation can name the line; and all lines have other numbers."""
    project = Project(tmp_path / "project")
    model = "# a long\n# header\n\n" + REORDERED.replace("hidden", "features")
    project.write({"pipeline/model.py": model, "train.py": "# a header\n" + HYPERPARAMETER.replace("0.04", "0.05")})
    ran = reprocheck(
        "run", "train.py:train", "--against", "HEAD", "--threads", "1", "--jobs", "2", "--format", "json",
        cwd=project.folder,
    )  # fmt: skip
    assert ran.code == 1, ran.out + ran.err
    answer = ran.json()
    origin = answer["explanation"]["origin"]
    assert origin["kind"] == "another"
    assert place(origin["call"]["frames"][0]["location"]) == {"path": "pipeline/model.py", "line": 17}
    assert place(origin["other"]["frames"][0]["location"]) == {"path": "HEAD:pipeline/model.py", "line": 14}
    assert origin["compared_ops"] > 20


def test_the_same_numbers(project: Project) -> None:
    ran = gate(project, "count.py:train", "--against", "HEAD", "--seeds", "2")
    assert ran.code == 0, ran.out + ran.err
    assert "no difference from HEAD" in ran.out.splitlines()[0]


@pytest.mark.slow
def test_moved_numbers_next_to_the_spread_over_seeds(project: Project) -> None:
    project.write({"count.py": MOVED, "untracked.md": "kept"})
    ran = gate(project, "count.py:train", "--against", "HEAD", "--seeds", "3")
    assert ran.code == 1, ran.out + ran.err
    assert "loss 1.5 -> 1.25, 0.25 of one standard deviation over 3 seeds" in ran.out
    assert "  --> count.py:2, first in metric" in ran.out
    assert " 2 | return {'loss': 0.25 + seed}" in ran.out
    assert "  ::: HEAD:count.py:2" in ran.out
    assert (project.folder / "count.py").read_text() == MOVED


@pytest.mark.slow
def test_allowed_to_move_but_not_to_stop_reproducing(project: Project) -> None:
    project.write({"count.py": MOVED})
    arguments = ("count.py:train", "--against", "HEAD", "--allow-different")
    assert gate(project, *arguments).code == 0
    project.write({"count.py": "import os\n\n" + COUNT.replace("0.5", "os.getpid()")})
    assert gate(project, *arguments).code == 1


@pytest.mark.slow
def test_a_revision_that_does_not_reproduce_cannot_be_compared_with(project: Project) -> None:
    project.commit("noise", {"count.py": "import os\n\n" + COUNT.replace("0.5", "os.getpid()")})
    project.write({"count.py": COUNT})
    ran = gate(project, "count.py:train", "--against", "HEAD", "--format", "json")
    assert ran.code == 3, ran.out + ran.err
    assert against(ran)["reason"] == "HEAD does not reproduce (seed 0)"


@pytest.mark.slow
def test_a_revision_that_fails_gives_no_verdict(project: Project) -> None:
    project.commit("broken", {"count.py": COUNT.replace("return", "raise ValueError('broken then')\n    return")})
    project.write({"count.py": COUNT})
    ran = gate(project, "count.py:train", "--against", "HEAD")
    assert ran.code == 3, ran.out + ran.err
    assert "broken then" in ran.out


@pytest.mark.slow
def test_only_one_side_takes_steps(project: Project) -> None:
    """What one side does and the other does not is a difference, not a gap."""
    project.write({"count.py": COUNT.replace("'loss': 0.5 + seed", "'loss': 0.5 + seed, 'accuracy': 1.0")})
    ran = gate(project, "count.py:train", "--against", "HEAD", "--format", "json")
    assert ran.code == 1, ran.out + ran.err
    assert against(ran)["divergence"]["names"] == ["accuracy"]
    assert [shift["name"] for shift in against(ran)["shifts"]] == ["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["-m", "pkg.main"], ["pkg/main.py"], ["pkg.main:train"], ["pkg/main.py:train"]])
def test_every_kind_of_target_runs_the_code_of_its_side(project: Project, arguments: list[str]) -> None:
    main = "from pkg.part import value\n\n\ndef train():\n    return value\n\n\nprint(value)\n"
    if arguments[0].startswith("pkg/"):  # a file finds its neighbours
        main = main.replace("pkg.part", "part")
    project.commit("a package", {"pkg/__init__.py": "", "pkg/main.py": main, "pkg/part.py": "value = 1.0\n"})
    project.write({"pkg/part.py": "value = 2.0\n"})
    ran = gate(project, *arguments, "--against", "HEAD", "--compare", "stdout", "--format", "json")
    assert ran.code == 1, ran.out + ran.err
    assert [change["here"]["path"] for change in against(ran)["changes"]] == ["pkg/part.py"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "base"), [("count.py", "HEAD:pipeline/count.py"), ("../count.py", "HEAD:count.py")])
def test_from_a_subfolder(project: Project, name: str, base: str) -> None:
    project.commit("below", {"pipeline/count.py": COUNT})
    moved = base.removeprefix("HEAD:")
    project.write({moved: MOVED})
    ran = gate(project, f"{name}:train", "--against", "HEAD", "--format", "json", folder="pipeline")
    assert ran.code == 1, ran.out + ran.err
    assert against(ran)["base"]["location"]["path"] == base


@pytest.mark.slow
def test_a_target_by_its_absolute_path(project: Project) -> None:
    project.write({"count.py": MOVED})
    ran = gate(project, f"{project.folder}/count.py:train", "--against", "HEAD", folder="pipeline")
    assert ran.code == 1, ran.out + ran.err


@pytest.mark.slow
@pytest.mark.parametrize("cause", ["by path", "installed"])
def test_a_revision_that_runs_other_code_has_no_verdict(project: Project, tmp_path: Path, cause: str) -> None:
    part = project.folder if cause == "by path" else tmp_path / "site"
    text = f"import sys\n\nsys.path.insert(0, {str(part)!r})\n\n"
    text += "from part import value\n\n\ndef train():\n    return value\n"
    project.commit("a part", {"count.py": text, "part.py": "value = 1.0\n"})
    if cause == "by path":
        project.write({"part.py": "value = 2.0\n"})
        ran = gate(project, "count.py:train", "--against", "HEAD", "--format", "json")
        assert ran.code == 3, ran.out + ran.err
        assert against(ran)["reason"] == "a run of HEAD imported part.py from the current state, by an absolute path"
        return
    (tmp_path / "site" / "hidden").mkdir(parents=True)
    (tmp_path / "site" / "hidden" / "__init__.py").write_text("def train():\n    return 1.0\n")
    ran = gate(project, "hidden:train", "--against", "HEAD", "--format", "json", PYTHONPATH=str(tmp_path / "site"))
    assert ran.code == 3, ran.out + ran.err
    assert "ran no code of this repository" in against(ran)["reason"]


@pytest.mark.slow
def test_an_editable_install_is_taken_from_the_revision(project: Project) -> None:
    project.commit(
        "src", {"src/lib.py": "value = 1.0\n", "use.py": "import lib\n\n\ndef train():\n    return lib.value\n"}
    )
    project.write({"src/lib.py": "value = 2.0\n"})
    path = str(project.folder / "src")
    ran = gate(project, "use.py:train", "--against", "HEAD", "--format", "json", PYTHONPATH=path)
    assert ran.code == 1, ran.out + ran.err
    assert against(ran)["here"]["location"] == {"path": "src/lib.py", "line": 1}


@pytest.mark.slow
def test_share(project: Project) -> None:
    text = "def train():\n    return float(open('data/number').read())\n"
    project.commit("reads data", {"count.py": text, ".gitignore": "data\n"})
    project.write({"data/number": "1.5"})
    assert gate(project, "count.py:train", "--against", "HEAD").code == 3
    assert gate(project, "count.py:train", "--against", "HEAD", "--share", "data").code == 0


@pytest.mark.slow
def test_in_fresh_copies_of_the_folder(project: Project) -> None:
    project.write({"count.py": MOVED})
    ran = gate(project, "count.py:train", "--against", "HEAD", "--workdir", "fresh", "--format", "json")
    assert ran.code == 1, ran.out + ran.err
    assert against(ran)["here"]["location"] == {"path": "count.py", "line": 2}


@pytest.mark.slow
def test_what_the_runs_write_is_no_change(project: Project) -> None:
    text = COUNT.replace("    return", "    open('weights.bin', 'w').write('1')\n    return")
    project.commit("writes", {"count.py": text})
    project.write({"count.py": text.replace("0.5", "0.25")})
    ran = reprocheck(
        "run", "--no-explain", "count.py:train", "--against", "HEAD", "--format", "json", cwd=project.folder
    )
    assert ran.code == 1, ran.out + ran.err
    assert (against(ran)["other_files"], against(ran)["here"]["location"]["line"]) == ([], 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new.py:train", "--against", "HEAD"], "error: new.py does not exist at HEAD ("),
        (["count.py:train", "--against", "nosuch"], "error: --against nosuch: git knows no such revision here"),
        (["count.py:test", "--against", "HEAD"], "there is no function test (at HEAD)"),
        (
            ["count.py:train", "--against", "HEAD", "--share", "no"],
            "error: --share no: there is no such file or folder",
        ),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(project: Project, arguments: list[str], message: str) -> None:
    project.write({"new.py": COUNT, "count.py": COUNT + "\n\ntest = train\n"})
    ran = gate(project, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_outside_of_any_repository(tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(COUNT)
    ran = reprocheck("run", "count.py:train", "--against", "HEAD", cwd=tmp_path)
    assert ran.code == 2
    assert "--against needs a git repository" in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_takes_the_worktree_away(project: Project, tmp_path: Path, number: signal.Signals) -> None:
    project.commit("slow", {"count.py": "import time\n\n\ndef train():\n    time.sleep(100)\n"})
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "reprocheck", "run", "count.py:train", "--against", "HEAD", "-v"],
        cwd=project.folder,
        env=environment(TMPDIR=str(tmp_path / "tmp")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "started" not in process.stderr.readline():
        assert process.poll() is None
    assert project.git("worktree", "list").count("\n") == 1
    time.sleep(0.2)
    os.kill(process.pid, number)
    assert process.wait(60) == 130
    process.stderr.close()
    assert project.git("worktree", "list").count("\n") == 0
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.slow
def test_a_target_without_pytorch_has_no_operations_and_the_summary_begins_with_what_moved(project: Project) -> None:
    project.write({"count.py": MOVED, "unused.py": "X = 1\n"})
    ran = reprocheck(
        "run", "--against", "HEAD", "--repeats", "2", "count.py:train", "--format", "json", cwd=project.folder
    )
    answer = ran.json()
    assert ran.code == 1
    assert answer["summary"].startswith("the results changed since HEAD")
    assert {"what": "operations", "reason": "the runs did none in PyTorch"}.items() <= next(
        item.items() for item in answer["not_compared"] if item["what"] == "operations"
    )
    assert answer["explanation"]["runs"] <= 2
    assert answer["against"]["here"]["location"]["line"] == 2
