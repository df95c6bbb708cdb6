"""The files of planned runs. Any of them may have been damaged, mixed up or forged on its way.

DIR/plan.json                     what is run; its digest names the plan
DIR/run-3/order.json              which run this folder is for
DIR/run-3/started.json            who started it, made when nobody had
DIR/run-3/START/s1r1/             evidence, as that of any run
DIR/run-3/START/result.json       what became of it, and the digests of the evidence; written last
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

from reprocheck.model import EnvironmentFactors, NotCompared, Outcome, RunSpec, Status, Target, TargetKind
from reprocheck.model.plan import Plan, PlannedRun, Result
from reprocheck.protocol.names import FINGERPRINT_VERSION
from reprocheck.protocol.reading import (
    count_values,
    items,
    number,
    parse_json,
    read_whole,
    table,
    text,
    texts,
    whole,
    whole_or_none,
)

PLAN_FILE = "plan.json"
ORDER_FILE = "order.json"
STARTED_FILE = "started.json"
RESULT_FILE = "result.json"
CLASS_FILE = "class.json"
"""With --same-class: the machine of the run that was started first."""
PLAN_VERSION = 1
MOST_RUNS = 100_000
MOST_PLAN = 64 * 2**20
MOST_SMALL = 4 * 2**20
"""Bytes of any other file."""
MOST_VALUES = 4_000_000
MOST_ARGUMENT = 100_000
"""Characters of one argument of the target."""
_RUN = re.compile(r"s[0-9]{1,10}(?:r[0-9]{1,6}|twice)")
START = re.compile(r"start-[0-9a-f]{16}")
"""The name of the folder of one start of a run."""


class NotAPlan(ValueError):
    """Why a file is none of a plan, as text."""


def run_folder(number: int) -> str:
    """Of a run, in that of its plan."""
    return f"run-{number}"


def plan_digest(content: Mapping[str, Any]) -> str:
    """Of all that a plan says but its name."""
    kept = {name: value for name, value in content.items() if name != "plan"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def encode_plan(plan: Plan) -> dict[str, Any]:
    """As it is written; the name of the plan is made here."""
    target = plan.target
    content = {
        "version": PLAN_VERSION,
        "reprocheck": plan.version,
        "fingerprint_version": FINGERPRINT_VERSION,
        "target": {
            "text": target.text,
            "kind": target.kind.value,
            "path": None if target.path is None else target.path.as_posix(),
            "module": target.module,
            "function": target.function,
            "argv": list(target.argv),
            "arguments": [[name, repr(value)] for name, value in target.arguments],
        },
        "options": dict(plan.options),
        "runs": [[run.id, run.seed, run.repeat] for run in plan.runs],
        "folder": plan.folder,
        "code": dict(plan.code),
        "data": dict(plan.data),
        "same_class": plan.same_class,
    }
    return {"plan": plan_digest(content), **content}


def read_plan(folder: Path) -> Plan:
    """Raises OSError or NotAPlan."""
    content = _read(folder / PLAN_FILE, MOST_PLAN)
    try:
        if whole(content.get("version")) != PLAN_VERSION:
            raise NotAPlan("it was written by another version of reprocheck")
        if content.get("plan") != plan_digest(content):
            raise NotAPlan("it is not as it was written: its digest does not fit")
        if content["fingerprint_version"] != FINGERPRINT_VERSION:
            raise NotAPlan(f"it was made for reprocheck {text(content['reprocheck'])}, which has other fingerprints")
        runs = items(content["runs"])
        if not 0 < len(runs) <= MOST_RUNS:
            raise NotAPlan(f"it has {len(runs):,} runs")
        planned = tuple(_planned(position, items(run)) for position, run in enumerate(runs))
        if len({run.id for run in planned}) != len(planned):
            raise NotAPlan("two of its runs have one name")
        return Plan(
            id=text(content["plan"]),
            version=text(content["reprocheck"]),
            target=_target(table(content["target"])),
            options=table(content["options"]),
            runs=planned,
            folder=text(content["folder"]),
            code=_paths(content["code"]),
            data=_paths(content["data"]),
            same_class=content["same_class"] is True,
        )
    except NotAPlan:
        raise
    except KeyError as error:
        raise NotAPlan(f"{error} is missing") from error
    except ValueError as error:
        raise NotAPlan(str(error)) from error


def _planned(position: int, run: list[Any]) -> PlannedRun:
    name, seed, repeat = run
    if not _RUN.fullmatch(text(name)):
        raise NotAPlan("a run has no name of ours")
    return PlannedRun(number=position, id=name, seed=whole(seed, 0, 2**32 - 1), repeat=whole(repeat, 0, MOST_RUNS))


def _paths(value: Any) -> dict[str, str]:
    found = texts(value)
    for path in found:
        if not is_below(path):
            raise NotAPlan(f"{path!r} is no path in the folder of the code")
    return found


def is_below(path: str) -> bool:
    """Whether a relative path leads nowhere else."""
    parts = PurePosixPath(path)
    return bool(path) and "\0" not in path and not parts.is_absolute() and ".." not in parts.parts


def _target(plain: dict[str, Any]) -> Target:
    path = plain["path"]
    if path is not None and not is_below(text(path)):
        raise NotAPlan("the target does not lie in the folder of the code")
    module, function = plain["module"], plain["function"]
    return Target(
        text=text(plain["text"]),
        kind=TargetKind(plain["kind"]),
        path=None if path is None else Path(path),
        module=None if module is None else text(module),
        function=None if function is None else text(function),
        argv=tuple(map(text, items(plain["argv"]))),
        arguments=tuple((text(name), _literal(text(value))) for name, value in map(items, items(plain["arguments"]))),
    )


def _literal(written: str) -> Any:
    if len(written) > MOST_ARGUMENT:
        raise NotAPlan("an argument is too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise NotAPlan("an argument is no literal") from error


def encode_result(plan: str, result: Result) -> str:
    """As it is written."""
    outcome = result.outcome
    content = {
        "version": PLAN_VERSION,
        "plan": plan,
        "run": result.run.number,
        "id": result.run.id,
        "status": outcome.status.value,
        "reason": outcome.reason,
        "stderr_tail": outcome.stderr_tail,
        "seconds": outcome.seconds,
        "digests": dict(outcome.digests),
        "ambient": asdict(outcome.spec.ambient),
        "not_varied": [[item.what, item.reason] for item in result.not_varied],
        "manifest": dict(result.manifest),
        "started": result.started,
        "host": result.host,
    }
    return json.dumps({"digest": result_digest(content), **content})


def decode_result(path: Path, plan: str, run: PlannedRun, spec: RunSpec) -> Result:
    """The result of this run of this plan, with the environment factors that it had. Raises OSError or NotAPlan."""
    content = _read(path, MOST_SMALL)
    try:
        if content.get("digest") != result_digest(content):
            raise NotAPlan(f"{RESULT_FILE} is half copied or was changed")
        if content["plan"] != plan:
            raise NotAPlan("it is of another plan")
        if content["run"] != run.number or content["id"] != run.id:
            raise NotAPlan(f"it is that of {run_folder(whole(content['run']))}")
        return Result(
            run=run,
            outcome=Outcome(
                spec=replace(spec, ambient=_ambient(table(content["ambient"]))),
                status=Status(content["status"]),
                reason=text(content["reason"]),
                stderr_tail=text(content["stderr_tail"]),
                seconds=number(content["seconds"]),
                digests=texts(content["digests"]),
            ),
            not_varied=tuple(
                NotCompared(what=text(what), reason=text(why)) for what, why in map(items, items(content["not_varied"]))
            ),
            manifest=table(content["manifest"]),
            started=number(content["started"]),
            host=text(content["host"]),
        )
    except NotAPlan:
        raise
    except KeyError as error:
        raise NotAPlan(f"in {RESULT_FILE} {error} is missing") from error
    except ValueError as error:
        raise NotAPlan(f"{RESULT_FILE} is damaged: {error}") from error


def _ambient(plain: dict[str, Any]) -> EnvironmentFactors:
    interval = plain["switch_interval"]
    return EnvironmentFactors(
        hash_seed=whole_or_none(plain["hash_seed"]),
        heap_byte=whole_or_none(plain["heap_byte"]),
        listing_key=whole_or_none(plain["listing_key"]),
        switch_interval=None if interval is None else number(interval),
        own_tmpdir=plain["own_tmpdir"] is True,
        start_gap=number(plain["start_gap"]),
    )


def read_small(path: Path) -> dict[str, Any]:
    """An object from another file of a plan. Raises OSError or NotAPlan."""
    return _read(path, MOST_SMALL)


def result_digest(content: Mapping[str, Any]) -> str:
    """Of all that a result says but this digest."""
    kept = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _read(path: Path, limit: int) -> dict[str, Any]:
    try:
        data = read_whole(path, limit)
        if count_values(data) > MOST_VALUES:
            raise NotAPlan(f"{path.name} holds too many values")
        return table(parse_json(data))
    except NotAPlan:
        raise
    except ValueError as error:
        raise NotAPlan(f"{path.name} is half copied or damaged") from error


def fit(folder: Path, digests: Mapping[str, str]) -> str:
    """The first file of evidence that is not there in its whole length; empty where all are. Reads none of them."""
    for name, digest in digests.items():
        if not digest:  # it could not be read there either
            continue
        try:
            size = os.lstat(folder / name).st_size
        except (OSError, ValueError):
            return name
        if digest.rpartition("-")[2] != str(size):
            return name
    return ""
