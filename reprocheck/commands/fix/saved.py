"""A kept audit → what it tried. Its report is read as data and checked piece by piece; nothing in it is executed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reprocheck.commands.fix.model import Saved, Tried
from reprocheck.compare.baseline.reading import Malformed, number, part, read_json, table, text, whole
from reprocheck.engine.store import REPORT_FILE, find_audit
from reprocheck.errors import UsageError
from reprocheck.model import Edit
from reprocheck.report.json.v1 import VERSION

_HINT = "name a folder of .reprocheck/audits, latest, latest~1, or a JSON report"


def read_saved(word: str, evidence: Path) -> Saved:
    """What an argument names. Raises UsageError."""
    path = find_audit(word, evidence, _HINT)
    path = path / REPORT_FILE if path.is_dir() else path
    content = read_json(path, "report")
    try:
        return _saved(word, table(content, "the report"))
    except Malformed as error:
        raise UsageError(f"{path}: {error}", _HINT) from error


def _saved(word: str, content: dict[str, Any]) -> Saved:
    version = whole(content.get("schema_version"), "schema_version")
    if version != VERSION:
        raise Malformed(f"it is of version {version}, and this reprocheck reads {VERSION}: audit again")
    explanation = content.get("explanation")
    trials = _list(
        table({} if explanation is None else explanation, "explanation").get("trials", []), "explanation.trials"
    )
    tried = [one for trial in trials if (one := _tried(table(trial, "a trial"))) is not None]
    return Saved(
        name=word,
        verdict=text(content.get("verdict"), "verdict"),
        target=part(content, "target"),
        asked=part(content, "asked"),
        tried=tuple(sorted(tried, key=lambda one: (len(one.options), len(one.edits)))),
        metrics=dict(_metrics(content)),
    )


def _tried(trial: dict[str, Any]) -> Tried | None:
    """A trial that works and changes lines; one that would hide the cause is none."""
    if trial.get("mends") is not True:
        return None
    edits: list[Edit] = []
    options: list[str] = []
    for one in _list(trial.get("remedies"), "a trial's remedies"):
        remedy = table(one, "a remedy")
        if remedy.get("hides"):
            return None
        lines = [_edit(table(line, "an edit")) for line in _list(remedy.get("edits"), "edits")]
        edits += lines
        if not lines:
            options.append(text(remedy.get("text"), "a remedy's text"))
    if not edits:
        return None
    return Tried(edits=tuple(edits), options=tuple(options), runs=whole(trial.get("runs"), "a trial's runs"))


def _edit(one: dict[str, Any]) -> Edit:
    lines = {name: text(one.get(name), f"an edit's {name}") for name in ("path", "before", "after")}
    if any(mark in lines[name] for name in ("before", "after") for mark in "\r\n\0"):
        raise Malformed("an edit changes more than a line")
    return Edit(line=whole(one.get("line"), "an edit's line"), **lines)


def _metrics(content: dict[str, Any]) -> Iterator[tuple[str, tuple[float, float | None]]]:
    for one in _list(content.get("metrics"), "metrics"):
        metric = table(one, "a metric")
        mean, std = metric.get("mean"), metric.get("std")
        if mean is not None:
            spread = None if std is None else number(std, "a metric's std")
            yield text(metric.get("name"), "a metric's name"), (number(mean, "a metric's mean"), spread)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"{where} must be a list")
    return value
