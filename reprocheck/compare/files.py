"""The files of two runs → same, different, or not compared and why."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from reprocheck.model import Compare, Evidence, FileRecord, Informational, NotCompared, Request
from reprocheck.protocol.names import IN_TEMPORARY

UNTOUCHED = ("found", "absent")
SHARED = "shared"
MOST_NAMED = 5

VOLATILE_IN_NAMES = re.compile(
    r"tfevents\.\d+\.[^/]*"
    r"|(?<!\d)(?:19|20)\d\d([-_.]?)[01]\d\1[0-3]\d"
    r"(?:[-_T. @/]{0,2}[0-2]\d[-_:.h]?[0-5]\d(?:[-_:.m]?[0-5]\d(?:[.,]?\d+|[-_]\d{6})?)?)?(?!\d)"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[0-3]\d[-_][0-2]\d-[0-5]\d-[0-5]\d"
    r"|(?<![\d.])1[4-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?(?!\d)"
    r"|(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"
    r"|(?<![A-Za-z0-9])tmp[a-z0-9_]{8}(?![A-Za-z0-9_])"
)
"""Dates, times, seconds since 1970 and random identifiers, as loggers and `tempfile` put them into names of files and
folders."""
_HOST = platform.node()


@dataclass
class _Paths:
    """The files of two runs by how they compare."""

    equal: int = 0
    changed: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    """In one run only."""
    shared: list[str] = field(default_factory=list)
    """Equal, but written by both runs in the same folder at the same time."""
    left_over: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    """By the run that wrote, the one that did not, and the kind of what that one has."""


def compare_files(a: Evidence, b: Evidence, request: Request) -> tuple[Informational, list[NotCompared]]:
    """`found` and `absent` files were written or removed by another run of the audit, and this one left them so."""
    decides = Compare.FILES in request.compare
    left, right = ({file.path: file for file in run.files} for run in (a, b))
    paths = _sorted_paths(a, b, left, right)
    found = [path for (_, _, kind), names in paths.left_over.items() if kind == "found" for path in names]
    matched = _matched([*paths.only, *found], a, b, left, right)
    done = {path for _, one, other in matched for path in (one, other)}
    only = [path for path in paths.only if path not in done]
    for key, names in paths.left_over.items():
        paths.left_over[key] = [path for path in names if path not in done]
    renamed = [name for name, one, other in matched if is_same(left[one], right[other])]
    other_names = [name for name, one, other in matched if not is_same(left[one], right[other])]
    detail = ", ".join(
        [f"{path} {_how(left[path], right[path])}" for path in paths.changed[:MOST_NAMED]]
        + [f"{name} differs" for name in other_names[:MOST_NAMED]]
        + [f"{path} in one run only" for path in only[:MOST_NAMED]]
    )
    differing = len(paths.changed) + len(other_names)
    if max(len(paths.changed), len(other_names), len(only)) > MOST_NAMED:
        detail += f" ({differing} differ, {len(only)} in one run only)"
    same = not differing and not only
    equal = paths.equal + len(renamed)
    if same and equal:
        detail = f"{equal} file{'s' if equal > 1 else ''} written, equal"
    if matched:
        detail += (
            f"; compared without the times and process numbers in their names: {_some([n for n, _, _ in matched])}"
        )
    partly = [(path, left[path], right[path]) for path in left.keys() & right.keys()]
    partly += [(name, left[one], right[other]) for name, one, other in matched]
    missing = [*_missing(paths, a, b, decides), *(_not_counted(partly) if decides else ())]
    return Informational(what="files", same=same, detail=detail, decides=decides), missing


def _not_counted(files: list[tuple[str, FileRecord, FileRecord]]) -> Iterator[NotCompared]:
    """Values of equal files that differ under names of times and speeds: a user may have given another meaning."""
    groups: dict[str, list[str]] = {}
    for name, one, other in sorted(files, key=lambda file: file[0]):
        if is_same(one, other) and (left_out := _left_out(one, other)):
            groups.setdefault(left_out, []).append(name)
    for left_out, names in groups.items():
        yield NotCompared(
            what=f"{left_out} in {_named(names)}",
            reason="it differs, and its name says that it measures the run",
            is_result=False,
            help="give results other names than those of times, speeds and memory",
        )


def _sorted_paths(a: Evidence, b: Evidence, left: dict[str, FileRecord], right: dict[str, FileRecord]) -> _Paths:
    paths = _Paths()
    for path in sorted({*left, *right}):
        one, other = left.get(path), right.get(path)
        if path.startswith(IN_TEMPORARY) and any(file is None or file.kind in UNTOUCHED for file in (one, other)):
            continue  # most names there are made up
        if one is None or other is None:
            if (one or other).kind not in UNTOUCHED:  # type: ignore[union-attr]
                paths.only.append(path)
        elif one.kind in UNTOUCHED or other.kind in UNTOUCHED:
            if one.kind in UNTOUCHED and other.kind in UNTOUCHED:
                continue
            writer, reader = (b, a) if one.kind in UNTOUCHED else (a, b)
            wrote, met = (other, one) if one.kind in UNTOUCHED else (one, other)
            if met.kind == "found" and wrote.kind != "removed" and not _looked_at(reader, path):
                paths.only.append(path)
            elif (wrote.kind == "removed") is (met.kind == "absent"):
                paths.left_over.setdefault((writer.spec.id, reader.spec.id, met.kind), []).append(path)
            else:
                paths.changed.append(path)
        elif not is_same(one, other):
            paths.changed.append(path)
        elif one.kind == SHARED and a.spec.cwd == b.spec.cwd:
            paths.shared.append(path)
        else:
            paths.equal += 1
    return paths


def _missing(paths: _Paths, a: Evidence, b: Evidence, decides: bool) -> list[NotCompared]:
    """What could not be compared because the runs used one folder."""
    missing = []
    for (writer_id, reader_id, kind), names in paths.left_over.items():
        if not names:
            continue
        reason = f"{writer_id} wrote it and {reader_id} found it there and left it"
        if kind == "absent":
            reason = f"{writer_id} removed it and {reader_id} did not find it"
        help = "give every run a folder of its own: --workdir fresh"
        missing.append(NotCompared(what=_named(names), reason=reason, is_result=decides, help=help))
    if paths.shared:
        reason = f"{a.spec.id} and {b.spec.id} ran side by side and wrote over each other's"
        help = "give every run a folder of its own, --workdir fresh, or run one at a time, --jobs 1"
        missing.append(NotCompared(what=_named(paths.shared), reason=reason, is_result=decides, help=help))
    return missing


Matched = list[tuple[str, str, str]]
"""A name without what differs in every run, and the two that it stands for."""


def _matched(
    only: list[str], a: Evidence, b: Evidence, left: dict[str, FileRecord], right: dict[str, FileRecord]
) -> Matched:
    """Files in one run only whose names differ in a time, a host or a process number: those that belong together."""
    groups: dict[str, tuple[list[str], list[str]]] = {}
    for path in only:
        for side, (run, files) in enumerate(((a, left), (b, right))):
            if path in files and files[path].kind not in UNTOUCHED:
                groups.setdefault(_steady_name(path, run.pid), ([], []))[side].append(path)
    return [
        (name, one, other)
        for name, (ones, others) in sorted(groups.items())
        if len(ones) == len(others)
        for one, other in zip(ones, others, strict=True)
    ]


def _steady_name(path: str, pid: int) -> str:
    name = VOLATILE_IN_NAMES.sub("*", path)
    for word in (str(pid) if pid else "", _HOST):
        if word:
            name = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", "*", name)
    return name


def _looked_at(run: Evidence, path: str) -> bool:
    """Whether a run may have gone another way because of a file: runs that explain do not count."""
    whole = os.path.realpath(os.path.join(run.spec.cwd, path))
    return not run.spec.is_plain or whole in run.reads or os.path.dirname(whole) in run.reads


def is_same(one: FileRecord, other: FileRecord) -> bool:
    """Equal bytes, or equal contents in a format that is read by value."""
    return one.kind == other.kind and (one.digest == other.digest or bool(_equal_contents(one, other)))


def _equal_contents(one: FileRecord, other: FileRecord) -> set[str]:
    return set(one.contents) & set(other.contents)


def without(names: Collection[str]) -> str:
    """What the format of a file's contents says of the names whose values are left out."""
    listed = [name.replace('"', "'").replace(":", " ") for name in sorted(names)]
    return f'{_WITHOUT}"{_some(listed)}"' if listed else ""


_WITHOUT = " without "


def _left_out(one: FileRecord, other: FileRecord) -> str:
    """Names of values that do not count, where two files of other bytes are the same; empty where all of them do."""
    equal = _equal_contents(one, other)
    if one.digest == other.digest or not all(_WITHOUT in content for content in equal):
        return ""
    return min((content.rpartition(":")[0].partition(_WITHOUT)[2] for content in equal), default="")


def _how(one: FileRecord, other: FileRecord) -> str:
    if "removed" in (one.kind, other.kind):
        return "removed in one run only"
    return "differs"


def _named(paths: list[str]) -> str:
    return f"file {paths[0]}" if len(paths) == 1 else f"files {_some(paths)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
