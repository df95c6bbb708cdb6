"""The command line → a request → an audit → a report → an exit code."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from reprocheck import __version__
from reprocheck.cli.cost import cost
from reprocheck.cli.deliver import Delivery
from reprocheck.cli.doctor import doctor
from reprocheck.cli.options import ARGV, EPILOG, FORMAT, JSON, MODULE, OUTPUT, QUIET, TARGET, VERBOSE, order_of
from reprocheck.cli.options import option as _option
from reprocheck.cli.params import params
from reprocheck.cli.resume import resume
from reprocheck.cli.vary import also_vary, check_vary
from reprocheck.cli.vary import vary as vary_command
from reprocheck.config import checks
from reprocheck.errors import ExitCode
from reprocheck.model import Verdict

app = typer.Typer(
    name="reprocheck",
    help="Audit whether a PyTorch training reproduces.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
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


@app.command(epilog=EPILOG, context_settings={"allow_extra_args": False})
def run(
    context: typer.Context,
    target: TARGET = None,
    argv: ARGV = None,
    module: MODULE = None,
    seeds: Annotated[int | None, _option("seeds", metavar="N")] = None,
    seed: Annotated[list[int] | None, _option("seed", metavar="SEED")] = None,
    repeats: Annotated[int | None, _option("repeats", metavar="R")] = None,
    jobs: Annotated[int | None, _option("jobs", "-j", "--jobs", metavar="J")] = None,
    arg: Annotated[list[str] | None, _option("arg", metavar="NAME=VALUE")] = None,
    ambient: Annotated[str | None, _option("ambient", metavar="vary|fixed")] = None,
    seeding: Annotated[str | None, _option("seeding", metavar="all|torch|none")] = None,
    cudnn_deterministic: Annotated[
        bool | None,
        _option("cudnn-deterministic", "--cudnn-deterministic/--no-cudnn-deterministic"),
    ] = None,
    cudnn_benchmark: Annotated[
        bool | None,
        _option("cudnn-benchmark", "--cudnn-benchmark/--no-cudnn-benchmark"),
    ] = None,
    deterministic: Annotated[str | None, _option("deterministic", metavar="off|warn|error")] = None,
    tf32: Annotated[bool | None, _option("tf32", "--tf32/--no-tf32")] = None,
    threads: Annotated[int | None, _option("threads", metavar="N")] = None,
    device: Annotated[str | None, _option("device", metavar="DEVICES")] = None,
    memory_fraction: Annotated[float | None, _option("memory-fraction", metavar="F")] = None,
    memory_limit: Annotated[str | None, _option("memory-limit", metavar="SIZE")] = None,
    env: Annotated[list[str] | None, _option("env", metavar="NAME=VALUE")] = None,
    timeout: Annotated[float | None, _option("timeout", metavar="SECONDS")] = None,
    max_steps: Annotated[int | None, _option("max-steps", metavar="N")] = None,
    compare: Annotated[list[str] | None, _option("compare", metavar="stdout,files,…")] = None,
    ignore: Annotated[list[str] | None, _option("ignore", metavar="GLOB")] = None,
    explain: Annotated[bool | None, _option("explain", "--explain/--no-explain")] = None,
    explain_budget: Annotated[int | None, _option("explain-budget", metavar="RUNS")] = None,
    workdir: Annotated[str | None, _option("workdir", metavar="here|fresh")] = None,
    isolation: Annotated[str | None, _option("isolation", metavar="template|process")] = None,
    against: Annotated[str | None, _option("against", metavar="REV")] = None,
    allow_different: Annotated[bool | None, _option("allow-different", "--allow-different")] = None,
    share: Annotated[list[str] | None, _option("share", metavar="PATH")] = None,
    baseline: Annotated[str | None, _option("baseline", metavar="FILE")] = None,
    update_baseline: Annotated[bool | None, _option("update-baseline", "--update-baseline")] = None,
    tolerance: Annotated[list[str] | None, _option("tolerance", metavar="WORD")] = None,
    fail_fast: Annotated[bool | None, _option("fail-fast", "--fail-fast")] = None,
    cached: Annotated[bool | None, _option("cached", "--cached/--no-cached")] = None,
    in_process_repeat: Annotated[bool | None, _option("in-process-repeat", "--in-process-repeat")] = None,
    trace: Annotated[str | None, _option("trace", metavar="replay|always")] = None,
    keep: Annotated[int | None, _option("keep", metavar="N")] = None,
    evidence: Annotated[str | None, _option("evidence", metavar="DIR")] = None,
    format: Annotated[str | None, _option("format", metavar="|".join(checks.FORMATS))] = None,
    output: Annotated[list[str] | None, _option("output", "-o", "--output", metavar="FORMAT=FILE")] = None,
    fail_on: Annotated[str | None, _option("fail-on", metavar="difference|error|warning|never")] = None,
    strict: Annotated[bool | None, _option("strict", "--strict/--no-strict")] = None,
    only_new: Annotated[str | None, _option("only-new", metavar="FILE")] = None,
    exit_zero: Annotated[bool | None, _option("exit-zero", "--exit-zero/--no-exit-zero")] = None,
    color: Annotated[str | None, _option("color", metavar="auto|always|never")] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary", help="If it reproduces, vary these, too, as `reprocheck vary --only` does.", metavar="NAMES"
        ),
    ] = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Run a training several times in fresh processes and say whether it reproduces."""
    from reprocheck.api import carry_out
    from reprocheck.engine.console import decide_style
    from reprocheck.engine.progress import choose_progress
    from reprocheck.report import FORMATS
    from reprocheck.report.write import append_step_summary, print_report, write_outputs

    given = {
        name: value
        for name, value in context.params.items()
        if name not in ("target", "argv", "module", "vary", "quiet", "verbose")
    }
    order = order_of(target, module, argv, given)
    options = order.options
    check_vary(vary or (), options["format"])
    answer = carry_out(order, choose_progress(quiet, verbose))
    style = decide_style(options["color"], sys.stdout)
    write_outputs(answer, options["output"], style)
    append_step_summary(answer, [*(form for form, _ in options["output"]), *([options["format"]] if quiet < 2 else [])])
    if quiet < 2:
        print_report(FORMATS[options["format"]](answer, style), options["format"])
    code = int(answer.exit_code)
    if vary and answer.verdict is Verdict.REPRODUCIBLE:
        code = code or also_vary(order.request, vary, style, quiet, verbose)
    raise typer.Exit(code)


@app.command(epilog=EPILOG)
def diff(
    a: Annotated[str, typer.Argument(help="A saved audit (folder, latest, latest~1), a JSON report or a baseline.")],
    b: Annotated[str, typer.Argument(help="What to compare it with.")],
    tolerance: Annotated[list[str] | None, _option("tolerance", metavar="WORD")] = None,
    evidence: Annotated[str | None, _option("evidence", metavar="DIR")] = None,
    format: FORMAT = "text",
    output: OUTPUT = None,
    color: Annotated[str | None, _option("color", metavar="auto|always|never")] = None,
) -> None:
    """Compare two saved audits or baselines, from any two machines."""
    from reprocheck.commands.diff.command import FORMATS, diff_audits
    from reprocheck.config.settings import find_pyproject, load_config, merge, validate

    path = find_pyproject(Path.cwd())
    delivery = Delivery(FORMATS, format, output)
    options = merge({"evidence": evidence, "color": color}, {} if path is None else load_config(path))
    answer = diff_audits(a, b, options["evidence"], validate("tolerance", tolerance or []))
    delivery.end(answer, options["color"])


@app.command(epilog=EPILOG)
def explain(
    rule: Annotated[str | None, typer.Argument(help="A code or a cause; without it all are listed.")] = None,
) -> None:
    """Explain a finding: what it checks, why it matters, an example, how to fix it, its limits."""
    from reprocheck.diagnosis.rules.explain import explain as page_of
    from reprocheck.report.write import print_report

    print_report(page_of(rule))


@app.command("gpu-info", epilog=EPILOG)
def gpu_info(
    format: FORMAT = "text",
    output: OUTPUT = None,
    as_json: JSON = False,
    require: Annotated[bool, typer.Option("--require", help="Exit 3 if no GPU can be used.")] = False,
) -> None:
    """Report the CUDA devices, their memory, versions and the determinism flags in force."""
    from reprocheck.commands.gpu_info.command import FORMATS, refuse_without_gpu
    from reprocheck.commands.gpu_info.command import collect as look

    delivery = Delivery(FORMATS, "json" if as_json else format, output)
    info = look()
    delivery.show(info)
    raise typer.Exit(int(refuse_without_gpu(info) if require else ExitCode.OK))


@app.command(epilog=EPILOG)
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

    delivery = Delivery(FORMATS, "json" if as_json else format, output)
    delivery.end(try_all(choose_progress(quiet, False)))


app.command(epilog=EPILOG)(resume)
app.command(epilog=EPILOG)(cost)
app.command("vary", epilog=EPILOG)(vary_command)
app.command(epilog=EPILOG)(params)
app.command(epilog=EPILOG)(doctor)


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
