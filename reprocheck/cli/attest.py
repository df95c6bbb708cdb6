"""`reprocheck attest` and `reprocheck verify` on the command line. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reprocheck.cli.deliver import Delivery
from reprocheck.cli.options import FORMAT, NOTHING, OUTPUT, QUIET, VERBOSE, takes


@takes("evidence", "color")
def attest(
    audit: Annotated[
        str,
        typer.Argument(
            help="A kept audit (folder, name, latest, latest~1), or the folder of a collected plan.", show_default=True
        ),
    ] = "latest",
    out: Annotated[Path, typer.Option("--out", help="The file of the statement.", metavar="FILE")] = Path(
        "reprocheck.intoto.json"
    ),
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint", help="A file that the runs wrote: it becomes a subject, too; repeatable.", metavar="FILE"
        ),
    ] = None,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
) -> None:
    """Write what an audit saw as an in-toto Statement, with digests of its results and its evidence.

    Nothing is run. It is not signed: cosign, actions/attest or sigstore do that.
    """
    from reprocheck.commands.attest.command import ATTEST_FORMATS
    from reprocheck.commands.attest.command import attest as make
    from reprocheck.config.settings import find_pyproject, load_config, merge

    path = find_pyproject(Path.cwd())
    chosen = merge(options, {} if path is None else load_config(path))
    delivery = Delivery.checked(ATTEST_FORMATS, format, output)
    delivery.end(make(audit, out, checkpoint or (), chosen["evidence"]), chosen["color"])


@takes("evidence", "color")
def verify(
    file: Annotated[
        Path,
        typer.Argument(help="A statement, or an envelope (DSSE, Sigstore bundle) that holds it.", show_default=False),
    ],
    rerun: Annotated[
        int | None,
        typer.Option("--rerun", help="Make so many runs of each seed here, and compare the results.", metavar="N"),
    ] = None,
    audit: Annotated[
        str | None,
        typer.Option(
            "--audit", help="The audit with the evidence: the statement must follow from it.", metavar="AUDIT"
        ),
    ] = None,
    options: Mapping[str, Any] = NOTHING,
    format: FORMAT = "text",
    output: OUTPUT = None,
    quiet: QUIET = 0,
    verbose: VERBOSE = False,
) -> None:
    """Check a statement of `reprocheck attest`: its digests, its evidence, and with --rerun its results.

    Exits 1 if something in it does not hold, 3 if something that was asked could not be checked.
    """
    from reprocheck.commands.attest.command import VERIFY_FORMATS, verify_statement
    from reprocheck.config.settings import find_pyproject, load_config, merge
    from reprocheck.engine.progress import choose_progress

    path = find_pyproject(Path.cwd())
    chosen = merge(options, {} if path is None else load_config(path))
    delivery = Delivery.checked(VERIFY_FORMATS, format, output, quiet, verbose)
    found = verify_statement(file, rerun, audit, chosen["evidence"], choose_progress(quiet, verbose))
    delivery.end(found, chosen["color"])
