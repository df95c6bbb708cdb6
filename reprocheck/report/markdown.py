"""The Markdown report, for a comment on a pull request: the verdict, what differs, why, which fix works.

It is read by people who did not start the audit, on a site that turns `@name` into a mail: text from outside becomes
code or is escaped, and every list is bounded, so that the whole fits into a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reprocheck.engine.console import Pen, Style
from reprocheck.model import Audit, NotCompared, RunSummary, SeedAudit, Status
from reprocheck.model.explanation import Explanation
from reprocheck.report.finding_text import FindingText, finding_texts
from reprocheck.report.headline import headline
from reprocheck.report.text.audit import render_text
from reprocheck.report.text.metrics import ONE_SEED, SEEDS, number, one_seed_cells, over_seeds_cells
from reprocheck.report.wording import count, fence_of, prefix_length, short, shown_path, shown_target

MOST_ROWS = 20
_MOST_FINDINGS = 10
LONGEST = 60_000
"""Characters of a comment; GitHub takes 65 536."""
_LEAST_DETAILS = 1000
_FOLD = "<details><summary>Details</summary>\n\n{fence}text\n{text}\n{fence}\n\n</details>"
_PEN = Pen(Style())
_GAP = "&#8203;"
"""Nothing to see, but neither a mention, a reference nor a link goes across it."""
_ESCAPES = {
    **{char: f"\\{char}" for char in "\\`*_[]~!"},
    **{"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;", "@": f"@{_GAP}", "#": f"#{_GAP}"},
}

_LIST = re.compile(r"\s*(?:\\?[-+=]|\d+[.)])")
"""What would start a list or underline a heading."""


def render_markdown(audit: Audit, style: Style) -> str:
    """The whole comment."""
    parts: list[list[str]] = [
        [f"### reprocheck: {prose(headline(audit))}"],
        [f"{code(shown_target(audit.request.target))}: {prose(audit.summary)}"],
        _runs(audit),
        *_findings(audit),
        _fixes(audit.explanation),
        _metrics(audit),
        _shifts(audit),
        _coverage(audit),
    ]
    kept: list[str] = []
    room = LONGEST
    for text in ("\n".join(part) for part in parts if part):
        if len(text) > room:
            kept.append("(cut: the rest is too long for a comment)")
            return "\n\n".join(kept) + "\n"
        kept.append(text)
        room -= len(text) + 2
    return "\n\n".join([*kept, *_details(audit, room - len(_FOLD))]) + "\n"


def prose(text: str) -> str:
    """A sentence with text from outside in it: what stands between backticks is code, the rest is only text."""
    parts = re.split(r"`([^`]+)`", _PEN.text(text))
    written = "".join(code(part) if place % 2 else _escaped(part) for place, part in enumerate(parts))
    return f"{_GAP}{written}" if _LIST.match(written) else written


def code(text: str) -> str:
    """Text from outside as code: nothing in it is a link, a mention or markup."""
    inside = _PEN.text(text) or " "
    if "|" in inside:  # in a table it would end the cell, and between backticks it cannot be escaped for good
        return f"<code>{_escaped(inside)}</code>"
    fence = fence_of(inside, 1)
    pad = " " if inside.startswith("`") or inside.endswith("`") else ""
    return f"{fence}{pad}{inside}{pad}{fence}"


def _escaped(text: str) -> str:
    """Text; addresses and emoji names do not become anything else."""
    safe = "".join(_ESCAPES.get(char, char) for char in text)
    safe = re.sub(r":(?=//|[\w+-]+:)", f":{_GAP}", safe)
    return re.sub(r"(?i)\bwww\.", lambda found: f"{found[0][:-1]}{_GAP}.", safe)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of cells that are Markdown already."""
    if not rows:
        return []
    lines = [head, ["---"] * len(head), *rows[:MOST_ROWS]]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    left_out = len(rows) - MOST_ROWS
    return [*table, "", f"and {left_out} more"] if left_out > 0 else table


def _runs(audit: Audit) -> list[str]:
    rows = [row for seed in audit.seeds for row in _seed_rows(seed)]
    return _table(["seed", "run", "status", "initial", "steps", "output"], rows)


def _seed_rows(seed: SeedAudit) -> Iterator[list[str]]:
    length = prefix_length(digest for run in seed.runs for digest in (run.init, run.steps_digest, run.output))
    first = next((run for run in seed.runs if run.status is Status.COMPLETED), None)
    for run in seed.runs:
        status = run.status.value.replace("-", " ") + (f": {prose(run.reason)}" if run.reason else "")
        marks = [_digest(run, first, name, length) for name in ("init", "steps_digest", "output")]
        steps = f"{run.steps} {marks[1]}" if run.steps else "-"
        yield [str(seed.seed), code(run.id), status, marks[0], steps, marks[2]]


def _digest(run: RunSummary, first: RunSummary | None, name: str, length: int) -> str:
    """In bold where it is not that of the first run."""
    own = getattr(run, name)
    shown = code(short(_PEN, own, length)) if own else "-"
    other = "" if first is None else getattr(first, name)
    return f"**{shown}** differs" if own and other and own != other else shown


def _findings(audit: Audit) -> Iterator[list[str]]:
    found = finding_texts(audit)
    yield from (_finding(one) for one in found[:_MOST_FINDINGS])
    if len(found) > _MOST_FINDINGS:
        yield [f"and {count(len(found) - _MOST_FINDINGS, 'finding')} more"]


def _finding(one: FindingText) -> list[str]:
    finding = one.finding
    place = "" if one.location is None else f" at {code(f'{shown_path(one.location.path)}:{one.location.line}')}"
    lines = [f"**{prose(finding.severity)} {prose(finding.code)}**: {prose(one.head)}{place}", ""]
    lines += [f"{code(one.source)}", ""] if one.source else []
    return lines + [f"- {prose(line)}" for line in one.lines]


def _fixes(explanation: Explanation | None) -> list[str]:
    rows = []
    for trial in () if explanation is None else explanation.trials:
        remedies = " and ".join(code(remedy.text) for remedy in trial.remedies)
        hides = next((remedy.hides for remedy in trial.remedies if remedy.hides), "")
        outcome = "works" if trial.works else "no effect"
        if trial.failed or trial.runs < 2:
            outcome = f"no answer: {prose(trial.failed or 'too few runs')}"
        elif trial.works and hides:
            outcome = f"masks the cause: {prose(hides)}"
        time = "-" if trial.time_ratio is None or not trial.works else f"x{trial.time_ratio:.2f}"
        rows.append([remedies, outcome, f"{trial.agreed} of {trial.runs}", time])
    table = _table(["tried", "outcome", "runs that agreed", "time"], rows)
    return ["**Fixes that were tried**", "", *table] if table else []


def _metrics(audit: Audit) -> list[str]:
    over_seeds = len(audit.seeds) > 1
    cells = over_seeds_cells if over_seeds else one_seed_cells
    rows = [[code(metric.name), *cells(metric)] for metric in audit.metrics]
    noted = [metric for metric in audit.metrics if metric.notes]
    notes = [f"- {code(metric.name)}: {'; '.join(metric.notes)}" for metric in noted[:MOST_ROWS]]
    return [*_table(SEEDS if over_seeds else ONE_SEED, rows), *([""] if notes else []), *notes]


def _shifts(audit: Audit) -> list[str]:
    against = audit.against
    if against is None:
        return []
    rows = [
        [code(shift.name), f"{shift.base:.6g}", f"{shift.here:.6g}", number(shift.in_std)] for shift in against.shifts
    ]
    return _table(["metric", code(against.text), "here", "shift in std over seeds"], rows)


def _coverage(audit: Audit) -> list[str]:
    lines = [f"- compared: {prose(', '.join(audit.compared)) or 'nothing'}"]
    items = sorted(audit.not_compared, key=lambda item: not item.is_result)
    lines += [f"- not compared: {prose(item.what)}: {prose(_reason(item))}" for item in items[:MOST_ROWS]]
    left_out = len(audit.not_compared) - MOST_ROWS
    lines += [f"- not compared: {left_out} more"] if left_out > 0 else []
    return [*lines, f"- varied: {prose(', '.join(audit.varied)) or 'nothing'}"]


def _reason(item: NotCompared) -> str:
    return item.reason + (f"; help: {item.help}" if item.help else "")


def _details(audit: Audit, room: int) -> list[str]:
    """The text report, folded. Between fences nothing is markup."""
    text = render_text(audit, Style()).rstrip("\n")
    fence = fence_of(text)
    room -= 2 * len(fence)
    if room < _LEAST_DETAILS:
        return []
    if len(text) > room:
        text = f"{text[:room]}\n({len(text) - room} characters left out)"
    return [_FOLD.format(fence=fence, text=text)]
