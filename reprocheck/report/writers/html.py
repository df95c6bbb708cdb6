"""A document as one HTML file: opened by double click, it asks nobody for anything, and is complete without scripts.

By its own policy the page may do nothing that is not in it: text that got through as markup would still be idle.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from reprocheck import __version__
from reprocheck.engine.console import Style
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
    bare,
)
from reprocheck.report.writers.page.curves import curve_plot
from reprocheck.report.writers.page.grid import step_grids
from reprocheck.report.writers.page.markup import Markup, element, joined, with_code
from reprocheck.report.writers.page.strip import strip_plot

MOST_DATA = 700_000
"""Characters of JSON that a page carries."""
_ASSETS = Path(__file__).parent / "page"
_DEEPEST = 6
_NEWLINE = Markup("\n")


def write_html(document: Document, style: Style, data: str = "") -> str:
    """The whole file. `data`: the same answer as JSON, which the page carries along."""
    head, sections = _headline(document)
    writer = _Writer()
    main = [writer.section(section) for section in sections]
    title = joined(["reprocheck: ", plain(head) if head else document.title])
    css, script = _asset("page.css"), _asset("page.js")
    policy = f"default-src 'none'; img-src data:; style-src {_hash(css)}; script-src {_hash(script)}; base-uri 'none'"
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=f"{policy}; form-action 'none'"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("link", rel="icon", href="data:,"),
            element("title", title),
            element("style", Markup(css)),
        ),
        _NEWLINE,
        element(
            "body",
            element(
                "header",
                element("p", document.title, class_="kicker") if head else "",
                _title(document, head),
                *(element("p", _inline(line), class_="about") for line in document.about),
            ),
            _NEWLINE,
            element("main", *main),
            _NEWLINE,
            element("footer", _carried(data), element("p", f"written by reprocheck {__version__}")),
            element("script", Markup(script)),
        ),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


def plain(block: Headline) -> str:
    """A headline in one line."""
    return " ".join(part for part in (block.word.text, block.target) if part)


def embedded(data: str) -> Markup:
    """JSON inside an element `script`: what could end it, open a comment or command a log reads as before, escaped."""
    compact = json.dumps(json.loads(data), separators=(",", ":"), sort_keys=True)
    for char in "<>&":
        compact = compact.replace(char, f"\\u{ord(char):04x}")
    return Markup(compact.replace("##", "#\\u0023").replace("::", ":\\u003a"))


def _headline(document: Document) -> tuple[Headline | None, tuple[tuple[Block, ...], ...]]:
    """The line that opens the document, which is the title of the page, and the sections without it."""
    if document.sections and isinstance(first := document.sections[0][0], Headline):
        rest = document.sections[0][1:]
        return first, ((rest,) if rest else ()) + document.sections[1:]
    return None, document.sections


def _title(document: Document, head: Headline | None) -> Markup:
    if head is None:
        return element("h1", document.title)
    word = element("span", head.word.text, class_=f"word {_class(head.word.role)}")
    target = [" ", element("code", head.target)] if head.target else []
    limits = [element("span", head.limits, class_="limits")] if head.limits else []
    return joined([element("h1", word, *limits, *target), element("p", _inline(head.text), class_="lead")])


def _carried(data: str) -> Markup:
    if not data:
        return Markup()
    inside = embedded(data)
    if len(inside) > MOST_DATA:
        return element("p", f"The JSON report is too long to be carried here ({len(inside)} characters).")
    name = element("code", "script#report")
    return joined(
        [
            element("p", "The JSON report of the same answer is in this file, in ", name, "."),
            element("script", inside, id="report", type="application/json"),
        ]
    )


@cache
def _asset(name: str) -> str:
    return "\n" + (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _class(role: Role) -> str:
    return role.name.lower()


def _inline(text: Text) -> Markup:
    if isinstance(text, tuple):
        return joined(map(_inline, text))
    if isinstance(text, str):
        return with_code(text)
    if text.role is Role.CODE:
        return element("code", text.text)
    inside = with_code(text.text)
    return element("strong", inside) if text.role is Role.STRONG else element("span", inside, class_=_class(text.role))


class _Writer:
    """Blocks → elements. Knows under which heading it is, so that tables and drawings can be named by it."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._heading = ""
        self._last = 1
        """The level of the heading before: none is left out on the way down."""

    def section(self, blocks: Sequence[Block], level: int = 2) -> Markup:
        """A paragraph of the report."""
        self._heading = ""
        return joined([element("section", *self._blocks(blocks, level)), _NEWLINE])

    def _blocks(self, blocks: Sequence[Block], level: int, inner: bool = False) -> Iterator[Markup]:
        """`inner`: lines belong to one above, and are items of a list."""
        for kind, group in itertools.groupby(blocks, _kind):
            together = list(group)
            if kind == Note.__name__:
                yield self._notes([block for block in together if isinstance(block, Note)])
            elif kind == "line" and inner and len(together) > 1:
                lines = [_inline(block) for block in together if isinstance(block, str | Span | tuple)]
                yield element("ul", *(element("li", line) for line in lines if line), class_="lines")
            else:
                for block in together:
                    yield from self._block(block, level)

    def _block(self, block: Block, level: int) -> Iterator[Markup]:
        match block:
            case Heading(text):
                yield self._title(text, level)
            case Headline(word, target, text, limits):
                role = _class(word.role)
                of = [" ", element("code", target)] if target else []
                shown = (element("strong", word.text, class_=role), limits, *of, ": ", _inline(text))
                yield element("p", *shown, class_="headline")
            case Note():
                yield self._notes([block])
            case Place(text, _, mark):
                where = "in the other revision at " if mark == ":::" else "at "
                yield element("p", element("span", where, class_="dim"), _inline(text), class_="place")
            case Source(line, code, mark):
                yield element("pre", _number(line), element("code", *_marked(code, mark)), class_="source")
            case Change(line, before, after):
                lines = (_changed("del", "-", line, before), _NEWLINE, _changed("ins", "+", line, after))
                yield element("pre", *lines, class_="change", data_copy=after)
            case Patch(lines):
                written = joined(part for line in lines for part in (_of_patch(line), _NEWLINE))
                yield element("pre", written, class_="patch", data_copy="".join(f"{line}\n" for line in lines))
            case Output(lines):
                written = joined(part for line in lines for part in (line, _NEWLINE))
                yield element("pre", element("code", written), class_="output")
            case Table():
                yield self._table(block)
            case KeyValues(rows):
                yield element("dl", *(self._pair(*row) for row in rows), class_="pairs")
            case Plots(metrics):
                yield from (drawn for metric in metrics if (drawn := strip_plot(metric, f"plot{next(self._ids)}")))
            case Steps(grids):
                yield self._title("Steps, kind by kind", level)
                yield step_grids(grids)
            case Curves():
                yield curve_plot(block, f"curves{next(self._ids)}")
            case Evidence(blocks):
                yield element("div", *self._blocks(blocks, _under(level), True), class_="evidence")
            case Indented(blocks):
                yield element("div", *self._blocks(blocks, _under(level), True), class_="indented")
            case Diagnostic(blocks):
                yield self._diagnostic(blocks, level)
            case Details(document):
                sections = (self.section(section, _under(level)) for section in document.sections)
                yield element("details", element("summary", document.title), *sections)
            case Fold(line, blocks):
                inside = element("div", *self._blocks(blocks, _under(level)), class_="indented")
                yield element("details", element("summary", _inline(line)), inside)
            case Gap():
                pass
            case str() | Span() | tuple():
                if line_of_text := _inline(block):
                    yield element("p", line_of_text)

    def _diagnostic(self, blocks: Sequence[Block], level: int) -> Markup:
        head, *rest = blocks
        if not isinstance(head, str | Span | tuple):
            return element("article", *self._blocks(blocks, level, True), class_="diagnostic")
        title = self._title(head, level)
        first = head[0] if isinstance(head, tuple) and head else head
        role = _class(first.role) if isinstance(first, Span) else "note"
        return element("article", title, *self._blocks(rest, _under(level), True), class_=f"diagnostic {role}")

    def _title(self, text: Text, level: int) -> Markup:
        text = text.removesuffix(":") if isinstance(text, str) else text  # a title stands by itself
        self._heading = bare(text)
        self._last = min(level, self._last + 1)
        return element(f"h{self._last}", _inline(text))

    def _notes(self, notes: Sequence[Note]) -> Markup:
        rows = (
            element("div", element("dt", note.label), element("dd", _inline(note.text)), class_=_kind_of(note.label))
            for note in notes
        )
        return element("dl", *rows, class_="notes")

    def _pair(self, key: str, value: Text | Table) -> Markup:
        shown = self._table(value) if isinstance(value, Table) else _inline(value)
        return element("div", element("dt", key), element("dd", shown))

    def _table(self, table: Table) -> Markup:
        rows = [row for row in table.rows if isinstance(row, tuple)]
        width = max((len(row) for row in (*rows, table.head)), default=1)
        head = ""
        if table.head:
            cells = (
                element("th" if bare(cell) else "td", _inline(cell), class_=_side(x, table), scope=_of(cell))
                for x, cell in enumerate(table.head)
            )
            head = element("thead", element("tr", *cells))
        body = element("tbody", *(self._row(row, table, width) for row in table.rows))
        name = f"table: {self._heading}" if self._heading else "table"
        return element("div", element("table", head, body), class_="scroll", role="group", tabindex=0, aria_label=name)

    def _row(self, row: tuple[Text, ...] | Across, table: Table, width: int) -> Markup:
        if isinstance(row, Across):
            return element("tr", element("td", _inline(row.text), colspan=width, class_="across"))
        cells = []
        for x, cell in enumerate(row):
            is_name = not x and bool(table.head) and bool(bare(cell))
            scope = "row" if is_name else None
            cells.append(element("th" if is_name else "td", _inline(cell), class_=_side(x, table), scope=scope))
        return element("tr", *cells)


def _kind(block: Block) -> str:
    """Blocks that are shown together have one kind."""
    return "line" if isinstance(block, str | Span | tuple) else type(block).__name__


def _kind_of(label: str) -> str | None:
    return "help" if label == "help" else None


def _under(level: int) -> int:
    return min(level + 1, _DEEPEST)


def _side(x: int, table: Table) -> str | None:
    return "number" if x in table.right else None


def _of(cell: Text) -> str | None:
    return "col" if bare(cell) else None


def _number(line: int) -> Markup:
    return element("span", f"{line}", class_="line")


def _marked(code: str, mark: tuple[int, int] | None) -> list[str]:
    if mark is None:
        return [code]
    return [code[: mark[0]], element("mark", code[slice(*mark)]), code[mark[1] :]]


def _of_patch(line: str) -> Markup:
    name = {"-": "del", "+": "ins"}.get(line[:1])
    is_head = name is None or line.startswith(("---", "+++"))
    return element("code", line) if is_head else element(name or "code", element("code", line))


def _changed(name: str, mark: str, line: int, code: str) -> Markup:
    return joined([_number(line), element(name, element("span", f"{mark} ", class_="mark"), element("code", code))])
