"""`reprocheck bisect` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, NOTHING, OUTPUT, QUIET, TARGET, VERBOSE, order_of, takes


@takes(
    "seeds",
    "seed",
    "repeats",
    "jobs",
    "arg",
    "ambient",
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
    "tolerance",
    "share",
    "keep",
    "evidence",
    "color",
)
def bisect(
    commits: Annotated[
        str,
        typer.Argument(
            metavar="GOOD..BAD",
            help="The last commit with the good results, and one with the bad ones (HEAD unless given).",
            show_default=False,
        ),
    ],
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    all_: Annotated[bool, typer.Option("--all", help="Find every commit that changes the results, not one.")] = False,
    metric: Annotated[
        str | None,
        typer.Option("--metric", help="Find the commit that made this metric worse; with --worse.", metavar="NAME"),
    ] = None,
    worse: Annotated[
        str | None,
        typer.Option(
            "--worse",
            help="How far the metric has to move from that of GOOD, towards that of BAD: a number or a percentage.",
            metavar="X|X%",
        ),
    ] = None,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Find the commit that changed the results, by audits of commits between two in temporary worktrees.

    Exit code 0 means that both ends have the same results, 1 that commits were found, 3 that an end cannot be compared.
    """
    from reprocheck.commands.bisect.command import FORMATS, answer, make_bisect_order
    from reprocheck.engine.progress import choose_progress

    delivery = Delivery.checked(FORMATS, format, output, quiet, verbose)
    order = order_of(target, module, argv, options)
    found = answer(make_bisect_order(order.request, commits, all_, metric, worse), choose_progress(quiet, verbose))
    delivery.end(found, order.options["color"])
