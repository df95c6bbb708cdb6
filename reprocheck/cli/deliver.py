"""An answer → its reports → the exit code: the same for every command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import typer

if TYPE_CHECKING:
    from reprocheck.errors import ExitCode
    from reprocheck.report.formats import Formats


class Answer(Protocol):
    """What a command comes to."""

    @property
    def exit_code(self) -> ExitCode | int:
        """How the command ends."""


class Delivery:
    """Where the report of one command goes, checked before anything is run. Raises UsageError."""

    def __init__(self, formats: Formats, form: str, output: Sequence[str] | None, quiet: int = 0) -> None:
        from reprocheck.report.formats import check_format, check_outputs
        from reprocheck.report.write import check_writable

        self._formats = formats
        self._form = check_format(form, formats)
        self._outputs: tuple[tuple[str, Path], ...] = check_outputs(output or (), formats)
        self._quiet = quiet
        check_writable(self._outputs)

    def show(self, answer: Any, color: str = "auto") -> None:
        """Write the files, then print."""
        from reprocheck.engine.console import decide_style
        from reprocheck.report.write import print_report, write_outputs

        style = decide_style(color, sys.stdout)
        write_outputs(answer, self._outputs, style, self._formats)
        if self._quiet < 2:
            print_report(self._formats[self._form](answer, style), self._form)

    def end(self, answer: Answer, color: str = "auto") -> NoReturn:
        """The same, and leave with the exit code of the answer."""
        self.show(answer, color)
        raise typer.Exit(int(answer.exit_code))
