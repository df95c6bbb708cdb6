"""`reprocheck doctor` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, NOTHING, OUTPUT, QUIET, TARGET, VERBOSE, order_of, takes

STEPS = 5


@takes(
    "nproc",
    "arg",
    "seeding",
    "threads",
    "device",
    "memory-fraction",
    "memory-limit",
    "env",
    "timeout",
    "workdir",
    "keep",
    "evidence",
    "color",
)
def doctor(
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
    options: Mapping[str, Any] = NOTHING,
    memory_snapshot: Annotated[
        Path | None,
        typer.Option(
            "--memory-snapshot",
            help="Save PyTorch's own snapshot of GPU memory there, for its viewer (pytorch.org/memory_viz).",
            metavar="FILE",
        ),
    ] = None,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Examine one short run: initial weights, train and eval mode, gradients, seeds, memory.

    Exits 1 for errors, 0 for warnings and notes.
    """
    from reprocheck.commands.doctor.answer import examine_training
    from reprocheck.commands.doctor.command import FORMATS
    from reprocheck.engine.progress import choose_progress

    own = {"seed": [0 if seed is None else seed], "max_steps": STEPS if max_steps is None else max_steps}
    delivery = Delivery.checked(FORMATS, format, output, quiet, verbose)
    order = order_of(target, module, argv, {**options, **own})
    answer = examine_training(order.request, memory_snapshot, choose_progress(quiet, verbose))
    delivery.end(answer, order.options["color"])
