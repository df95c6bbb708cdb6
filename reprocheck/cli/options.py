"""What commands share: options as typer takes them, and the user's input as a checked order."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprocheck.config.checks import DOCUMENT_FORMATS, any_of
from reprocheck.config.options import OPTIONS
from reprocheck.model.tolerance import Tolerance

if TYPE_CHECKING:
    from reprocheck.api import Order

NOTHING: Mapping[str, Any] = {}


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command with these options of `reprocheck run` in place of its parameter `options`, which gets them by key.

    They are declared once, in `config.settings`; typer reads them from the signature made here.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def with_options(**given: Any) -> None:
            command(options={OPTIONS[name].key: given.pop(OPTIONS[name].key) for name in names}, **given)

        parameters: list[inspect.Parameter] = []
        for parameter in own.parameters.values():
            parameters += map(_parameter, names) if parameter.name == "options" else [parameter]
        with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {one.name: one.annotation for one in parameters}
        return with_options

    return decorate


def _parameter(name: str) -> inspect.Parameter:
    one = OPTIONS[name]
    default = "" if one.default in (None, (), False, Tolerance()) else f" [default: {_shown(one.default)}]"
    declared = typer.Option(
        *(one.flags or (f"--{name}",)),
        help=one.help + default,
        metavar=one.metavar,
        show_default=False,
        autocompletion=completing(one.metavar or ""),
    )
    return inspect.Parameter(
        one.key,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[one.type | None, declared],
    )


def completing(choices: str) -> Callable[[str], list[str]] | None:
    """What a shell offers for a value: one of `a|b|c`. None where it is no choice: then shells offer files."""
    words = choices.split("|")
    return (lambda incomplete: [word for word in words if word.startswith(incomplete)]) if len(words) > 1 else None


def _shown(value: Any) -> str:
    return str(getattr(value, "value", value))


TARGET = Annotated[
    str | None,
    typer.Argument(help="script.py:function, script.py, or package.module:function", show_default=False),
]
ARGV = Annotated[
    list[str] | None,
    typer.Argument(
        help="The target's own arguments, after --; {seed} in them is replaced by the seed of the run.",
        show_default=False,
    ),
]
MODULE = Annotated[
    str | None,
    typer.Option("-m", "--module", help="Run a module as python -m does.", metavar="MODULE"),
]
SEED = Annotated[int | None, typer.Option("--seed", help="The seed of the runs. [default: 0]", show_default=False)]
FORMAT = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"The report on standard output: {any_of(DOCUMENT_FORMATS)}.",
        metavar="|".join(DOCUMENT_FORMATS),
        autocompletion=completing("|".join(DOCUMENT_FORMATS)),
    ),
]
OUTPUT = Annotated[
    list[str] | None,
    typer.Option("-o", "--output", help="A report in a file, FORMAT=FILE; repeatable.", metavar="FORMAT=FILE"),
]
JSON = Annotated[bool, typer.Option("--json", help="The same as --format json.", hidden=True)]
QUIET = Annotated[
    int,
    typer.Option(
        "-q",
        "--quiet",
        count=True,
        help="No progress, and of a text report the verdict and the cause alone; -qq: no report either.",
    ),
]
VERBOSE = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", help="A plain line for every event of a run, and all of the report: nothing is folded."
    ),
]


def order_of(target: str | None, module: str | None, argv: Sequence[str] | None, given: Mapping[str, Any]) -> Order:
    """Command line and configuration, checked. Raises UsageError."""
    from pathlib import Path

    from reprocheck.api import make_order
    from reprocheck.config.settings import find_pyproject

    return make_order(target, module, argv or (), given, find_pyproject(Path.cwd()))


def as_job(order: Order, quiet: int, verbose: bool) -> int:
    """This command on the engine that it names; its exit code."""
    import sys

    from reprocheck.commands.elsewhere.whole import run_whole
    from reprocheck.engine.progress import choose_progress

    options = order.options
    progress = choose_progress(quiet, verbose)
    return run_whole(sys.argv[1:], order.request, options["engine"], dict(options["engine_arg"]), progress)
