"""The formats of a command's answer by name. `run` has more (report.FORMATS)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from reprocheck.config.checks import Refused, choice, parse_output
from reprocheck.engine.console import Style
from reprocheck.errors import UsageError
from reprocheck.report.document import Document
from reprocheck.report.writers.html import write_html
from reprocheck.report.writers.markdown import write_markdown
from reprocheck.report.writers.text import write_text

Answer = TypeVar("Answer")
Formats = Mapping[str, Callable[[Any, Style], str]]

WRITERS: Mapping[str, Callable[[Document, Style], str]] = {"markdown": write_markdown, "text": write_text}
"""One for each format that is a document and nothing else. A page of HTML carries the JSON, too: `formats_of`."""


def formats_of(
    *, document: Callable[[Answer], Document], json: Callable[[Answer, Style], str]
) -> Mapping[str, Callable[[Answer, Style], str]]:
    """The formats that every command has: it makes a document and JSON."""

    def rendering(write: Callable[[Document, Style], str]) -> Callable[[Answer, Style], str]:
        return lambda answer, style: write(document(answer), style)

    return {
        "html": lambda answer, style: write_html(document(answer), style, json(answer, style)),
        "json": json,
        **{name: rendering(write) for name, write in WRITERS.items()},
    }


def check_format(word: str, formats: Formats) -> str:
    """The name of a format. Raises UsageError."""
    try:
        return str(choice(*sorted(formats))(word))
    except Refused as error:
        raise UsageError(f"--format {error.message}", error.hint) from None


def check_outputs(texts: Sequence[str], formats: Formats) -> tuple[tuple[str, Path], ...]:
    """`FORMAT=FILE` of --output, for a command with these formats. Raises UsageError."""
    try:
        return tuple(parse_output(word, sorted(formats)) for word in texts)
    except Refused as error:
        raise UsageError(f"--output {error.message}", error.hint) from None
