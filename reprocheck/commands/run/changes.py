"""What was changed between a revision and the current state in the code that ran, and whether each side ran its own.

Reads the sources of both sides while the worktree of the revision is still there.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from reprocheck.engine.revision import Revision, changed_files
from reprocheck.model import Against, Change, Evidence, Location
from reprocheck.model.places import is_notebook
from reprocheck.protocol.reading import read_source

MOST_CHANGES = 200
MOST_LINES = 50
"""Of one change."""
_LARGEST = 2 * 2**20
_DOCUMENTS = frozenset({".md", ".rst"})


def why_not_own_code(revision: Revision, base: Iterable[Evidence], shared: Iterable[str]) -> str:
    """Why the runs of the revision did not run the revision's code; empty when they did."""
    exempt = [Path(name).resolve() for name in shared]
    for evidence in base:
        own = False
        for path in _sources(evidence):
            if path.is_relative_to(revision.worktree):
                own = True
            elif path.is_relative_to(revision.top) and not any(map(path.is_relative_to, exempt)):
                name = path.relative_to(revision.top)
                return f"a run of {revision.text} imported {name} from the current state, by an absolute path"
        if not own:
            return f"the runs of {revision.text} ran no code of this repository: an installed copy hides it"
    return ""


def with_changes(against: Against, revision: Revision, base: Sequence[Evidence], here: Sequence[Evidence]) -> Against:
    """With what was changed, where results changed: in the code that ran, comments and layout aside, and elsewhere."""
    if against.divergence is None:
        return against
    code = _ran(revision, base, here)
    changes = [change for name in code for change in _in_file(revision, name)]
    known = {*code, *_written(revision, here)}
    others = (name for name in changed_files(revision) if name not in known and Path(name).suffix not in _DOCUMENTS)
    return replace(against, changes=tuple(changes[:MOST_CHANGES]), other_files=tuple(others))


def _ran(revision: Revision, base: Iterable[Evidence], here: Iterable[Evidence]) -> list[str]:
    """The files of the repository that ran on either side, by their names in it."""
    names = set()
    for root, side in ((revision.worktree, base), (revision.top, here)):
        for path in {path for evidence in side for path in _sources(evidence)}:
            if path.is_relative_to(root):
                names.add(path.relative_to(root).as_posix())
    return sorted(names)


def _written(revision: Revision, here: Iterable[Evidence]) -> Iterator[str]:
    """What the runs left in the checkout themselves."""
    for evidence in here:
        for file in evidence.files:
            path = Path(os.path.normpath(evidence.spec.cwd / file.path))
            if path.is_relative_to(revision.top):
                yield path.relative_to(revision.top).as_posix()


def _sources(evidence: Evidence) -> Iterator[Path]:
    """The user's files that a run imported, by their places in the folder that its own was a copy of."""
    spec = evidence.spec
    for name in evidence.sources:
        path = Path(name)
        if spec.copy_of is not None and path.is_relative_to(spec.cwd):
            path = spec.copy_of / path.relative_to(spec.cwd)
        yield path


def _in_file(revision: Revision, name: str) -> Iterator[Change]:
    before, after = _text(revision.worktree / name), _text(revision.top / name)
    if _parsed(before) == _parsed(after):
        return
    places, old = _numbered(before, name)
    places_new, new = _numbered(after, name)
    for tag, i, i_end, j, j_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal" or not any(map(_has_content, [*old[i:i_end], *new[j:j_end]])):
            continue
        i, j = i + _silent(old[i:i_end]), j + _silent(new[j:j_end])
        yield Change(
            here=Location(path=str(revision.top / name), line=_number(places_new, j)),
            base=Location(path=f"{revision.text}:{name}", line=_number(places, i)),
            before=tuple(line.strip() for line in old[i:i_end][:MOST_LINES]),
            after=tuple(line.strip() for line in new[j:j_end][:MOST_LINES]),
        )


def _numbered(text: str, name: str) -> tuple[list[int], list[str]]:
    """The lines and their numbers; of a notebook those that are not empty: there is much room between cells."""
    lines = text.splitlines()
    kept = [number for number, line in enumerate(lines, 1) if not is_notebook(name) or line.strip()]
    return kept, [lines[number - 1] for number in kept]


def _number(places: Sequence[int], place: int) -> int:
    return places[max(0, min(place, len(places) - 1))] if places else 1


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _silent(lines: Sequence[str]) -> int:
    """How many lines at the start are blank or comments."""
    return next((number for number, line in enumerate(lines) if _has_content(line)), len(lines))


def _text(path: Path) -> str:
    """Empty for a file that is not there, is too large or cannot be read."""
    try:
        data = read_source(path)
        return data.decode("utf-8", "replace") if len(data) - data.count(b"\n") <= _LARGEST else ""
    except OSError:
        return ""


def _parsed(text: str) -> str:
    try:
        return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
