"""Why the runs differ, for the JSON report: what was shown apart from what was timed."""

from __future__ import annotations

from dataclasses import asdict

from reprocheck.model.explanation import Arm, Attribution, Explanation, Frame, OpCall, Origin, Remedy, Trial
from reprocheck.report.json.difference import Plain, plain_edit, plain_location, plain_not_compared, plain_values


def plain_explanation(explanation: Explanation | None) -> Plain | None:
    """The stable part: everything but times."""
    if explanation is None:
        return None
    diverged, pairs = explanation.replays
    return {
        "seed": explanation.seed,
        "attribution": None if explanation.attribution is None else _attribution(explanation.attribution),
        "origin": None if explanation.origin is None else _origin(explanation.origin),
        "trials": [_trial(trial) for trial in explanation.trials],
        "replays": {"diverged": diverged, "pairs": pairs},
        "runs": explanation.runs,
        "excluded": explanation.excluded,
        "further": [_attribution(one) for one in explanation.further],
        "not_done": [plain_not_compared(item) for item in explanation.not_done],
        "spread": None if explanation.spread is None else asdict(explanation.spread),
    }


def plain_times(explanation: Explanation | None) -> Plain | None:
    """What no two audits share: times against those of the plain runs, in the order of the arms and trials."""
    if explanation is None:
        return None
    arms = () if explanation.attribution is None else explanation.attribution.arms
    return {
        "arms": [{"name": arm.name, "seconds_ratio": arm.seconds_ratio} for arm in arms],
        "trials": [
            {"remedies": [remedy.text for remedy in trial.remedies], "time_ratio": trial.time_ratio}
            for trial in explanation.trials
        ],
    }


def _attribution(attribution: Attribution) -> Plain:
    differed, comparisons = attribution.rate
    return {
        "kind": attribution.kind,
        "factors": attribution.factors,
        "lines": [plain_location(line) for line in attribution.lines],
        "arms": [_arm(arm) for arm in attribution.arms],
        "rate": {"differed": differed, "comparisons": comparisons},
        "note": attribution.note,
        "sets": attribution.sets,
        "excluded": attribution.excluded,
        "sure": attribution.sure,
    }


def _arm(arm: Arm) -> Plain:
    return {
        "name": arm.name,
        "question": arm.question,
        "runs": arm.runs,
        "agreed": arm.agreed,
        "differed": arm.differed,
        "failed": arm.failed,
    }


def _origin(origin: Origin) -> Plain:
    return {
        "kind": origin.kind,
        "call": _call(origin.call),
        "other": None if origin.other is None else _call(origin.other),
        "runs": origin.runs,
        "only_in": origin.only_in,
        "argument": origin.argument,
        "is_batch": origin.is_batch,
        "dtype": origin.dtype,
        "shape": origin.shape,
        "other_form": origin.other_form,
        "values": plain_values(origin.values),
        "values_reason": origin.values_reason,
        "deterministic_note": origin.deterministic_note,
        "compared_ops": origin.compared_ops,
        "unknown_inputs": origin.unknown_inputs,
        "note": origin.note,
    }


def _call(call: OpCall) -> Plain:
    return {
        "op": call.op,
        "step": call.step,
        "phase": call.phase,
        "module": call.module,
        "frames": [_frame(frame) for frame in call.frames],
        "thread": call.thread,
    }


def _frame(frame: Frame) -> Plain:
    return {"location": plain_location(frame.location), "function": frame.function, "code": frame.code}


def _trial(trial: Trial) -> Plain:
    return {
        "remedies": [_remedy(remedy) for remedy in trial.remedies],
        "agreed": trial.agreed,
        "runs": trial.runs,
        "mends": trial.works,
        "failed": trial.failed,
        "as_early": trial.as_early,
    }


def _remedy(remedy: Remedy) -> Plain:
    """Of the environment that the user gave only the names: a value may be a secret."""
    settings = {
        name: sorted(variable for variable, _ in value) if name == "env" else value for name, value in remedy.settings
    }
    return {
        "text": remedy.text,
        "settings": settings,
        "environment": dict(remedy.environment),
        "overrides": dict(remedy.overrides),
        "edits": [plain_edit(edit) for edit in remedy.edits],
        "hides": remedy.hides,
    }
