"""`reprocheck report`: a kept audit in any format, or the history of all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import NOTHING, OUTPUT, takes
from reprocheck.config.checks import DOCUMENT_FORMATS, any_of
from reprocheck.config.checks import FORMATS as NAMES
from reprocheck.errors import ExitCode


@takes("evidence", "history", "color")
def report(
    audit: Annotated[
        str,
        typer.Argument(
            help="A kept audit (folder, name, latest, latest~1) or a JSON report of `reprocheck run`.",
            show_default=True,
        ),
    ] = "latest",
    index: Annotated[
        bool,
        typer.Option(
            "--index",
            help="All kept audits and the history: since when each target differs, at which commit, how often.",
        ),
    ] = False,
    options: Mapping[str, Any] = NOTHING,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help=f"The report on standard output: {any_of(NAMES)}; of an index {any_of(DOCUMENT_FORMATS)}.",
            metavar="|".join(NAMES),
        ),
    ] = "text",
    output: OUTPUT = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="All of the report: nothing is folded.")] = False,
) -> None:
    """Write the report of a kept audit again, in any format; or with --index the history of all.

    Nothing is run. Exits 0 whatever the audit came to.
    """
    from reprocheck.commands.report.command import INDEX_FORMATS, make_index, open_kept
    from reprocheck.config.settings import find_pyproject, load_config, merge
    from reprocheck.report import FORMATS

    path = find_pyproject(Path.cwd())
    chosen = merge(options, {} if path is None else load_config(path))
    delivery = Delivery.checked(INDEX_FORMATS if index else FORMATS, format, output, verbose=verbose)
    if index:
        delivery.end(make_index(chosen["evidence"], chosen["history"]), chosen["color"])
    delivery.show(open_kept(audit, chosen["evidence"]), chosen["color"])
    raise typer.Exit(int(ExitCode.OK))
