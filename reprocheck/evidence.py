"""Evidence files → Evidence. Nothing in them is executed, and nothing in them is trusted to be well formed."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.errors import NoVerdictError
from reprocheck.model import (
    CheckpointRecord,
    Evidence,
    Fact,
    FileRecord,
    LiveTensor,
    Location,
    NotCompared,
    Outcome,
    OutOfMemory,
    Status,
    TensorRecord,
)
from reprocheck.protocol import (
    CONDUCT_RECORD,
    EVIDENCE_FILE,
    FILES_FILE,
    RECORD_SIZE,
    STDERR_FILE,
    STDOUT_FILE,
    STEPS_FILE,
    THREAD_MARK,
    UNOBSERVED_RECORD,
    VALUES_FILE,
)

TAIL_BYTES = 8192


class EvidenceUnreadable(NoVerdictError):
    """A run folder that does not hold what its closing record promises."""


def read_end(folder: Path) -> Mapping[str, Any] | None:
    """The closing record of a run; None when there is none."""
    lines = read_tail(folder / EVIDENCE_FILE).splitlines()
    try:
        last = json.loads(lines[-1])
    except (IndexError, ValueError, RecursionError):
        return None
    is_end = isinstance(last, dict) and last.get("record") == "end" and isinstance(last.get("status"), str)
    return last if is_end else None


def out_of_memory(end: Mapping[str, Any]) -> OutOfMemory | None:
    """What a closing record tells of a failed allocation; None where it tells nothing, or nonsense."""
    try:
        plain = end["out_of_memory"]
        place = plain["location"]
        sizes = {name: _count(plain[name]) for name in ("requested", "allocated", "reserved", "allowed", "total")}
        return OutOfMemory(
            **sizes,
            device=str(plain["device"]),
            step=int(plain["step"]),
            during=str(plain["during"]),
            module=str(plain["module"]),
            location=None if place is None else Location(path=str(place["path"]), line=int(place["line"])),
            tensors=tuple(
                LiveTensor(
                    name=str(tensor["name"]),
                    shape=tuple(int(size) for size in tensor["shape"]),
                    dtype=str(tensor["dtype"]),
                    bytes=int(tensor["bytes"]),
                )
                for tensor in plain["tensors"]
            ),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def read_tail(path: Path) -> str:
    """The last lines of a file that may be huge, binary or absent."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            start = max(0, file.tell() - TAIL_BYTES)
            file.seek(start)
            data = file.read(TAIL_BYTES)
    except OSError:
        return ""
    if start and b"\n" in data:
        data = data.split(b"\n", 1)[1]
    return data.decode("utf-8", "backslashreplace").strip()


def load_evidence(outcome: Outcome) -> Evidence:
    """The evidence of a completed run. Raises EvidenceUnreadable."""
    folder = outcome.spec.directory
    try:
        return _load_stopped(outcome) if outcome.status is Status.STOPPED else _load(outcome)
    except OSError as error:
        raise EvidenceUnreadable(f"cannot read the evidence in {folder}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvidenceUnreadable(f"the evidence in {folder} is damaged: {error}") from error


def _load(outcome: Outcome) -> Evidence:
    folder = outcome.spec.directory
    lines = whole_lines(outcome)
    end = lines[-1]
    steps = _map(folder / STEPS_FILE)
    if len(steps) != end["steps"] * RECORD_SIZE:
        raise ValueError("step records are missing")
    one = {line["record"]: line for line in lines}
    files, not_compared = _files(folder, one["files"])
    unobserved = [line for line in lines if line["record"] == UNOBSERVED_RECORD]
    return Evidence(
        spec=outcome.spec,
        seconds=outcome.seconds,
        stepping=float(end.get("stepping", 0.0)),
        manifest=one["manifest"]["manifest"],
        rng={name: state for name, state in one["rng at end"].items() if name != "record"},
        initial=tuple(_initial([line for line in lines if line["record"] == "initial"])),
        steps=steps,
        optimizers=_optimizer_keys([line for line in lines if line["record"] == "optimizer"]),
        outputs=tuple(tensor_record(leaf) for leaf in one.get("output", {}).get("leaves", ())),
        has_output=bool(end["returned"]),
        files=tuple(_file(file) for file in files),
        stdout=folder / STDOUT_FILE,
        stderr=folder / STDERR_FILE,
        settings_at_end=one["settings"]["settings"],
        memory=one["memory"]["memory"],
        stopped_at=end["stopped_at"],
        notes=(*(line["text"] for line in lines if line["record"] == "note"), *_unread(int(end["skipped"]))),
        values=folder / VALUES_FILE,
        checkpoints=tuple(_checkpoint(line) for line in lines if line["record"] == "checkpoint"),
        sources=tuple(str(path) for path in one.get("sources", {}).get("paths", ())),
        facts=tuple(_fact(fact) for fact in one.get(CONDUCT_RECORD, {}).get("facts", ())),
        unobserved=tuple(_unobserved(line) for line in (*unobserved, *not_compared)),
        reads=_reads(one.get("inputs", {})),
    )


def _files(folder: Path, heard: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """What the folder shows, and of what the worker heard the rest: files elsewhere."""
    files, missing = list(heard["files"]), list(heard.get("not_compared", ()))
    if not (folder / FILES_FILE).exists():
        return files, missing
    found = json.loads((folder / FILES_FILE).read_text(encoding="utf-8"))
    outside = [file for file in files if os.path.isabs(file["path"])]
    return [*found["files"], *outside], [*found["not_compared"], *missing]


def _file(plain: Mapping[str, Any]) -> FileRecord:
    return FileRecord(
        path=str(plain["path"]),
        size=int(plain["size"]),
        digest=str(plain["digest"]),
        contents=tuple(str(one) for one in plain.get("contents", ())),
        kind=str(plain.get("kind", "")),
    )


def _reads(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    paths = [str(path) for kind in ("files", "probes", "folders") for path in inputs.get(kind, ())]
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths))


def whole_lines(outcome: Outcome) -> list[dict[str, Any]]:
    """All lines of a completed run, its closing record last. Raises OSError, or ValueError for a damaged file."""
    lines = list(_lines(outcome.spec.directory / EVIDENCE_FILE))
    end = lines[-1]
    if lines[0].get("run") != outcome.spec.id:
        raise ValueError(f"it belongs to run {lines[0].get('run')}")
    if end.get("record") != "end" or end["records"] != len(lines) - 1:
        raise ValueError("lines are missing")
    return lines


def _load_stopped(outcome: Outcome) -> Evidence:
    """What a run had written when it was ended on the way: whole lines and whole records."""
    folder = outcome.spec.directory
    lines = list(_lines(folder / EVIDENCE_FILE, cut=True))
    steps = _map(folder / STEPS_FILE)
    return Evidence(
        spec=outcome.spec,
        seconds=outcome.seconds,
        stepping=0.0,
        manifest={},
        rng={},
        initial=tuple(_initial([line for line in lines if line["record"] == "initial"])),
        steps=steps[: len(steps) // RECORD_SIZE * RECORD_SIZE],
        optimizers=_optimizer_keys([line for line in lines if line["record"] == "optimizer"]),
        outputs=(),
        has_output=False,
        files=(),
        stdout=folder / STDOUT_FILE,
        stderr=folder / STDERR_FILE,
        settings_at_end={},
        memory={},
        stopped_at=None,
        notes=(),
        values=folder / VALUES_FILE,
        partial=True,
    )


def _unread(count: int) -> tuple[str, ...]:
    """Tensors of steps without readable data stand in the digests by a mark only: the report says so."""
    return (f"{count} tensors of steps could not be read and were not compared",) if count else ()


def _map(path: Path) -> memoryview:
    """A file as memory that is read as it is needed: a long training has millions of records."""
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _lines(path: Path, *, cut: bool = False) -> Iterator[dict[str, Any]]:
    """`cut`: the last line may have been cut off."""
    with path.open(encoding="utf-8") as file:
        for text in file:
            if cut and not text.endswith("\n"):
                return
            line = json.loads(text)
            if not isinstance(line, dict):
                raise ValueError("a line is not a record")
            yield line


def _optimizer_keys(lines: list[dict[str, Any]]) -> tuple[str, ...]:
    """By index: threads may have written them in another order."""
    return tuple(str(line["key"]) for line in sorted(lines, key=lambda line: int(line["index"])))


def _initial(lines: list[dict[str, Any]]) -> Iterator[TensorRecord]:
    """Names carry the model's name, but for those of a model that was the only one when the training began.

    What is seen later changes no name: a run compares with one that was ended earlier.
    """
    bare = _only_model_at_first(lines)
    for line in lines:
        root = str(line["root"])
        prefix = f"{root}." if root and root != bare else ""
        for tensor in line["tensors"]:
            record = tensor_record({**tensor, "name": prefix + tensor["name"]}, line["step"])
            yield replace(record, model=root)


def _only_model_at_first(lines: list[dict[str, Any]]) -> str | None:
    """Of the models met at the earliest step, if it is one. Which thread comes first means nothing."""
    models = [line for line in lines if line["root"] and THREAD_MARK not in line["root"]]
    earliest = min((line["step"] for line in models), default=0)
    first = {str(line["root"]) for line in models if line["step"] == earliest}
    return first.pop() if len(first) == 1 else None


def _fact(line: Mapping[str, Any]) -> Fact:
    place = line.get("path")
    return Fact(
        kind=str(line["kind"]),
        location=None if place is None else Location(path=str(place), line=int(line["line"])),
        names=tuple(str(name) for name in line["names"]),
        named=int(line["named"]),
        count=int(line["count"]),
        step=int(line["step"]),
    )


def _unobserved(line: Mapping[str, Any]) -> NotCompared:
    return NotCompared(
        what=str(line["what"]),
        reason=str(line["reason"]),
        is_result=bool(line["is_result"]),
        help=str(line["help"]),
    )


def _checkpoint(line: Mapping[str, Any]) -> CheckpointRecord:
    step = line["step"]
    return CheckpointRecord(
        name=str(line["name"]),
        call=int(line["call"]),
        calls=int(line["calls"]),
        step=None if step is None else int(step),
        digest=str(line["digest"]),
        before=str(line["before"]),
        tensors=tuple(tensor_record(leaf) for leaf in line["leaves"]),
        unread=int(line["unread"]),
    )


def tensor_record(line: Mapping[str, Any], step: int = 0) -> TensorRecord:
    """One line of evidence as a record."""
    return TensorRecord(
        name=str(line["name"]),
        kind=str(line["kind"]),
        dtype=str(line.get("dtype", "")),
        shape=tuple(int(size) for size in line.get("shape", ())),
        digest=str(line.get("digest", "")),
        text=str(line.get("text", "")),
        offset=line.get("offset"),
        size=int(line.get("size", 0)),
        reason=str(line.get("reason", "")),
        step=step,
    )
