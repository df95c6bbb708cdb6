"""The files of two runs → same, different, or not compared and why."""

from __future__ import annotations

import os

from reprocheck.model import Compare, Evidence, FileRecord, Informational, NotCompared, Request

UNTOUCHED = ("found", "absent")
SHARED = "shared"
MOST_NAMED = 5


def compare_files(a: Evidence, b: Evidence, request: Request) -> tuple[Informational, list[NotCompared]]:
    """`found` and `absent` files were written or removed by another run of the audit, and this one left them so."""
    decides = Compare.FILES in request.compare
    left, right = ({file.path: file for file in run.files} for run in (a, b))
    changed: list[str] = []
    only: list[str] = []
    shared: list[str] = []
    equal = 0
    left_over: dict[tuple[str, str, str], list[str]] = {}
    missing: list[NotCompared] = []
    for path in sorted({*left, *right}):
        one, other = left.get(path), right.get(path)
        if one is None or other is None:
            if (one or other).kind not in UNTOUCHED:  # type: ignore[union-attr]
                only.append(path)
        elif one.kind in UNTOUCHED or other.kind in UNTOUCHED:
            if one.kind in UNTOUCHED and other.kind in UNTOUCHED:
                continue
            writer, reader = (b, a) if one.kind in UNTOUCHED else (a, b)
            wrote, met = (other, one) if one.kind in UNTOUCHED else (one, other)
            if met.kind == "found" and wrote.kind != "removed" and not _looked_at(reader, path):
                only.append(path)
            elif (wrote.kind == "removed") is (met.kind == "absent"):
                left_over.setdefault((writer.spec.id, reader.spec.id, met.kind), []).append(path)
            else:
                changed.append(path)
        elif is_same(one, other):
            is_shared = one.kind == SHARED and a.spec.cwd == b.spec.cwd
            shared += [path] if is_shared else []
            equal += not is_shared
        else:
            changed.append(path)
    for (writer_id, reader_id, kind), paths in left_over.items():
        reason = f"{writer_id} wrote it and {reader_id} found it there and left it"
        if kind == "absent":
            reason = f"{writer_id} removed it and {reader_id} did not find it"
        help = "give every run a folder of its own: --workdir fresh"
        missing.append(NotCompared(what=_named(paths), reason=reason, is_result=decides, help=help))
    if shared:
        reason = f"{a.spec.id} and {b.spec.id} ran side by side and wrote over each other's"
        help = "give every run a folder of its own, --workdir fresh, or run one at a time, --jobs 1"
        missing.append(NotCompared(what=_named(shared), reason=reason, is_result=decides, help=help))
    detail = ", ".join(
        [f"{path} {_how(left[path], right[path])}" for path in changed[:MOST_NAMED]]
        + [f"{path} in one run only" for path in only[:MOST_NAMED]]
    )
    if len(changed) > MOST_NAMED or len(only) > MOST_NAMED:
        detail += f" ({len(changed)} differ, {len(only)} in one run only)"
    if equal and not detail:
        detail = f"{equal} file{'s' if equal > 1 else ''} written, equal"
    return Informational(what="files", same=not changed and not only, detail=detail, decides=decides), missing


def _looked_at(run: Evidence, path: str) -> bool:
    """Whether a run may have gone another way because of a file: runs that explain do not count."""
    whole = os.path.realpath(os.path.join(run.spec.cwd, path))
    return run.spec.probe is not None or whole in run.reads or os.path.dirname(whole) in run.reads


def is_same(one: FileRecord, other: FileRecord) -> bool:
    """Equal bytes, or equal contents in a format that is read by value."""
    if one.kind != other.kind:
        return False
    return one.digest == other.digest or bool(set(one.contents) & set(other.contents))


def _how(one: FileRecord, other: FileRecord) -> str:
    if "removed" in (one.kind, other.kind):
        return "removed in one run only"
    return "differs"


def _named(paths: list[str]) -> str:
    return f"file {paths[0]}" if len(paths) == 1 else f"files {_some(paths)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
