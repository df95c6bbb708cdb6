"""A kept audit and its evidence → an in-toto Statement. The evidence is read again: what does not fit is not attested.

A predicate holds texts and whole numbers only, and a digest of itself: a number that some tool writes otherwise would
change it. The digest is no signature.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reprocheck import __version__
from reprocheck.commands.attest.model import PREDICATE_TYPE, STATEMENT_TYPE, VERSION
from reprocheck.commands.report.kept import read_kept
from reprocheck.compare.baseline.numerical import class_name
from reprocheck.compare.verdict import summary_of
from reprocheck.engine.store import REPORT_FILE, find_audit
from reprocheck.errors import NoVerdictError, UsageError
from reprocheck.evidence.run import EvidenceUnreadable, load_evidence
from reprocheck.model import (
    Audit,
    EnvironmentFactors,
    Evidence,
    Outcome,
    RunSpec,
    RunSummary,
    Settings,
    Status,
    Verdict,
)
from reprocheck.protocol import FINGERPRINT_VERSION, seal
from reprocheck.protocol.file_digest import file_digest
from reprocheck.protocol.plain_json import plain
from reprocheck.protocol.reading import BLOCK, open_regular
from reprocheck.report.json.v1 import to_plain

_HINT = "name a folder of .reprocheck/audits, latest, latest~1, or the folder of a plan that was collected"
_CHANGED = "it was changed or cut short since: run the audit again"


def make_statement(word: str, evidence: Path, checkpoints: Sequence[Path] = ()) -> dict[str, Any]:
    """What an audit saw. Raises UsageError where its evidence does not fit, NoVerdictError where there is no result."""
    folder = find_audit(word, evidence, _HINT)
    if not folder.is_dir():
        raise UsageError(f"{word} is a report alone: evidence is attested with it", _HINT)
    audit = read_kept(folder)
    content = to_plain(audit)
    files: dict[str, str] = {REPORT_FILE: sha256_of(folder / REPORT_FILE)}
    written: list[tuple[str, str, set[str]]] = []
    for run in (run for seed in audit.seeds for run in seed.runs):
        place, found = _read_again(folder, run, audit)
        names = [name for name in run.digests if os.path.lexists(place / name)]
        files.update({f"{run.id}/{name}": sha256_of(place / name) for name in names})
        if found is not None:
            written += [(run.id, file.path, {file.digest}) for file in found.files if file.digest]
    results = _results(audit)
    if not results:
        raise NoVerdictError("no seed has a result that all its runs agree on: there is nothing to attest")
    given = [_checkpoint(path, written, audit) for path in checkpoints]
    predicate = {
        "version": VERSION,
        "reprocheck": __version__,
        "fingerprint_version": FINGERPRINT_VERSION,
        "verdict": audit.verdict.value,
        "exit_code": audit.exit_code,
        "summary": audit.summary,
        "target": content["target"],
        "source_sha256": audit.manifest.get("source_sha256"),
        "git": audit.manifest.get("git"),
        "asked": _texts(content["asked"]),
        "runs": sum(len(seed.runs) for seed in audit.seeds),
        "classes": _classes(audit),
        "results": results,
        "checkpoints": given,
        "compared": list(audit.compared),
        "not_compared": [{"what": item.what, "reason": item.reason} for item in audit.not_compared],
        "varied": list(audit.varied),
        "not_varied": [{"what": item.what, "reason": item.reason} for item in audit.not_varied],
        "findings": sorted({finding.code for finding in audit.findings}),
        "packages": audit.manifest.get("packages") or {},
        "evidence": files,
    }
    predicate = plain(predicate)
    predicate["digest"] = predicate_digest(predicate)
    subjects = subjects_of(predicate)
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def predicate_digest(predicate: Mapping[str, Any]) -> str:
    """Of all that a predicate says but this digest."""
    return _sha256_of_json({name: value for name, value in predicate.items() if name != "digest"})


def subjects_of(predicate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a statement is about: its results, then its checkpoints."""
    found = [subject_of(one) for one in predicate["results"]]
    return found + [{"name": one["name"], "digest": {"sha256": one["sha256"]}} for one in predicate["checkpoints"]]


def subject_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result of one seed on one numerical class as a subject."""
    name = f"result of seed {result['seed']} on {result['class']}"
    return {"name": name, "digest": {"sha256": _sha256_of_json(result)}}


def _sha256_of_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Of a regular file. Raises UsageError."""
    state = hashlib.sha256()
    try:
        with open_regular(path) as file:
            while block := file.read(BLOCK):
                state.update(block)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    return state.hexdigest()


def _texts(value: Any) -> Any:
    """Numbers that are not whole become texts."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {name: _texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value


def _read_again(folder: Path, run: RunSummary, audit: Audit) -> tuple[Path, Evidence | None]:
    """The folder of a run, and its evidence if the run was complete. Raises UsageError where it is not what the report
    says."""
    place = _place(folder, run)
    if run.status is not Status.COMPLETED:
        return place, None
    if not run.digests:
        raise UsageError(f"the audit kept no digests of run {run.id}", "run it again")
    spec = RunSpec(
        id=run.id,
        seed=0,
        repeat=0,
        target=audit.request.target,
        settings=Settings(),
        ambient=EnvironmentFactors(),
        environment={},
        cwd=place,
        directory=place,
    )
    outcome = Outcome(spec=spec, status=Status.COMPLETED, digests=run.digests)
    try:
        seal.check(place, run.digests, run.digests)
        evidence = load_evidence(outcome)
    except EvidenceUnreadable as error:
        raise UsageError(error.message, _CHANGED) from error
    except ValueError as error:
        raise UsageError(f"the evidence in {place} is not as it was: {error}", _CHANGED) from error
    again = summary_of(outcome, evidence)
    if (again.init, again.steps_digest, again.output) != (run.init, run.steps_digest, run.output):
        raise UsageError(f"the evidence in {place} does not fit the report of its audit", _CHANGED)
    return place, evidence


def _place(folder: Path, run: RunSummary) -> Path:
    """In an audit, or in the folder of a plan."""
    if not all(one.isalnum() or one in "-_" for one in run.id) or not run.id:
        raise UsageError(f"{folder} holds a run without a name of ours", _CHANGED)
    plain_place = folder / run.id
    found = [plain_place] if plain_place.is_dir() else list(folder.glob(f"run-*/start-*/{run.id}"))
    if len(found) != 1 or found[0].is_symlink():
        if run.status is not Status.COMPLETED:
            return plain_place
        raise UsageError(f"{folder} does not hold the evidence of run {run.id}", _CHANGED)
    return found[0]


def _classes(audit: Audit) -> list[dict[str, Any]]:
    if audit.classes is not None:
        return [{"name": one.text, "runs": list(one.runs)} for one in audit.classes.classes]
    runs = [run.id for seed in audit.seeds for run in seed.runs if run.status is Status.COMPLETED]
    facts = audit.manifest.get("numerical_class")
    return [{"name": class_name(facts if isinstance(facts, dict) else {}), "runs": runs}]


def _results(audit: Audit) -> list[dict[str, Any]]:
    """What all runs of a seed on a class agree on bit for bit; two runs at least."""
    found = []
    for one in _classes(audit):
        for seed in audit.seeds:
            runs = [run for run in seed.runs if run.id in one["runs"]]
            if seed.verdict is not Verdict.REPRODUCIBLE or len(runs) < 2:
                continue
            result = result_of(runs)
            if any(result.values()):
                found.append({"class": one["name"], "seed": seed.seed, "runs": len(runs), **result})
    return found


def result_of(runs: Sequence[RunSummary]) -> dict[str, Any]:
    """Digests that these runs share; empty where they differ, within a tolerance or where it was ignored."""
    return {
        "initial_parameters": _shared(run.init for run in runs),
        "steps": _shared(f"{run.steps} {run.steps_digest}" if run.steps_digest else "" for run in runs),
        "outputs": _shared(run.output for run in runs),
    }


def _shared(values: Iterable[str]) -> str:
    found = set(values)
    return found.pop() if len(found) == 1 else ""


def _checkpoint(path: Path, written: Sequence[tuple[str, str, set[str]]], audit: Audit) -> dict[str, str]:
    """A file that every run of some seed wrote with these bytes. Raises UsageError."""
    name = os.path.relpath(path)
    try:
        digest = file_digest(str(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    for seed in audit.seeds:
        ids = {run.id for run in seed.runs}
        having = {run for run, of, digests in written if run in ids and of == name and digest in digests}
        if len(ids) > 1 and having == ids:
            return {"name": name, "sha256": sha256_of(path), "digest": digest, "seed": str(seed.seed)}
    message = f"{path} is not what all runs of a seed wrote under that name"
    raise UsageError(message, "attest in the folder of the runs; a training must write the same bytes in each of them")
