"""A page of HTML, read strictly: what is in it, and that it is whole, keeps to itself and can be found one's way in."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from html.parser import HTMLParser
from typing import Any

EMPTY = {"meta", "link", "br", "input"}
ASKS = {"src", "href", "action", "data", "srcset", "poster", "background", "formaction", "ping", "xlink:href"}
"""Attributes by which a page asks for something else."""

ONCE = ("html", "head", "body", "header", "h1", "main", "footer", "style")


class Page(HTMLParser):
    """Elements, attributes and texts, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        """Text by the element that it stands in."""
        self.comments: list[str] = []
        self._inside: list[str] = []
        self.feed(text)
        self.close()
        assert not self._inside, f"not ended: {self._inside}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts.append((self._inside[-1], data))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def words(self) -> str:
        """What a reader sees, and what is in `title` and `desc` of drawings."""
        return " ".join("".join(text for tag, text in self.texts if tag not in ("script", "style")).split())

    def data(self) -> Any:
        """The JSON that the page carries."""
        return json.loads("".join(text for tag, text in self.texts if tag == "script" and text.startswith("{")))


def check_page(text: str) -> Page:
    """What every page keeps to."""
    assert text.startswith("<!doctype html>\n<html")
    page = Page(text)
    names = Counter(tag for tag, _ in page.elements)
    assert {tag: names[tag] for tag in ONCE} == dict.fromkeys(ONCE, 1)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for tag, attributes in page.elements:
        asked = {name: value for name, value in attributes.items() if name in ASKS}
        assert not asked or (tag, asked) == ("link", {"href": "data:,"}), (tag, asked)
        assert "style" not in attributes, "the page's own policy forbids it"
        assert not any(name.startswith("on") for name in attributes)
        for label in (attributes.get("aria-labelledby") or "").split():
            assert label in ids
        if tag == "svg" and attributes.get("aria-hidden") != "true":
            assert attributes["role"] == "img"
            assert attributes.get("aria-labelledby") or attributes["aria-label"]
    style = "".join(text for tag, text in page.texts if tag == "style")
    assert "url(" not in style
    assert "@import" not in style
    assert names["script"] == 1 + any(one.get("type") == "application/json" for one in page.of("script"))
    assert page.comments == []
    levels = [int(tag[1]) for tag, _ in page.elements if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels
    return page
