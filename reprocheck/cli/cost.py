"""`reprocheck cost` on the command line. No logic of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, OUTPUT, QUIET, SEED, TARGET, VERBOSE, option, order_of


def cost(
    context: typer.Context,
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Runs of every setting.", metavar="N")] = 5,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Measure these settings only, as named in the table; repeatable.", metavar="NAME"),
    ] = None,
    seed: SEED = None,
    arg: Annotated[list[str] | None, option("arg", metavar="NAME=VALUE")] = None,
    ambient: Annotated[str | None, option("ambient", metavar="vary|fixed")] = None,
    threads: Annotated[int | None, option("threads", metavar="N")] = None,
    device: Annotated[str | None, option("device", metavar="DEVICES")] = None,
    env: Annotated[list[str] | None, option("env", metavar="NAME=VALUE")] = None,
    timeout: Annotated[float | None, option("timeout", metavar="SECONDS")] = None,
    max_steps: Annotated[int | None, option("max-steps", metavar="N")] = None,
    ignore: Annotated[list[str] | None, option("ignore", metavar="GLOB")] = None,
    workdir: Annotated[str | None, option("workdir", metavar="here|fresh")] = None,
    keep: Annotated[int | None, option("keep", metavar="N")] = None,
    evidence: Annotated[str | None, option("evidence", metavar="DIR")] = None,
    format: FORMAT = "text",
    output: OUTPUT = None,
    color: Annotated[str | None, option("color", metavar="auto|always|never")] = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Measure what each determinism setting costs in time and memory, and whether the training reproduces with it."""
    from reprocheck.commands.cost.command import FORMATS, answer
    from reprocheck.engine.progress import choose_progress

    own = ("target", "argv", "module", "rounds", "only", "format", "output", "quiet", "verbose")
    given = {name: value for name, value in context.params.items() if name not in own}
    delivery = Delivery(FORMATS, format, output, quiet)
    order = order_of(target, module, argv, given)
    costs = answer(order.request, rounds, only or (), choose_progress(quiet, verbose))
    delivery.end(costs, order.options["color"])
