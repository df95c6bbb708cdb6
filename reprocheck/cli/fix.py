"""`reprocheck fix` on the command line. No logic of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import FORMAT, NOTHING, OUTPUT, QUIET, VERBOSE, takes


@takes("evidence", "color")
def fix(
    audit: Annotated[
        str, typer.Argument(help="A kept audit (folder, latest, latest~1) or its JSON report.", show_default=False)
    ] = "latest",
    diff: Annotated[bool, typer.Option("--diff", help="Print the patch alone, as git apply takes it.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write without asking.")] = False,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Write the changed lines with which the runs of an audit agreed, and audit again.

    Asks first. Where the whole audit still differs the files are put back. Exit code 0: it reproduces now; 1: it is not
    written or still differs; 3: no changed line was tried that works.
    """
    from reprocheck.commands.fix.command import FORMATS
    from reprocheck.commands.fix.command import fix as carry_out
    from reprocheck.config.settings import find_pyproject, load_config, merge
    from reprocheck.engine.progress import choose_progress
    from reprocheck.errors import UsageError
    from reprocheck.report.write import print_report

    if diff and write:
        raise UsageError("--diff and --write exclude each other", "give one of them")
    delivery = Delivery.checked(FORMATS, format, output, quiet, verbose)
    path = find_pyproject(Path.cwd())
    chosen = merge(options, {} if path is None else load_config(path))
    agreed = _never if diff else _always if write else _ask
    fixed = carry_out(audit, chosen["evidence"], agreed, choose_progress(quiet, verbose))
    if diff and fixed.patch:
        print_report(fixed.patch)
        raise typer.Exit(int(fixed.exit_code))
    delivery.end(fixed, chosen["color"])


def check_fix(fix: bool, form: str) -> None:
    """The value of `run --fix`. Raises UsageError."""
    from reprocheck.errors import UsageError

    if fix and form != "text":
        raise UsageError(f"--fix adds to the text report, not to --format {form}", "use `reprocheck fix --format json`")


def also_fix(audit: Path, color: str, quiet: int, verbose: bool) -> int:
    """After an audit that differs: the answer beneath its report. Returns the exit code."""
    from reprocheck.commands.fix.command import FORMATS
    from reprocheck.commands.fix.command import fix as carry_out
    from reprocheck.engine.progress import choose_progress
    from reprocheck.report.write import print_report

    fixed = carry_out(str(audit), audit.parent.parent, _always, choose_progress(quiet, verbose))
    if quiet < 2:
        print_report("\n")
    Delivery(FORMATS, "text", (), quiet, verbose).show(fixed, color)
    return int(fixed.exit_code)


def _never(patch: str) -> bool:
    return False


def _always(patch: str) -> bool:
    return True


def _ask(patch: str) -> bool:
    """On a terminal only: nobody else can answer."""
    from reprocheck.engine.console import print_message

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print_message(patch)
    return typer.confirm("Write this and audit again?", default=False, err=True)
