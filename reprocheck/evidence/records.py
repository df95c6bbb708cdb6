"""One record of evidence → its part of the model. What is not well formed raises ValueError or KeyError."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reprocheck.model import (
    CheckpointRecord,
    Fact,
    FileRecord,
    LiveTensor,
    Location,
    NotCompared,
    OutOfMemory,
    PartRecord,
    TensorRecord,
)
from reprocheck.protocol import THREAD_MARK, reading
from reprocheck.protocol.names import PART_RECORD, PART_VALUES_RECORD


def generator_states(record: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each generator's state, by its name."""
    return reading.texts({name: state for name, state in record.items() if name != "record"})


def paths_read(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Real paths of what the run read, or looked for."""
    paths = [path for kind in ("files", "probes", "folders") for path in reading.table(inputs.get(kind, {}))]
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths))


def optimizer_keys(lines: list[dict[str, Any]]) -> tuple[str, ...]:
    """By index: threads may have written them in another order."""
    return tuple(reading.text(line["key"]) for line in sorted(lines, key=lambda line: reading.whole(line["index"])))


def initial_tensors(lines: list[dict[str, Any]]) -> Iterator[TensorRecord]:
    """Names carry the model's name, but for those of a model that was the only one when the training began.

    What is seen later changes no name: a run compares with one that was ended earlier.
    """
    bare = _only_model_at_first(lines)
    for line in lines:
        root = reading.text(line["root"])
        prefix = f"{root}." if root and root != bare else ""
        for tensor in map(reading.table, reading.items(line["tensors"])):
            name = prefix + reading.text(tensor["name"])
            yield replace(tensor_record({**tensor, "name": name}, reading.whole(line["step"])), model=root)


def _only_model_at_first(lines: list[dict[str, Any]]) -> str | None:
    """Of the models met at the earliest step, if it is one. Which thread comes first means nothing."""
    models = [line for line in lines if line["root"] and THREAD_MARK not in reading.text(line["root"])]
    earliest = min((reading.whole(line["step"]) for line in models), default=0)
    first = {str(line["root"]) for line in models if line["step"] == earliest}
    return first.pop() if len(first) == 1 else None


def fact(plain: Any) -> Fact:
    """Something that the run did and that a rule asks for."""
    line = reading.table(plain)
    return Fact(
        kind=reading.text(line["kind"]),
        location=None if line.get("path") is None else _location(line),
        names=tuple(map(reading.text, reading.items(line["names"]))),
        named=reading.whole(line["named"]),
        count=reading.whole(line["count"]),
        step=reading.whole(line["step"]),
    )


def parts(lines: list[dict[str, Any]]) -> list[PartRecord]:
    """The named parts of a run, in order, with the values that they left."""
    found: list[PartRecord] = []
    for line in lines:
        if line["record"] == PART_RECORD:
            found.append(PartRecord(name=reading.text(line["name"]), step=reading.whole(line["step"])))
        elif line["record"] == PART_VALUES_RECORD and found:
            values = tuple(tensor_record(leaf) for leaf in reading.items(line["leaves"]))
            found[-1] = replace(found[-1], values=values)
    return found


def _location(line: Mapping[str, Any]) -> Location:
    return Location(path=reading.text(line["path"]), line=reading.whole(line["line"]))


def not_compared(plain: Any) -> NotCompared:
    """Something that the run made and the worker could not observe."""
    line = reading.table(plain)
    return NotCompared(
        what=reading.text(line["what"]),
        reason=reading.text(line["reason"]),
        is_result=line["is_result"] is True,
        help=reading.text(line["help"]),
    )


def file_record(plain: Any) -> FileRecord:
    """A file that the run wrote."""
    file = reading.table(plain)
    return FileRecord(
        path=reading.text(file["path"]),
        size=reading.whole(file["size"]),
        digest=reading.text(file["digest"]),
        contents=tuple(map(reading.text, reading.items(file.get("contents", [])))),
        kind=reading.text(file.get("kind", "")),
    )


def checkpoint(line: Mapping[str, Any]) -> CheckpointRecord:
    """One call of `reprocheck.checkpoint`."""
    return CheckpointRecord(
        name=reading.text(line["name"]),
        call=reading.whole(line["call"]),
        calls=reading.whole(line["calls"]),
        step=reading.whole_or_none(line["step"]),
        digest=reading.text(line["digest"]),
        before=reading.text(line["before"]),
        tensors=tuple(tensor_record(leaf) for leaf in reading.items(line["leaves"])),
        unread=reading.whole(line["unread"]),
    )


def plain_value(value: Any, depth: int = 6) -> Any:
    """A value that a report may show: nothing in it without bounds."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return reading.whole(value, -(2**63))
    if isinstance(value, float):
        return reading.number(value)
    if depth and isinstance(value, list):
        return [plain_value(item, depth - 1) for item in value]
    if depth and isinstance(value, dict):
        return {name: plain_value(item, depth - 1) for name, item in value.items()}
    raise ValueError("it is nested too deeply")


def manifest(plain: dict[str, Any]) -> dict[str, Any]:
    """The machine, the libraries and their settings."""
    for name in ("imported", "gpus"):
        for item in reading.items(plain.get(name, [])):
            reading.text(item)
    reading.texts(plain.get("switches", {}))
    for threads in reading.table(plain.get("thread_pools", {})).values():
        reading.whole(threads)
    found: dict[str, Any] = plain_value(plain)
    return found


def memory(plain: dict[str, Any]) -> dict[str, Any]:
    """Peaks of memory, in bytes."""
    for one in (plain, *map(reading.table, reading.items(plain.get("cuda", [])))):
        for name, amount in one.items():
            if name.endswith("_peak") or name == "device":
                reading.whole_or_none(amount)
    found: dict[str, Any] = plain_value(plain)
    return found


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(map(reading.whole, reading.items(value)))


def tensor_record(plain: Any, step: int = 0) -> TensorRecord:
    """One line of evidence as a record. Raises ValueError or KeyError."""
    line = reading.table(plain)
    return TensorRecord(
        name=reading.text(line["name"]),
        kind=reading.text(line["kind"]),
        dtype=reading.text(line.get("dtype", "")),
        shape=_shape(line.get("shape", [])),
        digest=reading.text(line.get("digest", "")),
        text=reading.text(line.get("text", "")),
        offset=reading.whole_or_none(line.get("offset")),
        size=reading.whole(line.get("size", 0)),
        reason=reading.text(line.get("reason", "")),
        step=step,
    )


def leaves(line: Mapping[str, Any]) -> tuple[TensorRecord, ...]:
    """What a line lists of a value; nothing where there is no such line."""
    return tuple(tensor_record(leaf) for leaf in reading.items(line.get("leaves", [])))


def out_of_memory(end: Mapping[str, Any]) -> OutOfMemory | None:
    """What a closing record says of a failed allocation; None where it says nothing, or nonsense."""
    if "out_of_memory" not in end:
        return None
    try:
        plain = reading.table(end["out_of_memory"])
        place = plain["location"]
        names = ("requested", "allocated", "reserved", "allowed", "total")
        sizes = {name: reading.whole_or_none(plain[name]) for name in names}
        return OutOfMemory(
            **sizes,
            device=reading.text(plain["device"]),
            step=reading.whole(plain["step"]),
            during=reading.text(plain["during"]),
            module=reading.text(plain["module"]),
            location=None if place is None else _location(reading.table(place)),
            tensors=tuple(
                LiveTensor(
                    name=reading.text(tensor["name"]),
                    shape=_shape(tensor["shape"]),
                    dtype=reading.text(tensor["dtype"]),
                    bytes=reading.whole(tensor["bytes"]),
                )
                for tensor in map(reading.table, reading.items(plain["tensors"]))
            ),
        )
    except (KeyError, ValueError):
        return None
