"""`reprocheck params` for a person: findings, then a table of all tensors."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.params.model import Params, Row
from reprocheck.commands.params.to_findings import to_findings
from reprocheck.engine.console import Pen, Style, aligned
from reprocheck.errors import ExitCode
from reprocheck.model.initializers import Family
from reprocheck.model.kinds import Confidence
from reprocheck.report.text.diagnostics import finding_lines
from reprocheck.report.wording import shown_path, shown_target

MOST_LINES = 15
MOST_SCHEMES = 3
DIGITS = 8
"""Of a digest."""
_INDENT = "  "
_STAGES = {
    "step": "before the first optimizer step",
    "backward": "before the first backward pass: no optimizer was made",
    "forward": "before the first forward: there was no optimizer step and no backward pass",
}


def render_params_text(answer: Params, style: Style) -> str:
    """The whole answer, a newline at its end."""
    pen = Pen(style)
    sections = [
        _opening(answer, pen),
        *(finding_lines(finding, pen) for finding in to_findings(answer.remarks)),
        table_lines(answer.rows, answer.request.seeds, pen),
        _legend(answer),
        [f"note: {pen.text(note)}" for note in answer.notes],
        [f"evidence: {pen.text(shown_path(answer.directory))}"],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _opening(answer: Params, pen: Pen) -> list[str]:
    target = pen.text(shown_target(answer.request.target))
    if answer.exit_code is ExitCode.NO_VERDICT:
        lines = [pen.paint("fatal: no verdict reached", "red"), f"{_INDENT}--> {target}"]
        lines.append(f"{_INDENT} = why: {pen.text(answer.summary)}")
        tail = [line.rstrip() for line in answer.stderr_tail.splitlines() if line.strip()]
        return [*lines, *(f"{_INDENT}   | {pen.text(line)}" for line in tail[-MOST_LINES:])]
    bad = answer.exit_code is ExitCode.DIFFERENT
    found = pen.paint("BAD INITIAL WEIGHTS", "red") if bad else pen.paint("INITIAL WEIGHTS", "green")
    return [f"{found}  {target}  {answer.summary}", _STAGES.get(answer.stage, "")]


def table_lines(tensors: Sequence[Row], seeds: Sequence[int], pen: Pen) -> list[str]:
    """All tensors; none for none."""
    if not tensors:
        return []
    digests = [f"seed {seed}" for seed in seeds[:2]] + ([f"{len(seeds) - 2} more"] if len(seeds) > 2 else [])
    rows = [["name", "shape", "dtype", "device", *digests, "mean", "std", "min", "max", "initialiser", ""]]
    rows += [_row(row, seeds, pen) for row in tensors]
    numbers = range(4 + len(digests), 8 + len(digests))
    return [_INDENT + line for line in aligned(rows, right=numbers, colours={}, pen=pen)]


def _row(row: Row, seeds: Sequence[int], pen: Pen) -> list[str]:
    tensor = row.tensor
    kind = " (buffer)" if tensor.kind == "buffer" else "" if tensor.trainable else " (frozen)"
    first = row.digests.get(seeds[0])
    digests = [(row.digests.get(seed, "none") or "-")[:DIGITS] for seed in seeds[:1]]
    for seed in seeds[1:2]:
        own = row.digests.get(seed)
        digests.append("same" if own and own == first else (own or "-")[:DIGITS])
    if len(seeds) > 2:
        others = [row.digests.get(seed) for seed in seeds[2:]]
        same = sum(bool(own) and own == first for own in others)
        digests.append("same" if same == len(others) else "differ" if not same else f"{same} same")
    shape = "x".join(str(size) for size in tensor.shape) or "scalar"
    figures = [_number(figure) for figure in (tensor.mean, tensor.std, tensor.low, tensor.high)]
    description, confidence = _initialiser(row, pen)
    return [
        pen.text(row.name) + kind,
        shape,
        pen.text(tensor.dtype),
        pen.text(tensor.device),
        *digests,
        *figures,
        description,
        confidence,
    ]


def _initialiser(row: Row, pen: Pen) -> tuple[str, str]:
    description, confidence = _recognised(row, pen)
    return (f"loaded; looks like {description}", confidence) if row.tensor.loaded else (description, confidence)


def _recognised(row: Row, pen: Pen) -> tuple[str, str]:
    answer = row.tensor.answer
    if answer is None:
        return pen.text(row.tensor.reason), ""
    if answer.family is Family.UNKNOWN:
        near = f" (nearest: {pen.text(answer.nearest)})" if answer.nearest else f": {pen.text(answer.shape)}"
        return f"unknown{near}", ""
    if not answer.schemes:
        description = pen.text(answer.shape) + (f" ({pen.text(answer.note)})" if answer.note else "")
        return description, answer.confidence.value
    same = [pen.text(scheme) for scheme in answer.schemes[: max(1, answer.equal)]]
    description = " = ".join(same[:MOST_SCHEMES]) + (f" = {pen.dots}" if len(same) > MOST_SCHEMES else "")
    others = len(answer.schemes) - len(same)
    if others and answer.confidence is not Confidence.HIGH:
        description += f", or {others} other{'s' if others > 1 else ''}"
    return description + (f"; {pen.text(answer.note)}" if answer.note else ""), answer.confidence.value


def _legend(answer: Params) -> list[str]:
    if not answer.rows:
        return []
    return [
        "initialiser: what draws such values, and how sure that is; = joins what is one distribution",
        "mean, std, min, max: of the first seed that has the tensor",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
