"""`reprocheck resume` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, NOTHING, OUTPUT, QUIET, SEED, TARGET, VERBOSE, order_of, takes


@takes(
    "nproc",
    "arg",
    "seeding",
    "deterministic",
    "cudnn-deterministic",
    "threads",
    "device",
    "env",
    "timeout",
    "max-steps",
    "ignore",
    "keep",
    "evidence",
    "color",
)
def resume(
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    at: Annotated[
        int | None,
        typer.Option(
            "--at", help="Optimizer steps after which it is stopped. [default: half of them]", metavar="STEP", min=1
        ),
    ] = None,
    kill: Annotated[bool, typer.Option("--kill", help="Stop it with SIGKILL at once, without SIGTERM.")] = False,
    grace: Annotated[
        float, typer.Option("--grace", help="Seconds from SIGTERM to SIGKILL.", metavar="SECONDS", min=0)
    ] = 5.0,
    resume_arg: Annotated[
        list[str] | None,
        typer.Option(
            "--resume-arg",
            help="A further argument for the target when it is resumed: a word for a script, NAME=VALUE for a "
            "function; repeatable.",
            metavar="WORD",
        ),
    ] = None,
    seed: SEED = None,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Check whether a training that is stopped and resumed continues as if it had never been stopped."""
    from reprocheck.commands.resume.command import FORMATS, answer, make_resume_order
    from reprocheck.engine.progress import choose_progress

    delivery = Delivery.checked(FORMATS, format, output, quiet, verbose)
    order = order_of(target, module, argv, {**options, "seed": seed})
    found = answer(make_resume_order(order.request, at, kill, grace, resume_arg or ()), choose_progress(quiet, verbose))
    delivery.end(found, order.options["color"])
