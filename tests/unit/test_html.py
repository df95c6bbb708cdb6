"""HTML pages: whole, quiet, found one's way in; the same words as the text; the answer inside as data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace

import pytest

from reprocheck.engine.console import Style, disarm
from reprocheck.report import FORMATS
from reprocheck.report.document import (
    Change,
    Diagnostic,
    Document,
    Headline,
    Note,
    Place,
    Plots,
    Role,
    Span,
    Steps,
    Table,
    document,
)
from reprocheck.report.writers.html import MOST_DATA, write_html
from tests.support.audits import audit, cause, divergence, edit, explained, explanation, grid, metric_over_seeds
from tests.support.formats import hostile, no_verdict
from tests.support.pages import Page, check_page

LIMIT = 1_500_000
AUDITS = {
    "reproducible": audit(),
    "over seeds": audit(metrics=(metric_over_seeds(), metric_over_seeds("accuracy"))),
    "explained": explained(explanation=explanation(), divergence=divergence()),
    "no verdict": no_verdict(),
    "hostile": hostile(),
}


@pytest.mark.parametrize("name", AUDITS)
def test_a_page_is_whole_and_says_what_the_text_says(name: str) -> None:
    found = AUDITS[name]
    text = disarm(FORMATS["html"](found, Style()), "html")
    page = check_page(text)
    assert len(text) < 60_000
    assert page.data() == json.loads(FORMATS["json"](found, Style()))
    shown = re.sub(r"\W+", " ", page.words())
    for line in FORMATS["text"](found, Style()).splitlines():
        for word in re.findall(r"\w{3,}", line):
            assert word in shown, line


def test_the_verdict_is_the_title() -> None:
    page = check_page(FORMATS["html"](explained(), Style()))
    at = [tag for tag, _ in page.elements].index("h1")
    assert [tag for tag, _ in page.elements][at : at + 3] == ["h1", "span", "code"]
    assert ("span", "DIFFERENT") in page.texts
    assert ("title", "reprocheck: DIFFERENT gcn.py:train") in page.texts


def test_the_policy_names_what_the_page_holds_and_nothing_else() -> None:
    text = write_html(document("x", ["a"]), Style())
    (policy,) = (one["content"] for one in Page(text).of("meta") if "http-equiv" in one)
    assert policy is not None
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_no_line_of_the_style_is_a_command_of_a_runner() -> None:
    text = write_html(document("x", ["a"]), Style())
    assert disarm(text, "html") == text


@pytest.mark.parametrize("text", ["</script><script>alert(1)</script>", "<!--", "##[error]", "::", "]]>", "\u2028"])
def test_data_stays_inside_its_element(text: str) -> None:
    page = check_page(write_html(document("x", ["a"]), Style(), json.dumps({text: [text]})))
    assert page.data() == {text: [text]}


def test_data_that_is_too_long_is_left_out_and_said_so() -> None:
    text = write_html(document("x", ["a"]), Style(), json.dumps({"a": "<" * (MOST_DATA // 6)}))
    assert len(text) < 30_000
    assert "too long to be carried here" in check_page(text).words()


def test_a_table_has_headers_and_a_name() -> None:
    head = (Span("error[RC1]", Role.ERROR), ": it differs")
    table = Table((("a", "1"), ("b", "2")), ("name", ""), right=(1,))
    page = check_page(write_html(document("x", [Diagnostic((head, table))]), Style()))
    assert [one.get("scope") for one in page.of("th")] == ["col", "row", "row"]
    (group,) = (one for one in page.of("div") if one.get("role") == "group")
    assert group["aria-label"] == "table: error[RC1]: it differs"


def test_a_suggestion_can_be_copied_and_reads_without_colour() -> None:
    change = Change(12, "for name in names:", "for name in sorted(names):")
    page = check_page(write_html(document("x", [Diagnostic(("x", Place("a.py:12", 12), change))]), Style()))
    assert [one["data-copy"] for one in page.of("pre")] == ["for name in sorted(names):"]
    assert "12- for name in names: 12+ for name in sorted(names):" in page.words()


def test_a_plot_says_every_value() -> None:
    page = check_page(write_html(document("x", [Plots((metric_over_seeds("a<b"), metric_over_seeds()))]), Style()))
    assert len(page.of("svg")) == 2
    assert len(page.of("circle")) == 12
    assert "a<b over seeds" in page.words()
    assert "seed 2, run 1: 0.61" in page.words()
    assert "95 % interval of the mean 0.25 to 0.75" in page.words()


def test_a_grid_has_the_words_of_what_it_draws() -> None:
    page = check_page(write_html(document("x", [Steps((grid(), grid(width=10, steps=55)))]), Style()))
    told = [one["aria-label"] for one in page.of("svg") if "aria-label" in one]
    assert told[:2] == [
        "batch: equal steps 0 to 4; not compared step 5",
        "gradients: equal steps 0 to 2; first difference step 3; different step 4; not compared step 5",
    ]
    assert told[4] == "batch: equal steps 0 to 49; not compared steps 50 to 54"
    assert "step 3: first difference" in page.words()
    assert "from step 3" in page.words()
    assert "from steps 30 to 39" in page.words()


@pytest.mark.parametrize("values", [((0, (0.5,)), (1, (0.5,))), ((0, (float("inf"),)), (1, (0.5,)))])
def test_nothing_is_drawn_where_there_is_nothing_to_see(values: tuple[tuple[int, tuple[float, ...]], ...]) -> None:
    page = check_page(write_html(document("x", [Plots((metric_over_seeds(values=values),))]), Style()))
    assert page.of("svg") == []


def test_a_headline_is_a_title_only_where_it_opens_the_page() -> None:
    line = Headline(Span("SAME", Role.SUCCESS), "t.py", "2 runs agree", "; not compared: x")
    page = check_page(write_html(Document("reprocheck diff", ((line, Note("note", "a")), (line,))), Style()))
    assert page.words().count("2 runs agree") == 2
    assert "reprocheck diff" in page.words()


def test_a_long_report_stays_short_enough() -> None:
    seeds = tuple(replace(AUDITS["explained"].seeds[0], seed=seed) for seed in range(500))
    suggestions = tuple(cause(edit=edit(line=line)) for line in range(100))
    assert len(FORMATS["html"](explained(findings=suggestions, seeds=seeds), Style())) < LIMIT
