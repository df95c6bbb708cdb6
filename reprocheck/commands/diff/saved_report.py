"""The JSON report of an audit, read back as a side to compare: digests of its runs, and its manifest. Pure."""

from __future__ import annotations

from typing import Any

from reprocheck.commands.diff.model import Side
from reprocheck.compare.baseline.reading import Malformed, number, part, shown, table, text, whole
from reprocheck.compare.runs import UNMEASURED
from reprocheck.model.baseline import Snapshot, Steps
from reprocheck.protocol import FINGERPRINT_VERSION
from reprocheck.report.json.v1 import VERSION

_COMPLETED = "completed"


def parse_report(name: str, content: dict[str, Any]) -> tuple[Side, dict[int, str]]:
    """The side, and for each seed the run that stands for it. Raises Malformed."""
    version = whole(content.get("schema_version"), "schema_version")
    if version != VERSION:
        age = "a newer" if version > VERSION else "an older"
        raise Malformed(f"it was written by {age} reprocheck (version {version}, this one reads {VERSION})")
    made = whole(content.get("fingerprint_version", 1), "fingerprint_version")
    if made != FINGERPRINT_VERSION:
        raise Malformed(
            f"its fingerprints were made in another way (version {made}, this one makes {FINGERPRINT_VERSION}): "
            "audit again"
        )
    unseen = _unseen(content)
    seeds: dict[int, Snapshot] = {}
    runs: dict[int, str] = {}
    notes = []
    for one in _list(content.get("seeds"), "seeds"):
        seed = whole(table(one, "a seed").get("seed"), "seed")
        where = f"seed {seed}"
        if text(one.get("verdict"), f"{where}.verdict") == "different":
            notes.append(f"in {name} the runs of seed {seed} differ among themselves: the first one is compared")
        complete = next(
            (run for run in _list(one.get("runs"), f"{where}.runs") if _is_complete(table(run, f"{where}, a run"))),
            None,
        )
        if complete is None:
            notes.append(f"in {name} no run of seed {seed} was completed")
            continue
        runs[seed] = text(complete.get("id"), f"{where}, id")
        seeds[seed] = _snapshot(complete, f"{where}, run {shown(runs[seed])}", unseen)
    side = Side(
        name=name,
        kind="report",
        verdict=text(content.get("verdict"), "verdict"),
        asked=_asked(content),
        manifest=part(content, "manifest"),
        seeds=seeds,
        notes=tuple(notes),
    )
    return side, runs


def files_of(content: dict[str, Any], run: str) -> dict[str, str]:
    """Digests of the files of a run's evidence; none in a report of an earlier version. Raises Malformed."""
    volatile = part(content, "volatile")
    one = table(table(volatile.get("runs"), "volatile.runs").get(run, {}), f"volatile.runs.{shown(run)}")
    files = table(one.get("files", {}), f"volatile.runs.{shown(run)}.files")
    return {name: text(digest, "a digest of a file") for name, digest in files.items()}


def _unseen(content: dict[str, Any]) -> set[str]:
    """What the audit did not compare because nothing of it was there; it may have a digest all the same."""
    items = [table(item, "not_compared") for item in _list(content.get("not_compared"), "not_compared")]
    return {text(item.get("what"), "not_compared") for item in items if item.get("reason") != UNMEASURED}


def _snapshot(run: dict[str, Any], where: str, unseen: set[str]) -> Snapshot:
    steps = part(run, "steps", where)
    digest = text(steps.get("digest"), f"{where}.steps.digest")
    metrics = part(run, "metrics", where)
    return Snapshot(
        init=None,
        init_digest=text(run.get("init"), f"{where}.init"),
        steps=Steps(
            observed=bool(digest) and "steps" not in unseen,
            count=whole(steps.get("count"), f"{where}.steps.count"),
            digest=digest,
        ),
        outputs=None,
        output_digest="" if "outputs" in unseen else text(run.get("output"), f"{where}.output"),
        metrics={name: number(value, f"{where}, metric `{shown(name)}`") for name, value in metrics.items()},
        checkpoints=None,
    )


def _asked(content: dict[str, Any]) -> dict[str, Any]:
    """Target and settings under the names that a baseline has for them; what is left alone is left out."""
    target, asked = part(content, "target"), part(content, "asked")
    settings = {name: value for name, value in part(asked, "settings", "asked").items() if value not in (None, [])}
    return {
        "target": target.get("text"),
        "argv": target.get("argv"),
        "arguments": target.get("arguments"),
        **settings,
        **({"ignore": asked["ignore"]} if asked.get("ignore") else {}),
    }


def _is_complete(run: dict[str, Any]) -> bool:
    return run.get("status") == _COMPLETED


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"{where} must be a list")
    return value
