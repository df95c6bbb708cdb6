"""`reprocheck vary` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import ARGV, FORMAT, MODULE, OUTPUT, QUIET, TARGET, VERBOSE, option, order_of

if TYPE_CHECKING:
    from reprocheck.engine.console import Style
    from reprocheck.model import Request


def vary(
    context: typer.Context,
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
    seed: Annotated[list[int] | None, option("seed", metavar="SEED")] = None,
    arg: Annotated[list[str] | None, option("arg", metavar="NAME=VALUE")] = None,
    seeding: Annotated[str | None, option("seeding", metavar="all|torch|none")] = None,
    deterministic: Annotated[str | None, option("deterministic", metavar="off|warn|error")] = None,
    cudnn_deterministic: Annotated[
        bool | None, option("cudnn-deterministic", "--cudnn-deterministic/--no-cudnn-deterministic")
    ] = None,
    cudnn_benchmark: Annotated[bool | None, option("cudnn-benchmark", "--cudnn-benchmark/--no-cudnn-benchmark")] = None,
    tf32: Annotated[bool | None, option("tf32", "--tf32/--no-tf32")] = None,
    threads: Annotated[int | None, option("threads", metavar="N")] = None,
    device: Annotated[str | None, option("device", metavar="DEVICES")] = None,
    env: Annotated[list[str] | None, option("env", metavar="NAME=VALUE")] = None,
    timeout: Annotated[float | None, option("timeout", metavar="SECONDS")] = None,
    max_steps: Annotated[int | None, option("max-steps", metavar="N")] = None,
    compare: Annotated[list[str] | None, option("compare", metavar="stdout|stderr|files|variables")] = None,
    ignore: Annotated[list[str] | None, option("ignore", metavar="GLOB")] = None,
    explain: Annotated[bool | None, option("explain", "--explain/--no-explain")] = None,
    keep: Annotated[int | None, option("keep", metavar="N")] = None,
    evidence: Annotated[str | None, option("evidence", metavar="DIR")] = None,
    format: FORMAT = "text",
    output: OUTPUT = None,
    color: Annotated[str | None, option("color", metavar="auto|always|never")] = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Find what the result depends on: threads, processor, libraries, precision, data loading, environment factors.

    Exit code 0 means that two equal runs agree, whatever the result depends on; --require makes a dependence fail.
    """
    from reprocheck.commands.vary.command import FORMATS, LISTS, answer, make_vary_order
    from reprocheck.engine.progress import choose_progress

    if list_:
        Delivery(LISTS, format, output).show(None, color or "auto")
        return
    delivery = Delivery(FORMATS, format, output, quiet)
    own = ("target", "argv", "module", "only", "skip", "require", "list_", "format", "output", "quiet", "verbose")
    given = {name: value for name, value in context.params.items() if name not in own}
    if seeds is None and not seed:
        given["seeds"] = 3
    order = order_of(target, module, argv, given)
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


def also_vary(request: Request, names: Sequence[str], style: Style, quiet: int, verbose: bool) -> int:
    """After an audit: the answer beneath its report. Returns the exit code."""
    from reprocheck.commands.vary.command import FORMATS, answer, make_vary_order
    from reprocheck.engine.progress import choose_progress
    from reprocheck.report.write import print_report

    found = answer(make_vary_order(request, names, (), ()), choose_progress(quiet, verbose))
    if quiet < 2:
        print_report("\n" + FORMATS["text"](found, style))
    return int(found.exit_code)
