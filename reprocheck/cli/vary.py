"""`reprocheck vary` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import (
    ARGV,
    FORMAT,
    MODULE,
    NOTHING,
    OUTPUT,
    QUIET,
    TARGET,
    VERBOSE,
    as_job,
    order_of,
    takes,
)

if TYPE_CHECKING:
    from reprocheck.model import Request


@takes(
    "engine",
    "engine-arg",
    "seed",
    "nproc",
    "arg",
    "seeding",
    "deterministic",
    "cudnn-deterministic",
    "cudnn-benchmark",
    "tf32",
    "threads",
    "device",
    "env",
    "timeout",
    "max-steps",
    "compare",
    "ignore",
    "explain",
    "keep",
    "evidence",
    "color",
)
def vary(
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Vary only these: names or groups of --list; repeatable.", metavar="NAMES"),
    ] = None,
    skip: Annotated[list[str] | None, typer.Option("--skip", help="Do not vary these.", metavar="NAMES")] = None,
    require: Annotated[
        list[str] | None,
        typer.Option("--require", help="Exit 1 if the result depends on these.", metavar="NAMES"),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List what can be varied, with its meaning.")] = False,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", help="Seeds from which the spread of metrics is computed. [default: 3]", metavar="N"),
    ] = None,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Find what the result depends on: threads, processor, libraries, precision, data loading, environment factors.

    Exit code 0 means that two equal runs agree, whatever the result depends on; --require makes a dependence fail.
    """
    from reprocheck.commands.vary.command import FORMATS, LISTS, answer, make_vary_order
    from reprocheck.engine.progress import choose_progress

    if list_:
        Delivery.checked(LISTS, format, output).show(None, options["color"] or "auto")
        return
    delivery = Delivery.checked(FORMATS, format, output, quiet, verbose)
    given = {**options, "seeds": 3 if seeds is None and not options["seed"] else seeds}
    order = order_of(target, module, argv, given)
    if order.options["engine"] != "none":
        raise typer.Exit(as_job(order, quiet, verbose))
    found = answer(
        make_vary_order(order.request, only or (), skip or (), require or ()), choose_progress(quiet, verbose)
    )
    delivery.end(found, order.options["color"])


def check_vary(names: Sequence[str], form: str) -> None:
    """The values of `run --vary`. Raises UsageError."""
    if not names:
        return
    from reprocheck.commands.vary.variations import choose
    from reprocheck.errors import UsageError

    choose("--vary", names)
    if form != "text":
        raise UsageError(
            f"--vary adds to the text report, not to --format {form}", "use `reprocheck vary --format json`"
        )


def also_vary(request: Request, names: Sequence[str], color: str, quiet: int, verbose: bool) -> int:
    """After an audit: the answer beneath its report. Returns the exit code."""
    from reprocheck.commands.vary.command import FORMATS, answer, make_vary_order
    from reprocheck.engine.progress import choose_progress
    from reprocheck.report.write import print_report

    found = answer(make_vary_order(request, names, (), ()), choose_progress(quiet, verbose))
    if quiet < 2:
        print_report("\n")
    Delivery(FORMATS, "text", (), quiet, verbose).show(found, color)
    return int(found.exit_code)
