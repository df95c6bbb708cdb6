"""A document as plain lines. Colour repeats what the words say already.

On a terminal lines are wrapped under themselves, and a table that is too wide becomes a list. Elsewhere nothing is: a
file looks the same whoever made it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reprocheck.engine.console import Style, escape
from reprocheck.report.document import (
    Across,
    Block,
    Change,
    Curves,
    Details,
    Diagnostic,
    Document,
    Evidence,
    Fold,
    Gap,
    Heading,
    Headline,
    Indented,
    KeyValues,
    Note,
    Output,
    Patch,
    Place,
    Plots,
    Role,
    Source,
    Span,
    Steps,
    Table,
    Text,
    opening,
)
from reprocheck.report.writers.curves import drawn_curves
from reprocheck.report.writers.plot import drawn_plots

_INDENT = "  "
_WIDEST = 60
_LEAST_WIDTH = 40
_LEAST_ROOM = 20
_BOUNDLESS = 1 << 30
_COLOUR = re.compile("\x1b\\[\\d+m")
_COLOURS = {Role.ERROR: "31", Role.SUCCESS: "32", Role.WARNING: "33", Role.NOTE: "34", Role.STRONG: "1"}


def write_text(document: Document, style: Style) -> str:
    """The whole report, a newline at its end."""
    writer = _Writer(style)
    lines: list[str] = []
    for section in (opening(document) if style.brief else document).sections:
        written = writer.lines(section)  # none of what is only drawn on a page
        lines += ([""] if lines and written else []) + written
    return "".join(f"{line}\n" for line in lines)


class _Writer:
    """Blocks → lines, in one style."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._width = style.width if style.wraps and style.width >= _LEAST_WIDTH else _BOUNDLESS
        self._plain = _Writer(replace(style, colour=False)) if style.colour else self

    def lines(self, blocks: Sequence[Block], margin: int = 2, used: int = 0) -> list[str]:
        """`margin`: how wide the gutter of the diagnostic is that the blocks are in. `used`: columns before them."""
        return [line for block in blocks for line in self._block(block, margin, used)]

    def _block(self, block: Block, margin: int, used: int) -> Iterator[str]:
        gutter = " " * margin
        match block:
            case Heading(text):
                yield from self._wrapped("", self._text(text), used, _INDENT)
            case Headline(word, target, text, limits):
                parts = (self._text((word, limits)), self._text(target), self._text(text))
                yield from self._wrapped("", "  ".join(part for part in parts if part), used, _INDENT)
            case Note(label, text, indent):
                start = f"{' ' * (margin + 1 if indent is None else indent)}= {label}: "
                yield from self._wrapped(start, self._text(text), used)
            case Place(text, _, mark):
                yield from self._wrapped(f"{gutter}{mark} ", self._text(text), used)
            case Source(line, code, mark):
                yield f"{gutter} |"
                written = list(self._wrapped(f"{line:>{margin}} | ", self._text(code), used, f"{gutter} |   "))
                yield from written
                yield f"{gutter} | {self._carets(code, mark) if len(written) == 1 else ''}".rstrip()
            case Change(line, before, after):
                yield f"{gutter} |"
                yield self._text(Span(f"{line:>{margin}} - {before}", Role.ERROR))
                yield self._text(Span(f"{line:>{margin}} + {after}", Role.SUCCESS))
                yield f"{gutter} |"
            case Output(lines):
                yield from (f"   | {self._text(line)}" for line in lines)
            case Patch(lines):
                yield from (f"   | {self._text(_changed(line))}" for line in lines)
            case Evidence(blocks):
                inside = self.lines(blocks, used=used + margin + 3)
                yield from (f"{gutter} | {line}".rstrip() for line in inside)
            case Indented(blocks, by):
                yield from (f"{' ' * by}{line}".rstrip() for line in self.lines(blocks, margin, used + by))
            case Diagnostic(blocks):
                numbers = (block.line for block in blocks if isinstance(block, Place | Source | Change))
                yield from self.lines(blocks, max([2, *(len(str(number)) for number in numbers)]), used)
            case Table():
                yield from self._table(block, used)
            case KeyValues(rows):
                yield from self._key_values(rows, used)
            case Plots(metrics):
                yield from drawn_plots(metrics, self._style)
            case Fold(line, blocks):
                yield from self.lines(blocks if self._style.verbose else (line,), margin, used)
            case Curves():
                yield from drawn_curves(block, self._style)
            case Gap():
                yield ""
            case Steps():
                pass
            case Details(document):
                yield from write_text(document, self._style).splitlines()
            case str() | Span() | tuple():
                yield from self._wrapped("", self._text(block), used, _INDENT)

    def _wrapped(self, start: str, text: str, used: int, under: str | None = None) -> Iterator[str]:
        """A line, or several, each under the text of the first. Words are never broken."""
        before = _width(f"{start}|") - 1
        room = max(_LEAST_ROOM, self._width - used - max(before, len(under or "")))
        lines = _broken(text, room)
        yield (start + lines[0]).rstrip()
        yield from ((" " * before if under is None else under) + line for line in lines[1:])

    def _carets(self, code: str, mark: tuple[int, int] | None) -> str:
        """What stands under a line of source."""
        if mark is None:
            return ""
        before, under = (_width(f"{self._plain._text(part)}|") - 1 for part in (code[: mark[0]], code[slice(*mark)]))
        return " " * before + self._text(Span("^" * under, Role.ERROR))

    def _text(self, text: Text) -> str:
        """One line, harmless. The one place where text from outside gets into a terminal."""
        if isinstance(text, tuple):
            return "".join(map(self._text, text))
        if isinstance(text, str):
            plain = text.replace("\u2026", "...") if self._style.ascii else text
            return escape(plain, ascii_only=self._style.ascii)
        colour, inside = _COLOURS.get(text.role), self._text(text.text)
        return f"\x1b[{colour}m{inside}\x1b[0m" if self._style.colour and colour and inside else inside

    def _key_values(self, rows: Sequence[tuple[str, Text | Table]], used: int) -> Iterator[str]:
        from rich.cells import cell_len

        keys = self._aligned([(key, "|") for key, _ in rows])
        for key, (_, value) in zip(keys, rows, strict=True):
            start = key[:-1]
            if not isinstance(value, Table):
                yield from self._wrapped(start, self._text(value), used, " " * cell_len(start))
                continue
            for place, line in enumerate(self._table(value, used + cell_len(start))):
                yield f"{' ' * cell_len(start) if place else start}{line}".rstrip()

    def _table(self, table: Table, used: int) -> Iterator[str]:
        rows = [row for row in table.rows if not isinstance(row, Across)]
        aligned = self._aligned([table.head, *rows] if table.head else rows, table.right)
        if max(map(_width, aligned), default=0) > self._width - used:
            yield from self._listed(table, used)
            return
        lines = iter(aligned)
        if table.head:
            yield next(lines)
        for row in table.rows:
            if isinstance(row, Across):
                yield from self._wrapped(" " * row.indent, self._text(row.text), used)
            else:
                yield next(lines)

    def _listed(self, table: Table, used: int) -> Iterator[str]:
        """A table that is too wide: each row its first cell, and under it the others, with the head of their column."""
        for row in table.rows:
            if isinstance(row, Across):
                yield from self._wrapped(" " * row.indent, self._text(row.text), used)
                continue
            if not table.head:
                cells = (written for cell in row if (written := self._text(cell)))
                yield from self._wrapped("", _INDENT.join(cells), used, _INDENT)
                continue
            yield from self._wrapped("", self._text(row[0]) or "-", used, _INDENT)
            named = [(self._text(head), self._text(cell)) for head, cell in zip(table.head, row, strict=False)][1:]
            widest = max((_width(head) for head, _ in named), default=0)
            for head, written in named:
                if written not in ("", "-"):
                    start = f"{_INDENT}{head}{' ' * (widest - _width(head) + 2)}"
                    yield from self._wrapped(start, written, used)

    def _aligned(self, rows: Sequence[Sequence[Text]], right: Sequence[int] = ()) -> list[str]:
        """Columns with two blanks between. A cell wider than _WIDEST pushes only its own line."""
        from rich.cells import cell_len

        sizes = [[cell_len(self._plain._text(cell)) for cell in row] for row in rows]
        widths = [max((size for size in column if size <= _WIDEST), default=0) for column in zip(*sizes, strict=True)]
        lines = []
        for row, own in zip(rows, sizes, strict=True):
            spaces = [" " * max(0, width - size) for width, size in zip(widths, own, strict=True)]
            cells = [
                space + self._text(cell) if x in right else self._text(cell) + space
                for x, (cell, space) in enumerate(zip(row, spaces, strict=True))
            ]
            lines.append(_INDENT.join(cells).rstrip())
        return lines


def _changed(line: str) -> Text:
    role = {"-": Role.ERROR, "+": Role.SUCCESS}.get(line[:1])
    return line if role is None or line.startswith(("---", "+++")) else Span(line, role)


def _width(line: str) -> int:
    """Columns that it takes, without blanks at its end."""
    from rich.cells import cell_len

    return cell_len(_COLOUR.sub("", line).rstrip())


def _broken(text: str, room: int) -> list[str]:
    """Between words, so that each line has room. Colours take none, and break nothing. Code stays on one line: it is
    copied."""
    plain = _COLOUR.sub("", text)
    if _width(plain) <= room:
        return [text]
    lines: list[tuple[int, int]] = []
    for word in _words(plain, room):
        start = lines[-1][0] if lines else 0
        if lines and _width(plain[start : word.end()]) <= room:
            lines[-1] = start, word.end()
        else:
            lines.append((word.start() if lines else 0, word.end()))
    return _coloured(text, plain, lines or [(0, len(plain))])


def _words(plain: str, room: int) -> Iterator[re.Match[str]]:
    for word in re.finditer(r"(?:`[^`]*`|\S)+", plain):
        if _width(word[0]) <= room:
            yield word
        else:
            yield from re.compile(r"\S+").finditer(plain, *word.span())


def _coloured(text: str, plain: str, lines: Sequence[tuple[int, int]]) -> list[str]:
    """These stretches of a text, each with the colours that begin or end in it."""
    parts, taken = ["" for _ in lines], [start for start, _ in lines]
    removed = 0
    for code in _COLOUR.finditer(text):
        offset = code.start() - removed
        removed += len(code[0])
        row = next((row for row, (_, end) in enumerate(lines) if offset <= end), len(lines) - 1)
        until = min(max(offset, taken[row]), lines[row][1])
        parts[row] += plain[taken[row] : until] + code[0]
        taken[row] = until
    return [part + plain[start:end] for part, start, (_, end) in zip(parts, taken, lines, strict=True)]
