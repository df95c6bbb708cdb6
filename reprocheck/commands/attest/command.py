"""The options of `reprocheck attest` and `reprocheck verify` → what they come to; the formats of their reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reprocheck.commands.attest.document import attested_document, verified_document
from reprocheck.commands.attest.json import render_statement, render_verification
from reprocheck.commands.attest.model import Attested, Verification
from reprocheck.commands.attest.statement import make_statement
from reprocheck.commands.attest.verify import MOST_RERUNS, verify
from reprocheck.config import checks
from reprocheck.config.checks import Refused
from reprocheck.engine.console import Style
from reprocheck.engine.progress import Progress
from reprocheck.errors import UsageError
from reprocheck.report.formats import formats_of
from reprocheck.report.write import check_writable, write_atomically

ATTEST_FORMATS = formats_of(document=attested_document, json=render_statement)
VERIFY_FORMATS = formats_of(document=verified_document, json=render_verification)


def attest(word: str, out: Path, checkpoints: Sequence[Path], evidence: Path) -> Attested:
    """Write a statement. Raises UsageError or NoVerdictError."""
    check_writable([("json", out)])
    made = Attested(file=out, statement=make_statement(word, evidence, checkpoints))
    try:
        write_atomically(out, render_statement(made, Style()).encode())
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    return made


def verify_statement(
    path: Path, rerun: int | None, audit: str | None, evidence: Path, progress: Progress
) -> Verification:
    """Raises UsageError."""
    if rerun is not None:
        try:
            checks.integer(2, MOST_RERUNS)(rerun)
        except Refused as error:
            raise UsageError(f"--rerun {error.message}", "one run has nothing to be compared with") from None
    return verify(path, progress, rerun or 0, audit, evidence)
