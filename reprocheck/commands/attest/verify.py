"""A statement → what of it holds: its digests, the evidence if that is here, files, and runs that are made again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.commands.attest.model import PREDICATE_TYPE, STATEMENT_TYPE, VERSION, Check, Held, Verification
from reprocheck.commands.attest.statement import make_statement, predicate_digest, result_of, sha256_of, subjects_of
from reprocheck.commands.run.audit import audit as make_audit
from reprocheck.compare.baseline.numerical import class_name
from reprocheck.config.settings import merge
from reprocheck.engine.progress import Progress
from reprocheck.errors import ReprocheckError, UsageError
from reprocheck.model import Audit, Request, Seeding, Settings, Target, TargetKind, Verdict
from reprocheck.model.request import AmbientMode, Compare, Deterministic, Workdir
from reprocheck.model.tolerance import parse as parse_tolerance
from reprocheck.protocol import FINGERPRINT_VERSION
from reprocheck.protocol.plan_files import is_below
from reprocheck.protocol.reading import items, parse_json, read_source, read_whole, table, text, texts, whole
from reprocheck.protocol.secrets import MASK

MOST_BYTES = 64 * 2**20
MOST_RESULTS = 100_000
MOST_RERUNS = 1000
"""Of each seed."""
_HINT = "name a file that `reprocheck attest` wrote, or an envelope that holds it"


def verify(
    path: Path, progress: Progress, rerun: int = 0, audit: str | None = None, evidence: Path = Path(".reprocheck")
) -> Verification:
    """Raises UsageError for what is no statement."""
    statement, wrapped = _read(path)
    predicate = table(statement["predicate"])
    checks = [*_signature(wrapped), *_own(statement, predicate, wrapped), *_files(predicate)]
    if audit is not None:
        checks.append(_against_evidence(statement, predicate, audit, evidence))
    directory = ""
    if rerun and all(one.held is not Held.NO for one in checks):
        found, directory = _rerun(predicate, rerun, evidence, progress)
        checks += found
    return Verification(
        file=path, verdict=str(predicate.get("verdict"))[:40], checks=tuple(checks), directory=directory
    )


def _read(path: Path) -> tuple[dict[str, Any], bool]:
    """The statement, and whether it came in an envelope. Raises UsageError."""
    try:
        content = table(parse_json(read_whole(path, MOST_BYTES, follow=True)))
        wrapped = "dsseEnvelope" in content or "payload" in content
        if wrapped:
            envelope = table(content.get("dsseEnvelope", content))
            content = table(parse_json(_decoded(text(envelope.get("payload")))))
        content = table(_whole_numbers(content))
        if content.get("_type") != STATEMENT_TYPE:
            raise ValueError("it is no in-toto Statement")
        if content.get("predicateType") != PREDICATE_TYPE:
            raise ValueError("its predicate is none of reprocheck's")
        predicate = table(content.get("predicate"))
        if whole(predicate.get("version")) != VERSION:
            raise ValueError("it was written by another version of reprocheck")
        for one in items(content.get("subject")):
            texts(table(table(one).get("digest")))
            text(table(one).get("name"))
        results = items(predicate.get("results"))
        if len(results) > MOST_RESULTS:
            raise ValueError("it has too many results")
        for result in map(table, results):
            whole(result.get("seed"), 0, 2**32 - 1)
            for name in ("class", "initial_parameters", "steps", "outputs"):
                text(result.get(name))
        for name in ("target", "asked", "evidence"):
            table(predicate.get(name))
        for one in map(table, items(predicate.get("checkpoints"))):
            text(one.get("name"))
            text(one.get("sha256"))
        return content, wrapped
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", _HINT) from error
    except (ValueError, KeyError) as error:
        raise UsageError(f"{path}: {error}", _HINT) from error


def _decoded(payload: str) -> bytes:
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error:
        raise ValueError("its payload is not in base64") from None


def _whole_numbers(value: Any) -> Any:
    """Tools that know no whole numbers write 2.0 for 2."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return value


def _signature(wrapped: bool) -> list[Check]:
    said = "not checked here: use cosign, gh attestation verify or sigstore"
    return [Check(what="signature", held=Held.YES, detail=said)] if wrapped else []


def _own(statement: Mapping[str, Any], predicate: Mapping[str, Any], wrapped: bool) -> list[Check]:
    """What a statement says of itself. Who signs one may name some of its subjects alone, without their folders."""
    fits = predicate.get("digest") == predicate_digest(predicate)
    checks = [_check("predicate", fits, "" if fits else "its digest does not fit: something in it was changed")]
    expected = subjects_of(predicate)
    subjects = [{"name": text(one.get("name")), "digest": texts(one["digest"])} for one in statement["subject"]]
    known = [_in_short(one) for one in expected]
    fits = all(_in_short(one) in known for one in subjects) if wrapped else subjects == expected
    fits = fits and bool(subjects)
    detail = "" if fits else "they are not the results and checkpoints of the predicate"
    return [*checks, _check(f"{len(subjects)} subject{'' if len(subjects) == 1 else 's'}", fits, detail)]


def _in_short(subject: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    return os.path.basename(subject["name"]), subject["digest"]


def _check(what: str, fits: bool, detail: str = "") -> Check:
    return Check(what=what, held=Held.YES if fits else Held.NO, detail=detail)


def _files(predicate: Mapping[str, Any]) -> list[Check]:
    """Checkpoints that lie here."""
    found = []
    for one in predicate["checkpoints"]:
        name = one["name"]
        if not os.path.lexists(name):
            found.append(Check(what=f"checkpoint {name}", held=Held.UNKNOWN, detail="it is not here"))
            continue
        fits = sha256_of(Path(os.path.realpath(name))) == one["sha256"]
        found.append(_check(f"checkpoint {name}", fits, "" if fits else "the file here is another one"))
    return found


def _against_evidence(statement: Mapping[str, Any], predicate: Mapping[str, Any], audit: str, evidence: Path) -> Check:
    """The statement is made again from the evidence: it must be the same, to the last field."""
    what = f"evidence in {audit}"
    try:
        again = make_statement(audit, evidence, [])
    except ReprocheckError as error:
        return Check(what=what, held=Held.NO, detail=error.message)
    own = dict(predicate)
    theirs = {**again["predicate"], "checkpoints": own.get("checkpoints"), "digest": own.get("digest")}
    other = sorted(name for name in {*own, *theirs} if own.get(name) != theirs.get(name))
    return _check(what, not other, "" if not other else f"it says otherwise: {', '.join(other)[:200]}")


def _rerun(predicate: Mapping[str, Any], rerun: int, evidence: Path, progress: Progress) -> tuple[list[Check], str]:
    """Make runs of every seed here, and hold them against the results."""
    what = f"{rerun} runs of each seed, made here"
    if predicate.get("fingerprint_version") != FINGERPRINT_VERSION:
        detail = f"made with reprocheck {predicate.get('reprocheck')}, which has other fingerprints"
        return [Check(what=what, held=Held.UNKNOWN, detail=detail)], ""
    request = _request(predicate, rerun, evidence)
    source = predicate.get("source_sha256")
    if source is not None and request.target.path is not None:
        try:
            own = hashlib.sha256(read_source(request.target.path)).hexdigest()
        except OSError as error:
            raise UsageError(f"cannot read {request.target.path}: {error.strerror or error}") from error
        if own != source:
            detail = f"{request.target.text} is another file than that of the audit"
            return [Check(what="source of the target", held=Held.NO, detail=detail)], ""
    made = make_audit(request, progress)
    return _compare(predicate, made, what), str(made.directory)


def _compare(predicate: Mapping[str, Any], made: Audit, what: str) -> list[Check]:
    facts = made.manifest.get("numerical_class")
    own = class_name(facts if isinstance(facts, dict) else {})
    if made.verdict is Verdict.NO_VERDICT:
        return [Check(what=what, held=Held.UNKNOWN, detail=made.summary[:300])]
    expected = {result["seed"]: result for result in predicate["results"] if result["class"] == own}
    if not expected:
        names = ", ".join(dict.fromkeys(result["class"] for result in predicate["results"]))
        detail = f"this machine is of another numerical class ({own}) than {names[:300]}"
        return [Check(what=what, held=Held.UNKNOWN, detail=detail)]
    found = []
    for seed in made.seeds:
        result = expected.get(seed.seed)
        if result is None:
            detail = "attested on other numerical classes only"
            found.append(Check(what=f"seed {seed.seed}", held=Held.UNKNOWN, detail=detail))
            continue
        if seed.verdict is Verdict.DIFFERENT:
            found.append(_check(f"seed {seed.seed}", False, "runs differ among themselves"))
            continue
        here = result_of(seed.runs)
        other = [name for name, value in here.items() if result[name] and result[name] != value]
        detail = (
            f"other {' and '.join(name.replace('_', ' ') for name in other)}" if other else f"{len(seed.runs)} runs"
        )
        found.append(_check(f"seed {seed.seed}", not other, detail))
    return found


def _request(predicate: Mapping[str, Any], rerun: int, evidence: Path) -> Request:
    """The audit that is attested, as far as a statement holds it. Raises UsageError."""
    try:
        plain, asked = table(predicate["target"]), table(predicate["asked"])
        settings = table(asked["settings"])
        path = plain["path"]
        if path is not None and not is_below(text(path)):
            raise ValueError("its target lies outside of the current folder")
        target = Target(
            text=text(plain["text"]),
            kind=TargetKind(plain["kind"]),
            path=None if path is None else Path(text(path)).absolute(),
            module=None if plain["module"] is None else text(plain["module"]),
            function=None if plain["function"] is None else text(plain["function"]),
            argv=tuple(map(text, items(plain["argv"]))),
            arguments=tuple(table(plain["arguments"]).items()),
        )
        seeds = sorted({whole(result["seed"], 0, 2**32 - 1) for result in predicate["results"]})
        request = Request(
            target=target,
            settings=_settings(settings),
            seeds=tuple(seeds),
            repeats=whole(rerun, 2, MOST_RERUNS),
            ambient=AmbientMode(asked["ambient"]),
            compare=tuple(map(Compare, items(asked["compare"]))),
            ignore=tuple(map(text, items(asked["ignore"]))),
            tolerance=parse_tolerance(tuple(map(text, items(asked["tolerance"])))),
            evidence=evidence,
            explain=False,
            workdir=Workdir.FRESH,  # what runs write must not replace what was attested
        )
    except (KeyError, ValueError) as error:
        raise UsageError(f"the statement does not say how the runs were made: {error}") from error
    if MASK in (*target.argv, *map(str, dict(target.arguments).values())):
        raise UsageError("the runs were given a secret that the statement does not hold, and cannot be made again")
    return request


def _settings(plain: Mapping[str, Any]) -> Settings:
    """Checked as those of a user. Raises UsageError or ValueError."""
    names = list(map(text, items(plain["env"])))
    missing = [name for name in names if name not in os.environ]
    if missing:
        hint = "set it here: a statement holds names of variables only"
        raise UsageError(f"the runs were given {missing[0]} by --env", hint)
    given = {name: value for name, value in plain.items() if name in _PLAIN and value is not None}
    chosen = merge({name: float(value) if name in _FLOATS else value for name, value in given.items()}, {})
    own = replace(
        Settings(seeding=Seeding(plain["seeding"])), **{name: chosen[name] for name in _PLAIN if name in given}
    )
    deterministic = plain["deterministic"]
    return replace(
        own,
        deterministic=None if deterministic is None else Deterministic(deterministic),
        env=tuple((name, os.environ[name]) for name in names),
    )


_PLAIN = (
    *("cudnn_deterministic", "cudnn_benchmark", "tf32", "threads", "device", "memory_fraction", "memory_limit"),
    *("timeout", "max_steps"),
)
_FLOATS = ("timeout", "memory_fraction")
"""A statement holds them as texts."""
