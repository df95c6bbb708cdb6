"""An answer → its reports → the exit code: the same for every command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
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
    """Where the report of one command goes."""

    def __init__(
        self,
        formats: Formats,
        form: str,
        outputs: Sequence[tuple[str, Path]],
        quiet: int = 0,
        verbose: bool = False,
    ) -> None:
        self._formats = formats
        self._form = form
        self._outputs = outputs
        self._quiet = quiet
        self._verbose = verbose

    @classmethod
    def checked(
        cls, formats: Formats, form: str, output: Sequence[str] | None, quiet: int = 0, verbose: bool = False
    ) -> Delivery:
        """From the options of a command, checked before anything is run. Raises UsageError."""
        from reprocheck.report.formats import check_format, check_outputs
        from reprocheck.report.write import check_writable

        outputs = check_outputs(output or (), formats)
        check_writable(outputs)
        return cls(formats, check_format(form, formats), outputs, quiet, verbose)

    def show(self, answer: Any, color: str = "auto") -> None:
        """Write the files, then print."""
        from reprocheck.engine.console import decide_style
        from reprocheck.report.write import append_step_summary, print_report, write_outputs

        brief = self._quiet > 0 and not self._verbose
        style = replace(decide_style(color, sys.stdout), verbose=self._verbose, brief=brief)
        printed = [self._form] if self._quiet < 2 else []
        write_outputs(answer, self._outputs, style, self._formats)
        append_step_summary(answer, [*(form for form, _ in self._outputs), *printed], self._formats)
        for form in printed:
            print_report(self._formats[form](answer, style), form)

    def end(self, answer: Answer, color: str = "auto") -> NoReturn:
        """The same, and leave with the exit code of the answer."""
        self.show(answer, color)
        raise typer.Exit(int(answer.exit_code))
