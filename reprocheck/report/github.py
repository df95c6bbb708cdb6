"""Annotations for GitHub Actions, the worst first: a workflow command a line.

GitHub shows ten errors and ten warnings of a step and drops the rest in silence, so the rest is counted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reprocheck.compare.verdict import open_questions
from reprocheck.engine.console import Style, escape, harmless
from reprocheck.model import Audit
from reprocheck.report.file_lines import line_of_file
from reprocheck.report.finding_text import FindingText, finding_texts, unjudged
from reprocheck.report.headline import headline, qualification
from reprocheck.report.identity import repository_path
from reprocheck.report.wording import count, first_of, shown_target

MOST = 10
"""Annotations of one kind in one step."""
_MOST_CODES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Annotation:
    kind: str
    """error or warning, or note: only counted."""
    title: str
    message: str
    path: str | None = None
    line: int | None = None
    code: str = ""


def render_github(audit: Audit, style: Style) -> str:
    """The annotations, closed by one notice with the verdict."""
    annotations = [*_limits(audit), *_unjudged(audit), *(_of_finding(audit, one) for one in finding_texts(audit))]
    shown = [one for kind in ("error", "warning") for one in [a for a in annotations if a.kind == kind][:MOST]]
    rest = [one for one in annotations if not any(one is other for other in shown)]
    return "".join(f"{_command(one)}\n" for one in [*shown, _closing(audit, rest)])


def _limits(audit: Audit) -> Iterator[_Annotation]:
    """A green verdict that does not hold for all of the result."""
    target = audit.request.target
    path = None if target.path is None else repository_path(str(target.path))
    if qualification(audit):
        message = "\n".join([harmless(headline(audit)), *(harmless(text) for text in open_questions(audit))])
        title = f"reprocheck: {harmless(headline(audit))}"
        yield _Annotation(kind="warning", title=title, message=message, path=path)


def _unjudged(audit: Audit) -> Iterator[_Annotation]:
    target = audit.request.target
    path = None if target.path is None else repository_path(str(target.path))
    for message in unjudged(audit):
        yield _Annotation(kind="error", title="reprocheck: no verdict reached", message=message, path=path)


def _of_finding(audit: Audit, one: FindingText) -> _Annotation:
    finding, target = one.finding, audit.request.target
    path, line = None if target.path is None else str(target.path), None
    if one.location is not None:
        path, line = one.location.path, line_of_file(one.location.path, one.location.line)
    source = [f"  {one.source}"] if one.source else []
    return _Annotation(
        kind=finding.severity,
        title=f"{finding.code}: {one.head}",
        message="\n".join([one.head, *source, *one.lines]),
        path=None if path is None else repository_path(path),
        line=line,
        code=finding.code,
    )


def _closing(audit: Audit, rest: list[_Annotation]) -> _Annotation:
    verdict = harmless(headline(audit))
    message = f"{harmless(shown_target(audit.request.target))}: {harmless(audit.summary)}"
    if rest:
        codes = first_of(list(dict.fromkeys(one.code for one in rest if one.code)), _MOST_CODES)
        message += f"\n{count(len(rest), 'further finding')} not shown here{f' ({codes})' if codes else ''}"
        message += ": see the text or JSON report"
    return _Annotation(kind="notice", title=f"reprocheck: {verdict}", message=message)


def _command(one: _Annotation) -> str:
    """One workflow command. No text from outside can end it, or start another."""
    properties = {"file": one.path, "line": None if one.line is None else str(one.line), "title": one.title}
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value is not None)
    return f"::{one.kind} {listed}::{_data(one.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(escape(text)).replace(":", "%3A").replace(",", "%2C")
