"""Two runs' standard output: the first line that differs, and whether anything but times does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

_NUMBER = r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
_BETWEEN = r"(?:[^\w\r\n]{0,4}|['\" \t]*[:=|][ \t]*['\"]?)"
"""A name and its value: `time 3`, `'time': '3'`, `| fps    | 3`."""
_VARIABLE = re.compile(
    "|".join(
        (
            r"\b(?:[a-z]+_){0,5}(?:time|time_elapsed|took|elapsed|duration|eta|speed|throughput|latency|runtime|wall|pid|fps|sps|mfu|"
            r"per_sec|per_second)\b" + _BETWEEN + _NUMBER + r"(?:\s*\(\s*" + _NUMBER + r"\s*\))?",
            r"\bdata:?\s+"
            + _NUMBER
            + r"\s*\(\s*"
            + _NUMBER
            + r"\s*\)",  # the time to load, as averaging meters print it
            r"\bm?s/[a-z]+\b" + _BETWEEN + _NUMBER,
            _NUMBER + r"\s*(?:[a-z]*/s(?:ec)?|s/[a-z]+)\b",
            _NUMBER + r"\s*(?:s|secs?|seconds?|m?secs?|[mun]s|\xc2\xb5s|mins?|minutes?|hrs?|hours?)\b",
            r"\b(?:\d+:)?\d{1,2}:\d{2}(?:[.,]\d+)?\b",
            r"\b\d{4}[-/]\d{2}[-/]\d{2}\b",
            r"\b0x[0-9a-f]{6,}\b",
            r"\[[IWEF]\d{4} [\d:.]+(?: +\d+)?",
            r"\[(?:pid )?\d{2,7}\]",
            r"(?<![^\s'\"])[^\s'\"]*reprocheck-[^\s'\"]*",
        )
    ).encode("latin-1"),
    re.IGNORECASE,
)
"""Durations, rates, times of day, dates, addresses and temporary folders: they differ between any two runs."""
_LINE = 1 << 16
"""Bytes of a line that are looked at together."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What comparing came to."""

    line: int
    """The first that differs; 0 where none does."""
    shown: tuple[bytes, bytes] = (b"", b"")
    only_times: bool = False
    is_empty: bool = False


def compare_printed(left: BinaryIO, right: BinaryIO, pids: tuple[int, int] = (0, 0)) -> Printed:
    """Line by line, to the end where only times differ so far. `pids`: of the two processes, as loggers print them."""
    number, first, shown = 0, 0, (b"", b"")
    timed: dict[int, set[int]] = {}
    while True:
        lines = left.readline(_LINE), right.readline(_LINE)
        number += 1
        if lines[0] == lines[1]:
            columns = _plain(lines[0]).split()
            if any(_TIME_COLUMN.fullmatch(word) for word in columns) and not any(
                b"0" <= w[:1] <= b"9" for w in columns
            ):
                timed[len(columns)] = {n for n, word in enumerate(columns) if _TIME_COLUMN.fullmatch(word)}
        if lines[0] != lines[1]:
            if not first:
                first, shown = number, lines
            if _steady(lines[0], pids[0], timed) != _steady(lines[1], pids[1], timed):
                return Printed(first, shown)
        elif not lines[0]:
            return Printed(first, shown, only_times=first > 0, is_empty=number == 1)


_TIME_COLUMN = re.compile(rb"(?i)dur|duration|time|seconds|secs?|elapsed|fps|speed|it/s")
"""Heads of columns of a table that hold no result."""
_COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


def steady_line(line: bytes) -> bytes:
    """A line of a log without its times, rates, dates and addresses."""
    return _steady(line, 0, {})


def _plain(line: bytes) -> bytes:
    return _COLOUR.sub(b"", line)


def _steady(line: bytes, pid: int, timed: Mapping[int, set[int]]) -> bytes:
    """A line as it stands on a terminal at its end, without what depends on the clock or names the process.

    `timed`: of tables by their number of columns, the columns that hold times.
    """
    segments = [segment for segment in line.rstrip(b"\r\n").split(b"\r") if segment.strip()]
    if not segments:
        return b""
    shown = re.sub(rb"(?<![\w.,])%d(?![\w]|[.,]\d)" % pid, b"*", segments[-1]) if pid else segments[-1]
    words = _plain(shown).split()
    for column in timed.get(len(words), ()):
        words[column] = b"*"
    return b" ".join(_VARIABLE.sub(b"*", b" ".join(words)).split())
