"""`reprocheck params` for a person: findings, then a table of all tensors."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.params.model import Params, Row
from reprocheck.commands.params.to_findings import to_findings
from reprocheck.engine.console import clip
from reprocheck.errors import ExitCode
from reprocheck.model.initializers import Family
from reprocheck.model.kinds import Confidence
from reprocheck.report.document import (
    Block,
    Document,
    Headline,
    Role,
    Span,
    Table,
    Text,
    document,
    indented,
    no_verdict,
)
from reprocheck.report.sections.diagnostics import finding_blocks
from reprocheck.report.wording import shown_path, shown_target

MOST_SCHEMES = 3
DIGITS = 8
"""Of a digest."""
_STAGES = {
    "step": "before the first optimizer step",
    "backward": "before the first backward pass: no optimizer was made",
    "forward": "before the first forward: there was no optimizer step and no backward pass",
}


def params_document(answer: Params) -> Document:
    """The whole answer."""
    return document(
        "reprocheck params",
        _opening(answer),
        *(finding_blocks(finding) for finding in to_findings(answer.remarks)),
        indented(tensor_table(answer.rows, answer.request.seeds)),
        _legend(answer),
        [f"note: {clip(note)}" for note in answer.notes],
        [f"evidence: {clip(shown_path(answer.directory))}"],
    )


def _opening(answer: Params) -> list[Block]:
    target = clip(shown_target(answer.request.target))
    if answer.exit_code is ExitCode.NO_VERDICT:
        return [no_verdict(target, clip(answer.summary), answer.stderr_tail)]
    bad = answer.exit_code is ExitCode.DIFFERENT
    word = Span("BAD INITIAL WEIGHTS", Role.ERROR) if bad else Span("INITIAL WEIGHTS", Role.SUCCESS)
    return [Headline(word, target, answer.summary), _STAGES.get(answer.stage, "")]


def tensor_table(tensors: Sequence[Row], seeds: Sequence[int]) -> list[Table]:
    """All tensors; none for none."""
    if not tensors:
        return []
    digests = [f"seed {seed}" for seed in seeds[:2]] + ([f"{len(seeds) - 2} more"] if len(seeds) > 2 else [])
    head = ("name", "shape", "dtype", "device", *digests, "mean", "std", "min", "max", "initializer", "")
    numbers = tuple(range(4 + len(digests), 8 + len(digests)))
    return [Table(tuple(_row(row, seeds) for row in tensors), head, right=numbers)]


def _row(row: Row, seeds: Sequence[int]) -> tuple[Text, ...]:
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
    shape = _shape(tensor.shape)
    if tensor.placements:
        shape += f" {clip(tensor.placements)}: {_shape(tensor.local_shape)} here"
    figures = [_number(figure) for figure in (tensor.mean, tensor.std, tensor.low, tensor.high)]
    description, confidence = _initialiser(row)
    return (
        (Span(clip(row.name), Role.CODE), kind),
        shape,
        clip(tensor.dtype),
        clip(tensor.device),
        *digests,
        *figures,
        description,
        confidence,
    )


def _shape(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes)) or "scalar"


def _initialiser(row: Row) -> tuple[str, str]:
    description, confidence = _recognised(row)
    return (f"loaded; looks like {description}", confidence) if row.tensor.loaded else (description, confidence)


def _recognised(row: Row) -> tuple[str, str]:
    answer = row.tensor.answer
    if answer is None:
        return clip(row.tensor.reason), ""
    if answer.family is Family.UNKNOWN:
        near = f" (nearest: {clip(answer.nearest)})" if answer.nearest else f": {clip(answer.shape)}"
        return f"unknown{near}", ""
    if not answer.schemes:
        description = clip(answer.shape) + (f" ({clip(answer.note)})" if answer.note else "")
        return description, answer.confidence.value
    same = [clip(scheme) for scheme in answer.schemes[: max(1, answer.equal)]]
    description = " = ".join(same[:MOST_SCHEMES]) + (" = \u2026" if len(same) > MOST_SCHEMES else "")
    others = len(answer.schemes) - len(same)
    if others and answer.confidence is not Confidence.HIGH:
        description += f", or {others} other{'s' if others > 1 else ''}"
    return description + (f"; {clip(answer.note)}" if answer.note else ""), answer.confidence.value


def _legend(answer: Params) -> list[str]:
    if not answer.rows:
        return []
    sharded = any(row.tensor.placements for row in answer.rows)
    return [
        "initializer: what draws such values, and how sure that is; = joins what is one distribution",
        "mean, std, min, max: of the first seed that has the tensor",
        *(["sharded tensors: the shape is that of the whole, all else is of the part that this rank holds"] * sharded),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
