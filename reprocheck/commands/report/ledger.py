"""The history of audits in a folder: one JSON line each, in a file for each month, `2026-11.jsonl`.

Lines are only appended, under a lock, so that audits at the same time do not harm each other, and `.gitattributes` lets
git merge files from two branches. What stands there is read as data: a line that cannot be read is told and left out.
"""

from __future__ import annotations

import dataclasses
import datetime
import fcntl
import itertools
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reprocheck.commands.report.record import Record, record_of
from reprocheck.compare.baseline.reading import Malformed, table, whole
from reprocheck.errors import UsageError
from reprocheck.model import Audit
from reprocheck.protocol.plain_json import plain
from reprocheck.protocol.reading import parse_json, read_whole
from reprocheck.report.json.reading import read_value

LEDGER_VERSION = 1
MOST_RECORDS = 20_000
"""That are read; the newest."""
MOST_LINE = 64 * 2**10
"""Bytes of one line."""
MOST_FILE = 8 * 2**20
"""Bytes after which another file is begun."""
_SUFFIX = ".jsonl"
_NAME = re.compile(r"\d{4}-\d\d(-\d+)?\.jsonl", re.ASCII)
"""A folder may hold other JSON lines: data, for one."""
_MERGED = "[0-9][0-9][0-9][0-9]-[0-9][0-9]*.jsonl merge=union\n"
_PATIENCE = 10.0
"""Seconds that the lock is waited for; without it a line is appended all the same."""
_MOST_TOLD = 20
_HINT = "--history FOLDER names another folder"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a folder holds."""

    records: tuple[Record, ...]
    """The oldest first."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """File and line, and why."""


def check_history(folder: Path) -> None:
    """Refuse, before anything is run, a folder that cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        problem = "" if os.access(folder, os.W_OK | os.X_OK) else "permission denied"
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        raise UsageError(f"cannot keep a history in {folder}: {problem}", _HINT)


def remember(folder: Path, audit: Audit) -> str:
    """Append an audit; why that could not be done, or nothing. A full disk costs the line, not the verdict."""
    try:
        append(folder, record_of(audit))
    except (OSError, ValueError) as error:
        return f"not in the history {folder}: {getattr(error, 'strerror', None) or error}"
    return ""


def append(folder: Path, record: Record) -> None:
    """One more line. Raises OSError."""
    line = _line(record)
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), open(folder / ".gitattributes", "x", encoding="utf-8") as file:
        file.write(_MERGED)
    for number in itertools.count(1):
        path = folder / f"{_month(record)}{'' if number == 1 else f'-{number}'}{_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(path, flags, 0o666)
        try:
            if os.fstat(handle).st_size > MOST_FILE:
                continue
            _lock(handle)
            size = os.fstat(handle).st_size
            torn = bool(size) and os.pread(handle, 1, size - 1) != b"\n"  # of one that was killed as it wrote
            data = b"\n" * torn + line
            if os.write(handle, data) != len(data):
                raise OSError("the disk is full")
            return
        finally:
            os.close(handle)  # gives the lock back


def read_ledger(folder: Path) -> Ledger:
    """Every audit once, also where a file lies there twice. Raises UsageError for a folder that cannot be read."""
    try:
        found_files = (*folder.glob(f"*{_SUFFIX}"), *folder.glob(f"*/*{_SUFFIX}"))
        files = sorted((path for path in found_files if _NAME.fullmatch(path.name)), key=lambda path: path.name)
        if not folder.is_dir():
            raise NotADirectoryError(0, "there is no such folder")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read the history {folder}: {getattr(error, 'strerror', None) or error}", _HINT
        ) from error
    found: dict[str, Record] = {}
    told: list[tuple[str, str]] = []
    for path in reversed(files):  # the newest
        name = str(path.relative_to(folder))
        if len(found) >= MOST_RECORDS:
            told.append((name, f"the newest {MOST_RECORDS:,} audits are read"))
            continue
        for number, line in _lines(path, name, told):
            try:
                record = _read(line)
            except (Malformed, ValueError, RecursionError) as error:
                told.append((f"{name}:{number}", str(error)))
                continue
            found[record.id] = record
    records = sorted(found.values(), key=lambda record: (_moment(record.started), record.name))
    left_out = [("", f"and {len(told) - _MOST_TOLD} more")] if len(told) > _MOST_TOLD else []
    return Ledger(tuple(records[-MOST_RECORDS:]), (*told[:_MOST_TOLD], *left_out))


def _line(record: Record) -> bytes:
    content = {
        "ledger_version": LEDGER_VERSION,
        **{one.name: getattr(record, one.name) for one in dataclasses.fields(record)},
    }
    line = json.dumps(plain(content), sort_keys=True, allow_nan=False).encode() + b"\n"
    if len(line) > MOST_LINE:  # texts of nothing but escapes
        raise OSError(f"a line has at most {MOST_LINE} bytes")
    return line


def _month(record: Record) -> str:
    return time.strftime("%Y-%m", time.gmtime(_moment(record.started) or time.time()))


def _moment(started: str) -> float:
    """0 for what is no time."""
    try:
        return datetime.datetime.fromisoformat(started).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _lock(handle: int) -> None:
    """NOTE: some network file systems have none; there a line is still appended in one piece, or told to be damaged."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            return


def _lines(path: Path, name: str, told: list[tuple[str, str]]) -> Iterator[tuple[int, bytes]]:
    try:
        data = read_whole(path, 2 * MOST_FILE)
    except OSError as error:
        told.append((name, error.strerror or str(error)))
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if len(line) > MOST_LINE:
            told.append((f"{name}:{number}", f"it has more than {MOST_LINE} bytes"))
        elif line.strip():
            yield number, line


def _read(line: bytes) -> Record:
    content = table(parse_json(line), "it")
    version = whole(content.get("ledger_version"), "ledger_version")
    if version > LEDGER_VERSION:
        raise Malformed(f"it was written by a newer reprocheck (version {version}, this one reads {LEDGER_VERSION})")
    record: Record = read_value(Record, content, "it")
    return record
