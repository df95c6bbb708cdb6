"""The commits between two revisions, as git has them. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reprocheck.commands.bisect.model import Commit
from reprocheck.engine.revision import find_top, git, resolve
from reprocheck.errors import UsageError

_FORMAT = "%H%x00%T%x00%P%x00%s"
_WHO = "bisect"


class History:
    """The commits of one checkout."""

    def __init__(self, cwd: Path) -> None:
        self.top = find_top(cwd, _WHO)
        self._known: dict[str, Commit] = {}

    def commit(self, revision: str) -> Commit:
        """The commit that a revision names. Raises UsageError."""
        name = resolve(revision, self.top, _WHO)
        if name not in self._known:
            self._read("--no-walk", name)
        return self._known[name]

    def path(self, good: Commit, bad: Commit) -> list[Commit]:
        """From `good` to `bad`, both included: of a merge the first parent that descends from `good`. Raises UsageError
        where `bad` does not descend from `good`.
        """
        inside = self._read("--ancestry-path", f"{good.hash}..{bad.hash}")
        if bad.hash not in inside:
            raise UsageError(
                f"{bad.name} does not descend from {good.name}: no commit lies between them",
                "name an ancestor first: GOOD..BAD; `git merge-base GOOD BAD` prints one that both share",
            )
        path = [bad]
        while path[-1] != good:
            parent = next(name for name in path[-1].parents if name in inside or name == good.hash)
            path.append(self.commit(parent))
        return path[::-1]

    def fork(self, one: Commit, other: str) -> Commit | None:
        """The newest commit that both descend from; None where there is none."""
        found = git(self.top, "merge-base", "--all", one.hash, other, may_fail=True).split()
        return self.commit(found[0]) if found else None

    def changed_files(self, before: Commit, after: Commit) -> tuple[str, ...]:
        """The files in which two commits differ."""
        names = git(self.top, "diff", "--name-only", "--no-renames", "-z", before.hash, after.hash)
        return tuple(sorted({name for name in names.split("\0") if name}))

    def _read(self, *what: str) -> set[str]:
        output = git(self.top, "log", f"--format={_FORMAT}", "-z", *what)
        # NOTE: -z ends each entry with a NUL, as the format ends each field but the last with one.
        fields = output.split("\0") if output else []
        found = {commit.hash: commit for commit in _commits(fields)}
        self._known |= found
        return set(found)


def _commits(fields: list[str]) -> Iterable[Commit]:
    for start in range(0, len(fields) - 3, 4):
        name, tree, parents, subject = fields[start : start + 4]
        yield Commit(hash=name, tree=tree, parents=tuple(parents.split()), subject=subject)
