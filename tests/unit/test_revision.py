"""A revision in a temporary worktree: what is checked out, and that nothing of it stays. Real repositories, no runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reprocheck.engine.revision import (
    Revision,
    changed_files,
    check_out,
    environment,
    find_top,
    refuse_missing,
    remove,
    resolve,
)
from reprocheck.errors import NoVerdictError, UsageError
from reprocheck.model import Target, TargetKind
from tests.support.history import REORDERED, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    project.commit("reordered", {"pipeline/model.py": REORDERED})
    return project


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    return tmp_path / "tmp" / "revision"


def worktrees(project: Project) -> int:
    return len(project.git("worktree", "list").splitlines())


class TestCheckOut:
    def test_it_has_the_files_of_the_revision_and_goes_away(self, project: Project, worktree: Path) -> None:
        revision = check_out("HEAD~1", project.folder, worktree)
        assert "in self.heads:" in (worktree / "pipeline/model.py").read_text()
        assert revision.commit == project.git("rev-parse", "HEAD~1")
        (worktree / "left behind").write_text("by the target")
        remove(revision)
        assert (worktrees(project), worktree.exists()) == (1, False)

    def test_the_checkout_stays_as_it_is(self, project: Project, worktree: Path) -> None:
        project.write({"train.py": "# not committed\n", "new.py": "# untracked\n", "staged.py": "# staged\n"})
        project.git("add", "staged.py")
        before = project.git("status", "--porcelain"), project.git("branch", "--list")
        remove(check_out("HEAD~1", project.folder, worktree))
        assert (project.git("status", "--porcelain"), project.git("branch", "--list")) == before
        assert (project.folder / "train.py").read_text() == "# not committed\n"

    def test_from_a_subfolder(self, project: Project, worktree: Path) -> None:
        revision = check_out("HEAD", project.folder / "pipeline", worktree)
        assert revision.moved(project.folder / "pipeline") == worktree / "pipeline"
        remove(revision)

    def test_hooks_do_not_run(self, project: Project, worktree: Path, tmp_path: Path) -> None:
        hook = project.folder / ".git/hooks/post-checkout"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
        remove(check_out("HEAD~1", project.folder, worktree))
        assert not (tmp_path / "ran").exists()

    def test_inside_a_hook_of_another_repository(
        self, project: Project, worktree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_DIR", "/nowhere")
        revision = check_out("HEAD~1", project.folder, worktree)
        remove(revision)
        monkeypatch.delenv("GIT_DIR")
        assert worktrees(project) == 1

    def test_what_is_no_repository(self, tmp_path: Path, worktree: Path) -> None:
        with pytest.raises(UsageError, match="needs a git repository"):
            check_out("HEAD", tmp_path, worktree)

    def test_an_unknown_revision(self, project: Project, worktree: Path) -> None:
        for text in ("nosuch", "--all", "HEAD~99", ""):
            with pytest.raises(UsageError, match="git knows no such revision"):
                check_out(text, project.folder, worktree)
        assert worktrees(project) == 1

    def test_a_failure_leaves_nothing(self, project: Project, worktree: Path) -> None:
        with pytest.raises(UsageError, match="no such file or folder"):
            check_out("HEAD~1", project.folder, worktree, ["nothing"])
        assert (worktrees(project), worktree.exists()) == (1, False)

    def test_git_that_cannot_be_run_is_not_taken_for_a_missing_repository(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(NoVerdictError, match="git rev-parse cannot be run"):
            find_top(project.folder)


class TestSubmodules:
    @pytest.fixture
    def library(self, project: Project, tmp_path: Path) -> Project:
        library = Project(tmp_path / "library")
        project.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.folder), "library")
        project.commit("with a library", {})
        return library

    def test_they_are_at_the_commit_of_the_revision(self, project: Project, library: Project, worktree: Path) -> None:
        inner = project.folder / "library"
        wanted = project.git("rev-parse", "HEAD:library")
        library.commit("newer", {"train.py": "newer = True\n"})
        for arguments in (["fetch", "-q"], ["checkout", "-q", "origin/main"]):
            subprocess.run(["git", "-C", str(inner), *arguments], check=True)
        project.commit("newer library", {})
        revision = check_out("HEAD~1", project.folder, worktree)
        assert "newer" not in (worktree / "library/train.py").read_text()
        assert "newer" in (inner / "train.py").read_text()
        found = subprocess.run(
            ["git", "-C", str(worktree / "library"), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == wanted
        remove(revision)
        listed = subprocess.run(
            ["git", "-C", str(inner), "worktree", "list"], capture_output=True, text=True, check=True
        )
        assert len(listed.stdout.splitlines()) == 1

    def test_a_commit_that_is_not_here(self, project: Project, library: Project, worktree: Path) -> None:
        project.git("update-index", "--cacheinfo", f"160000,{'1' * 40},library")
        project.git("commit", "-q", "-m", "a commit that nobody has")
        with pytest.raises(NoVerdictError, match="the submodule library is needed at commit 111111111111"):
            check_out("HEAD", project.folder, worktree)
        assert (worktrees(project), worktree.exists()) == (1, False)


class TestPaths:
    @pytest.fixture
    def revision(self, tmp_path: Path) -> Revision:
        (tmp_path / "project").mkdir()
        return Revision(text="v1", commit="c" * 40, top=tmp_path / "project", worktree=tmp_path / "tree")

    def test_moved(self, revision: Revision, tmp_path: Path) -> None:
        top, tree = revision.top, revision.worktree
        assert revision.moved(top / "sub" / ".." / "train.py") == tree / "train.py"
        assert revision.moved(top) == tree
        assert revision.moved(tmp_path / "projects") == tmp_path / "projects"

    def test_a_link_to_the_checkout_is_the_checkout(self, revision: Revision, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(revision.top)
        assert revision.moved(tmp_path / "link" / "train.py") == revision.worktree / "train.py"

    def test_a_link_inside_the_checkout_stays_one(self, revision: Revision, tmp_path: Path) -> None:
        (revision.top / "data").symlink_to(tmp_path)
        assert revision.moved(revision.top / "data") == revision.worktree / "data"

    def test_named_as_git_names_it(self, revision: Revision) -> None:
        assert revision.named(str(revision.worktree / "a" / "b.py")) == "v1:a/b.py"
        assert revision.named("/usr/lib/x.py") == "/usr/lib/x.py"

    def test_what_the_revision_has_not(self, revision: Revision) -> None:
        revision.worktree.mkdir()
        target = Target(text="train.py", kind=TargetKind.SCRIPT, path=revision.top / "train.py")
        with pytest.raises(UsageError, match=r"^train.py does not exist at v1 \(ccccccccc\)\n"):
            refuse_missing(revision, target, revision.top)
        with pytest.raises(UsageError, match=r"^the folder new does not exist at v1"):
            refuse_missing(revision, target, revision.top / "new")

    def test_python_finds_the_code_of_the_revision(self, revision: Revision) -> None:
        given = os.pathsep.join([str(revision.top / "src"), "/elsewhere", "relative"])
        found = environment(revision, {"PYTHONPATH": given, "HOME": "/h"})
        assert found["PYTHONPATH"].split(os.pathsep)[:3] == [str(revision.worktree / "src"), "/elsewhere", "relative"]
        assert found["HOME"] == "/h"

    def test_reprocheck_is_never_taken_from_the_revision(self, revision: Revision) -> None:
        own = Path(__file__).resolve().parents[2]
        in_own = Revision(text="v1", commit="c" * 40, top=own, worktree=revision.worktree)
        found = environment(in_own, {"PYTHONPATH": str(own)})
        assert str(own) in found["PYTHONPATH"].split(os.pathsep)
        assert str(revision.worktree) not in found["PYTHONPATH"].split(os.pathsep)


def test_share_links_what_git_does_not_keep(project: Project, worktree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write({".gitignore": "data\n", "data/numbers.txt": "1 2 3"})
    monkeypatch.chdir(project.folder)
    revision = check_out("HEAD", project.folder, worktree, ["data", "train.py"])
    assert (worktree / "data" / "numbers.txt").read_text() == "1 2 3"
    assert not (worktree / "train.py").is_symlink()
    remove(revision)
    assert (project.folder / "data" / "numbers.txt").read_text() == "1 2 3"


def test_changed_files_are_those_of_the_working_state(project: Project, worktree: Path) -> None:
    project.write({"train.py": "# changed\n", "new.yaml": "a: 1\n", ".gitignore": "*.bin\n", "x.bin": ""})
    revision = check_out("HEAD~1", project.folder, worktree)
    assert changed_files(revision) == (".gitignore", "new.yaml", "pipeline/model.py", "train.py")
    remove(revision)


def test_a_tag_and_a_commit_are_revisions(project: Project) -> None:
    project.git("tag", "-a", "v1", "-m", "annotated", "HEAD~1")
    commit = project.git("rev-parse", "HEAD~1")
    assert resolve("v1", project.folder) == resolve(commit[:10], project.folder) == commit
