"""A document as Markdown, fit for a comment on a pull request.

It is read by people who did not start the command, on a site that turns `@name` into a mail: text from outside becomes
code or is escaped, and the whole fits into a comment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence

from reprocheck.engine.console import Style, escape
from reprocheck.model import StepGrid
from reprocheck.model.difference import DIFFERENT, EQUAL, NOT_COMPARED, NOTHING
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
)
from reprocheck.report.writers.text import write_text

LONGEST = 60_000
"""Characters of a comment; GitHub takes 65 536."""
_LEAST_DETAILS = 1000
_FOLD = "<details><summary>Details</summary>\n\n{fence}text\n{text}\n{fence}\n\n</details>"
_CUT = "(cut: the rest is too long for a comment)"
_MOST_GRIDS = 3
_MOST_CELLS = 40
_WORST = (DIFFERENT, NOT_COMPARED, EQUAL)
_GAP = "&#8203;"
"""Nothing to see, but neither a mention, a reference nor a link goes across it."""
_ESCAPES = {
    **{char: f"\\{char}" for char in "\\`*_[]~!"},
    **{"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;", "@": f"@{_GAP}", "#": f"#{_GAP}"},
}
_LIST = re.compile(r"\s*(?:\\?[-+=]|\d+[.)])")
"""What would start a list or underline a heading."""
_BOLD = (Role.ERROR, Role.WARNING, Role.NOTE, Role.STRONG)


def write_markdown(document: Document, style: Style) -> str:
    """The whole comment."""
    parts = [f"### {prose(document.title)}"]
    room = LONGEST - len(parts[0])
    for section in document.sections:
        details = [block for block in section if isinstance(block, Details)]
        part = _part([block for block in section if not isinstance(block, Details)])
        if len(part) + 2 > room:
            return "\n\n".join([*parts, _CUT]) + "\n"
        parts += [part] if part else []
        parts += [folded for block in details if (folded := _details(block.document, room - len(part) - len(_FOLD)))]
        room -= len(part) + 2
    return "\n\n".join(parts) + "\n"


def prose(text: str) -> str:
    """A sentence with text from outside in it: what stands between backticks is code, the rest is only text."""
    return _line(text)


def code(text: str) -> str:
    """Text from outside as code: nothing in it is a link, a mention or markup."""
    inside = escape(text) or " "
    if "|" in inside:  # in a table it would end the cell, and between backticks it cannot be escaped for good
        return f"<code>{_escaped(inside)}</code>"
    fence = fence_of(inside, 1)
    pad = " " if inside.startswith("`") or inside.endswith("`") else ""
    return f"{fence}{pad}{inside}{pad}{fence}"


def fence_of(text: str, least: int = 3) -> str:
    """Backticks between which a reader takes all of `text` as it is: more than it has in a row itself."""
    return "`" * max(least, max(map(len, re.findall("`+", text)), default=0) + 1)


def _escaped(text: str) -> str:
    """Text; addresses and emoji names do not become anything else."""
    safe = "".join(_ESCAPES.get(char, char) for char in text)
    safe = re.sub(r":(?=//|[\w+-]+:|[\w+-]*[a-zA-Z_][\w+-]*$)", f":{_GAP}", safe)
    return re.sub(r"(?i)\bwww\.", lambda found: f"{found[0][:-1]}{_GAP}.", safe)


def _inline(text: Text) -> str:
    if isinstance(text, tuple):
        return _apart(map(_inline, _joined(text)))
    if isinstance(text, str):
        parts = re.split(r"`([^`]+)`", escape(text))
        return _apart(code(part) if place % 2 else _escaped(part) for place, part in enumerate(parts))
    if text.role is Role.CODE:
        return code(text.text)
    return _strong(text.text) if text.role in _BOLD else _inline(text.text)


def _apart(pieces: Iterable[str]) -> str:
    """One after the other; the backticks of two neighbours would be one longer fence."""
    text = ""
    for piece in pieces:
        text += _GAP + piece if text.endswith("`") and piece.startswith("`") else piece
    return text


def _pieces(text: Text) -> tuple[str | Span, ...]:
    return text if isinstance(text, tuple) else (text,)


def _joined(pieces: Sequence[str | Span]) -> Iterator[str | Span]:
    """Neighbours without markup between them are one text: else what is harmless apart is an address together."""
    plain = ""
    for piece in pieces:
        is_plain = isinstance(piece, str) or (piece.role is not Role.CODE and not piece.text.strip())
        if is_plain or (isinstance(piece, Span) and piece.role is Role.SUCCESS):
            plain += piece if isinstance(piece, str) else piece.text
        else:
            yield plain
            plain = ""
            yield piece
    yield plain


def _strong(text: Text) -> str:
    written = _inline(text)
    if not written.strip():
        return ""
    # Between a letter and a punctuation mark, asterisks would stand there as they are.
    return f"**{written}**" if written[0].isalnum() and written[-1].isalnum() else f"<strong>{written}</strong>"


def _line(text: Text) -> str:
    """A line of its own, which starts no list and no heading."""
    return _started(_inline(text))


def _started(written: str) -> str:
    return f"{_GAP}{written}" if _LIST.match(written) else written


def _part(blocks: Sequence[Block]) -> str:
    """A section: items of a list stand together, everything else apart."""
    text, last = "", ""
    for chunk in _chunks(blocks, False):
        gap = "" if not text else "\n" if chunk.startswith("- ") and last.startswith("- ") else "\n\n"
        text, last = text + gap + chunk, chunk
    return text


def _chunks(blocks: Sequence[Block], inner: bool) -> Iterator[str]:
    """`inner`: what belongs to a line above is an item of a list."""
    bullet = "- " if inner else ""
    for block in blocks:
        match block:
            case Heading(text):
                yield f"{bullet}{_line(text)}" if inner else _strong(text)
            case Headline(word, target, text, limits):
                of = f" {code(target)}" if target else ""
                yield _started(f"{_strong(word.text)}{_inline(limits)}{of}: {_inline(text)}")
            case Note(label, text):
                yield f"- {label}: {_inline(text)}"
            case Place(text):
                yield f"- at {_inline(text)}"
            case Source(line, source):
                yield f"- line {line}: {code(source)}"
            case Change(_, _, after, True):
                yield _fenced("suggestion", [after])
            case Change(_, before, after):
                yield _fenced("diff", [f"- {before}", f"+ {after}"])
            case Steps(grids):
                yield from _grids(grids)
            case Patch(lines) if lines:
                yield _fenced("diff", lines)
            case Output(lines) if lines:
                yield _fenced("text", lines)
            case Table():
                yield from _table(block)
            case KeyValues(rows):
                yield from (
                    f"- {_line((*_pieces(key), ': ', *_pieces(value)))}"
                    for key, value in rows
                    if not isinstance(value, Table)
                )
                yield from (line for _, value in rows if isinstance(value, Table) for line in _table(value))
            case Evidence(blocks) | Indented(blocks):
                yield from _chunks(blocks, True)
            case Fold(line):
                yield f"{bullet}{_line(line)}"
            case Diagnostic(blocks):
                head, *rest = blocks
                yield from _chunks([head], inner)
                yield from _chunks(rest, True)
            case Gap() | Plots() | Curves() | Output() | Patch() | Details():
                pass
            case str() | Span() | tuple():
                if written := _line(block):
                    yield f"{bullet}{written}"


def _table(table: Table) -> Iterator[str]:
    rows = [row if isinstance(row, tuple) else (row.text,) for row in table.rows if isinstance(row, tuple | Across)]
    if not rows:
        return
    width = max(len(row) for row in rows)
    head = table.head or ("",) * width
    marks = ["---:" if x in table.right else "---" for x in range(width)]
    lines = [[_inline(cell) for cell in head], marks, *([_inline(cell) for cell in row] for row in rows)]
    yield "\n".join("| " + " | ".join([*cells, *[""] * (width - len(cells))]) + " |" for cells in lines)


def _grids(grids: Sequence[StepGrid]) -> Iterator[str]:
    """Runs by steps and kinds: a character for so many steps."""
    for grid in grids[:_MOST_GRIDS]:
        each = math.ceil(max((len(cells) for _, cells in grid.rows), default=1) / _MOST_CELLS)
        rows: list[tuple[Text, ...]] = []
        for kind, cells in grid.rows:
            first = cells.find(DIFFERENT)
            low, high = first * grid.width, min((first + 1) * grid.width, grid.steps) - 1
            at = "-" if first < 0 else f"step {low}" if low == high else f"steps {low} to {high}"
            rows.append((kind, at, Span(_narrowed(cells, each), Role.CODE)))
        last = "step 0" if grid.steps < 2 else f"steps 0 to {grid.steps - 1}"
        one, other = grid.runs
        yield _line(("run ", Span(other, Role.CODE), " against ", Span(one, Role.CODE)))
        yield from _table(Table(tuple(rows), ("kind", "first difference", last)))
    left_out = len(grids) - _MOST_GRIDS
    more = f"; {left_out} more pairs of runs are in the HTML report" if left_out > 0 else ""
    marks = ("=", "equal"), ("!", "different"), ("?", "not compared"), (".", "nothing was observed")
    words = ", ".join(f"{code(mark)} {word}" for mark, word in marks)
    yield words + more


def _narrowed(cells: str, each: int) -> str:
    """So many cells in one: what is worst in them."""
    groups = (cells[start : start + each] for start in range(0, len(cells), each))
    return "".join(next((mark for mark in _WORST if mark in group), NOTHING) for group in groups)


def _fenced(language: str, lines: Sequence[str]) -> str:
    text = "\n".join(map(escape, lines))
    fence = fence_of(text)
    return f"{fence}{language}\n{text}\n{fence}"


def _details(document: Document, room: int) -> str:
    """Another document as text, folded. Between fences nothing is markup."""
    text = write_text(document, Style(verbose=True)).rstrip("\n")
    fence = fence_of(text)
    room -= 2 * len(fence)
    if room < _LEAST_DETAILS:
        return ""
    if len(text) > room:
        text = f"{text[:room]}\n({len(text) - room} characters left out)"
    return _FOLD.format(fence=fence, text=text)
