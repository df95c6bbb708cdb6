"""Documents and their writers: how each block looks, and that no text from outside can be more than text."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser

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
    KeyValues,
    Note,
    Place,
    Role,
    Source,
    Span,
    Table,
    document,
    indented,
)
from reprocheck.report.writers.html import write_html
from reprocheck.report.writers.markdown import write_markdown
from reprocheck.report.writers.text import write_text
from tests.support.documents import SEVERAL, everything
from tests.support.pages import check_page

HARMLESS = {
    *("h3", "p", "ul", "li", "strong", "code", "pre", "details", "summary", "em"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
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


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SEVERAL, st.booleans(), st.booleans())
def test_no_document_has_a_control_character_in_text(texts: list[str], colour: bool, ascii_only: bool) -> None:
    written = everything(texts)
    text = write_text(written, Style(colour=colour, ascii=ascii_only))
    plain = re.sub(r"\x1b\[(?:0|1|3[1-4])m", "", text) if colour else text
    assert {char for char in plain if char != "\n" and unicodedata.category(char) in UNSAFE} == set()
    assert not ascii_only or plain.isascii()
    if colour:
        bare = write_text(written, Style(ascii=ascii_only))
        assert [line.rstrip() for line in plain.splitlines()] == [line.rstrip() for line in bare.splitlines()]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SEVERAL)
def test_no_document_is_active_in_markdown(texts: list[str]) -> None:
    text = write_markdown(everything(texts), Style())
    assert {char for char in text if char != "\n" and unicodedata.category(char) in UNSAFE} == set()
    page = Page(text)
    assert page.elements <= HARMLESS
    assert page.attributes <= {"class", "style"}
    assert page.comments == []
    assert not re.search(r"@\w|#\d|://|\bwww\.|:\w+:", page.words)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SEVERAL)
def test_no_document_is_active_in_html(texts: list[str]) -> None:
    written = everything(texts)
    data = json.dumps({"texts": texts})
    page = check_page(text := write_html(written, Style(), data))
    assert {char for char in text if char != "\n" and unicodedata.category(char) in UNSAFE} == set()
    assert "##" not in text
    assert not re.search(r"(?m)^\s*::", text)
    assert {tag for tag, _ in page.elements} <= TAGS
    assert {name for _, one in page.elements for name in one} <= ATTRIBUTES
    assert page.data() == {"texts": texts}


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


def test_empty_sections_leave_no_gap() -> None:
    assert write_text(document("x", ["a"], [], ["b"]), Style()) == "a\n\nb\n"
    assert write_markdown(document("a_b", ["1. a", *indented(["- b"])], []), Style()) == (
        "### a\\_b\n\n&#8203;1. a\n\n- &#8203;- b\n"
    )
