"""A document as plain lines, nothing cut to the width of a terminal. Colour repeats what the words say already."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reprocheck.engine.console import Style, escape
from reprocheck.report.document import (
    Across,
    Block,
    Change,
    Details,
    Diagnostic,
    Document,
    Evidence,
    Gap,
    Heading,
    Headline,
    Indented,
    KeyValues,
    Note,
    Output,
    Place,
    Plots,
    Role,
    Source,
    Span,
    Steps,
    Table,
    Text,
)
from reprocheck.report.writers.plot import drawn_plots

_INDENT = "  "
_WIDEST = 60
_LEAST_WIDTH = 40
_COLOURS = {Role.ERROR: "31", Role.SUCCESS: "32", Role.WARNING: "33", Role.NOTE: "34", Role.STRONG: "1"}


def write_text(document: Document, style: Style) -> str:
    """The whole report, a newline at its end."""
    writer = _Writer(style)
    lines: list[str] = []
    for section in document.sections:
        lines += ([""] if lines else []) + writer.lines(section)
    if document.wraps and style.wraps:
        lines = [part for line in lines for part in _wrapped(line, style.width)]
    return "".join(f"{line}\n" for line in lines)


class _Writer:
    """Blocks → lines, in one style."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._plain = _Writer(replace(style, colour=False)) if style.colour else self

    def lines(self, blocks: Sequence[Block], margin: int = 2) -> list[str]:
        """`margin`: how wide the gutter of the diagnostic is that the blocks are in."""
        return [line for block in blocks for line in self._block(block, margin)]

    def _block(self, block: Block, margin: int) -> Iterator[str]:
        gutter = " " * margin
        match block:
            case Heading(text):
                yield self._text(text)
            case Headline(word, target, text, limits):
                parts = (self._text((word, limits)), self._text(target), self._text(text))
                yield "  ".join(part for part in parts if part)
            case Note(label, text, indent):
                yield f"{' ' * (margin + 1 if indent is None else indent)}= {label}: {self._text(text)}".rstrip()
            case Place(text, _, mark):
                yield f"{gutter}{mark} {self._text(text)}"
            case Source(line, code):
                yield from (f"{gutter} |", f"{line:>{margin}} | {self._text(code)}", f"{gutter} |")
            case Change(line, before, after):
                yield f"{gutter} |"
                yield self._text(Span(f"{line:>{margin}} - {before}", Role.ERROR))
                yield self._text(Span(f"{line:>{margin}} + {after}", Role.SUCCESS))
                yield f"{gutter} |"
            case Output(lines):
                yield from (f"   | {self._text(line)}" for line in lines)
            case Evidence(blocks):
                yield from (f"{gutter} | {line}".rstrip() for line in self.lines(blocks))
            case Indented(blocks, by):
                yield from (f"{' ' * by}{line}".rstrip() for line in self.lines(blocks, margin))
            case Diagnostic(blocks):
                numbers = (block.line for block in blocks if isinstance(block, Place | Source | Change))
                yield from self.lines(blocks, max([2, *(len(str(number)) for number in numbers)]))
            case Table():
                yield from self._table(block)
            case KeyValues(rows):
                yield from self._key_values(rows)
            case Plots(metrics):
                yield from drawn_plots(metrics, self._style)
            case Gap():
                yield ""
            case Steps():
                pass
            case Details(document):
                yield from write_text(document, self._style).splitlines()
            case str() | Span() | tuple():
                yield self._text(block)

    def _text(self, text: Text) -> str:
        """One line, harmless. The one place where text from outside gets into a terminal."""
        if isinstance(text, tuple):
            return "".join(map(self._text, text))
        if isinstance(text, str):
            plain = text.replace("\u2026", "...") if self._style.ascii else text
            return escape(plain, ascii_only=self._style.ascii)
        colour, inside = _COLOURS.get(text.role), self._text(text.text)
        return f"\x1b[{colour}m{inside}\x1b[0m" if self._style.colour and colour and inside else inside

    def _key_values(self, rows: Sequence[tuple[str, Text | Table]]) -> Iterator[str]:
        from rich.cells import cell_len

        keys = self._aligned([(key, "|") for key, _ in rows])
        for key, (_, value) in zip(keys, rows, strict=True):
            lines = list(self._table(value)) if isinstance(value, Table) else [self._text(value)]
            for place, line in enumerate(lines):
                yield f"{' ' * cell_len(key[:-1]) if place else key[:-1]}{line}".rstrip()

    def _table(self, table: Table) -> Iterator[str]:
        rows = [row for row in table.rows if not isinstance(row, Across)]
        lines = iter(self._aligned([table.head, *rows] if table.head else rows, table.right))
        if table.head:
            yield next(lines)
        for row in table.rows:
            yield f"{' ' * row.indent}{self._text(row.text)}" if isinstance(row, Across) else next(lines)

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


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width or width < _LEAST_WIDTH:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent=_INDENT * 3, break_long_words=False, break_on_hyphens=False)
