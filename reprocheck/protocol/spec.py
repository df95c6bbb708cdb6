"""The run specification: RunSpec to JSON and back, and what is kept of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.model import (
    Cut,
    Deterministic,
    Edit,
    EnvironmentFactors,
    Home,
    Instruments,
    Interventions,
    Known,
    Nudge,
    RunSpec,
    Seeding,
    Settings,
    SketchWindow,
    Target,
    TargetKind,
    TraceWindow,
)
from reprocheck.protocol.names import SCHEMA_VERSION


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} into a run specification")


def encode_spec(spec: RunSpec) -> str:
    """RunSpec → JSON. Arguments from `--arg` travel as Python literals."""
    plain = asdict(spec)
    plain["environment"] = dict(spec.environment)
    plain["target"]["arguments"] = [[name, repr(value)] for name, value in spec.target.arguments]
    return json.dumps({"schema": SCHEMA_VERSION, **plain}, default=_plain)


def encode_kept(spec: RunSpec, key: bytes) -> str:
    """What is kept of a specification once its run is over: of values in the environment only digests, so that it is
    still known whether another run was given the same, and nothing of what looks like a secret.

    `key`: of the evidence folder. Without it nobody can find a value by trying all short ones.
    """
    from reprocheck.protocol.secrets import MASK, is_secret_variable, mask_arguments, mask_argv

    def masked(name: str, value: str) -> str:
        if is_secret_variable(name):
            return MASK
        return hashlib.blake2b(value.encode("utf-8", "surrogateescape"), digest_size=12, key=key).hexdigest()

    plain = json.loads(encode_spec(spec))
    plain["environment"] = {name: masked(name, value) for name, value in plain["environment"].items()}
    plain["settings"]["env"] = [[name, masked(name, value)] for name, value in plain["settings"]["env"]]
    plain["target"]["argv"] = mask_argv(plain["target"]["argv"])
    shown = mask_arguments(dict(spec.target.arguments))
    plain["target"]["arguments"] = [[name, repr(shown[name])] for name, _ in spec.target.arguments]
    return json.dumps(plain)


def has_secret_arguments(spec: RunSpec) -> bool:
    """Whether what is kept of a specification leaves out some of its arguments."""
    from reprocheck.protocol.secrets import mask_arguments, mask_argv

    arguments = dict(spec.target.arguments)
    return mask_argv(spec.target.argv) != tuple(spec.target.argv) or mask_arguments(arguments) != arguments


def decode_spec(text: str) -> RunSpec:
    """JSON → RunSpec; the inverse of encode_spec."""
    from ast import literal_eval

    plain = json.loads(text)
    target, settings = plain["target"], plain["settings"]
    deterministic = settings["deterministic"]
    return RunSpec(
        id=plain["id"],
        seed=plain["seed"],
        repeat=plain["repeat"],
        target=Target(
            text=target["text"],
            kind=TargetKind(target["kind"]),
            path=None if target["path"] is None else Path(target["path"]),
            module=target["module"],
            function=target["function"],
            argv=tuple(target["argv"]),
            arguments=tuple((name, literal_eval(value)) for name, value in target["arguments"]),
        ),
        settings=Settings(
            **{
                **settings,
                "seeding": Seeding(settings["seeding"]),
                "deterministic": None if deterministic is None else Deterministic(deterministic),
                "env": tuple((name, value) for name, value in settings["env"]),
            }
        ),
        ambient=EnvironmentFactors(**plain["ambient"]),
        environment=plain["environment"],
        cwd=Path(plain["cwd"]),
        directory=Path(plain["directory"]),
        read_checkpoints=plain["read_checkpoints"],
        looks_at_weights=plain["looks_at_weights"],
        copy_of=None if plain["copy_of"] is None else Path(plain["copy_of"]),
        known=None if plain["known"] is None else Known(**{name: tuple(v) for name, v in plain["known"].items()}),
        home=None if plain["home"] is None else _home(plain["home"]),
        instruments=_instruments(plain["instruments"]),
        interventions=_interventions(plain["interventions"]),
    )


def _home(plain: dict[str, Any]) -> Home:
    without = tuple(Path(path) for path in plain["without"])
    return Home(source=Path(plain["source"]), at=Path(plain["at"]), without=without, copies=plain["copies"])


def _instruments(plain: dict[str, Any]) -> Instruments:
    trace, sketch, snapshot = plain["trace"], plain["sketch"], plain["memory_snapshot"]
    return Instruments(
        **{
            **plain,
            "trace": None if trace is None else TraceWindow(**trace),
            "sketch": None if sketch is None else SketchWindow(**sketch),
            "memory_snapshot": None if snapshot is None else Path(snapshot),
        }
    )


def _interventions(plain: dict[str, Any]) -> Interventions:
    return Interventions(
        **{
            **plain,
            "cut": None if plain["cut"] is None else Cut(**plain["cut"]),
            "nudge": None if plain["nudge"] is None else Nudge(**plain["nudge"]),
            "frozen": tuple(plain["frozen"]),
            "edits": tuple(Edit(**edit) for edit in plain["edits"]),
        }
    )
