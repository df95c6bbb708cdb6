"""The JSON report of an audit → the audit, so that it can be written in any format again.

JSON has the names of the model, but for what `_ADAPTED` turns round. Every value is checked against its type there;
what a report of an earlier version does not have is as the model has it by default. Nothing is executed.
"""

from __future__ import annotations

import collections.abc
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from reprocheck import model
from reprocheck.compare.baseline.reading import Malformed, number, part, table, whole
from reprocheck.errors import ExitCode
from reprocheck.model import (
    Audit,
    Edit,
    Location,
    MetricSummary,
    RunSummary,
    SeedAudit,
    Settings,
    StepGrid,
    Target,
    UnseededGenerator,
    baseline,
    classes,
    drift,
    explanation,
    tolerance,
    values,
)
from reprocheck.model.baseline import BaselineAnswer, First, MetricPair
from reprocheck.model.drift import Curve, DriftAnswer, Floor, Growth, Jump, LayerDrift
from reprocheck.model.explanation import Attribution, Explanation, Frame, Remedy
from reprocheck.model.kinds import SummaryKind
from reprocheck.model.places import line_in_notebook
from reprocheck.model.values import ValueDifference
from reprocheck.report.json.v1 import VERSION

Plain = Mapping[str, Any]
_MOST = 2**65
"""Two float64 of opposite signs may be almost 2**64 ULP apart."""
_NAMES = {
    name: thing
    for module in (values, tolerance, baseline, classes, drift, explanation, model)
    for name, thing in vars(module).items()
}


def read_audit(content: Plain) -> Audit:
    """The audit of a report. Raises Malformed."""
    version = whole(content.get("schema_version"), "schema_version")
    if version != VERSION:
        age = "a newer" if version > VERSION else "an older"
        raise Malformed(f"it was written by {age} reprocheck (version {version}, this one reads {VERSION})")
    audit: Audit = _read(Audit, _with_volatile(content), "it")
    if audit.exit_code not in set(ExitCode) or not math.isfinite(audit.seconds):
        raise Malformed("exit_code and volatile.seconds must be those of an audit")
    return audit


def read_value(form: Any, value: Any, where: str) -> Any:
    """What JSON has for a value of this type. Raises Malformed."""
    return _read(form, value, where)


def _with_volatile(content: Plain) -> Plain:
    """The report with what stands apart in it, because no two audits share it, where the model has it."""
    apart = part(content, "volatile")
    runs, beside = part(apart, "runs", "volatile"), table(apart.get("beside", {}), "volatile.beside")

    def seed(one: Any) -> Plain:
        found = table(one, "a seed")
        details = table(beside.get(str(found.get("seed")), {}), "volatile.beside")
        items = [table(item, "beside") for item in _list(found.get("beside"), "beside")]
        return {
            **found,
            "runs": [run(repeat, item) for repeat, item in enumerate(_list(found.get("runs"), "runs"))],
            "beside": [{**item, "detail": details.get(_name(item.get("what")), item.get("detail"))} for item in items],
        }

    def run(repeat: int, one: Any) -> Plain:
        found = table(one, "a run")
        known = table(runs.get(_name(found.get("id")), {}), "volatile.runs")
        own = {name: item for name, item in known.items() if name not in ("files", "last_words")}
        return {
            **found,
            "repeat": repeat,
            "ambient": {},
            "seconds": 0.0,
            "directory": "",
            **own,
            "memory": own.get("memory") or {},
            "digests": known.get("files", {}),
            "stderr_tail": known.get("last_words", ""),
        }

    against = content.get("against")
    if against is not None:
        against = table(against, "against")
        against = {**against, "seeds": [seed(one) for one in _list(against.get("seeds"), "against.seeds")]}
    again = table(apart.get("run_again", {}), "volatile.run_again")
    seeds = [seed(one) for one in _list(content.get("seeds"), "seeds")]
    reused = any(one.get("reused_from") for of_seed in seeds for one in of_seed["runs"])
    return {
        **content,
        "request": {**part(content, "asked"), "target": content.get("target"), "cached": reused or bool(again)},
        "seeds": seeds,
        "against": against,
        "explanation": _with_drift(
            _with_times(content.get("explanation"), apart.get("explanation")), content.get("drift")
        ),
        "metrics": [_with_values(metric, seeds) for metric in _list(content.get("metrics"), "metrics")],
        "manifest": {**part(content, "manifest"), "volatile": apart},
        "started": apart.get("started"),
        "seconds": apart.get("seconds"),
        "directory": apart.get("directory"),
        "run_again": again,
        "summary_parts": content.get("summary_parts", [{"kind": SummaryKind.WHOLE, "text": content.get("summary")}]),
    }


def _with_times(explained: Any, times: Any) -> Any:
    if explained is None or times is None:
        return explained
    found, known = dict(table(explained, "explanation")), table(times, "volatile.explanation")
    found["trials"] = _together(found.get("trials"), known.get("trials"), "trials")
    if found.get("attribution") is not None:
        attribution = table(found["attribution"], "attribution")
        found["attribution"] = {**attribution, "arms": _together(attribution.get("arms"), known.get("arms"), "arms")}
    return found


def _with_drift(explained: Any, drift: Any) -> Any:
    return explained if explained is None else {**table(explained, "explanation"), "drift": drift}


def _together(items: Any, times: Any, where: str) -> list[Plain]:
    """Each with its time, in one order."""
    known = [table(one, where) for one in _list(times or [], where)]
    found = [table(one, where) for one in _list(items, where)]
    keys = ("seconds_ratio", "time_ratio")
    apart = [{key: one[key] for key in keys if key in one} for one in known] + [{} for _ in found[len(known) :]]
    return [{**one, **time} for one, time in zip(found, apart, strict=False)]


def _with_values(metric: Any, seeds: list[Plain]) -> Plain:
    """What a plot draws stands in the runs."""
    found = table(metric, "a metric")
    name = _name(found.get("name"))
    of_seeds = [(one.get("seed"), [table(run.get("metrics", {}), "metrics") for run in one["runs"]]) for one in seeds]
    drawn = [[seed, [one[name] for one in metrics if name in one]] for seed, metrics in of_seeds]
    return {**found, "values": [item for item in drawn if item[1]]}


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _pairs(value: Any, where: str) -> list[list[Any]]:
    return [[key, item] for key, item in table(value, where).items()]


def _two(found: Plain, where: str, *keys: str) -> list[Any]:
    of = part(found, where)
    return [of.get(key) for key in keys]


def _target(found: Plain) -> Plain:
    """Its text is as a report shows it: nothing is run by it any more."""
    return {**found, "arguments": _pairs(found.get("arguments", {}), "arguments")}


def _run(found: Plain) -> Plain:
    steps = part(found, "steps", "a run")
    return {**found, "steps": steps.get("count"), "steps_digest": steps.get("digest")}


def _remedy(found: Plain) -> Plain:
    return {**found, **{key: _pairs(found.get(key, {}), key) for key in ("settings", "environment", "overrides")}}


def _values(found: Plain) -> Plain:
    samples = [table(one, "a sample") for one in _list(found.get("samples"), "samples")]
    return {**found, "samples": [[one.get("index"), one.get("a"), one.get("b")] for one in samples]}


def _drift(found: Plain) -> Plain:
    """Its curves stand together in JSON: those of the runs, and of the twins that are the floor."""
    curves, growth = found.get("curves"), found.get("growth")
    floor = part(found, "floor", "drift")
    drift = None
    if curves is not None:
        own = table(curves, "drift.curves")
        drift = {
            **{key: own.get(key) for key in ("parameters", "gradients", "loss", "travelled")},
            "runs": found.get("compared_runs") or ["", ""],
            "first": found.get("first_step"),
            "full": found.get("no_room_from_step"),
            "unmatched": found.get("without_counterpart") or [0, 0],
            "layers": found.get("layers"),
        }
        twins = {"middle": "one_ulp", "low": "one_ulp_low", "high": "one_ulp_high"}
        floor = {**floor, **{name: own.get(key) for name, key in twins.items()}}
        low, high = (table(floor[name], "drift.curves").get("steps") for name in ("low", "high"))
        if low != high:
            raise Malformed("drift.curves must have a low end and a high one of the same steps")
    kept = {key: value for key, value in found.items() if key != "growth"}
    return {**kept, "drift": drift, "floor": floor, **({} if growth is None else {"growth": growth})}


def _growth(found: Plain) -> Plain:
    kept = {key: value for key, value in found.items() if key != "rate"}
    if found.get("rate") is None:
        return kept
    rate = part(found, "rate", "drift.growth")
    return {**kept, "rate": rate.get("median"), "low": rate.get("low"), "high": rate.get("high")}


def _floor(found: Plain) -> Plain:
    return {
        **found,
        "step": found.get("moved_before_step"),
        "held": found.get("cause_held"),
        "onset": found.get("onset_ratio"),
        "end": found.get("end_ratio"),
    }


def _curve(found: Plain) -> Plain:
    if len(_list(found.get("steps"), "steps")) != len(_list(found.get("distances"), "distances")):
        raise Malformed("a curve must have as many distances as steps")
    return found


def _layer(found: Plain) -> Plain:
    return {**found, "first": found.get("first_step"), "curve": found}


def _grid(found: Plain) -> Plain:
    rows = [table(one, "kinds") for one in _list(found.get("kinds"), "kinds")]
    return {
        **found,
        "width": found.get("steps_of_a_cell"),
        "rows": [[one.get("kind"), one.get("cells")] for one in rows],
    }


def _baseline(found: Plain) -> Plain:
    def rows(key: str, first: str) -> list[list[Any]]:
        items = [table(one, key) for one in _list(found.get(key), key)]
        return [[one.get(first), one.get("baseline"), one.get("now")] for one in items]

    return {
        **found,
        "class_name": found.get("numerical_class"),
        "class_differences": rows("class_differences", "fact"),
        "packages": rows("packages", "name"),
    }


def _with_cell(found: Plain) -> Plain:
    """Of a notebook, the line over all cells."""
    if "cell" not in found:
        return found
    cell, line = whole(found["cell"], "cell"), whole(found.get("line"), "line")
    return {**found, "line": line_in_notebook(cell, line)}


_ADAPTED: Mapping[Any, Callable[[Plain], Plain]] = {
    Target: _target,
    Settings: lambda found: {**found, "env": [[name, ""] for name in _list(found.get("env"), "env")]},
    RunSummary: _run,
    SeedAudit: lambda found: {**found, "informational": found.get("beside"), "grids": found.get("step_grids", [])},
    StepGrid: _grid,
    DriftAnswer: _drift,
    Curve: _curve,
    Growth: _growth,
    Floor: _floor,
    LayerDrift: _layer,
    Jump: lambda found: {"rates": math.nan, "touched": math.nan, **found},
    MetricSummary: lambda found: {**found, "minimum": found.get("min"), "maximum": found.get("max")},
    UnseededGenerator: lambda found: {**found, "name": found.get("generator")},
    Frame: lambda found: {"function": "", **found},
    Explanation: lambda found: {**found, "replays": _two(found, "replays", "diverged", "pairs")},
    Attribution: lambda found: {**found, "rate": _two(found, "rate", "differed", "comparisons")},
    Remedy: _remedy,
    Location: _with_cell,
    Edit: _with_cell,
    ValueDifference: _values,
    BaselineAnswer: _baseline,
    First: lambda found: {**found, "low": found.get("from_step"), "high": found.get("to_step")},
    MetricPair: lambda found: {**found, "allowed": "" if found.get("allowed") == "bitwise" else found.get("allowed")},
}
"""Where JSON has other keys, or tables in place of pairs."""


def _read(form: Any, value: Any, where: str) -> Any:
    """A value of this type. Raises Malformed."""
    origin, inner = get_origin(form), get_args(form)
    if form is Any:
        return value
    if origin in (Union, types.UnionType):
        return None if value is None and type(None) in inner else _read(inner[0], value, where)
    if origin is tuple:
        return _tuple(inner, _list(value, where), where)
    if origin is collections.abc.Mapping:
        found = table(value, where)
        return {_key(inner[0], key, where): _read(inner[1], item, f"{where}.{key}") for key, item in found.items()}
    if form is tolerance.Tolerance:
        return _tolerance(value, where)
    if is_dataclass(form):
        return _dataclass(form, table(value, where), where)
    return _scalar(form, value, where)


def _tuple(inner: tuple[Any, ...], found: list[Any], where: str) -> tuple[Any, ...]:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_read(inner[0], item, where) for item in found)
    if len(inner) != len(found):
        raise Malformed(f"{where} must have {len(inner)} parts")
    return tuple(_read(form, item, where) for form, item in zip(inner, found, strict=True))


def _dataclass(form: Any, found: Plain, where: str) -> Any:
    adapted = _ADAPTED[form](found) if form in _ADAPTED else found
    hints = _hints(form)
    given = {}
    for one in fields(form):
        if one.name in adapted:
            given[one.name] = _read(hints[one.name], adapted[one.name], f"{where}.{one.name}")
        elif one.default is MISSING and one.default_factory is MISSING:
            raise Malformed(f"{where}.{one.name} is missing")
    return form(**given)


@cache
def _hints(form: Any) -> Mapping[str, Any]:
    return get_type_hints(form, localns=_NAMES)


def _scalar(form: Any, value: Any, where: str) -> Any:
    if form is str and value is None:  # what is unknown is null
        return ""
    if form is float:
        return math.nan if value is None else number(value, where)
    if isinstance(form, type) and issubclass(form, Enum):
        try:
            return form(value)
        except ValueError:
            raise Malformed(f"{where} must be one of {', '.join(str(one.value) for one in form)}") from None
    if form is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(form, type) or not isinstance(value, form) or (isinstance(value, bool) and form is not bool):
        raise Malformed(f"{where} must be {_WORDS.get(form, 'of another kind')}")
    if isinstance(value, int) and abs(value) >= _MOST:
        raise Malformed(f"{where} is too large")
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


_WORDS = {str: "a text", int: "a whole number", bool: "true or false", Path: "a path"}
"""Type → what a message calls it."""


def _key(form: Any, key: str, where: str) -> Any:
    if form is not int:
        return key
    if not (key.isascii() and key.isdigit() and len(key) < 20):
        raise Malformed(f"{where} must have numbers for keys")
    return int(key)


def _tolerance(value: Any, where: str) -> Any:
    try:
        return tolerance.parse(_read(tuple[str, ...], value, where))
    except ValueError as error:
        raise Malformed(f"{where} {error}") from None


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"{where} must be a list")
    return value
