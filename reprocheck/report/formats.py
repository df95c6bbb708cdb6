"""The formats of a command's answer by name: text, json, and the text as Markdown. `run` has more (report.FORMATS)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from reprocheck.config.checks import Refused, choice, parse_output
from reprocheck.engine.console import Style
from reprocheck.errors import UsageError
from reprocheck.report.wording import fence_of

Answer = TypeVar("Answer")
Formats = Mapping[str, Callable[[Any, Style], str]]


def formats_of(
    command: str, *, text: Callable[[Answer, Style], str], json: Callable[[Answer, Style], str]
) -> Mapping[str, Callable[[Answer, Style], str]]:
    """The formats of a command that renders text and JSON."""

    def markdown(answer: Answer, style: Style) -> str:
        plain = text(answer, replace(style, colour=False, plots=False)).rstrip("\n")
        fence = fence_of(plain)
        return f"### reprocheck {command}\n\n{fence}text\n{plain}\n{fence}\n"

    return {"json": json, "markdown": markdown, "text": text}


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
