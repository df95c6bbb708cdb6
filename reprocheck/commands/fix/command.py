"""`reprocheck fix AUDIT`: what was tried → a patch → the files → the same audit again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from reprocheck.commands.fix.again import request_again
from reprocheck.commands.fix.document import fix_document
from reprocheck.commands.fix.json import render_fix_json
from reprocheck.commands.fix.model import FileChange, Fixed
from reprocheck.commands.fix.patch import changes_of, patch_of, take_back, write
from reprocheck.commands.report.kept import open_kept
from reprocheck.commands.run.against import metric_shifts
from reprocheck.commands.run.audit import audit
from reprocheck.engine.progress import Progress
from reprocheck.errors import ExitCode, ReprocheckError, UsageError
from reprocheck.model import Audit, Request, Verdict
from reprocheck.report.formats import formats_of
from reprocheck.report.tried import Tried, tried_in

FORMATS = formats_of(document=fix_document, json=render_fix_json)


def fix(word: str, evidence: Path, agreed: Callable[[str], bool], progress: Progress) -> Fixed:
    """Show the patch to `agreed`; if it says yes, write it and audit again. Where runs still differ the files are put
    back. Raises UsageError, NoVerdictError or Interrupted.
    """
    cwd = Path.cwd()
    kept = open_kept(word, evidence)
    fixes = tried_in(kept)
    reason = _why_not(kept, fixes)
    if reason:
        return Fixed(name=word, exit_code=ExitCode.NO_VERDICT, summary=reason, reason=reason)
    tried = fixes[0]
    changes = changes_of(tried.edits, cwd)
    patch = patch_of(changes, cwd)
    if not agreed(patch):
        return Fixed(
            name=word,
            exit_code=ExitCode.DIFFERENT,
            summary=f"not written; with this change {tried.runs} of {tried.runs} runs agreed",
            patch=patch,
            tried=tried,
        )
    request, why_not_again = _request(kept, cwd)
    write(changes)
    again = None if request is None else _audit_again(request, changes, progress)
    written = again is None or again.verdict is Verdict.REPRODUCIBLE
    if not written:
        take_back(changes)
    code, summary = _outcome(again, why_not_again)
    return Fixed(
        name=word,
        exit_code=code,
        summary=summary,
        patch=patch,
        tried=tried,
        written=written,
        again=again,
        why_not_again=why_not_again,
        shifts=() if again is None else metric_shifts(kept.seeds, again.seeds),
    )


def _why_not(kept: Audit, fixes: Sequence[Tried]) -> str:
    """Why there is nothing to write; else empty."""
    if kept.verdict is not Verdict.DIFFERENT:
        return "the audit found no difference: there is nothing to fix"
    if not fixes:
        return "the audit tried no changed line with which all runs agreed"
    return ""


def _request(kept: Audit, cwd: Path) -> tuple[Request | None, str]:
    """What to audit again, or why not. Checked before anything is written."""
    try:
        return request_again(kept, cwd), ""
    except UsageError as error:
        return None, error.message


def _audit_again(request: Request, changes: tuple[FileChange, ...], progress: Progress) -> Audit:
    try:
        return audit(request, progress)
    except BaseException as error:
        take_back(changes)
        if isinstance(error, ReprocheckError):
            error.hint = "the files are as they were" + (f"; {error.hint}" if error.hint else "")
        raise


def _outcome(again: Audit | None, why_not: str) -> tuple[ExitCode, str]:
    if again is None:
        return ExitCode.OK, f"written, and not audited again: {why_not}"
    if again.verdict is Verdict.REPRODUCIBLE:
        return ExitCode.OK, "written; with it the whole audit reproduces"
    left = "the files are as they were"
    if again.verdict is Verdict.DIFFERENT:
        return ExitCode.DIFFERENT, f"with the change the whole audit still differs: {left}"
    return ExitCode.NO_VERDICT, f"with the change the audit gives no verdict: {left}"
