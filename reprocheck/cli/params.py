"""`reprocheck params` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, NOTHING, OUTPUT, QUIET, TARGET, VERBOSE, order_of, takes


@takes(
    "seed",
    "jobs",
    "nproc",
    "arg",
    "seeding",
    "threads",
    "device",
    "env",
    "timeout",
    "workdir",
    "keep",
    "evidence",
    "color",
)
def params(
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="How many seeds to look at. [default: 2]", metavar="N")
    ] = None,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Show the initial weights: every parameter and buffer, and the initializer that produced it.

    Every seed is run up to just before its first optimizer step. Exits 1 for weights that training cannot repair.
    """
    from reprocheck.commands.params.answer import look
    from reprocheck.commands.params.command import FORMATS
    from reprocheck.engine.progress import choose_progress

    given = {**options, "seeds": 2 if seeds is None and not options["seed"] else seeds}
    delivery = Delivery.checked(FORMATS, format, output, quiet, verbose)
    order = order_of(target, module, argv, given)
    answer = look(order.request, choose_progress(quiet, verbose))
    delivery.end(answer, order.options["color"])
