"""Whether a difference matters, for the JSON report."""

from __future__ import annotations

from reprocheck.compare.drift import spread
from reprocheck.compare.metric_ends import metric_ends
from reprocheck.model import Audit
from reprocheck.model.drift import Curve, Drift, DriftAnswer, Floor, Growth, LayerDrift, MetricEnd
from reprocheck.report.drift_text import drift_notes, drift_sentence
from reprocheck.report.json.difference import Plain

MOST_POINTS = 400
MOST_LAYERS = 400


def plain_drift(audit: Audit) -> Plain | None:
    """None where it was not asked."""
    answer = None if audit.explanation is None else audit.explanation.drift
    if answer is None:
        return None
    return {
        "seed": answer.seed,
        "sentence": drift_sentence(audit),
        "notes": drift_notes(answer),
        "reason": answer.reason,
        "runs": answer.runs,
        "reproduces": answer.reproduces,
        "first_step": None if answer.drift is None else answer.drift.first,
        "compared_runs": None if answer.drift is None else answer.drift.runs,
        "no_room_from_step": None if answer.drift is None else answer.drift.full,
        "without_counterpart": None if answer.drift is None else answer.drift.unmatched,
        "growth": _growth(answer),
        "floor": _floor(answer.floor),
        "metrics": [_metric(end) for end in metric_ends(audit.seeds, answer.seed)],
        "curves": None if answer.drift is None else _curves(answer.drift, answer.floor),
        "layers": [] if answer.drift is None else [_layer(layer) for layer in answer.drift.layers[:MOST_LAYERS]],
    }


def _growth(answer: DriftAnswer) -> Plain | None:
    growth: Growth = answer.growth
    if answer.drift is None:
        return None
    jump = growth.jump
    return {
        "trend": growth.trend,
        "law": growth.law,
        "rate": None if growth.law is None else {"median": growth.rate, "low": growth.low, "high": growth.high},
        "first_step": growth.first_step,
        "last_step": growth.last_step,
        "start": growth.start,
        "end": growth.end,
        "end_step": growth.end_step,
        "equal_from": growth.equal_from,
        "saturated": growth.saturated,
        "jump": None
        if jump is None
        else {"step": jump.step, "before": jump.before, "after": jump.after, "signs": jump.signs},
    }


def _floor(floor: Floor) -> Plain:
    return {
        "size": floor.size,
        "onset_ratio": floor.onset,
        "end_ratio": floor.end,
        "twins": floor.twins,
        "wanted": floor.wanted,
        "moved_before_step": floor.step,
        "cause_held": floor.held,
        "reason": floor.reason,
    }


def _metric(end: MetricEnd) -> Plain:
    return {"name": end.name, "runs": [end.a, end.b], "std": end.std, "seeds": end.seeds, "in_std": end.in_std}


def _curves(drift: Drift, floor: Floor) -> Plain:
    curves = {
        "parameters": drift.parameters,
        "gradients": drift.gradients,
        "loss": drift.loss,
        "one_ulp": floor.middle,
        "one_ulp_low": floor.low,
        "one_ulp_high": floor.high,
        "travelled": drift.travelled,
    }
    return {name: _curve(curve) for name, curve in curves.items()}


def _curve(curve: Curve) -> Plain:
    places = spread(range(len(curve.steps)), MOST_POINTS)
    return {"steps": [curve.steps[p] for p in places], "distances": [curve.distances[p] for p in places]}


def _layer(layer: LayerDrift) -> Plain:
    return {
        "kind": layer.kind,
        "name": layer.name,
        "elements": layer.elements,
        "first_step": layer.first,
        "max_ulp": layer.max_ulp,
        "end": layer.end,
        "end_ulp": layer.end_ulp,
        "steps": layer.curve.steps,
        "distances": layer.curve.distances,
    }
