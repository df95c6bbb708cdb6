"""Text from outside in every field of an audit, in every format: no line is a command, and no terminal obeys it."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from reprocheck.config.checks import FORMATS
from reprocheck.engine.console import Style, disarm
from reprocheck.report import FORMATS as RENDER
from tests.support.audits import divergence, explained, explanation
from tests.support.pages import check_page

ATTACK = (
    "::error file=a.py::x\n::set-output name=a::b\r::add-mask::*\n  ::stop-commands::t\n##[error]y ##vso[task.x]\0"
    "\x1b]0;t\x07\x9b2J\x85::debug::\u2028::warning::\u202e\u200b\udcff]]><!--&<b> @someone #1 [l](http://x) | `` %0A::"
)
FIXED = {"severity", "confidence", "stage", "code", "status", "digest", "started", "init", "steps_digest", "output"}
"""Words of ours, which choose what is written."""


def attacked(value: Any, name: str = "") -> Any:
    """The same value with the attack in each of its texts."""
    if isinstance(value, Enum) or name in FIXED:
        return value
    if isinstance(value, str):
        return value + ATTACK
    if isinstance(value, Path):
        return Path(f"{value}{ATTACK}".replace("\0", ""))
    if is_dataclass(value) and not isinstance(value, type):
        changes = {one.name: attacked(getattr(value, one.name), one.name) for one in fields(value) if one.init}
        return replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(attacked(item, name) for item in value)
    if isinstance(value, dict):
        return {key: attacked(item, name) for key, item in value.items()}
    return value


def lines_of_a_runner(text: str) -> list[str]:
    return [line.lstrip() for line in re.split("\r\n|\r|\n", text)]


@pytest.mark.parametrize("form", FORMATS)
def test_no_line_is_a_command(form: str) -> None:
    audit = attacked(explained(divergence=divergence(), explanation=explanation()))
    text = disarm(RENDER[form](audit, Style()), form)
    assert "set-output" in text
    commands = [line for line in lines_of_a_runner(text) if line.startswith("::")]
    if form == "github":
        assert all(re.match("::(error|warning|notice) (file|title)=", line) for line in commands)
    else:
        assert not commands
    assert "##[" not in text
    assert "##vso[" not in text
    odd = {char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert not odd
    if form == "junit":
        ET.fromstring(text)
    if form in ("json", "sarif"):
        json.loads(text)
    if form == "html":
        assert check_page(text).data()["verdict"] == "different"


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "markdown", "text"])
def test_reading_stays_the_same(form: str) -> None:
    if form in ("json", "sarif"):
        content = {"a": "##[error] x", "::b": "##vso[c]"}
        assert json.loads(disarm(json.dumps(content, indent=2), form)) == content
    elif form == "junit":
        assert ET.fromstring(disarm("<a>\n::error::b ##[c]</a>", form)).text == "\n::error::b ##[c]"
    else:
        assert disarm("\n ::error::b ##[c] a::b # [d] ## [e]", form) == "\n \\::error::b ##\\[c] a::b # [d] ## [e]"
        assert disarm("  ::: old.py:3", form) == "  ::: old.py:3"  # a report's own second place, no command
