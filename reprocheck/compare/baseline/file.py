"""The baseline file: JSON for people to review, one fact a line, always in the same order. Text in, text out.

```
"classes": {
  "torch 2.13.0, AVX2, 2 threads, 1f2e3d4c": {
    "seeds": {
      "0": {
        "init":    {"fc.weight": "parameter float32[3x4] 3f1c9a2e..."},
        "steps":   {"count": 20, "optimizers": 1, "after 0": "77aa...", "all": "90bc..."},
        "outputs": {"model.fc.weight": "tensor float32[3x4] 88d0..."},
        "metrics": {"loss": 0.4312}
```
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reprocheck.compare.baseline.reading import Malformed, number, part, read_json, shown, table, text, whole
from reprocheck.compare.verdict import digest_of
from reprocheck.errors import UsageError
from reprocheck.model import TensorRecord
from reprocheck.model.baseline import Baseline, Entry, Snapshot, Steps
from reprocheck.model.tolerance import parse
from reprocheck.protocol import FINGERPRINT_VERSION
from reprocheck.protocol.plain_json import plain

MARK = "reprocheck_baseline"
"""The key that holds the version, and that distinguishes a baseline from other JSON."""
VERSION = FINGERPRINT_VERSION
"""The file's form has not changed since the first; the fingerprints in it have."""

_WHAT = "baseline"
_LEAF = re.compile(r"(\S+) ([^\s\[]*)\[([0-9x]*)\] ([0-9a-f]{32}|-)(?: from step ([0-9]{1,18}))?(?: = (.*))?")
_DIGEST = re.compile(r"[0-9a-f]{32}")
_AFTER = re.compile(r"after ([0-9]{1,18})")


class Outdated(Malformed):
    """Its fingerprints were made in another way: they say nothing here."""


def is_outdated(path: Path) -> bool:
    """Whether a baseline can only be written again. Raises UsageError for a file that is none."""
    content = read_json(path, _WHAT)
    version = content.get(MARK) if isinstance(content, dict) else None
    return type(version) is int and 0 < version < VERSION


def read_baseline(path: Path) -> Baseline:
    """A baseline file. Raises UsageError with what is wrong and where."""
    content = read_json(path, _WHAT)
    if not isinstance(content, dict) or MARK not in content:
        raise UsageError(f"{path} is no baseline of reprocheck", "--update-baseline writes one")
    try:
        return parse_baseline(content)
    except Malformed as error:
        raise UsageError(f"baseline {path}: {error}", "write it again with --update-baseline") from error


def parse_baseline(content: dict[str, Any]) -> Baseline:
    """The content of a file → what it holds. Raises Malformed."""
    version = whole(content[MARK], MARK)
    if version != VERSION:
        age = "a newer" if version > VERSION else "an older"
        raise Outdated(f"it was written by {age} reprocheck (version {version}, this one reads {VERSION})")
    options = content.get("tolerance", [])
    if not isinstance(options, list):
        raise Malformed("tolerance must be a list")
    try:
        tolerance = parse([text(word, "tolerance") for word in options])
    except ValueError as error:
        raise Malformed(f"tolerance {error}") from error
    classes = part(content, "classes")
    return Baseline(
        target=part(content, "target"),
        settings=part(content, "settings"),
        tolerance=tolerance,
        entries={name: _entry(table(one, shown(name)), f"class `{shown(name)}`") for name, one in classes.items()},
    )


def render_baseline(baseline: Baseline) -> str:
    """The file's text."""
    content = {
        MARK: VERSION,
        "target": dict(sorted(baseline.target.items())),
        "settings": dict(sorted(baseline.settings.items())),
        "tolerance": baseline.tolerance.options,
        "classes": {name: _plain_entry(entry) for name, entry in sorted(baseline.entries.items())},
    }
    return json.dumps(plain(content), indent=2, allow_nan=False) + "\n"


def _entry(content: dict[str, Any], where: str) -> Entry:
    seeds = {}
    for name, one in part(content, "seeds", where).items():
        if not (name.isascii() and name.isdigit() and len(name) <= 10):
            raise Malformed(f"{where}: `{shown(name)}` is no seed")
        seeds[int(name)] = _snapshot(table(one, f"{where}, seed {name}"), f"{where}, seed {name}")
    return Entry(
        numerical_class=part(content, "numerical_class", where),
        python=text(content.get("python", ""), f"{where}.python"),
        packages={
            name: text(version, f"{where}.packages") for name, version in part(content, "packages", where).items()
        },
        seeds=seeds,
    )


def _plain_entry(entry: Entry) -> dict[str, Any]:
    return {
        "numerical_class": dict(sorted(entry.numerical_class.items())),
        "packages": dict(sorted(entry.packages.items())),
        "python": entry.python,
        "seeds": {str(seed): _plain_snapshot(one) for seed, one in sorted(entry.seeds.items())},
    }


def _snapshot(content: dict[str, Any], where: str) -> Snapshot:
    init, outputs = (_leaves(part(content, key, where), f"{where}, {key}") for key in ("init", "outputs"))
    metrics = part(content, "metrics", where)
    return Snapshot(
        init=init,
        init_digest=digest_of(init),
        steps=_steps(part(content, "steps", where), f"{where}, steps"),
        outputs=outputs,
        output_digest="",  # unlike that of a report it would leave out what --ignore leaves out
        metrics={name: number(value, f"{where}, metric `{shown(name)}`") for name, value in metrics.items()},
        checkpoints=_leaves(table(content.get("checkpoints", {}), f"{where}, checkpoints"), f"{where}, checkpoints"),
    )


def _plain_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "init": _plain_leaves(snapshot.init or ()),
        "steps": _plain_steps(snapshot.steps),
        **({"checkpoints": _plain_leaves(snapshot.checkpoints)} if snapshot.checkpoints else {}),
        "outputs": _plain_leaves(snapshot.outputs or ()),
        "metrics": snapshot.metrics,
    }


def _steps(content: dict[str, Any], where: str) -> Steps:
    marks = []
    for name, value in content.items():
        match = _AFTER.fullmatch(name)
        if match:
            marks.append((int(match[1]), _digest(value, f"{where}.{name}")))
    return Steps(
        observed="all" in content,
        count=whole(content.get("count", 0), f"{where}.count"),
        digest=_digest(content["all"], f"{where}.all") if "all" in content else "",
        marks=tuple(sorted(marks)),
        optimizers=whole(content.get("optimizers", 0), f"{where}.optimizers"),
    )


def _plain_steps(steps: Steps) -> dict[str, Any]:
    if not steps.observed:
        return {}
    marks = {f"after {step}": digest for step, digest in steps.marks}
    return {"count": steps.count, "optimizers": steps.optimizers, **marks, "all": steps.digest}


def _leaves(content: dict[str, Any], where: str) -> tuple[TensorRecord, ...]:
    return tuple(_leaf(name, text(line, f"{where} `{shown(name)}`"), where) for name, line in content.items())


def _leaf(name: str, line: str, where: str) -> TensorRecord:
    match = _LEAF.fullmatch(line)
    if match is None:
        raise Malformed(f"{where} `{shown(name)}` must be a kind, a type and a digest")
    kind, dtype, shape, digest, step, value = match.groups()
    try:
        sizes = tuple(int(size) for size in shape.split("x") if size)
    except ValueError as error:
        raise Malformed(f"{where} `{shown(name)}` has no such shape") from error
    return TensorRecord(
        name=name,
        kind=kind,
        dtype=dtype,
        shape=sizes,
        digest="" if digest == "-" else digest,
        text=value or "",
        reason="it had no fingerprint" if digest == "-" else "",
        step=int(step or 0),
    )


def _plain_leaves(leaves: Sequence[TensorRecord]) -> Mapping[str, str]:
    return {leaf.name: _line(leaf) for leaf in leaves}


def _line(leaf: TensorRecord) -> str:
    line = f"{leaf.kind} {leaf.dtype}[{'x'.join(map(str, leaf.shape))}] {leaf.digest or '-'}"
    line += f" from step {leaf.step}" if leaf.step else ""
    # Other texts may be anything that a training returns: they are no facts to review.
    return line + (f" = {leaf.text}" if leaf.kind == "constant" and leaf.text and leaf.text.isprintable() else "")


def _digest(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise Malformed(f"{where} must be a digest of 32 hexadecimal digits")
    return value
