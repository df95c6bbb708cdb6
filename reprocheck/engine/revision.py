"""A git revision of the user's project in a temporary worktree, with what is needed to run a target from it.

The user's checkout is only read. Submodules come from their own local repositories: nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprocheck.engine.plan import Planner
from reprocheck.errors import NoVerdictError, UsageError
from reprocheck.model import Target
from reprocheck.protocol.package import PACKAGE_FOLDER

PREFIX = "base-"
"""Before the names of runs of the revision."""
_SECONDS = 300
_WHO = "--against"
_OWN = Path(PACKAGE_FOLDER).resolve().parent
"""Where reprocheck itself is imported from: in its own checkout, runs of a revision still need the current one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision that was checked out."""

    text: str
    """As the user named it."""
    commit: str
    top: Path
    """The user's checkout."""
    worktree: Path
    """The temporary one."""
    submodules: tuple[Path, ...] = ()
    """Of the user's checkout: those that the worktree has, too."""

    def moved(self, path: Path) -> Path:
        """The same path in the worktree; a path outside the checkout stays."""
        plain = Path(os.path.normpath(path))
        for known in (plain, plain.resolve()):  # a link inside the checkout is a link in the worktree, too
            if known.is_relative_to(self.top):
                return self.worktree / known.relative_to(self.top)
        return path

    def named(self, path: str) -> str:
        """A file of the worktree as git writes it: `HEAD~1:train.py`. Any other path stays."""
        for name in (path, os.path.realpath(path)):
            if Path(name).is_relative_to(self.worktree):
                return f"{self.text}:{Path(name).relative_to(self.worktree).as_posix()}"
        return path


def find_top(cwd: Path, who: str = _WHO) -> Path:
    """The checkout that `cwd` lies in. `who` needs it. Raises UsageError."""
    try:
        top = git(cwd, "rev-parse", "--show-toplevel")
    except NoVerdictError as error:
        if "not a git repository" not in error.message:
            raise
        raise UsageError(
            f"{who} needs a git repository, and {cwd} is in none", "start the audit inside the project's checkout"
        ) from error
    return Path(top).resolve()


def resolve(text: str, cwd: Path, who: str = _WHO) -> str:
    """The commit that a revision names. Raises UsageError."""
    try:
        return git(cwd, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    except NoVerdictError as error:
        raise UsageError(
            f"{who} {text}: git knows no such revision here",
            "a shallow clone has only the newest commits: fetch more of them first",
        ) from error


def check_out(text: str, cwd: Path, worktree: Path, share: Iterable[str] = ()) -> Revision:
    """Check a revision out next to the user's checkout. Raises UsageError or NoVerdictError."""
    top = find_top(cwd)
    commit = resolve(text, cwd)
    revision = Revision(text=text, commit=commit, top=top, worktree=worktree.resolve())
    try:
        git(top, "worktree", "add", "--detach", "--force", str(worktree), commit)
        for path, wanted in _submodules(top, commit):
            revision = replace(revision, submodules=(*revision.submodules, top / path))
            _check_out_submodule(top / path, worktree / path, wanted)
        _share(revision, share)
    except BaseException:
        remove(revision)
        raise
    return revision


def remove(revision: Revision) -> None:
    """Take the worktree away again, whatever the target left in it."""
    shutil.rmtree(revision.worktree, ignore_errors=True)
    for folder in (revision.top, *revision.submodules):
        with suppress(NoVerdictError):
            git(folder, "worktree", "prune")


def repositories_of(worktree: Path) -> set[Path]:
    """The git folders that know of a worktree, and of those of its submodules."""
    found = set()
    for folder, _, files in os.walk(worktree):
        if ".git" in files:
            with suppress(OSError, ValueError):
                output = Path(folder, ".git").read_bytes()[:4096].decode().strip()
                own = Path(folder, output.removeprefix("gitdir: "))
                if own.parent.name == "worktrees":
                    found.add(own.parent.parent)
    return found


def forget_worktrees(repositories: Iterable[Path]) -> None:
    """Let repositories drop worktrees that are gone."""
    for repository in repositories:
        with suppress(NoVerdictError):
            git(repository, "worktree", "prune")


def refuse_missing(revision: Revision, target: Target, cwd: Path) -> None:
    """The target and the current folder have to be in the revision. Raises UsageError."""
    for path, what in ((cwd, "the folder "), (target.path, "")):
        if path is not None and not revision.moved(path).exists():
            place = revision.moved(path)
            name = place.relative_to(revision.worktree) if place.is_relative_to(revision.worktree) else place
            raise UsageError(
                f"{what}{name} does not exist at {revision.text} ({revision.commit[:9]})",
                "name a revision that has it",
            )


def changed_files(revision: Revision) -> tuple[str, ...]:
    """Files of the repository that are not as the revision has them, by their names in it. Raises NoVerdictError."""
    output = git(revision.top, "diff", "--name-only", "--no-renames", "-z", revision.commit)
    new = git(revision.top, "ls-files", "--others", "--exclude-standard", "-z")
    return tuple(sorted({name for name in (output + "\0" + new).split("\0") if name}))


def moved_planner(revision: Revision, planner: Planner) -> Planner:
    """Plans runs of the revision as those of the current state are planned."""
    target = planner.request.target
    path = None if target.path is None else revision.moved(target.path)
    return replace(
        planner,
        request=replace(planner.request, target=replace(target, path=path)),
        environ=environment(revision, planner.environ),
        cwd=revision.moved(planner.cwd),
        prefix=PREFIX,
    )


def environment(revision: Revision, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for runs of the revision: packages that are installed from the checkout come from the worktree.

    An editable install would otherwise give the revision the current code.
    """
    moved = [str(revision.moved(path)) for path in _installed_from(revision.top)]
    given = [
        str(revision.moved(Path(entry))) if os.path.isabs(entry) and Path(entry).resolve() != _OWN else entry
        for entry in environ.get("PYTHONPATH", "").split(os.pathsep)
        if entry
    ]
    paths = list(dict.fromkeys([*given, *moved]))
    return {**environ, **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}


def _installed_from(top: Path) -> list[Path]:
    """Folders of the checkout that this interpreter imports from: path files and editable installs."""
    found = [Path(entry) for entry in sys.path if entry and os.path.isabs(entry)]
    for finder in sys.meta_path:
        module: Any = sys.modules.get(getattr(finder, "__module__", "") or "")
        mapping = getattr(module, "MAPPING", None)
        if isinstance(mapping, dict):
            found += [Path(str(place)).parent for place in mapping.values()]
    inside = []
    for path in found:
        resolved = path.resolve()
        is_users = resolved.is_relative_to(top) and "site-packages" not in resolved.parts
        if is_users and resolved != _OWN:
            inside.append(resolved)
    return list(dict.fromkeys(inside))


def _submodules(top: Path, commit: str) -> Iterator[tuple[str, str]]:
    """Path and commit of the submodules of a revision that the checkout has."""
    for line in git(top, "ls-tree", "-r", commit).splitlines():
        head, _, path = line.partition("\t")
        mode, _, wanted = head.split()
        if mode == "160000" and (top / path / ".git").exists():
            yield path, wanted


def _check_out_submodule(source: Path, place: Path, wanted: str) -> None:
    """At the commit that the revision asks for, from the repository that the checkout has of it."""
    try:
        git(source, "worktree", "add", "--detach", "--force", str(place), wanted)
    except NoVerdictError as error:
        raise NoVerdictError(
            f"the submodule {source.name} is needed at commit {wanted[:12]}, which its repository here does not have",
            f"git -C {source} fetch",
        ) from error


def _share(revision: Revision, share: Iterable[str]) -> None:
    """Link what git does not keep (data sets, say) from the checkout into the worktree."""
    for name in share:
        source = (Path.cwd() / name).resolve()
        place = revision.moved(source)
        if not source.exists() or place == source:
            raise UsageError(f"--share {name}: there is no such file or folder in {revision.top}")
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(source)


def git(folder: Path, *arguments: str, may_fail: bool = False) -> str:
    """What git says; with `may_fail` nothing where it fails. Raises NoVerdictError."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            # The hooks of the user's repository are for the user's own checkouts.
            ["git", "-C", str(folder), "-c", f"core.hooksPath={os.devnull}", *arguments],
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=_SECONDS,
            env={**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoVerdictError(f"git {arguments[0]} cannot be run: {error}") from error
    if done.returncode and may_fail:
        return ""
    if done.returncode:
        output = " ".join(done.stderr.split())[-300:]
        raise NoVerdictError(f"git {arguments[0]} failed: {output or f'exit code {done.returncode}'}")
    return done.stdout.strip()
