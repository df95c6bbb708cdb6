"""Named tensors and values of two runs: initial parameters and buffers, and what the function returned."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from reprocheck.compare.checkpoints import AT_END
from reprocheck.compare.near import Pair, beyond_tolerance
from reprocheck.compare.pairs import Parts, pair_differs, pairs_by_name, tensor_divergence
from reprocheck.model import Evidence, NotCompared, Request
from reprocheck.model.kinds import Stage
from reprocheck.protocol import THREAD_MARK, TRAINED_ELSEWHERE

NOT_REACHED = "the returned value"
"""Of a function that ended before it gave one."""


def compare_initial(a: Evidence, b: Evidence, request: Request, parts: Parts) -> None:
    """One divergence per optimizer step at which models were first seen (0 for most)."""
    if not a.initial and not b.initial:
        parts.missing.append(NotCompared(what="initial parameters", reason="no model was seen"))
        return
    differing = [pair for pair in pairs_by_name(a.initial, b.initial) if pair_differs(pair, parts.missing, "initial ")]
    differing, within = beyond_tolerance(without_renamed(differing), request.tolerance, a.values, b.values)
    parts.near += within
    if any(record.digest for record in a.initial):
        own = [record for record in a.initial if not record.kind.startswith(TRAINED_ELSEWHERE)]
        parts.compared += ["initial parameters"] if own else []
        parts.compared += ["parameters trained in child processes"] if len(own) < len(a.initial) else []
    for step in sorted({_step_of(pair) for pair in differing}):
        here = [pair for pair in differing if _step_of(pair) == step]
        # A model seen only in mid-run was most likely changed by what came before: that comes first.
        kinds = {(left or right).kind for left, right in here if (left or right) is not None}  # type: ignore[union-attr]
        trained = TRAINED_ELSEWHERE if all(kind.startswith(TRAINED_ELSEWHERE) for kind in kinds) else ""
        kind = trained + ("parameters" if any(kind.endswith("parameter") for kind in kinds) else "buffers")
        parts.found.append(
            (step, 0, tensor_divergence(Stage.INIT, None if step == 0 else step, kind, here, a, b, parts.runs))
        )


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


def compare_outputs(a: Evidence, b: Evidence, request: Request, parts: Parts) -> None:
    """What the function returned."""
    if not a.has_output and not b.has_output:
        parts.missing.append(_no_output(a, b))
        return
    pairs: list[Pair] = []
    ignored: list[Pair] = []
    for pair in pairs_by_name(a.outputs, b.outputs):
        record = pair[0] or pair[1]
        assert record is not None
        (ignored if _is_ignored(record.name, request.ignore) else pairs).append(pair)
    for pair in ignored:
        record = pair[0] or pair[1]
        assert record is not None
        parts.missing.append(NotCompared(what=f"output {record.name or 'value'}", reason="--ignore"))
    if any(left is not None and left.digest and left.text != "None" for left, _ in pairs):
        parts.compared.append("outputs")
    elif not pairs or all(left is not None and left.text == "None" for left, _ in pairs):
        parts.missing.append(NotCompared(what="outputs", reason="the function returned nothing to compare"))
    differing = [pair for pair in pairs if pair_differs(pair, parts.missing, "output ")]
    differing, within = beyond_tolerance(differing, request.tolerance, a.values, b.values)
    parts.near += within
    if not differing:
        return
    metric = all(left is not None and left.is_metric for left, _ in differing)
    stage = Stage.METRIC if metric else Stage.OUTPUT
    parts.found.append((AT_END, 2, tensor_divergence(stage, None, stage.value, differing, a, b, parts.runs)))


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
