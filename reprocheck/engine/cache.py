"""--cached: runs of an earlier audit stand in for new ones where nothing that they rest on has changed.

A seed is used again as a whole, from the newest audit that has runs of the same order, or not at all. Nothing in the
evidence folder is believed: what cannot be read, or is not as a run of ours leaves it, leads to a new run.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprocheck import __version__
from reprocheck.engine.store import AUDITS, REPORT_FILE
from reprocheck.errors import NoVerdictError
from reprocheck.evidence.run import load_evidence, read_end
from reprocheck.model import Outcome, Request, RunSpec, Status, Verdict
from reprocheck.protocol import (
    EVIDENCE_FILE,
    FILES_FILE,
    FINGERPRINT_VERSION,
    RUN_VARIABLE,
    SPEC_FILE,
    STDERR_FILE,
    STDOUT_FILE,
    STEPS_FILE,
    VALUES_FILE,
    encode_kept,
    has_secret_arguments,
    seal,
)
from reprocheck.protocol.child_marks import CHILDREN_FILE
from reprocheck.protocol.inputs import digest_of, kind_of, machine, modules_in, names_in, packages_in, stat_of
from reprocheck.protocol.rank_folders import RANKS_FOLDER
from reprocheck.protocol.reading import number, parse_json, read_lines, read_whole, table, texts, write_new
from reprocheck.protocol.secrets import key_of

MOST_BYTES = 256 * 2**20
"""Of a file that is read as a whole; a longer one is none of ours."""

NOISE = (
    *("_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "TERM", "WINDOWID", "MAIL", "INVOCATION_ID", "JOURNAL_STREAM"),
    *("TERM_", "SSH_", "GITHUB_", "RUNNER_", "ACTIONS_", "CI_", "XDG_", "DBUS_", "TMUX", "VTE_", "PYTEST_CURRENT_TEST"),
)
"""Environment variables that may differ: these names, and those that start with one that ends in `_`."""


class NotReusable(Exception):
    """Why a seed runs again, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """What an audit takes from earlier ones."""

    outcomes: tuple[Outcome, ...] = ()
    run_again: Mapping[int, str] = field(default_factory=dict)
    """Seed → why its runs are made again."""


def reuse(request: Request, specs: Sequence[RunSpec], folder: Path) -> Reuse:
    """The runs of this plan that earlier audits hold already, copied into the `folder` of this one."""
    outcomes: list[Outcome] = []
    run_again: dict[int, str] = {}
    for seed in request.seeds:
        runs = [spec for spec in specs if spec.seed == seed]
        try:
            outcomes += _reuse_seed(request, runs, folder)
        except NotReusable as reason:
            run_again[seed] = str(reason)
            for spec in runs:
                shutil.rmtree(spec.directory, ignore_errors=True)
    return Reuse(outcomes=tuple(outcomes), run_again=run_again)


def changed(inputs: Mapping[str, Any], evidence: Path) -> str:
    """The first thing that a run took in and that is not as it was; empty when all is. Raises on odd contents."""
    own = os.path.realpath(evidence)
    if inputs["version"] != f"{__version__}/{FINGERPRINT_VERSION}":
        return "reprocheck is another version"
    if inputs["machine"] != machine():
        return "the machine or its Python is another"
    questions = (
        ("packages", packages_in, "the packages in {} have changed"),
        ("modules", modules_in, "the modules in {} have changed"),
        ("folders", lambda path: names_in(path, own), "the names in {} have changed"),
        ("probes", kind_of, "{} has come or gone"),
    )
    for path, known in inputs["files"].items():
        if not _same_file(path, known):
            return f"{path} has changed"
    for name, now, text in questions:
        for path, known in inputs[name].items():
            if now(path) != known:
                return text.format(path)
    return ""


def _same_file(path: str, known: list[Any] | None) -> bool:
    now = stat_of(path)
    if known is None or now is None:
        return known is None and now is None
    *before, digest = known
    if not digest:
        return tuple(before) == now
    return now[0] == before[0] and digest_of(path) == str(digest)


def _reuse_seed(request: Request, runs: Sequence[RunSpec], folder: Path) -> list[Outcome]:
    if not all(spec.is_plain for spec in runs):
        raise NotReusable("runs that are traced, or call the function twice, are always made")
    if any(spec.copy_of is not None for spec in runs):
        raise NotReusable("runs in a fresh copy of the folder are always made")
    if has_secret_arguments(runs[0]):
        raise NotReusable("an argument looks like a secret, and what it was then is not kept")
    earlier = next(_of_same_order(request, runs, folder), None)
    if earlier is None:
        raise NotReusable("no earlier audit has the same runs")
    try:
        report = _read_json(earlier / REPORT_FILE)
        _check_report(report, request, runs)
        for spec in runs:
            _check_run(earlier / spec.id, request, folder.parent.parent)
        return [_taken(spec, earlier, report) for spec in runs]
    except NoVerdictError as error:
        raise NotReusable(f"the earlier evidence cannot be used: {error.message}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotReusable(f"the earlier evidence cannot be used: {type(error).__name__}") from error


def _of_same_order(request: Request, runs: Sequence[RunSpec], folder: Path) -> Iterator[Path]:
    """Earlier audits that were asked for the same first run, newest first."""
    audits = request.evidence.absolute() / AUDITS
    order = _order(json.loads(encode_kept(runs[0], key_of(folder))))
    for name in sorted(os.listdir(audits), reverse=True):
        earlier = audits / name
        if earlier == folder or earlier.is_symlink():
            continue
        try:
            if _order(_read_json(earlier / runs[0].id / SPEC_FILE)) == order:
                yield earlier
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue


def _order(plain: dict[str, Any]) -> dict[str, Any]:
    """A run specification without what names this very run, and without noise."""
    own = {RUN_VARIABLE}
    if plain["ambient"]["own_tmpdir"]:
        own |= {"TMPDIR", "TORCHINDUCTOR_CACHE_DIR"}  # the latter was put next to the former
    environment = {name: value for name, value in plain["environment"].items() if name not in own and not _noise(name)}
    return {**plain, "directory": None, "environment": environment}


def _noise(name: str) -> bool:
    return name in NOISE or name.startswith(tuple(start for start in NOISE if start.endswith("_") and len(start) > 1))


def _check_report(report: Mapping[str, Any], request: Request, runs: Sequence[RunSpec]) -> None:
    asked = report["asked"]
    text = [*map(str, request.ignore)], [compare.value for compare in request.compare], [*request.tolerance.options]
    if [asked["ignore"], asked["compare"], asked["tolerance"]] != list(text):
        raise NotReusable("the earlier audit had another --ignore, --compare or --tolerance")
    seed = next((seed for seed in report["seeds"] if seed["seed"] == runs[0].seed), None)
    if seed is None or seed["verdict"] != Verdict.REPRODUCIBLE.value:
        raise NotReusable("in the earlier audit it did not reproduce: that has to be seen again")
    if [run["id"] for run in seed["runs"]][: len(runs)] != [spec.id for spec in runs]:
        raise NotReusable("the earlier audit has fewer runs")
    if any(run["status"] != Status.COMPLETED.value for run in seed["runs"]):
        raise NotReusable("a run of the earlier audit did not finish")


def _check_run(earlier: Path, request: Request, evidence: Path) -> None:
    if os.path.lexists(earlier / RANKS_FOLDER):
        raise NotReusable("runs with several ranks are always made")
    if earlier.is_symlink() or (read_end(earlier) or {}).get("status") not in ("finished", "stopped"):
        raise NotReusable("the earlier evidence is incomplete")
    by_values = request.against is not None or request.baseline is not None or request.tolerance.options
    if by_values and not (earlier / VALUES_FILE).is_file():
        raise NotReusable("the earlier audit kept no values to measure a difference on")
    found = [line for line in read_lines(earlier / EVIDENCE_FILE) if line["record"] == "inputs"]
    if len(found) != 1:
        raise NotReusable("the earlier audit did not take down what its runs read")
    for obstacle in found[0]["obstacles"]:
        raise NotReusable(str(obstacle))
    reason = changed(found[0], evidence)
    if reason:
        raise NotReusable(reason)


def _taken(spec: RunSpec, earlier: Path, report: Mapping[str, Any]) -> Outcome:
    """A run as if it had been made now: its files are linked, so that the earlier audit may be pruned."""
    source = earlier / spec.id
    if _order(_read_json(source / SPEC_FILE)) != _order(json.loads(encode_kept(spec, key_of(spec.directory)))):
        raise NotReusable(f"the earlier run {spec.id} was asked otherwise")
    of_run = report["volatile"]["runs"][spec.id]
    files = texts(of_run["files"])
    if not {EVIDENCE_FILE, STEPS_FILE, STDOUT_FILE, STDERR_FILE} <= files.keys():
        raise NotReusable("the earlier audit kept no digests of its evidence")
    spec.directory.mkdir(parents=True)
    for name in (EVIDENCE_FILE, STEPS_FILE, VALUES_FILE, FILES_FILE, CHILDREN_FILE, STDOUT_FILE, STDERR_FILE):
        if name in (VALUES_FILE, FILES_FILE, CHILDREN_FILE) and not (source / name).exists():
            continue
        if not stat.S_ISREG(os.lstat(source / name).st_mode):
            raise NotReusable("the earlier evidence is not made of files")
        if not seal.fits(source, files, name):
            raise NotReusable(f"the earlier evidence is not as it was left: {spec.id}/{name}")
        try:
            os.link(source / name, spec.directory / name)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source / name, spec.directory / name)
    write_new(spec.directory / SPEC_FILE, encode_kept(spec, key_of(spec.directory)).encode())
    outcome = Outcome(
        spec=spec,
        status=Status.COMPLETED,
        seconds=number(of_run["seconds"]),
        reused_from=str(of_run.get("reused_from") or earlier.name),
        digests=seal.seal(spec.directory),
    )
    load_evidence(outcome)
    return outcome


def _read_json(path: Path) -> dict[str, Any]:
    """An object of JSON from a file of ours. Raises OSError or ValueError."""
    return table(parse_json(read_whole(path, MOST_BYTES)))
