"""Elements of HTML and SVG. Every text from outside goes through `escaped`: what is no Markup is text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reprocheck.engine.console import escape

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_EMPTY = frozenset({"meta", "link", "br", "input"})
"""Elements that have no end."""


class Markup(str):
    """Text that is HTML already. Made here alone, but for what a writer has written out itself."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Text as text, in an element or in an attribute, and no line of it a command to whoever prints a log."""
    safe = "".join(_ENTITIES.get(char, char) for char in escape(text))
    return Markup(safe.replace("##", "#&#35;").replace("::", ":&#58;"))


def element(kind: str, /, *children: str, **attributes: str | int | bool | None) -> Markup:
    """`element("p", "a < b", class_="note")`. An attribute that is None or False is left out; `_` stands for `-`."""
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_text(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    inside = joined(children)
    return Markup(f"<{kind}{shown}>" if kind in _EMPTY else f"<{kind}{shown}>{inside}</{kind}>")


def joined(parts: Iterable[str]) -> Markup:
    """One after the other."""
    return Markup("".join(map(_text, parts)))


def with_code(text: str) -> Markup:
    """A sentence: what stands between backticks is code."""
    parts = re.split(r"`([^`]+)`", text)
    return joined(element("code", part) if place % 2 else part for place, part in enumerate(parts))


def _text(part: str) -> Markup:
    return part if isinstance(part, Markup) else escaped(part)
