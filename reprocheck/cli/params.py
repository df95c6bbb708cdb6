"""`reprocheck params` on the command line. No logic of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, OUTPUT, QUIET, TARGET, VERBOSE, option, order_of


def params(
    context: typer.Context,
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="How many seeds to look at. [default: 2]", metavar="N")
    ] = None,
    seed: Annotated[list[int] | None, option("seed", metavar="SEED")] = None,
    jobs: Annotated[int | None, option("jobs", metavar="N")] = None,
    arg: Annotated[list[str] | None, option("arg", metavar="NAME=VALUE")] = None,
    seeding: Annotated[str | None, option("seeding", metavar="all|torch|none")] = None,
    threads: Annotated[int | None, option("threads", metavar="N")] = None,
    device: Annotated[str | None, option("device", metavar="DEVICES")] = None,
    env: Annotated[list[str] | None, option("env", metavar="NAME=VALUE")] = None,
    timeout: Annotated[float | None, option("timeout", metavar="SECONDS")] = None,
    workdir: Annotated[str | None, option("workdir", metavar="here|fresh")] = None,
    keep: Annotated[int | None, option("keep", metavar="N")] = None,
    evidence: Annotated[str | None, option("evidence", metavar="DIR")] = None,
    format: FORMAT = "text",
    output: OUTPUT = None,
    color: Annotated[str | None, option("color", metavar="auto|always|never")] = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Show the initial weights: every parameter and buffer, and the initializer that produced it.

    Every seed is run up to just before its first optimizer step. Exits 1 for weights that training cannot repair.
    """
    from reprocheck.commands.params.answer import look
    from reprocheck.commands.params.command import FORMATS
    from reprocheck.engine.progress import choose_progress

    own = ("target", "argv", "module", "format", "output", "quiet", "verbose")
    given = {name: value for name, value in context.params.items() if name not in own}
    if seeds is None and not seed:
        given["seeds"] = 2
    delivery = Delivery(FORMATS, format, output, quiet)
    order = order_of(target, module, argv, given)
    answer = look(order.request, choose_progress(quiet, verbose))
    delivery.end(answer, order.options["color"])
