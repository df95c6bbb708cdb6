"""What the arguments of a user name → sides to compare. Reads files; executes nothing in them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.commands.diff.model import Side
from reprocheck.commands.diff.saved_report import files_of, parse_report
from reprocheck.compare.baseline.file import MARK, parse_baseline
from reprocheck.compare.baseline.reading import Malformed, read_json, table
from reprocheck.compare.baseline.snapshot import snapshot_of
from reprocheck.engine.store import REPORT_FILE, find_audit
from reprocheck.errors import UsageError
from reprocheck.evidence.run import EvidenceUnreadable, load_evidence, readable
from reprocheck.model import EnvironmentFactors, Outcome, RunSpec, Settings, Status, Target, TargetKind
from reprocheck.model.baseline import Snapshot
from reprocheck.protocol import EVIDENCE_FILE, STEPS_FILE

MOST_EVIDENCE = 256 * 2**20
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CHANGED = "it was changed or cut short since, or made by another version of reprocheck: run the audit again"
_HINT = "name a folder of .reprocheck/audits, latest, latest~1, a JSON report or a baseline"


def open_sides(word: str, evidence: Path) -> list[Side]:
    """What a word names: one side, or one for every numerical class of a baseline. Raises UsageError."""
    path = find_audit(word, evidence, _HINT)
    if path.is_dir():
        return [_of_folder(word, path)]
    content = read_json(path, "file")
    try:
        if isinstance(content, dict) and MARK in content:
            return _of_baseline(word, content)
        if isinstance(content, dict) and "schema_version" in content:
            return [parse_report(word, content)[0]]
    except Malformed as error:
        raise UsageError(f"{path}: {error}") from error
    raise UsageError(f"{path} is neither a report nor a baseline of reprocheck", _HINT)


def _of_baseline(word: str, content: dict[str, Any]) -> list[Side]:
    baseline = parse_baseline(content)
    if not baseline.entries:
        raise Malformed("it holds no results")
    return [
        Side(
            name=word,
            kind="baseline",
            verdict="",
            asked={**baseline.target, **baseline.settings},
            manifest={
                "numerical_class": entry.numerical_class,
                "packages": entry.packages,
                "python": entry.python,
            },
            seeds=entry.seeds,
        )
        for entry in baseline.entries.values()
    ]


def _of_folder(word: str, folder: Path) -> Side:
    """An evidence folder: its report, and for each seed all that the first complete run left."""
    report = folder / REPORT_FILE
    if not os.path.lexists(report):
        hint = "an audit that was interrupted, or made by an older reprocheck, cannot be compared"
        raise UsageError(f"{folder} holds no {REPORT_FILE}", hint)
    _refuse_strange(report)
    try:
        content = table(read_json(report, "report"), "it")
        side, runs = parse_report(word, content)
        files = {run: files_of(content, run) for run in runs.values()}
    except Malformed as error:
        raise UsageError(f"{report}: {error}") from error
    notes = list(side.notes)
    seeds: dict[int, Snapshot] = dict(side.seeds)
    for seed, run in runs.items():
        if os.path.lexists(folder / run):
            seeds[seed] = _fitting(folder / run, _read_run(folder / run, run, seed, files[run]), side.seeds[seed])
        else:
            notes.append(f"{word} does not hold the evidence of run {run}: of it only digests are compared")
    return Side(
        name=word,
        kind="evidence",
        verdict=side.verdict,
        asked=side.asked,
        manifest=side.manifest,
        seeds=seeds,
        notes=tuple(notes),
    )


def _fitting(folder: Path, read: Snapshot, reported: Snapshot) -> Snapshot:
    """What was read, if it is what the report of its audit says. Raises UsageError."""
    pairs = {
        "initial parameters": (read.init_digest, reported.init_digest),
        "steps": (read.steps.digest, reported.steps.digest),
        "outputs": (read.output_digest, reported.output_digest or read.output_digest),
    }
    for what, (here, there) in pairs.items():
        if here != there:
            raise UsageError(f"the evidence in {folder} does not fit the report of its audit: other {what}", _CHANGED)
    return read


def _read_run(folder: Path, run: str, seed: int, files: Mapping[str, str]) -> Snapshot:
    if not _RUN.fullmatch(run):
        raise UsageError(f"{folder} is no run")
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"{folder} is no folder")
    _refuse_strange(folder / EVIDENCE_FILE, MOST_EVIDENCE)
    _refuse_strange(folder / STEPS_FILE)
    # Evidence is known by the name of its run; nothing else of the order that it was made by matters here.
    spec = RunSpec(
        id=run,
        seed=seed,
        repeat=0,
        target=Target(text="", kind=TargetKind.SCRIPT),
        settings=Settings(),
        ambient=EnvironmentFactors(),
        environment={},
        cwd=folder,
        directory=folder,
    )
    try:
        with readable(folder):
            return snapshot_of(load_evidence(Outcome(spec=spec, status=Status.COMPLETED, digests=files)))
    except EvidenceUnreadable as error:
        raise UsageError(error.message, _CHANGED) from error


def _refuse_strange(path: Path, limit: int | None = None) -> None:
    """Links lead out of the folder that a user was given, and pipes never end."""
    try:
        found = os.lstat(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"cannot read {path}: it is no regular file")
    if limit is not None and found.st_size > limit:
        raise UsageError(f"cannot read {path}: it is larger than {limit >> 20} MiB")


def best_pair(left: list[Side], right: list[Side]) -> tuple[Side, Side]:
    """Of the classes of baselines those that have most in common."""

    def apart(pair: tuple[Side, Side]) -> int:
        a, b = (side.numerical_class for side in pair)
        return sum(a.get(name) != b.get(name) for name in {*a, *b})

    return min(((a, b) for a in left for b in right), key=apart)
