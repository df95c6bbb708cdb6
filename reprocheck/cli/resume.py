"""`reprocheck resume` on the command line. No logic of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, OUTPUT, QUIET, SEED, TARGET, VERBOSE, option, order_of


def resume(
    context: typer.Context,
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
    arg: Annotated[list[str] | None, option("arg", metavar="NAME=VALUE")] = None,
    seeding: Annotated[str | None, option("seeding", metavar="all|torch|none")] = None,
    deterministic: Annotated[str | None, option("deterministic", metavar="off|warn|error")] = None,
    cudnn_deterministic: Annotated[
        bool | None, option("cudnn-deterministic", "--cudnn-deterministic/--no-cudnn-deterministic")
    ] = None,
    threads: Annotated[int | None, option("threads", metavar="N")] = None,
    device: Annotated[str | None, option("device", metavar="DEVICES")] = None,
    env: Annotated[list[str] | None, option("env", metavar="NAME=VALUE")] = None,
    timeout: Annotated[float | None, option("timeout", metavar="SECONDS")] = None,
    max_steps: Annotated[int | None, option("max-steps", metavar="N")] = None,
    ignore: Annotated[list[str] | None, option("ignore", metavar="GLOB")] = None,
    keep: Annotated[int | None, option("keep", metavar="N")] = None,
    evidence: Annotated[str | None, option("evidence", metavar="DIR")] = None,
    format: FORMAT = "text",
    output: OUTPUT = None,
    color: Annotated[str | None, option("color", metavar="auto|always|never")] = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Check whether a training that is stopped and resumed continues as if it had never been stopped."""
    from reprocheck.commands.resume.command import FORMATS, answer, make_resume_order
    from reprocheck.engine.progress import choose_progress

    own = ("target", "argv", "module", "at", "kill", "grace", "resume_arg", "format", "output", "quiet", "verbose")
    given = {name: value for name, value in context.params.items() if name not in own}
    delivery = Delivery(FORMATS, format, output, quiet)
    order = order_of(target, module, argv, given)
    found = answer(make_resume_order(order.request, at, kill, grace, resume_arg or ()), choose_progress(quiet, verbose))
    delivery.end(found, order.options["color"])
