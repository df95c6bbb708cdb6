"""Documents and their writers: how each block looks, and that no text from outside can be more than text."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reprocheck.engine.console import Style
from reprocheck.report.document import (
    Across,
    Change,
    Diagnostic,
    Evidence,
    Fold,
    KeyValues,
    Note,
    Place,
    Role,
    Source,
    Span,
    Steps,
    Table,
    document,
    indented,
)
from reprocheck.report.writers.html import write_html
from reprocheck.report.writers.markdown import write_markdown
from reprocheck.report.writers.text import write_text
from tests.support.audits import grid
from tests.support.documents import SEVERAL, everything
from tests.support.pages import check_page

HARMLESS = {
    *("h3", "p", "ul", "li", "strong", "code", "pre", "details", "summary", "em"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
OFTEN = pytest.mark.parametrize("examples", [50, pytest.param(400, marks=pytest.mark.slow)])
OF_OURS = check_page(write_html(everything(["`x`"]), Style(), "{}")).elements
"""Where every text is harmless."""
TAGS = {tag for tag, _ in OF_OURS}
ATTRIBUTES = {name for _, attributes in OF_OURS for name in attributes}
UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


class Page(HTMLParser):
    """The elements of a page, and its words outside code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.comments: list[str] = []
        self._inside: list[str] = []
        self.feed(MarkdownIt("commonmark").enable("table").enable("strikethrough").render(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._inside.append(tag)
        self.words += "\0"  # names, mentions and addresses end where a text node does

    def handle_endtag(self, tag: str) -> None:
        assert self._inside.pop() == tag
        self.words += "\0"

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        if "code" not in self._inside:
            self.words += data


def tried(examples: int, *strategies: Any) -> Callable[[Callable[..., None]], Callable[[], None]]:
    return lambda check: settings(max_examples=examples, deadline=None, derandomize=True)(given(*strategies)(check))


@OFTEN
def test_no_document_has_a_control_character_in_text(examples: int) -> None:
    @tried(examples, SEVERAL, st.booleans(), st.booleans(), st.booleans())
    def check(texts: list[str], colour: bool, ascii_only: bool, terminal: bool) -> None:
        written = everything(texts)
        looks = Style(ascii=ascii_only, wraps=terminal, width=60, verbose=terminal)
        text = write_text(written, replace(looks, colour=colour))
        plain = re.sub(r"\x1b\[(?:0|1|3[1-4])m", "", text) if colour else text
        assert {char for char in plain if char != "\n" and unicodedata.category(char) in UNSAFE} == set()
        assert not ascii_only or plain.isascii()
        if colour:
            bare = write_text(written, looks)
            assert [line.rstrip() for line in plain.splitlines()] == [line.rstrip() for line in bare.splitlines()]

    check()


@OFTEN
def test_no_document_is_active_in_markdown(examples: int) -> None:
    @tried(examples, SEVERAL)
    def check(texts: list[str]) -> None:
        text = write_markdown(everything(texts), Style())
        assert {char for char in text if char != "\n" and unicodedata.category(char) in UNSAFE} == set()
        page = Page(text)
        assert page.elements <= HARMLESS
        assert page.attributes <= {"class", "style"}
        assert page.comments == []
        assert not re.search(r"@\w|#\d|://|\bwww\.|:\w+:", page.words)

    check()


@OFTEN
def test_no_document_is_active_in_html(examples: int) -> None:
    @tried(examples, SEVERAL)
    def check(texts: list[str]) -> None:
        written = everything(texts)
        data = json.dumps({"texts": texts})
        page = check_page(text := write_html(written, Style(), data))
        assert {char for char in text if char != "\n" and unicodedata.category(char) in UNSAFE} == set()
        assert "##" not in text
        assert not re.search(r"(?m)^\s*::", text)
        assert {tag for tag, _ in page.elements} <= TAGS
        assert {name for _, one in page.elements for name in one} <= ATTRIBUTES
        assert page.data() == {"texts": texts}

    check()


@pytest.mark.parametrize("style", [Style(), Style(colour=True)])
def test_a_diagnostic_has_a_gutter_as_wide_as_its_longest_number(style: Style) -> None:
    blocks = (
        (Span("error[RC1]", Role.ERROR), ": it differs"),
        Place("a.py:1234", 1234),
        Source(1234, "y = x[i]"),
        Evidence(("seen",)),
        Note("help", "do `this`"),
        Change(7, "y = x[i]", "y = f(x)"),
    )
    text = write_text(document("x", [Diagnostic(blocks)]), style)
    assert re.sub("\x1b.*?m", "", text) == (
        "error[RC1]: it differs\n    --> a.py:1234\n     |\n1234 | y = x[i]\n     |\n     | seen\n"
        "     = help: do `this`\n     |\n   7 - y = x[i]\n   7 + y = f(x)\n     |\n"
    )
    assert ("\x1b[31merror[RC1]\x1b[0m: it" in text) is style.colour


def test_code_is_not_broken_where_it_fits() -> None:
    style = Style(wraps=True, width=44)
    text = write_text(document("x", ["this is more than a line: `reprocheck explain RC531` says it"]), style)
    assert text.splitlines() == ["this is more than a line:", "  `reprocheck explain RC531` says it"]
    long = f"a `{'word ' * 20}` and a ` alone"
    assert write_text(document("x", [long]), style).split() == long.split()


def test_carets_stand_under_the_expression() -> None:
    code = 'y = "\u6570\t" + x[i]  # more'
    source = Source(41, code, (code.index("x[i]"), code.index("  #")))
    shown = document("x", [Diagnostic(("error", source))])
    text = write_text(shown, Style())
    assert text.splitlines()[2:] == ['41 | y = "\u6570\\t" + x[i]  # more', "   |              ^^^^"]
    assert "\x1b[31m^^^^\x1b[0m" in write_text(shown, Style(colour=True))
    assert "<mark>x[i]</mark>" in write_html(shown, Style())
    narrow = write_text(document("x", [Source(41, f"{'x ' * 40}", (0, 1))]), Style(wraps=True, width=44))
    assert "^" not in narrow  # the line is broken: under which part?


def test_columns_are_aligned_without_cutting() -> None:
    rows = (("a", "1"), Across("= note: between", 2), ("long name", "22"), ("w" * 300, "3"))
    table = Table(rows, ("name", ""), right=(1,))
    assert write_text(document("x", indented([table])), Style()).splitlines() == [
        "  name",
        "  a           1",
        "    = note: between",
        "  long name  22",
        "  " + "w" * 300 + "   3",
    ]
    assert write_markdown(document("x", [Table(rows[:3], ("name", ""), right=(1,))]), Style()) == (
        "### x\n\n| name |  |\n| --- | ---: |\n| a | 1 |\n| = note: between |  |\n| long name | 22 |\n"
    )


def test_a_table_may_be_the_value_of_a_key() -> None:
    inner = Table((("[0]", "1"), ("[1]", "2")), ("element", "s0r0"))
    text = write_text(document("x", [KeyValues((("op", "`add`"), ("values", inner)))]), Style())
    assert text == "op      `add`\nvalues  element  s0r0\n        [0]      1\n        [1]      2\n"


def test_lines_are_wrapped_under_themselves_on_a_terminal_only() -> None:
    words = " ".join(f"word{number}" for number in range(12))
    blocks = (
        (Span("error[RC1]", Role.ERROR), ": ", words),
        Place("a.py:7", 7),
        Source(7, f"f({words})"),
        Evidence((KeyValues((("op", words),)),)),
        Note("help", words),
    )
    written = document("x", [Diagnostic(blocks)])
    text = write_text(written, Style(wraps=True, width=44))
    assert text.splitlines() == [
        "error[RC1]: word0 word1 word2 word3 word4",
        "  word5 word6 word7 word8 word9 word10",
        "  word11",
        "  --> a.py:7",
        "   |",
        " 7 | f(word0 word1 word2 word3 word4 word5",
        "   |   word6 word7 word8 word9 word10",
        "   |   word11)",
        "   |",
        "   | op  word0 word1 word2 word3 word4 word5",
        "   |     word6 word7 word8 word9 word10",
        "   |     word11",
        "   = help: word0 word1 word2 word3 word4",
        "           word5 word6 word7 word8 word9",
        "           word10 word11",
    ]
    coloured = write_text(written, Style(wraps=True, width=44, colour=True))
    assert re.sub("\x1b.*?m", "", coloured) == text
    assert max(map(len, write_text(written, Style(width=44)).splitlines())) > 80
    assert write_text(written, Style(wraps=True, width=20)) == write_text(written, Style(width=20))


def test_a_table_that_is_too_wide_becomes_a_list() -> None:
    table = Table((("loss", "0.5", "-"), Across("= note: x", 2), ("accuracy", "0.75", "")), ("metric", "mean", "std"))
    written = document("x", indented([table]))
    assert write_text(written, Style(wraps=True, width=100)) == write_text(written, Style())
    wide = document("x", indented([Table((*table.rows, ("w" * 50, "1", "2")), table.head)]))
    assert write_text(wide, Style(wraps=True, width=50)).splitlines() == [
        *("  loss", "    mean  0.5", "    = note: x", "  accuracy", "    mean  0.75"),
        *(f"  {'w' * 50}", "    mean  1", "    std   2"),
    ]


def test_what_is_folded_is_a_line_or_what_stands_behind_it() -> None:
    written = document("x", [Fold("in short", ("all", "of it"))])
    assert write_text(written, Style()) == "in short\n"
    assert write_text(written, Style(verbose=True)) == "all\nof it\n"
    assert write_markdown(written, Style()) == "### x\n\nin short\n"
    page = check_page(write_html(written, Style()))
    assert len(page.of("details")) == len(page.of("summary")) == 1
    assert [text for tag, text in page.texts if tag in ("summary", "p")][:3] == ["in short", "all", "of it"]


def test_what_is_only_drawn_leaves_no_gap() -> None:
    assert write_text(document("x", ["a"], [Steps((grid(),))], ["b"]), Style()) == "a\n\nb\n"


def test_empty_sections_leave_no_gap() -> None:
    assert write_text(document("x", ["a"], [], ["b"]), Style()) == "a\n\nb\n"
    assert write_markdown(document("a_b", ["1. a", *indented(["- b"])], []), Style()) == (
        "### a\\_b\n\n&#8203;1. a\n\n- &#8203;- b\n"
    )
