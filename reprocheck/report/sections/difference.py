"""The first difference in full: its line, its operation, what went into it and how far its values lie apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from reprocheck.diagnosis.rules.difference import UNDIAGNOSED
from reprocheck.diagnosis.rules.difference_pages import DIVERGENCES
from reprocheck.engine.console import clip
from reprocheck.model import Audit, Divergence, Finding, Location, TensorDifference
from reprocheck.model.explanation import OpCall, Origin
from reprocheck.model.kinds import OriginKind, Stage
from reprocheck.model.values import ValueDifference
from reprocheck.protocol import TRAINED_ELSEWHERE
from reprocheck.report.document import Block, Diagnostic, KeyValues, Note, Place, Role, Span, Table, Text, evidence
from reprocheck.report.sections.diagnostics import gutter, head, helps, place, source
from reprocheck.report.wording import count, first_of, percent, prefix_length, short

DIVERGENCE_CODES = {code for code, _, _ in DIVERGENCES.values()}
Row = tuple[str, Text | Table]

MOST_TENSORS = 10
_MOST_WITH_AN_ORIGIN = 3
_MOST_SAMPLES = 3
MOST_ULP = 2**20
"""Steps between floats that still say something of rounding."""
_SINGULAR = {"batch", "loss", "forward", "output", "optimizer state", "stdout", "stderr", "checkpoint"}
_PHASES = {
    "init": "before the first forward pass",
    "forward": "forward pass",
    "backward": "backward pass",
    "optimizer": "optimizer step",
    "no-grad": "under no_grad",
}


def difference_blocks(
    audit: Audit,
    causes: Sequence[Finding] = (),
    whys: Sequence[str] = (),
    shown: Collection[Location] = (),
) -> list[Block]:
    """The first difference in full, those of other seeds in a line. `whys` is what experiments showed, said here where
    no cause says it; where they or the causes answer, the advice that only the stage gave is left out. `shown`: places
    whose source line the reader has just seen."""
    located = _locate(audit)
    if located is None:
        return []
    first, origin, finding = located
    location, code = _line(audit, first, origin)
    blocks = _head(first, location, origin)
    blocks += [] if location is None or location in shown else source(location, code)
    names = first_of([f"`{clip(name)}`" for name in first.names], MOST_TENSORS) if not first.tensors else ""
    seen: list[Block] = [names] if names and origin is None else []
    if origin is not None:
        seen.append(origin_rows(origin, location, names))
    most = MOST_TENSORS if origin is None else _MOST_WITH_AN_ORIGIN
    blocks += evidence([*seen, *tensor_blocks(first.tensors, most)])
    notes = [first.note, *([] if origin is None else origin_notes(origin, first))]
    notes += [] if finding is None else _diagnosis(finding, origin, causes)
    blocks += [Note("note", clip(note)) for note in notes if note]
    blocks += [] if causes else [Note("note", why) for why in whys]
    for seed in audit.seeds:
        if seed.divergence is not None and seed.divergence is not first:
            blocks.append(Note("note", f"seed {seed.seed} differs first {clip(where(seed.divergence))}"))
    answered = causes or (audit.explanation is not None and audit.explanation.trials)
    return [Diagnostic((*blocks, *helps("" if finding is None or answered else finding.help)))]


def where(divergence: Divergence) -> str:
    """`at step 3 in gradients`, `in cell 7, at step 3 in gradients`, `in rank 1 at step 3 in gradients`."""
    part = f"in {divergence.part}, " if divergence.part else ""
    return part + ("" if divergence.rank is None else f"in rank {divergence.rank} ") + at(divergence)


def at(divergence: Divergence) -> str:
    """The same without the rank."""
    if divergence.kind.startswith(TRAINED_ELSEWHERE):
        return f"in {divergence.kind.removeprefix(TRAINED_ELSEWHERE)} that child processes trained"
    if divergence.step is not None:
        return f"at step {divergence.step} in {divergence.kind or divergence.stage}"
    if divergence.stage == Stage.INIT:
        return f"in the initial {divergence.kind or 'parameters'}, before the first step"
    if divergence.stage == Stage.LENGTH:
        return "in the number of steps"
    return f"in {divergence.kind or divergence.stage}"


def _locate(audit: Audit) -> tuple[Divergence, Origin | None, Finding | None] | None:
    """The difference to show, the operation it began at, and the finding that says where it is."""
    first = next((seed.divergence for seed in audit.seeds if seed.divergence is not None), audit.divergence)
    if first is None:
        return None
    origin = None if audit.explanation is None else audit.explanation.origin
    return first, origin, next((finding for finding in audit.findings if finding.code in DIVERGENCE_CODES), None)


def _line(audit: Audit, divergence: Divergence, origin: Origin | None) -> tuple[Location | None, str]:
    """The place of the difference and its source line: the operation's, or that of a cause that was shown."""
    frame = origin.call.frames[0] if origin is not None and origin.call.frames else None
    location = divergence.location or (None if frame is None else frame.location)
    if location is None:
        return None, ""
    sources = [frame.code] if frame is not None and frame.location == location else []
    sources += [finding.source for finding in audit.findings if finding.location == location]
    return location, next(filter(None, sources), "")


def _head(divergence: Divergence, location: Location | None, origin: Origin | None) -> list[Block]:
    one, other = (clip(run) for run in divergence.runs)
    what = divergence.kind or divergence.stage
    differ = "differs" if what in _SINGULAR else "differ"
    code = DIVERGENCES[divergence.stage][0] if divergence.stage in DIVERGENCES else "RC300"
    step = "first " + clip(where(divergence))
    found = step if location is None else f"{place(location)}, {step}"
    if divergence.op and origin is None:
        found += f", op `{clip(divergence.op)}`"
    return [
        (head("error", code), f": {clip(what)} {differ} between run {one} and run {other}"),
        Place(found, 0 if location is None else gutter(location)),
    ]


def _diagnosis(finding: Finding, origin: Origin | None, causes: Sequence[Finding]) -> list[str]:
    """What the finding for the first difference adds to it; its head stands there already."""
    # The origin says more exactly what was equal before than the stage can.
    notes = list(finding.evidence[:1]) if origin is None else []
    if finding.cause != UNDIAGNOSED and finding.cause not in {cause.cause for cause in causes}:
        notes.append(f"cause: {finding.cause}, confidence: {finding.confidence}")
    return notes


def origin_rows(origin: Origin, shown: Location | None, names: str) -> KeyValues:
    """The operation in rows. Its line is left out where it stands above already."""
    rows = _extra(origin) if origin.kind == OriginKind.EXTRA else _operation(origin)
    if origin.compared_ops:
        rows.append(("before", f"{count(origin.compared_ops, 'operation')} with equal values"))
    for depth, frame in enumerate(origin.call.frames):
        if depth or frame.location != shown:
            code = f": {clip(frame.code)}" if frame.code else ""
            label = "called" if depth else "line"
            rows.append((label, f"in `{clip(frame.function)}` at {place(frame.location)}{code}"))
    if not origin.call.frames:
        rows.append(("line", "unknown: only library code was on the stack"))
    rows += [("names", names)] if names else []
    rows += _apart(origin) if origin.kind != OriginKind.EXTRA else []
    return KeyValues(tuple(rows))


def _operation(origin: Origin) -> list[Row]:
    what = clip(origin.argument)
    batch = ", the model's batch," if origin.is_batch else ""
    inputs = {
        "op": "equal in both runs: the difference arises in this operation",
        "generator": f"the generator{f' ({what})' if what else ''} was in a different state: "
        "seeded differently, or used more or less often",
        "outside": f"{what or 'one'}{batch} came in from outside the traced operations with different values",
        "written": f"{what or 'one'} was equal before; something that the trace does not see changed it",
        "another": f"{what or 'one'} is another tensor: each is as its own run saw it last",
    }.get(origin.kind, clip(origin.kind))
    return [("op", _call(origin.call)), ("inputs", inputs)]


def _extra(origin: Origin) -> list[Row]:
    """An operation that only one run executed, and what the other did there."""
    other = next((run for run in origin.runs if run != origin.only_in), "")
    instead = "executed nothing more"
    if origin.other is not None:
        instead = f"instead {_call(origin.other)}"
        for frame in origin.other.frames[:1]:
            instead += f", at {place(frame.location)}" + (f": {clip(frame.code)}" if frame.code else "")
    return [
        (clip(origin.only_in) or "one run", f"executed {_call(origin.call)}"),
        (clip(other) or "the other", instead),
    ]


def _call(call: OpCall) -> str:
    phase = _PHASES.get(call.phase, clip(call.phase))
    module = f" of `{clip(call.module)}`" if call.module else ""
    thread = f", thread {call.thread}" if call.thread else ""
    step = "" if call.phase == "init" and not call.step else f", step {call.step}"
    return f"`{clip(call.op)}`, {phase}{module}{step}{thread}"


def _apart(origin: Origin) -> list[Row]:
    """How far the values of the two runs lie apart."""
    one, other = (clip(run) for run in origin.runs)
    form = f"{clip(origin.dtype)}[{', '.join(map(str, origin.shape))}]" if origin.dtype else ""
    if origin.other_form:
        return [("differs", f"{form} in {one}, {clip(origin.other_form)} in {other}")]
    if origin.values is None:
        reason = f"values not compared: {clip(origin.values_reason)}" if origin.values_reason else ""
        known = "; ".join(part for part in (form, reason) if part)
        return [("differs", known)] if known else []
    rows: list[Row] = [("differs", (f"{form}: " if form else "") + _distance(origin.values))]
    samples = tuple((_index(index), clip(a), clip(b)) for index, a, b in origin.values.samples[:_MOST_SAMPLES])
    if samples:
        rows.append(("values", Table(samples, ("element" if origin.shape else "", one, other))))
    return rows


def _distance(values: ValueDifference) -> str:
    text = f"{values.different} of {count(values.total, 'element')} ({percent(values.different, values.total)})"
    if values.max_abs is not None:
        text += f", at most {values.max_abs:.3g} apart" + (f" at {_index(values.index)}" if values.index else "")
    return text + (f", at most {values.max_ulp} ULP" if is_rounding(values.max_ulp) else "")


def origin_notes(origin: Origin, divergence: Divergence) -> list[str]:
    """What is known besides the operation itself."""
    moved = divergence.step is not None and origin.call.step != divergence.step
    at = f"in the traced replay the runs diverge at step {origin.call.step}" if moved else ""
    return [at, origin.deterministic_note, origin.note]


def _index(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


def tensor_blocks(tensors: Sequence[TensorDifference], most: int) -> list[Block]:
    """The tensors that differ."""
    if not tensors:
        return []
    length = prefix_length(digest for tensor in tensors for digest in (tensor.a, tensor.b))
    head = ("name", "dtype", "shape", "elements that differ", "max abs", "ulp", "first run", "second run")
    rows: list[tuple[Text, ...]] = []
    for tensor in tensors[:most]:
        shape = "x".join(map(str, tensor.shape)) or "-"
        name = Span(clip(tensor.name), Role.CODE)
        rows.append((name, clip(tensor.dtype) or "-", shape, *_values(tensor, length)))
    left_out = len(tensors) - most
    return [Table(tuple(rows), head, right=(4, 5)), *([f"and {left_out} more"] if left_out > 0 else [])]


def _values(tensor: TensorDifference, length: int) -> list[str]:
    values = tensor.values
    if values is None:
        sides = [short(side, length) if side else "absent" for side in (tensor.a, tensor.b)]
        return [f"unknown: {clip(tensor.reason)}" if tensor.reason else "-", "-", "-", *sides]
    differing = f"{values.different} of {values.total} ({percent(values.different, values.total)})"
    greatest = "-" if values.max_abs is None else f"{values.max_abs:.3g}"
    ulp = f"{values.max_ulp}" if is_rounding(values.max_ulp) else "-"
    if not values.samples:
        return [differing, greatest, ulp, short(tensor.a, length), short(tensor.b, length)]
    index, a, b = values.samples[0]
    at = f"{_index(index)} " if index else ""
    return [differing, greatest, ulp, at + clip(a), clip(b)]


def is_rounding(ulp: int | None) -> bool:
    """A count of steps between floats says something while it is small: across signs and sizes it means nothing."""
    return ulp is not None and ulp <= MOST_ULP
