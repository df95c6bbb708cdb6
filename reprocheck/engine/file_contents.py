"""What is in a file, by value, so that two files with equal contents are equal though their bytes differ.

Nothing is executed: no pickle is loaded, a database is read in a copy. What cannot be read by value has only its bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import re
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xxhash import xxh3_128

from reprocheck.compare.files import VOLATILE_IN_NAMES, without
from reprocheck.compare.printed import steady_line
from reprocheck.protocol.safetensors import METADATA, read_header

BLOCK = 1 << 20
LARGEST_TEXT = 64 * 2**20
"""Bytes of a JSON or CSV file that is read by value."""
MOST_UNPACKED = 64
"""Times the size of an archive that its contents may have; 1 GiB in any case."""
SQLITE_MAGIC = b"SQLite format 3\0"
SQLITE_COMPANIONS = ("-wal", "-shm", "-journal")
"""Endings of the files that belong to a database."""
_VOLATILE = (".data/serialization_id",)
"""Members of PyTorch's archives that are no contents."""
VOLATILE_NAME = re.compile(
    r"(?i)(?:^|[/_ .-])(?:fps|sps|times?|seconds|secs?|duration|elapsed|throughput|speed|wall|walltime|memory"
    r"|timestamp|runtime|eta|latency|date|datetime|pid|(?:per|/)[_ ]?(?:sec|second))(?:[/_ .()-]|$)"
)
"""Names of series, keys and columns that measure the run, not the training."""


def contents(path: str) -> str:
    """`format:digest` of what a file holds; empty where its bytes are all that can be compared. With the format stands
    what of the file the digest leaves out: `csv without "time":digest`."""
    try:
        with open(path, "rb") as file:
            start = file.read(16)
        for name, is_of, read in _FORMATS:
            if is_of(path, start):
                state = xxh3_128()
                left_out = read(path, state) or set()
                return f"{name}{without(left_out)}:{state.hexdigest()}"
    except Exception:  # a file by that name that holds something else, or a damaged one
        return ""
    return ""


def is_database(path: str) -> bool:
    """Whether a file holds an SQLite database."""
    if not os.path.isfile(path):  # to open a pipe may take for ever
        return False
    try:
        with open(path, "rb") as file:
            return file.read(16) == SQLITE_MAGIC
    except OSError:
        return False


def _feed(file: Any, state: Any, most: int | None = None) -> int:
    size = 0
    while block := file.read(BLOCK):
        size += len(block)
        if most is not None and size > most:
            raise ValueError("it unpacks to too much")
        state.update(block)
    return size


def _part(state: Any, *parts: object) -> None:
    state.update(json.dumps([repr(word) for word in parts]).encode() + b"\n")


def _zip(path: str, state: Any) -> None:
    """Checkpoints of PyTorch and NumPy's archives: members by name, whatever the archive calls its folder."""
    left = max(2**30, MOST_UNPACKED * os.path.getsize(path))
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        tops = {name.partition("/")[0] for name in members}
        top = tops.pop() + "/" if len(tops) == 1 and all("/" in name for name in members) else ""
        for name in sorted(members):
            if name.endswith(_VOLATILE):
                continue
            inner = xxh3_128()
            with archive.open(members[name]) as member:
                left -= _feed(member, inner, left)
            _part(state, name.removeprefix(top), inner.hexdigest())


def _safetensors(path: str, state: Any) -> None:
    with open(path, "rb") as file:
        header = read_header(lambda start, size: os.pread(file.fileno(), size, start))
        for name in sorted([*header.tensors, *([METADATA] if header.metadata is not None else [])]):
            tensor = header.tensors.get(name)
            if tensor is None:
                _part(state, name, sorted((header.metadata or {}).items()))
                continue
            file.seek(header.size + tensor.start)
            inner, left = xxh3_128(), tensor.end - tensor.start
            while left > 0:
                block = file.read(min(BLOCK, left))
                if not block:
                    raise ValueError("cut off")
                inner.update(block)
                left -= len(block)
            _part(state, name, tensor.dtype, tensor.shape, inner.hexdigest())


def _json(path: str, state: Any) -> set[str]:
    left_out: set[str] = set()
    _part(state, _plain(_text(path), left_out))
    return left_out


def _json_lines(path: str, state: Any) -> set[str]:
    left_out: set[str] = set()
    for line in _text(path).split("\n"):
        if line.strip():
            _part(state, _plain(line, left_out))
    return left_out


def _plain(text: str, left_out: set[str]) -> str:
    """An object without what its names say measures the run: times and speeds, in numbers or as text."""

    def steady(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = {name for name, item in pairs if VOLATILE_NAME.search(name) and not isinstance(item, dict)}
        left_out.update(names)
        return {name: "*" if name in names else item for name, item in pairs}

    return json.dumps(json.loads(text, parse_float=_finite, object_pairs_hook=steady), sort_keys=True)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("it has another value than its text")
    return value


def _csv(path: str, state: Any) -> set[str]:
    volatile: dict[int, str] = {}
    separator = "\t" if path.lower().endswith(".tsv") else ","
    for number, row in enumerate(csv.reader(io.StringIO(_text(path), newline=""), delimiter=separator)):
        if number == 0:
            volatile = {column: name for column, name in enumerate(row) if VOLATILE_NAME.search(name)}
        _part(state, *("*" if number and column in volatile else cell for column, cell in enumerate(row)))
    return set(volatile.values())


def _text(path: str) -> str:
    if os.path.getsize(path) > LARGEST_TEXT:
        raise ValueError("too long")
    return Path(path).read_bytes().decode("utf-8")


def _log(path: str, state: Any) -> None:
    """Lines without their times, as standard output is compared."""
    for line in _text(path).split("\n"):
        _part(state, steady_line(line.encode()))


def _hydra(path: str, state: Any) -> None:
    """What Hydra notes beside a job names its output folder, which has the time of the start in its name."""
    for line in _text(path).split("\n"):
        _part(state, steady_line(VOLATILE_IN_NAMES.sub("*", line).encode()))


def _gzip(path: str, state: Any) -> None:
    with gzip.open(path, "rb") as file:
        _feed(file, state, max(2**30, MOST_UNPACKED * os.path.getsize(path)))


def _sqlite(path: str, state: Any) -> None:
    """Tables and their rows, in a copy: to open a database, even to read it, can make files next to it."""
    folder = tempfile.mkdtemp(prefix="reprocheck-")
    try:
        copy = os.path.join(folder, "copy.db")
        for ending in ("", "-wal", "-journal"):
            if ending == "" or os.path.isfile(path + ending):
                shutil.copyfile(path + ending, copy + ending)
        connection = sqlite3.connect(copy)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.text_factory = _Text
            query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
            schema = connection.execute(query).fetchall()
            for entry in schema:
                _part(state, *entry)
            for kind, name, _, _ in schema:
                if kind.data == b"table":
                    _rows(connection, name.data.decode("utf-8"), state)
        finally:
            connection.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Text:
    """Distinguished from a blob of the same bytes."""

    data: bytes


def _rows(connection: sqlite3.Connection, table: str, state: Any) -> None:
    quoted = '"' + table.replace('"', '""') + '"'
    try:
        rows: Iterable[Any] = connection.execute(f"SELECT * FROM {quoted} ORDER BY rowid")
    except sqlite3.OperationalError:  # a table without row numbers
        rows = connection.execute(f"SELECT * FROM {quoted}")
    for row in rows:
        _part(state, *row)


LARGEST_EVENT = 64 * 2**20
_SESSION = "_hparams_/session"


def _tensorboard(path: str, state: Any) -> set[str]:
    """Events of TensorBoard, without the times at which they were written and without series that measure time."""
    left_out = set()
    with open(path, "rb") as file:
        while head := file.read(12):
            length = int.from_bytes(head[:8], "little")
            if len(head) < 12 or length > LARGEST_EVENT:
                raise ValueError("no events")
            event = file.read(length)
            if len(event) < length or len(file.read(4)) < 4:
                raise ValueError("cut off")
            for number, raw, inner in _fields(event):
                if number == _SUMMARY:
                    for _, value, message in _fields(inner):
                        series = _series(message)
                        if VOLATILE_NAME.search(series):
                            left_out.add(series)
                        elif not series.startswith(_SESSION):
                            _part(state, value)
                elif number != _WALL_TIME:
                    _part(state, raw)
    return left_out


_WALL_TIME, _SUMMARY, _TAG = 1, 5, 1
"""Fields of the messages: the time and the summary of an event, the tag of a value."""


def _series(message: bytes) -> str:
    return next((text.decode("utf-8", "replace") for number, _, text in _fields(message) if number == _TAG), "")


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, all bytes and content of each field of a protocol buffer."""
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        kind, content = key & 7, at
        if kind == 0:
            _, at = _varint(message, at)
        elif kind == 2:
            length, content = _varint(message, at)
            at = content + length
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("no field")
        if at > len(message):
            raise ValueError("cut off")
        yield key >> 3, message[start:at], message[content:at]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("no number")


def _ends(*endings: str) -> Callable[[str, bytes], bool]:
    return lambda path, start: path.lower().endswith(endings)


def _starts(magic: bytes) -> Callable[[str, bytes], bool]:
    return lambda path, start: start.startswith(magic)


_FORMATS: tuple[tuple[str, Callable[[str, bytes], bool], Callable[[str, Any], set[str] | None]], ...] = (
    ("zip", _starts(b"PK\x03\x04"), _zip),
    ("sqlite", _starts(SQLITE_MAGIC), _sqlite),
    ("gzip", _starts(b"\x1f\x8b"), _gzip),
    ("safetensors", _ends(".safetensors"), _safetensors),
    ("json", _ends(".json"), _json),
    ("json lines", _ends(".jsonl", ".ndjson"), _json_lines),
    ("csv", _ends(".csv", ".tsv"), _csv),
    ("log", _ends(".log"), _log),
    ("hydra", lambda path, start: os.path.basename(os.path.dirname(path)) == ".hydra", _hydra),
    ("events", lambda path, start: ".tfevents." in os.path.basename(path), _tensorboard),
)
