"""`reprocheck plan` and `reprocheck worker` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, NOTHING, OUTPUT, QUIET, TARGET, VERBOSE, order_of, takes
from reprocheck.config.options import PLANNED


@takes(*PLANNED, "color")
def plan(
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    out: Annotated[Path, typer.Option("--out", help="A new folder for the plan.", metavar="DIR")] = Path(
        "reprocheck-plan"
    ),
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            help="A file or folder below the current one that runs read: checked by digest however large; repeatable.",
            metavar="PATH",
        ),
    ] = None,
    same_class: Annotated[
        bool, typer.Option("--same-class", help="Refuse machines unlike that of the run that starts first.")
    ] = False,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
) -> None:
    """Plan the runs of an audit as folders that any machine, scheduler or script can start; nothing is run."""
    from reprocheck.commands.plan.command import FORMATS, make_plan, target_of

    delivery = Delivery.checked(FORMATS, format, output, quiet)
    order = order_of(target, module, argv, options)
    made = make_plan(target_of(target, module, argv, order.options), order.options, out, data or (), same_class)
    delivery.end(made, order.options["color"])


def worker(
    run: Annotated[Path, typer.Argument(help="The folder of a planned run: DIR/run-3.", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="The folder of the code on this machine, if the plan does not lead there."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Discard what an earlier start of this run has left, and start it.")
    ] = False,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Make one run of a plan, here.

    Exits 0 when the run is complete, 2 when it is not to be started here, 3 when it failed.
    """
    from reprocheck.commands.plan.command import WORKER_FORMATS, make_run
    from reprocheck.engine.progress import choose_progress

    delivery = Delivery.checked(WORKER_FORMATS, format, output, quiet, verbose)
    delivery.end(make_run(run, choose_progress(quiet, verbose), folder, again))
