"""The command `reprocheck explain`, and `python -m reprocheck.diagnosis.rules.explain`, which prints docs/rules.md."""

from __future__ import annotations

from reprocheck.diagnosis.rules.page_text import as_list, as_markdown, as_text
from reprocheck.diagnosis.rules.registry import find_page, nearest, pages
from reprocheck.errors import UsageError


def explain(name: str | None) -> str:
    """The page of a code or slug, or the list of all. Raises UsageError."""
    if name is None:
        return as_list(pages())
    page = find_page(name)
    if page is None:
        close = nearest(name)
        hint = f"did you mean {close}?" if close else "`reprocheck explain` lists all codes"
        raise UsageError(f"there is no rule {name!r}", hint)
    return as_text(page)


if __name__ == "__main__":
    print(as_markdown(pages()), end="")
