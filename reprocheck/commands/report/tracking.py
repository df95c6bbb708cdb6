"""An audit in the run of an experiment tracker: verdict, digests and numerical class. No tracker is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from reprocheck.commands.report.record import record_of
from reprocheck.engine.console import Style, harmless
from reprocheck.errors import UsageError
from reprocheck.model import Audit, Verdict
from reprocheck.report import render_markdown

_HINT = "give wandb.run, the module mlflow, a SummaryWriter, or a dict"
MOST_SEEDS = 20


def log_audit(audit: Audit, to: Any) -> dict[str, Any]:
    """Write verdict, digests and numerical class of an audit to where a training is tracked; returns what was written.

    `to` is a run of wandb (`wandb.run`), the module `mlflow` with its active run, a `SummaryWriter` of TensorBoard or a
    dict. What it is, is seen by its methods. Raises UsageError for anything else; errors of the tracker are its own.
    """
    facts = facts_of(audit)
    for is_of, write in _TRACKERS:
        if is_of(to):
            write(to, facts, audit)
            return facts
    raise UsageError(f"an audit cannot be written to {type(to).__name__}", _HINT)


def facts_of(audit: Audit) -> dict[str, Any]:
    """By name: texts, and 0 or 1 for `reprocheck/reproducible`."""
    record = record_of(audit)
    facts: dict[str, Any] = {
        "reprocheck/verdict": audit.verdict.value,
        "reprocheck/reproducible": int(audit.verdict is Verdict.REPRODUCIBLE),
        "reprocheck/exit_code": int(audit.exit_code),
        "reprocheck/headline": record.headline,
        "reprocheck/numerical_class": record.numerical_class,
        "reprocheck/commit": record.commit + (" (changed)" if record.changed and record.commit else ""),
        "reprocheck/first_difference": record.where,
        "reprocheck/causes": ", ".join(record.causes),
    }
    for seed in [seed for seed in audit.seeds if seed.runs][:MOST_SEEDS]:
        run = seed.runs[0]
        for name, digest in (("init", run.init), ("steps", run.steps_digest), ("output", run.output)):
            if digest:
                facts[f"reprocheck/seed_{seed.seed}/{name}"] = digest
    return {name: harmless(value) if isinstance(value, str) else value for name, value in facts.items()}


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda to: all(callable(getattr(to, name, None)) for name in names)


def _to_wandb(to: Any, facts: Mapping[str, Any], audit: Audit) -> None:
    to.summary.update(dict(facts))


def _to_mlflow(to: Any, facts: Mapping[str, Any], audit: Audit) -> None:
    to.set_tags({name: value for name, value in facts.items() if isinstance(value, str)})
    for name, value in facts.items():
        if isinstance(value, int):
            to.log_metric(name, value)


def _to_tensorboard(to: Any, facts: Mapping[str, Any], audit: Audit) -> None:
    for name, value in facts.items():
        if isinstance(value, int):
            to.add_scalar(name, value)
    rows = [f"| {name} | `{value}` |" for name, value in facts.items() if isinstance(value, str) and value]
    table = "\n".join(["| | |", "| --- | --- |", *rows])
    report = render_markdown(audit, Style()).encode("utf-8", "backslashreplace").decode()
    to.add_text("reprocheck", f"{table}\n\n{report}")


def _to_mapping(to: Any, facts: Mapping[str, Any], audit: Audit) -> None:
    to.update(facts)


_TRACKERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Mapping[str, Any], Audit], None]], ...] = (
    (lambda to: callable(getattr(getattr(to, "summary", None), "update", None)), _to_wandb),
    (_has("set_tags", "log_metric"), _to_mlflow),
    (_has("add_text", "add_scalar"), _to_tensorboard),
    (lambda to: isinstance(to, MutableMapping), _to_mapping),
)
