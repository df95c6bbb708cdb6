"""The command line → a request → an audit → a report → an exit code."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reprocheck import __version__
from reprocheck.cli.attest import attest, verify
from reprocheck.cli.bisect import bisect
from reprocheck.cli.collect import collect
from reprocheck.cli.cost import cost
from reprocheck.cli.deliver import Delivery
from reprocheck.cli.doctor import doctor
from reprocheck.cli.fix import also_fix, check_fix
from reprocheck.cli.fix import fix as fix_command
from reprocheck.cli.help import Command, Commands
from reprocheck.cli.options import (
    ARGV,
    FORMAT,
    JSON,
    MODULE,
    NOTHING,
    OUTPUT,
    QUIET,
    TARGET,
    VERBOSE,
    order_of,
    takes,
)
from reprocheck.cli.params import params
from reprocheck.cli.plan import plan, worker
from reprocheck.cli.report import report as report_command
from reprocheck.cli.resume import resume
from reprocheck.cli.vary import also_vary, check_vary
from reprocheck.cli.vary import vary as vary_command
from reprocheck.config.options import OPTIONS
from reprocheck.errors import ExitCode
from reprocheck.model import Verdict

app = typer.Typer(
    name="reprocheck",
    help="Audit whether a PyTorch training reproduces.",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(value: bool) -> None:
    if value:
        print(f"reprocheck {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(cls=Command, context_settings={"allow_extra_args": False})
@takes(*OPTIONS)
def run(
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    options: Mapping[str, Any] = NOTHING,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary", help="If it reproduces, vary these, too, as `reprocheck vary --only` does.", metavar="NAMES"
        ),
    ] = None,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="If runs differ, write the changed lines with which they agreed, as `reprocheck fix --write`."
        ),
    ] = False,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Run a training several times in fresh processes and say whether it reproduces."""
    from reprocheck.api import carry_out
    from reprocheck.engine.progress import choose_progress
    from reprocheck.report import FORMATS

    order = order_of(target, module, argv, options)
    chosen = order.options
    check_vary(vary or (), chosen["format"])
    check_fix(fix, chosen["format"])
    answer = carry_out(order, choose_progress(quiet, verbose))
    Delivery(FORMATS, chosen["format"], chosen["output"], quiet, verbose).show(answer, chosen["color"])
    code = int(answer.exit_code)
    if vary and answer.verdict is Verdict.REPRODUCIBLE:
        code = code or also_vary(order.request, vary, chosen["color"], quiet, verbose)
    if fix and answer.verdict is Verdict.DIFFERENT:
        code = also_fix(answer.directory, chosen["color"], quiet, verbose)
    raise typer.Exit(code)


@app.command(cls=Command)
@takes("tolerance", "evidence", "color")
def diff(
    a: Annotated[
        str,
        typer.Argument(
            help="A saved audit (folder, latest, latest~1), a JSON report, a baseline, or a checkpoint (file, folder)."
        ),
    ],
    b: Annotated[str, typer.Argument(help="What to compare it with.")],
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
) -> None:
    """Compare two saved audits or baselines from any two machines, or two checkpoints by value."""
    from reprocheck.commands.diff.command import CHECKPOINTS, FORMATS, are_checkpoints, diff_audits, diff_checkpoints
    from reprocheck.config.settings import find_pyproject, load_config, merge, validate

    path = find_pyproject(Path.cwd())
    given = {name: value for name, value in options.items() if name != "tolerance"}
    chosen = merge(given, {} if path is None else load_config(path))
    tolerance = validate("tolerance", options["tolerance"] or [])
    if are_checkpoints(a, b):
        Delivery.checked(CHECKPOINTS, format, output).end(diff_checkpoints(a, b, tolerance), chosen["color"])
    delivery = Delivery.checked(FORMATS, format, output)
    answer = diff_audits(a, b, chosen["evidence"], tolerance)
    delivery.end(answer, chosen["color"])


def _codes(incomplete: str) -> list[str]:
    from reprocheck.diagnosis.rules.registry import pages

    return [code for page in pages() if (code := page.code).startswith(incomplete)]


@app.command(cls=Command)
def explain(
    rule: Annotated[
        str | None,
        typer.Argument(help="A code or a cause; without it all are listed.", autocompletion=_codes),
    ] = None,
) -> None:
    """Explain a finding: what it checks, why it matters, an example, how to fix it, its limits."""
    from reprocheck.diagnosis.rules.explain import explain as page_of
    from reprocheck.report.write import print_report

    print_report(page_of(rule))


@app.command("gpu-info", cls=Command)
def gpu_info(
    format: FORMAT = "text",
    output: OUTPUT = None,
    as_json: JSON = False,
    require: Annotated[bool, typer.Option("--require", help="Exit 3 if no GPU can be used.")] = False,
) -> None:
    """Report the CUDA devices, their memory, versions and the determinism flags in force."""
    from reprocheck.commands.gpu_info.command import FORMATS, refuse_without_gpu
    from reprocheck.commands.gpu_info.command import collect as look

    delivery = Delivery.checked(FORMATS, "json" if as_json else format, output)
    info = look()
    delivery.show(info)
    raise typer.Exit(int(refuse_without_gpu(info) if require else ExitCode.OK))


@app.command(cls=Command)
def selftest(
    format: FORMAT = "text",
    output: OUTPUT = None,
    as_json: JSON = False,
    quiet: Annotated[int, typer.Option("-q", "--quiet", count=True, help="No progress.")] = 0,
) -> None:
    """Test reprocheck on this machine: audit trainings with known faults, and clean ones.

    Exits 3 if a fault is missed or a clean training is called different.
    """
    from reprocheck.commands.selftest.selftest import FORMATS, try_all
    from reprocheck.engine.progress import choose_progress

    delivery = Delivery.checked(FORMATS, "json" if as_json else format, output)
    delivery.end(try_all(choose_progress(quiet, False)))


app.command(cls=Command)(resume)
app.command(cls=Command)(cost)
app.command("vary", cls=Command)(vary_command)
app.command(cls=Command)(bisect)
app.command("fix", cls=Command)(fix_command)
app.command(cls=Command)(plan)
app.command(cls=Command)(worker)
app.command(cls=Command)(collect)
app.command(cls=Command)(attest)
app.command(cls=Command)(verify)
app.command(cls=Command)(params)
app.command(cls=Command)(doctor)
app.command("report", cls=Command)(report_command)


def main() -> None:
    """Run the command line; every way out has its exit code."""
    from reprocheck.engine.interrupts import StopRequested, install, leave

    try:
        install()
        code = _main()
    except StopRequested:
        code = _report_interrupted()
    finally:
        leave()
    sys.exit(code)


def _report_interrupted() -> int:
    from reprocheck.engine.console import print_message

    print_message("interrupted")
    return int(ExitCode.INTERRUPTED)


def _main() -> int:
    from reprocheck.engine.console import print_message
    from reprocheck.errors import ReprocheckError

    try:
        app(standalone_mode=True)
    except ReprocheckError as error:
        print_message(f"{_opening(error.exit_code)}: {error.message}")
        if error.hint:
            print_message(f"  help: {error.hint}")
        return int(error.exit_code)
    except KeyboardInterrupt:
        return _report_interrupted()
    except Exception:
        import traceback

        print_message(f"internal error at {time.strftime('%H:%M:%S')}: this is a bug in reprocheck, please report it")
        print_message(traceback.format_exc())
        return int(ExitCode.INTERNAL)
    return int(ExitCode.OK)


def _opening(code: ExitCode) -> str:
    if code is ExitCode.INTERRUPTED:
        return "stopped"
    return "fatal: no verdict reached" if code is ExitCode.NO_VERDICT else "error"
