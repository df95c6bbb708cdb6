"""What commands share: options as typer takes them, and the user's input as a checked order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprocheck.config.settings import OPTIONS
from reprocheck.errors import EXIT_CODE_MEANINGS
from reprocheck.model.tolerance import Tolerance

if TYPE_CHECKING:
    from reprocheck.api import Order

EPILOG = "Exit codes:\n\n" + "\n\n".join(f"{int(code)} {text}" for code, text in EXIT_CODE_MEANINGS.items())


def option(name: str, *flags: str, metavar: str | None = None) -> Any:
    """An option of `reprocheck run` with its help and default."""
    one = OPTIONS[name]
    default = "" if one.default in (None, (), False, Tolerance()) else f" [default: {_shown(one.default)}]"
    return typer.Option(*(flags or (f"--{name}",)), help=one.help + default, metavar=metavar, show_default=False)


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
        "--format", help="The report on standard output: text, json or markdown.", metavar="text|json|markdown"
    ),
]
OUTPUT = Annotated[
    list[str] | None,
    typer.Option("-o", "--output", help="A report in a file, FORMAT=FILE; repeatable.", metavar="FORMAT=FILE"),
]
JSON = Annotated[bool, typer.Option("--json", help="The same as --format json.", hidden=True)]
QUIET = Annotated[int, typer.Option("-q", "--quiet", count=True, help="No progress; -qq: no report either.")]
VERBOSE = Annotated[bool, typer.Option("-v", "--verbose", help="A plain line for every event of a run.")]


def order_of(target: str | None, module: str | None, argv: Sequence[str] | None, given: Mapping[str, Any]) -> Order:
    """Command line and configuration, checked. Raises UsageError."""
    from pathlib import Path

    from reprocheck.api import make_order
    from reprocheck.config.settings import find_pyproject

    return make_order(target, module, argv or (), given, find_pyproject(Path.cwd()))
