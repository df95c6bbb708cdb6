"""`reprocheck cost` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import (
    ARGV,
    FORMAT,
    MODULE,
    NOTHING,
    OUTPUT,
    QUIET,
    SEED,
    TARGET,
    VERBOSE,
    as_job,
    order_of,
    takes,
)


@takes(
    "engine",
    "engine-arg",
    "arg",
    "ambient",
    "threads",
    "device",
    "env",
    "timeout",
    "max-steps",
    "ignore",
    "workdir",
    "keep",
    "evidence",
    "color",
)
def cost(
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Runs of every setting.", metavar="N")] = 5,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Measure these settings only, as named in the table; repeatable.", metavar="NAME"),
    ] = None,
    seed: SEED = None,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Measure what each determinism setting costs in time and memory, and whether the training reproduces with it."""
    from reprocheck.commands.cost.command import FORMATS, answer
    from reprocheck.engine.progress import choose_progress

    delivery = Delivery.checked(FORMATS, format, output, quiet, verbose)
    order = order_of(target, module, argv, {**options, "seed": seed})
    if order.options["engine"] != "none":
        raise typer.Exit(as_job(order, quiet, verbose))
    costs = answer(order.request, rounds, only or (), choose_progress(quiet, verbose))
    delivery.end(costs, order.options["color"])
