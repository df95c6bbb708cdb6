"""JSON from elsewhere: read as data, bounded, and checked piece by piece. Nothing in it is executed or trusted."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.errors import UsageError
from reprocheck.protocol.reading import MOST_VALUES, count_values, read_whole

MOST_BYTES = 64 * 2**20
_LONGEST = 80


class Malformed(ValueError):
    """Data of another form than is expected; the message says where."""


def read_json(path: Path, what: str) -> Any:
    """The content of a JSON file. Raises UsageError, whatever the file is."""
    data = read_bytes(path, what)
    if count_values(data) > MOST_VALUES:
        raise UsageError(f"{what} {path}: it holds more than {MOST_VALUES:,} values")
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_without_repeats,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{what} {path}:{line}: not UTF-8") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{what} {path}:{error.lineno}: not valid JSON: {error.msg}", _conflict(data)) from error
    except RecursionError as error:
        raise UsageError(f"{what} {path}: nested too deeply") from error
    except ValueError as error:  # a key twice; a number of thousands of digits
        raise UsageError(f"{what} {path}: {error}") from error


def read_bytes(path: Path, what: str, limit: int = MOST_BYTES) -> bytes:
    """A regular file of bounded size; never waits for a pipe. Raises UsageError."""
    try:
        return read_whole(path, limit, follow=True)
    except OSError as error:
        raise UsageError(f"cannot read {what} {path}: {error.strerror or error}") from error


def table(value: Any, where: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Malformed(f"{where} must be a table")
    return value


def part(of: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    """An object in an object."""
    return table(of.get(key), f"{where}.{key}" if where else key)


def text(value: Any, where: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise Malformed(f"{where} must be a text")
    return value


def whole(value: Any, where: str) -> int:
    """A number that counts something."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise Malformed(f"{where} must be a whole number from 0")
    return value


def number(value: Any, where: str) -> float:
    """A number, or one of the strings for what is not finite."""
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Malformed(f"{where} must be a number")
    try:
        return float(value)
    except OverflowError:
        raise Malformed(f"{where} is too large for a number") from None


def shown(name: str) -> str:
    """A name in a message."""
    return name if len(name) <= _LONGEST else name[:_LONGEST] + "..."


def _finite(text: str) -> float:
    """1e999 is no number that can be compared, and NaN is none of JSON."""
    value = float(text)
    if not math.isfinite(value):
        raise Malformed(f"{shown(text)} is not a finite number")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise Malformed(f"`{shown(twice)}` is given twice in one table")
    return found


def _conflict(data: bytes) -> str | None:
    return "it holds the marks of a merge conflict" if b"<<<<<<< " in data else None
