"""`reprocheck doctor` on the command line. No logic of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, OUTPUT, QUIET, TARGET, VERBOSE, option, order_of

STEPS = 5


def doctor(
    context: typer.Context,
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The seed of the run. [default: 0]", metavar="SEED", show_default=False)
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            "--max-steps",
            help=f"Optimizer steps after which the run ends cleanly. [default: {STEPS}]",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    arg: Annotated[list[str] | None, option("arg", metavar="NAME=VALUE")] = None,
    seeding: Annotated[str | None, option("seeding", metavar="all|torch|none")] = None,
    threads: Annotated[int | None, option("threads", metavar="N")] = None,
    device: Annotated[str | None, option("device", metavar="DEVICES")] = None,
    memory_fraction: Annotated[float | None, option("memory-fraction", metavar="F")] = None,
    memory_limit: Annotated[str | None, option("memory-limit", metavar="SIZE")] = None,
    memory_snapshot: Annotated[
        Path | None,
        typer.Option(
            "--memory-snapshot",
            help="Save PyTorch's own snapshot of GPU memory there, for its viewer (pytorch.org/memory_viz).",
            metavar="FILE",
        ),
    ] = None,
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
    """Examine one short run: initial weights, train and eval mode, gradients, seeds, memory.

    Exits 1 for errors, 0 for warnings and notes.
    """
    from reprocheck.commands.doctor.answer import examine_training
    from reprocheck.commands.doctor.command import FORMATS
    from reprocheck.engine.progress import choose_progress

    own = ("target", "argv", "module", "format", "output", "quiet", "verbose", "memory_snapshot")
    given = {name: value for name, value in context.params.items() if name not in own}
    given["seed"] = [0 if seed is None else seed]
    given["max_steps"] = STEPS if max_steps is None else max_steps
    delivery = Delivery(FORMATS, format, output, quiet)
    order = order_of(target, module, argv, given)
    answer = examine_training(order.request, memory_snapshot, choose_progress(quiet, verbose))
    delivery.end(answer, order.options["color"])
