"""The pages of the rules: whole, unique, current in docs/rules.md, and printed by `reprocheck explain`."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from reprocheck.diagnosis.rules import find_page, nearest, pages
from reprocheck.diagnosis.rules.difference_pages import DIVERGENCES, MOVED, SEED_NO_EFFECT
from reprocheck.diagnosis.rules.explain import explain
from reprocheck.diagnosis.rules.model import Page
from reprocheck.diagnosis.rules.page_text import WIDTH, as_markdown, as_text
from reprocheck.errors import UsageError
from tests.support.cli import reprocheck

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.code)
def test_a_page_has_all_its_parts(page: Page) -> None:
    assert re.fullmatch(r"RC\d{3}", page.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", page.slug)
    assert page.severity in ("error", "warning", "note")
    assert not page.title.endswith(".")
    assert page.checks.endswith(".")
    assert page.why.endswith(".")
    assert page.limits.endswith(".")
    assert page.example
    assert page.fix
    if not page.example.startswith("reprocheck "):  # a command
        ast.parse(page.example)


def test_codes_and_causes_are_unique() -> None:
    assert len({page.code for page in pages()}) == len({page.slug for page in pages()}) == len(pages())


def test_what_finds_differences_has_pages() -> None:
    codes = {page.code for page in pages()}
    assert {code for code, _, _ in DIVERGENCES.values()} | {MOVED, SEED_NO_EFFECT} <= codes


def test_the_documentation_is_current() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == as_markdown(pages())


def test_a_page_as_text() -> None:
    page = find_page("RC531")
    assert page is not None
    text = as_text(page)
    assert text.startswith(
        "error[RC531] str-set-order: the order of a set of strings affects the results\n\nWhat it checks\n"
    )
    assert "\nExample\n    vocab = list(set(words))" in text
    assert "\nHow to fix it\n  Sort it: `sorted(set(words))`.\n" in text
    assert all(len(line) <= WIDTH for line in text.splitlines())


@pytest.mark.parametrize("name", ["RC531", "rc531", "str-set-order", " Str-Set-Order "])
def test_a_page_is_found_by_code_and_cause(name: str) -> None:
    page = find_page(name)
    assert page is not None
    assert page.code == "RC531"


def test_the_nearest_name_is_offered() -> None:
    assert nearest("str-set-ordre") == "str-set-order"
    assert nearest("RC5311") == "RC531"
    assert nearest("qqqq") == ""
    with pytest.raises(UsageError) as error:
        explain("qqqq")
    assert "there is no rule 'qqqq'" in error.value.message


def test_the_list_names_every_rule() -> None:
    lines = explain(None).splitlines()
    assert [line.split()[:2] for line in lines] == [[page.code, page.slug] for page in pages()]


def test_the_command(tmp_path: Path) -> None:
    ran = reprocheck("explain", "rc301", cwd=tmp_path)
    assert ran.code == 0
    assert ran.out.startswith("error[RC301] ")
    ran = reprocheck("explain", "listdir-ordr", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean listdir-order?" in ran.err


def test_the_rules_never_import_torch(tmp_path: Path) -> None:
    import subprocess

    code = "import sys, reprocheck.diagnosis.rules, reprocheck.diagnosis.source.scan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
