"""The formats of a command's answer by name: text, json, and the text as Markdown. `run` has more (report.FORMATS)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from reprocheck.config.checks import Refused, directory, shown
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


def check_format(word: str, formats: Formats, option: str = "--format") -> str:
    """The name of a format. Raises UsageError."""
    if word not in formats:
        *others, last = sorted(formats)
        raise UsageError(f"{option} must be {', '.join(others)} or {last}, not {shown(word)}")
    return word


def check_outputs(words: Sequence[str], formats: Formats) -> tuple[tuple[str, Path], ...]:
    """`FORMAT=FILE` of --output, for a command with these formats. Raises UsageError."""
    found = []
    for word in words:
        form, equals, file = word.partition("=")
        if not equals or not file:
            raise UsageError(f"--output must be FORMAT=FILE, not {shown(word)}")
        try:
            found.append((check_format(form, formats, "the format of --output"), directory(file)))
        except Refused as error:
            raise UsageError(f"--output {error.message}") from None
    return tuple(found)
