"""A rule's page as text for the terminal and as Markdown for docs/rules.md. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from reprocheck.diagnosis.rules.model import Page

WIDTH = 100
_HEAD = """# Rules

Every finding of reprocheck has a code. `reprocheck explain CODE` prints these pages. This file is made by `make docs`.

A rule names a cause only as far as it was shown. Confidence is *high* where an experiment showed the cause and its line
is the only one, *medium* where one line fits all evidence, *low* where several do. An *error* belongs to a difference
that was observed; a *warning* or *note* accompanies it, or appears where nothing differed.

| code | cause | severity | |
| --- | --- | --- | --- |
"""


def as_text(page: Page) -> str:
    """One page, for `reprocheck explain CODE`."""
    parts = [f"{page.severity}[{page.code}] {page.slug}: {page.title}"]
    for heading, text in _sections(page):
        if heading == "Example":
            parts.append(f"{heading}\n{textwrap.indent(text, '    ')}")
        else:
            wrapped = textwrap.fill(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
            parts.append(f"{heading}\n{textwrap.indent(wrapped, '  ')}")
    return "\n\n".join(parts) + "\n"


def as_list(pages: Sequence[Page]) -> str:
    """All codes, one a line."""
    widest = max(len(page.slug) for page in pages)
    return "".join(f"{page.code}  {page.slug:{widest}}  {page.title}\n" for page in pages)


def as_markdown(pages: Sequence[Page]) -> str:
    """The whole of docs/rules.md."""
    table = "".join(f"| [{p.code}](#{p.code.lower()}) | {p.slug} | {p.severity} | {p.title} |\n" for p in pages)
    return _HEAD + table + "".join(_markdown(page) for page in pages)


def _markdown(page: Page) -> str:
    parts = [f'\n<a id="{page.code.lower()}"></a>\n\n## {page.code} {page.slug}\n\n{page.severity}: {page.title}\n']
    for heading, text in _sections(page):
        body = f"```{_language(text)}\n{text}\n```" if heading == "Example" else text
        parts.append(f"\n**{heading}**\n\n{body}\n" if heading == "Example" else f"\n**{heading}.** {body}\n")
    return "".join(parts)


def _sections(page: Page) -> tuple[tuple[str, str], ...]:
    return (
        ("What it checks", page.checks),
        ("Why it matters", page.why),
        ("Example", page.example),
        ("How to fix it", _sentence(page.fix)),
        ("Limits", page.limits),
    )


def _language(example: str) -> str:
    return "console" if example.startswith("reprocheck ") else "python"


def _sentence(text: str) -> str:
    """The help of a finding is a phrase; on a page it is a sentence."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
