"""The answer of `reprocheck fix` for a person: what became of it, the patch, and what it did to the metrics."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.fix.model import Fixed
from reprocheck.diagnosis.rules.difference import shift_text
from reprocheck.engine.console import clip
from reprocheck.errors import ExitCode
from reprocheck.report.document import (
    Block,
    Document,
    Headline,
    Indented,
    Note,
    Patch,
    Role,
    Span,
    document,
    indented,
    no_verdict,
)
from reprocheck.report.wording import shown_path

MOST_LINES = 200


def fix_document(fixed: Fixed) -> Document:
    """The whole report."""
    if fixed.reason:
        return document("reprocheck fix", [no_verdict(clip(shown_path(fixed.name)), clip(fixed.reason), "")])
    word = {
        ExitCode.OK: Span("FIXED", Role.SUCCESS),
        ExitCode.DIFFERENT: Span("NOT FIXED", Role.ERROR),
    }.get(fixed.exit_code, Span("NOT FIXED", Role.WARNING))
    lines = tuple(fixed.patch.splitlines())
    left_out = [f"and {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    return document(
        "reprocheck fix",
        [Headline(word, clip(shown_path(fixed.name)), clip(fixed.summary))],
        [Indented((Patch(lines[:MOST_LINES]),)), *left_out],
        indented(_notes(fixed)),
    )


def _options(texts: Sequence[str]) -> str:
    return ", ".join(f"`{clip(text)}`" for text in texts)


def _notes(fixed: Fixed) -> list[Block]:
    blocks: list[Block] = []
    if fixed.tried is not None and fixed.tried.options:
        blocks.append(Note("note", f"it was tried together with {_options(fixed.tried.options)}", indent=0))
    blocks += [Note("note", clip(shift_text(shift)), indent=0) for shift in fixed.shifts if shift.here != shift.base]
    if not fixed.written and fixed.again is None:
        blocks.append(Note("help", "`reprocheck fix --write` writes it and audits again", indent=0))
    if fixed.again is not None and not fixed.written:
        blocks.append(Note("note", clip(fixed.again.summary), indent=0))
    return blocks
