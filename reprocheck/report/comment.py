"""What the Markdown report of an audit says in a comment on a pull request: the verdict, what differs, why, which fix
works. Every list is bounded; the whole report is folded below.
"""

from __future__ import annotations

from collections.abc import Iterator

from reprocheck.engine.console import LONGEST, clip
from reprocheck.model import Audit, NotCompared, RunSummary, SeedAudit, Status
from reprocheck.model.explanation import Explanation
from reprocheck.model.places import place_text
from reprocheck.report.document import (
    Block,
    Change,
    Details,
    Document,
    Heading,
    Indented,
    Role,
    Span,
    Steps,
    Table,
    Text,
    document,
    indented,
)
from reprocheck.report.finding_text import FindingText, finding_texts
from reprocheck.report.headline import headline
from reprocheck.report.identity import has_first_difference
from reprocheck.report.sections.audit import audit_document
from reprocheck.report.sections.metrics import metrics_table, number
from reprocheck.report.tried import tried_in
from reprocheck.report.wording import count, prefix_length, short, shown_path, shown_target

MOST_ROWS = 20
_MOST_FINDINGS = 10


def comment_document(audit: Audit) -> Document:
    """The whole comment."""
    return document(
        f"reprocheck: {clip(headline(audit))}",
        [(_code(shown_target(audit.request.target)), f": {clip(audit.summary)}")],
        *_findings(audit),
        *_suggestions(audit),
        _fixes(audit.explanation),
        _shifts(audit),
        _runs(audit),
        _metrics(audit),
        _steps(audit),
        _coverage(audit),
        [Details(audit_document(audit))],
    )


def _code(text: str) -> Span:
    return Span(clip(text), Role.CODE)


def _table(head: tuple[Text, ...], rows: list[tuple[Text, ...]]) -> list[Block]:
    left_out = len(rows) - MOST_ROWS
    more = [f"and {left_out} more"] if left_out > 0 else []
    return [Table(tuple(rows[:MOST_ROWS]), head), *more] if rows else []


def _runs(audit: Audit) -> list[Block]:
    rows = [row for seed in audit.seeds for row in _seed_rows(seed)]
    return _table(("seed", "run", "status", "initial", "steps", "output"), rows)


def _seed_rows(seed: SeedAudit) -> Iterator[tuple[Text, ...]]:
    length = prefix_length(digest for run in seed.runs for digest in (run.init, run.steps_digest, run.output))
    first = next((run for run in seed.runs if run.status is Status.COMPLETED), None)
    for run in seed.runs:
        status = run.status.value.replace("-", " ") + (f": {clip(run.reason)}" if run.reason else "")
        init, digest, output = (_digest(run, first, name, length) for name in ("init", "steps_digest", "output"))
        steps: Text = (f"{run.steps} ", *digest) if run.steps else "-"
        yield str(seed.seed), _code(run.id), status, init, steps, output


def _digest(run: RunSummary, first: RunSummary | None, name: str, length: int) -> tuple[str | Span, ...]:
    """Marked where it is not that of the first run."""
    own = getattr(run, name)
    other = "" if first is None else getattr(first, name)
    if not own:
        return ("-",)
    shown = _code(short(own, length))
    return (shown, " ", Span("differs", Role.ERROR)) if other and own != other else (shown,)


def _findings(audit: Audit) -> Iterator[list[Block]]:
    found = sorted(finding_texts(audit), key=lambda one: has_first_difference(one.finding.code))  # causes come first
    yield from (_finding(one) for one in found[:_MOST_FINDINGS])
    if len(found) > _MOST_FINDINGS:
        yield [f"and {count(len(found) - _MOST_FINDINGS, 'finding')} more"]


def _finding(one: FindingText) -> list[Block]:
    finding, place = one.finding, one.location
    at = () if place is None else (" at ", _code(place_text(shown_path(place.path), place.line)))
    head = (Span(f"{clip(finding.severity)} {clip(finding.code)}", Role.STRONG), f": {one.head}", *at)
    return [head, *([_code(one.source)] if one.source else []), *indented(one.lines)]


def _fixes(explanation: Explanation | None) -> list[Block]:
    rows: list[tuple[Text, ...]] = []
    for trial in () if explanation is None else explanation.trials:
        remedies: list[str | Span] = []
        for remedy in trial.remedies:
            remedies += [" and ", _code(remedy.text)]
        hides = next((remedy.hides for remedy in trial.remedies if remedy.hides), "")
        outcome = "works" if trial.works else "no effect"
        if trial.failed or trial.runs < 2:
            outcome = f"no answer: {clip(trial.failed or 'too few runs')}"
        elif trial.works and hides:
            outcome = f"masks the cause: {clip(hides)}"
        time = "-" if trial.time_ratio is None or not trial.works else f"x{trial.time_ratio:.2f}"
        rows.append((tuple(remedies[1:]), outcome, f"{trial.agreed} of {trial.runs}", time))
    table = _table(("tried", "outcome", "runs that agreed", "time"), rows)
    return [Heading("Fixes that were tried"), *table] if table else []


def _steps(audit: Audit) -> list[Block]:
    grids = [grid for seed in audit.seeds for grid in seed.grids]
    others = list({(grid.width, grid.rows): grid for grid in reversed(grids)}.values())[::-1]
    if not grids:
        return []
    alike = len(grids) - len(others)
    more = [f"and so it is in {count(alike, 'other run')}"] if alike else []
    return [Heading("Steps, kind by kind"), Steps(tuple(others)), *more]


def _suggestions(audit: Audit) -> Iterator[list[Block]]:
    """The changed lines with which runs agreed, as `reprocheck fix` would write them."""
    for tried in tried_in(audit)[:1]:
        also = f", together with {' and '.join(f'`{clip(text)}`' for text in tried.options)}" if tried.options else ""
        yield [Heading(f"Suggested change: {count(tried.runs, 'run')} agreed with it{also}")]
        for edit in tried.edits[:MOST_ROWS]:
            at = _code(f"{shown_path(edit.path)}:{edit.line}")
            whole = max(len(edit.before), len(edit.after)) <= LONGEST  # half a line is no suggestion
            yield [at, Change(edit.line, edit.before, edit.after, works=True)] if whole else [at]


def _metrics(audit: Audit) -> list[Block]:
    table = metrics_table(audit.metrics, len(audit.seeds) > 1)
    noted = [metric for metric in audit.metrics if metric.notes]
    notes = indented((_code(metric.name), f": {'; '.join(metric.notes)}") for metric in noted[:MOST_ROWS])
    rows: list[tuple[Text, ...]] = [row for row in table.rows if isinstance(row, tuple)]
    return [*_table(table.head, rows), *notes]


def _shifts(audit: Audit) -> list[Block]:
    against = audit.against
    if against is None:
        return []
    rows: list[tuple[Text, ...]] = [
        (_code(shift.name), f"{shift.base:.6g}", f"{shift.here:.6g}", number(shift.in_std)) for shift in against.shifts
    ]
    return _table(("metric", _code(against.text), "here", "shift in std over seeds"), rows)


def _coverage(audit: Audit) -> list[Block]:
    lines = [f"compared: {clip(', '.join(audit.compared)) or 'nothing'}"]
    items = sorted(audit.not_compared, key=lambda item: not item.is_result)
    lines += [f"not compared: {clip(item.what)}: {clip(_reason(item))}" for item in items[:MOST_ROWS]]
    left_out = len(audit.not_compared) - MOST_ROWS
    lines += [f"not compared: {left_out} more"] if left_out > 0 else []
    return [Indented((*lines, f"varied: {clip(', '.join(audit.varied)) or 'nothing'}"))]


def _reason(item: NotCompared) -> str:
    return item.reason + (f"; help: {item.help}" if item.help else "")
