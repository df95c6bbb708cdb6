"""Evidence and Evidence → Comparison: the first difference in run order, and what was not compared. Reads values only
where digests differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from reprocheck.compare.checkpoints import AT_END, compare_checkpoints, ended_before
from reprocheck.compare.files import compare_files
from reprocheck.compare.grid import step_grid
from reprocheck.compare.near import Pair, beyond_tolerance
from reprocheck.compare.pairs import pair_differs, pairs_by_name, tensor_divergence
from reprocheck.compare.printed import compare_printed
from reprocheck.compare.ranks import compare_ranks, first_of
from reprocheck.compare.steps import StepDifference, compare_steps, has_observations, hashed_elsewhere
from reprocheck.model import (
    Compare,
    Comparison,
    Divergence,
    Evidence,
    Informational,
    NotCompared,
    Request,
    TensorRecord,
)
from reprocheck.model.kinds import Stage
from reprocheck.protocol import RECORD_SIZE, THREAD_MARK, TRAINED_ELSEWHERE, count_optimizers, count_steps
from reprocheck.protocol.reading import open_regular

UNMEASURED = "their digests differ, and a tolerance can only be measured on values"
"""Why steps do not decide where a tolerance was asked for."""
ELSEWHERE = "one run had its tensors read on a GPU, the other on the host: that makes other digests of equal values"


CALLS = "model calls"
"""What there is to compare of a target that took no step."""
_OF_TRAINING = ("initial parameters", "steps", "outputs")
"""What a process has that trains: one that only launches ranks has none of it."""
NOT_REACHED = "the returned value"
"""Of a function that ended before it gave one."""


def compare(a: Evidence, b: Evidence, request: Request) -> Comparison:
    """Two runs of one seed."""
    if a.partial or b.partial:
        common = min(len(a.steps), len(b.steps)) // RECORD_SIZE
        a, b, request = cut(a, common, is_own=True), cut(b, common, is_own=True), replace(request, compare=())
    runs = (a.spec.id, b.spec.id)
    compared: list[str] = []
    missing: list[NotCompared] = []
    near: list[str] = []
    found: list[tuple[int, int, Divergence]] = []
    for step, divergence in _compare_initial(a, b, request, runs, compared, missing, near):
        found.append((step, 0, divergence))
    steps, reordered = compare_steps(a.steps, b.steps, a.optimizers, b.optimizers)
    unmeasured = steps is not None and not request.tolerance.is_exact
    elsewhere = hashed_elsewhere(a.steps, b.steps)
    if elsewhere:
        steps, unmeasured = None, False
        missing.append(
            NotCompared(what="steps", reason=ELSEWHERE, is_result=True, help="run all on one kind of device")
        )
    elif unmeasured:
        missing.append(NotCompared(what="steps", reason=UNMEASURED))
    elif has_observations(a.steps) or has_observations(b.steps):
        compared.append("steps" if count_steps(a.steps) or count_steps(b.steps) else CALLS)
    else:
        missing.append(NotCompared(what="steps", reason="no optimizer step, backward pass or model call was seen"))
    if steps is not None and not unmeasured:
        found.append((steps.step, 2, _step_divergence(steps, runs)))
    found += compare_checkpoints(a, b, request, compared, missing, near)
    output = _compare_outputs(a, b, request, runs, compared, missing, near)
    if (
        unmeasured or elsewhere
    ) and "outputs" not in compared:  # an equal start says nothing of a training that went another way
        compared.clear()
    if output is not None:
        found.append((AT_END, 2, output))
    informational = _compare_informational(a, b, request, missing)
    for item in informational:
        if item.decides:
            compared.append(item.what)
            if not item.same:
                found.append((AT_END, 3, _informational_divergence(item, runs)))
    missing += dict.fromkeys((*a.unobserved, *b.unobserved))
    found.sort(key=lambda entry: entry[:2])
    own = found[0][2] if found else None
    of_ranks, compared_in_ranks, missing_in_ranks = compare_ranks(a, b, request, compare)
    if compared_in_ranks:
        passed = _OF_TRAINING if not compared else () if a.initial or count_steps(a.steps) else _OF_TRAINING[:2]
        missing = [item for item in missing if item.what not in passed or item.is_result]
        compared += (what for what in compared_in_ranks if what not in compared)
    missing += missing_in_ranks
    notes = ["steps of independent optimizers came in a different order, each with equal numbers"] if reordered else []
    notes += [f"within the tolerance, with different bits: {', '.join(near[:5])}" + _more(near[5:])] if near else []
    return Comparison(
        divergence=first_of([*([] if own is None else [own]), *of_ranks]),
        compared=tuple(compared),
        not_compared=tuple(missing),
        informational=tuple(informational),
        notes=tuple(dict.fromkeys([*notes, *a.notes, *b.notes])),
        grid=None if steps is None or unmeasured else step_grid(a.steps, b.steps, runs),
        ranks=tuple(of_ranks),
    )


def _compare_informational(
    a: Evidence, b: Evidence, request: Request, missing: list[NotCompared]
) -> list[Informational]:
    """What decides only when asked for: standard output, files, generators. What was asked for and not made is said."""
    files, files_missing = compare_files(a, b, request)
    compared = [
        *_compare_printed(a, b, Compare.STDOUT, request, missing),
        *_compare_printed(a, b, Compare.STDERR, request, missing),
        *_compare_generators(a, b),
    ]
    if files.detail or not files.same:
        compared.append(files)
    compared += _compare_variables(a, b, request, missing)
    made_nothing = {
        Compare.STDOUT: "nothing was printed",
        Compare.STDERR: "nothing was written to it",
        Compare.FILES: "no file was written",
        Compare.VARIABLES: "the globals of the target's modules hold no number, array or tensor",
    }
    known = {item.what for item in compared} | {item.what for item in missing}
    known |= {Compare.FILES.value} if files_missing else set()
    missing += (
        NotCompared(what=what.value, reason=made_nothing[what]) for what in request.compare if what.value not in known
    )
    missing += dict.fromkeys(files_missing)
    return compared


def _more(names: Sequence[str]) -> str:
    return f" and {len(names)} more" if names else ""


def cut(evidence: Evidence, steps: int, *, is_own: bool = False) -> Evidence:
    """As if the run, and each of its ranks unless `is_own`, had been ended after so many steps. What came after the
    last step is a record of its own."""
    kept = memoryview(evidence.steps)[: steps * RECORD_SIZE]
    return replace(
        evidence,
        initial=tuple(record for record in evidence.initial if record.step < steps),
        checkpoints=tuple(record for record in evidence.checkpoints if ended_before(record, steps)),
        steps=kept,
        optimizers=evidence.optimizers[: count_optimizers(kept)]
        if len(evidence.optimizers) > 1
        else evidence.optimizers,
        outputs=(),
        has_output=False,
        variables=(),
        ranks=evidence.ranks
        if is_own
        else tuple(replace(one, evidence=cut(one.evidence, steps)) for one in evidence.ranks),
    )


def _compare_initial(
    a: Evidence,
    b: Evidence,
    request: Request,
    runs: tuple[str, str],
    compared: list[str],
    missing: list[NotCompared],
    near: list[str],
) -> list[tuple[int, Divergence]]:
    """One divergence per optimizer step at which models were first seen (0 for most)."""
    if not a.initial and not b.initial:
        missing.append(NotCompared(what="initial parameters", reason="no model was seen"))
        return []
    differing = [pair for pair in pairs_by_name(a.initial, b.initial) if pair_differs(pair, missing, "initial ")]
    differing, within = beyond_tolerance(without_renamed(differing), request.tolerance, a.values, b.values)
    near += within
    if any(record.digest for record in a.initial):
        own = [record for record in a.initial if not record.kind.startswith(TRAINED_ELSEWHERE)]
        compared += ["initial parameters"] if own else []
        compared += ["parameters trained in child processes"] if len(own) < len(a.initial) else []
    found = []
    for step in sorted({_step_of(pair) for pair in differing}):
        here = [pair for pair in differing if _step_of(pair) == step]
        # A model seen only in mid-run was most likely changed by what came before: that comes first.
        kinds = {(left or right).kind for left, right in here if (left or right) is not None}  # type: ignore[union-attr]
        trained = TRAINED_ELSEWHERE if all(kind.startswith(TRAINED_ELSEWHERE) for kind in kinds) else ""
        kind = trained + ("parameters" if any(kind.endswith("parameter") for kind in kinds) else "buffers")
        found.append((step, tensor_divergence(Stage.INIT, None if step == 0 else step, kind, here, a, b, runs)))
    return found


def without_renamed(differing: list[Pair]) -> list[Pair]:
    """Parameters of no model are named by the order of the optimizers, models in threads by that of their first calls.

    Another order of equal ones is no difference.
    """
    unnamed = [pair for pair in differing if all(r is None or _named_by_order(r.name) for r in pair)]
    left, right = (sorted(r.digest for pair in unnamed if (r := pair[side]) is not None) for side in (0, 1))
    return [pair for pair in differing if pair not in unnamed] if left == right else differing


def _named_by_order(name: str) -> bool:
    return name.startswith("optimizer") or THREAD_MARK in name


def _step_of(pair: Pair) -> int:
    return min(record.step for record in pair if record is not None)


def _step_divergence(found: StepDifference, runs: tuple[str, str]) -> Divergence:
    notes = []
    if found.kind == "steps":
        notes.append(f"{runs[0]} took {found.counts[0]} optimizer steps, {runs[1]} took {found.counts[1]}")
    if found.in_tail:
        notes.append("observed after the last optimizer step")
    if found.generators:
        names = " and ".join(found.generators)
        notes.append(f"the state of the {names} generator already differed after the step before")
    if found.hyperparameters:
        notes.append("the optimizer's hyperparameters differ in this step, too")
    stage = Stage.DATA if found.kind == "batch" else Stage.STEP
    return Divergence(
        stage=stage, step=found.step, kind=found.kind, names=(), tensors=(), runs=runs, note="; ".join(notes)
    )


def _compare_outputs(
    a: Evidence,
    b: Evidence,
    request: Request,
    runs: tuple[str, str],
    compared: list[str],
    missing: list[NotCompared],
    near: list[str],
) -> Divergence | None:
    if not a.has_output and not b.has_output:
        missing.append(_no_output(a, b))
        return None
    pairs: list[Pair] = []
    ignored: list[Pair] = []
    for pair in pairs_by_name(a.outputs, b.outputs):
        record = pair[0] or pair[1]
        assert record is not None
        (ignored if _is_ignored(record.name, request.ignore) else pairs).append(pair)
    for pair in ignored:
        record = pair[0] or pair[1]
        assert record is not None
        missing.append(NotCompared(what=f"output {record.name or 'value'}", reason="--ignore"))
    if any(left is not None and left.digest and left.text != "None" for left, _ in pairs):
        compared.append("outputs")
    elif not pairs or all(left is not None and left.text == "None" for left, _ in pairs):
        missing.append(NotCompared(what="outputs", reason="the function returned nothing to compare"))
    differing = [pair for pair in pairs if pair_differs(pair, missing, "output ")]
    differing, within = beyond_tolerance(differing, request.tolerance, a.values, b.values)
    near += within
    if not differing:
        return None
    metric = all(left is not None and left.is_metric for left, _ in differing)
    stage = Stage.METRIC if metric else Stage.OUTPUT
    return tensor_divergence(stage, None, stage.value, differing, a, b, runs)


def _no_output(a: Evidence, b: Evidence) -> NotCompared:
    """A script has no output; that of a function which did not come back is a result that nobody saw."""
    if a.partial or b.partial:
        return NotCompared(what="outputs", reason="the runs were ended on the way (--fail-fast)")
    is_function = a.spec.target.function is not None
    if a.stopped_at is not None:
        reason = f"the run was ended after {a.stopped_at} optimizer steps (--max-steps)"
        return NotCompared(
            what=NOT_REACHED if is_function else "outputs",
            reason=reason,
            is_result=is_function,
            help="audit it without --max-steps, to its end" if is_function else "",
        )
    if not is_function:
        return NotCompared(what="outputs", reason="a script returns nothing")
    help = "let the function return, without sys.exit() or os._exit()"
    return NotCompared(what=NOT_REACHED, reason="the function ended its process", is_result=True, help=help)


def _is_ignored(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _compare_printed(
    a: Evidence, b: Evidence, stream: Compare, request: Request, missing: list[NotCompared]
) -> list[Informational]:
    """What went to standard output or standard error."""
    is_own = all(run.stdout_is_own if stream is Compare.STDOUT else run.stderr_is_own for run in (a, b))
    if not is_own:
        missing.append(NotCompared(what=stream.value, reason="it is not as it was when the run ended"))
        return []
    try:
        return _printed(a, b, stream, stream in request.compare)
    except OSError as error:
        missing.append(NotCompared(what=stream.value, reason=f"it cannot be read: {error.strerror or error}"))
        return []


def _printed(a: Evidence, b: Evidence, stream: Compare, decides: bool) -> list[Informational]:
    """Nothing where nothing was printed."""
    paths = (a.stdout, b.stdout) if stream is Compare.STDOUT else (a.stderr, b.stderr)
    with open_regular(paths[0]) as left, open_regular(paths[1]) as right:
        found = compare_printed(left, right, (a.pid, b.pid))
    if found.is_empty:
        return []
    detail = f"line {found.line}: {_shown(found.shown[0])} | {_shown(found.shown[1])}" if found.line else ""
    same = not found.line
    if same and stream is Compare.STDERR and not decides:
        return []
    return [Informational(what=stream.value, same=same, detail=detail, decides=decides, only_times=found.only_times)]


def _compare_variables(a: Evidence, b: Evidence, request: Request, missing: list[NotCompared]) -> list[Informational]:
    """Of a script the globals at the end are what it returns, so to say."""
    if a.partial or b.partial or not (a.variables or b.variables):
        return []
    decides = Compare.VARIABLES in request.compare
    unread: list[NotCompared] = []
    pairs = pairs_by_name(a.variables, b.variables)
    differing = [pair for pair in pairs if pair_differs(pair, unread, "variable ")]
    missing += unread if decides else ()
    names = [record.name for pair in differing if (record := pair[0] or pair[1]) is not None]
    if not names and not decides:
        return []
    detail = ", ".join(names[:5]) + _more(names[5:]) if names else f"{len(pairs)} compared"
    return [Informational(what=Compare.VARIABLES.value, same=not names, detail=detail, decides=decides)]


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    return repr(text if len(text) <= 80 else text[:77] + "…") if line else "(end)"


def _compare_generators(a: Evidence, b: Evidence) -> list[Informational]:
    differ = [name for name in a.rng if name in b.rng and a.rng[name] != b.rng[name]]
    if not differ:
        return []
    return [Informational(what="generators", same=False, detail=f"state at the end: {', '.join(differ)}")]


def _informational_divergence(item: Informational, runs: tuple[str, str]) -> Divergence:
    stage = Stage.STDOUT if item.what == Compare.STDERR.value else Stage(item.what)
    return Divergence(stage=stage, step=None, kind=item.what, names=(), tensors=(), runs=runs, note=item.detail)


def same_initial(a: Evidence, b: Evidence) -> bool:
    """Whether two seeds start from equal parameters, of which there are some."""
    return bool(a.initial) and _digests(a.initial) == _digests(b.initial)


def same_history(a: Evidence, b: Evidence) -> bool:
    """Whether two seeds gave equal initial parameters and equal steps: then the seed does not reach the run."""
    initial = _digests(a.initial) == _digests(b.initial)
    outputs = _digests(a.outputs) == _digests(b.outputs)
    steps, _ = compare_steps(a.steps, b.steps, a.optimizers, b.optimizers)
    observed = bool(a.initial or count_steps(a.steps) or a.outputs)
    return observed and initial and steps is None and (outputs or count_steps(a.steps) != 0)


def _digests(records: Iterable[TensorRecord]) -> dict[str, str]:
    return {record.name: record.digest for record in records}
