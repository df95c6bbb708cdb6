"""Notebooks as source text: the code cells of a .ipynb file, by the numbers of model.places. No Jupyter is needed.

Whoever reads source gets the code of all cells in one text, each line at its number, so that cells are scanned, traced
and changed as files are. The file itself is changed only where a line is, byte by byte otherwise as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocheck.model.places import CELL_LINES, line_in_notebook, place_text
from reprocheck.protocol.notebook import magics
from reprocheck.protocol.reading import count_values, parse_json, read_whole

MOST_BYTES = 256 * 2**20
"""Of a file: pictures in its outputs are part of it."""
MOST_VALUES = 4_000_000
MOST_CELLS = 5_000
MOST_CODE = 8 * 2**20
"""Characters of code."""
SKIP_TAGS = frozenset({"skip-execution"})
"""Tags of cells that are not run, as nbclient has it."""
_BREAKS = re.compile(r"\r\n|\n|\r")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_UNIT = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)
_BREAK_UNITS = {"\\n": "\n", "\\u000a": "\n", "\\r": "\r", "\\u000d": "\r"}
_PLAIN = re.compile(r"[^\s\",:{}\[\]]+")


class NotebookError(ValueError):
    """A notebook that cannot be run: why, and what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell that is run."""

    number: int
    index: int
    """Its place among all cells of the file."""
    written: tuple[str, ...]
    """Its lines."""
    code: tuple[str, ...]
    """The same as Python."""
    left_out: tuple[tuple[int, str], ...] = ()
    """Commands in it that are not run."""

    @property
    def first(self) -> int:
        """The number of its first line."""
        return line_in_notebook(self.number, 1)

    @property
    def text(self) -> str:
        """Its code, preceded by empty lines: what is compiled has the right line numbers."""
        return "\n" * (self.first - 1) + "\n".join(self.code) + "\n"

    @property
    def is_quiet(self) -> bool:
        """It ends in a semicolon: the value of its last line is not shown."""
        return "\n".join(self.written).rstrip().endswith(";")


def read_cells(path: Path | str) -> tuple[Cell, ...]:
    """The cells that are run, in order. Raises OSError or NotebookError."""
    return cells_in(read_whole(path, MOST_BYTES, follow=True))


def notebook_source(path: Path | str) -> bytes:
    """The code of all cells as one text of UTF-8. Raises OSError, also for what is no notebook."""
    try:
        return text_of(read_cells(path)).encode("utf-8", "replace")
    except NotebookError as error:
        raise OSError(22, str(error), str(path)) from error


def text_of(cells: tuple[Cell, ...]) -> str:
    """All code, each line at its number."""
    lines: list[str] = []
    for cell in cells:
        lines += [""] * (cell.first - 1 - len(lines))
        lines += cell.code
    return "\n".join(lines) + "\n"


def cells_in(data: bytes) -> tuple[Cell, ...]:
    """The same for the contents of a file. Raises NotebookError."""
    return tuple(_cells(_plain(data)))


def _plain(data: bytes) -> Mapping[str, Any]:
    if count_values(data) > MOST_VALUES:
        raise NotebookError("it holds too much to be read", "clear its outputs")
    try:
        plain = parse_json(data)
    except UnicodeDecodeError:
        raise NotebookError("it is not UTF-8, as a notebook is") from None
    except ValueError as error:
        raise NotebookError(f"no notebook: {error}", "open it in Jupyter and save it") from None
    if not isinstance(plain, dict) or "nbformat" not in plain:
        raise NotebookError("it is JSON, but no notebook: `nbformat` is missing")
    if not isinstance(plain["nbformat"], int) or plain["nbformat"] != 4:
        version = repr(plain["nbformat"])[:20]
        raise NotebookError(f"its format is {version}, and only 4 is read", "open it in Jupyter and save it")
    language = _language(plain)
    if language not in ("python", "python3", "ipython", ""):
        raise NotebookError(f"its language is {language[:40]}, not Python")
    if not isinstance(plain.get("cells"), list):
        raise NotebookError("it has no cells")
    return plain


def _language(plain: Mapping[str, Any]) -> str:
    metadata = plain.get("metadata")
    for table, name in (("language_info", "name"), ("kernelspec", "language")):
        found = metadata.get(table) if isinstance(metadata, dict) else None
        if isinstance(found, dict) and isinstance(found.get(name), str):
            return str(found[name]).lower()
    return ""


def _cells(plain: Mapping[str, Any]) -> Iterator[Cell]:
    number, size, refusals = 0, 0, []
    found: list[Cell] = []
    for index, cell in enumerate(plain["cells"]):
        if not isinstance(cell, dict):
            raise NotebookError(f"its cell at place {index + 1} is damaged")
        if cell.get("cell_type") != "code":
            continue
        lines = tuple(_BREAKS.split(_source(cell, index)))
        if not any(line.strip() for line in lines):
            continue
        number += 1
        size += sum(map(len, lines))
        if number > MOST_CELLS or size > MOST_CODE or len(lines) >= CELL_LINES:
            raise NotebookError("it holds more code than is read", f"a cell may have {CELL_LINES - 1} lines")
        if SKIP_TAGS & _tags(cell):
            continue
        made = magics.translate(lines)
        refusals += [(number, refusal) for refusal in made.refusals]
        if not made.is_shown_only:
            found.append(Cell(number, index, lines, made.lines, made.left_out))
    if refusals:
        number, first = refusals[0]
        more = f" (and {len(refusals) - 1} more like it)" if len(refusals) > 1 else ""
        raise NotebookError(f"cell {number}, line {first.line}: `{first.text}`: {first.reason}{more}", first.help)
    if not number:
        raise NotebookError("it has no code cells")
    if not found:
        raise NotebookError("it has no code cells that are run")
    yield from found


def _source(cell: Mapping[str, Any], index: int) -> str:
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise NotebookError(f"its cell at place {index + 1} is damaged: it has no source")
    return source


def _tags(cell: Mapping[str, Any]) -> set[str]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()


def check_syntax(cells: tuple[Cell, ...], name: str) -> None:
    """Raises NotebookError for a cell that is no Python. Nothing is run."""
    import ast
    import warnings

    for cell in cells:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse("\n".join(cell.code))
        except SyntaxError as error:
            line = line_in_notebook(cell.number, error.lineno or 1)
            raise NotebookError(f"{place_text(name, line)}: syntax error: {error.msg}") from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise NotebookError(f"{place_text(name, cell.first)}: no Python source: {error}") from None


def with_lines(text: str, changes: Mapping[int, tuple[str, str]], path: str) -> str:
    """The file with some lines of its cells changed, all else as it was.

    `changes`: number of a line → the line as it is, and as it is to be. Raises NotebookError.
    """
    cells = {cell.number: cell for cell in cells_in(text.encode("utf-8", "surrogatepass"))}
    spans = line_spans(text, {cell.index: cell.number for cell in cells.values()})
    is_ascii = text.isascii() and "\\u" in text
    put: list[tuple[int, int, str]] = []
    for line, (before, after) in changes.items():
        number, within = divmod(line, CELL_LINES)
        written = cells[number].written if number in cells else ()
        span = spans.get(line)
        if not 0 < within <= len(written) or written[within - 1] != before or span is None:
            raise NotebookError(f"{place_text(path, line)} is not the line that the audit saw")
        put.append((*span, json.dumps(after, ensure_ascii=is_ascii)[1:-1]))
    for start, end, new in sorted(put, reverse=True):
        text = text[:start] + new + text[end:]
    made = {cell.number: cell.written for cell in cells_in(text.encode("utf-8", "surrogatepass"))}
    expected = {number: list(cell.written) for number, cell in cells.items()}
    for line, (_, new) in changes.items():
        expected[line // CELL_LINES][line % CELL_LINES - 1] = new
    if {number: list(lines) for number, lines in made.items()} != expected:
        raise NotebookError("its cells are not written as those of a notebook are")
    return text


def line_in_file(text: str, line: int) -> int | None:
    """The line of the file itself that holds a line of a cell; None where the file has no such line."""
    try:
        cells = cells_in(text.encode("utf-8", "surrogatepass"))
    except NotebookError:
        return None
    span = line_spans(text, {cell.index: cell.number for cell in cells}).get(line)
    return None if span is None else text.count("\n", 0, span[0]) + 1


def line_spans(text: str, numbers: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """Number of a line → where its characters stand in the file, as JSON writes them. A line that is spread over
    several strings is left out."""
    spans: dict[int, tuple[int, int]] = {}
    for index, strings in _source_strings(text):
        if index in numbers:
            found = _spans_in(text, strings)
            spans |= {line_in_notebook(numbers[index], line): span for line, span in found.items()}
    return spans


def _spans_in(text: str, strings: list[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """The same for the strings of one cell; lines count from 1."""
    units = [
        (number, *found.span(), _BREAK_UNITS.get(found[0].lower(), ""))
        for number, span in enumerate(strings)
        for found in _UNIT.finditer(text, *span)
    ]
    spans: dict[int, tuple[int, int]] = {}
    line, string, start = 1, 0, strings[0][0]
    before = ""
    for number, here, end, kind in [*units, (len(strings) - 1, strings[-1][1], strings[-1][1], "end")]:
        while start == strings[string][1] and string < number:  # nothing of the line stands in that string
            string, start = string + 1, strings[string + 1][0]
        if kind == "\n" and before == "\r":  # one break of two characters
            string, start = number, end
        elif kind:
            if string == number:
                spans[line] = (start, here)
            line, string, start = line + 1, number, end
        before = kind
    return spans


def _source_strings(text: str) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Of each cell its place, and where the contents of its source strings begin and end. The text is JSON."""
    path: list[Any] = []
    """For each open bracket: the key or index that is being read."""
    kinds: list[str] = []
    found: dict[int, list[tuple[int, int]]] = {}
    at, is_key = 0, False
    while at < len(text):
        char = text[at]
        if char in "{[":
            kinds.append(char)
            path.append(None if char == "{" else 0)
            is_key = char == "{"
            at += 1
        elif char in "}]":
            kinds.pop()
            path.pop()
            is_key = False
            at += 1
        elif char == ",":
            if kinds[-1] == "[":
                path[-1] += 1
            is_key = kinds[-1] == "{"
            at += 1
        elif char == '"':
            string = _STRING.match(text, at)
            assert string is not None
            if is_key:
                path[-1] = json.loads(string[0])
                is_key = False
            elif path[:1] == ["cells"] and path[2:3] == ["source"] and len(path) in (3, 4):
                found.setdefault(path[1], []).append(string.span(1))
            at = string.end()
        else:
            plain = _PLAIN.match(text, at)
            at = plain.end() if plain is not None else at + 1
    yield from found.items()
