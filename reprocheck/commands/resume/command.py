"""The options of `reprocheck resume` → an order; the formats of its answer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from reprocheck.commands.resume.answer import resume as answer
from reprocheck.commands.resume.document import resume_document
from reprocheck.commands.resume.json import render_resume_json
from reprocheck.commands.resume.model import ResumeOrder
from reprocheck.config import checks
from reprocheck.errors import UsageError
from reprocheck.model import Request
from reprocheck.report.formats import formats_of

__all__ = ["FORMATS", "answer", "make_resume_order"]

MOST_GRACE = 3600
"""Seconds."""
FORMATS = formats_of(document=resume_document, json=render_resume_json)


def make_resume_order(request: Request, at: int | None, kill: bool, grace: float, extra: Sequence[str]) -> ResumeOrder:
    """Check what only this command takes. Raises UsageError."""
    if not 0 <= grace <= MOST_GRACE:  # NaN, too
        raise UsageError(f"--grace must be seconds from 0 to {MOST_GRACE}, not {grace:g}", "use --kill for none")
    request = replace(request, seeds=request.seeds[:1])
    if request.target.function is not None:
        try:
            arguments = checks.arguments(list(extra))
        except checks.Refused as error:
            raise UsageError(f"--resume-arg {error.message}", "the target is a function") from None
        return ResumeOrder(request=request, at=at, kill=kill, grace=grace, arguments=arguments)
    try:
        extra_argv = tuple(word for text in extra for word in shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--resume-arg: {str(error).lower()}", "quote it as for a shell") from None
    return ResumeOrder(request=request, at=at, kill=kill, grace=grace, extra_argv=extra_argv)
