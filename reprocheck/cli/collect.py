"""`reprocheck collect` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import NOTHING, QUIET, VERBOSE, takes


@takes("explain-budget", "drift", "format", "output", "fail-on", "strict", "only-new", "exit-zero", "color")
def collect(
    plan: Annotated[Path, typer.Argument(help="The folder of a plan.", show_default=False)],
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Find out why runs differ, as `run` does, with further runs on this machine."),
    ] = False,
    options: Mapping[str, Any] = NOTHING,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Judge the runs of a plan that are there, and say which are missing.

    Nothing is run but with --explain, and it may be called again.
    """
    from reprocheck.commands.collect.command import collect_runs
    from reprocheck.config.settings import merge
    from reprocheck.engine.progress import choose_progress
    from reprocheck.report import FORMATS

    chosen = merge({**options, "explain": explain}, {})
    answer = collect_runs(plan, chosen, choose_progress(quiet, verbose))
    delivery = Delivery(FORMATS, chosen["format"], chosen["output"], quiet, verbose)
    delivery.show(answer, chosen["color"])
    raise typer.Exit(int(answer.exit_code))
