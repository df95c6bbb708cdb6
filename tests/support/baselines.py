"""Snapshots, step records and evidence built by hand, for tests of baselines and of `reprocheck diff`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.compare.baseline.snapshot import snapshot_of
from reprocheck.model import (
    CheckpointRecord,
    EnvironmentFactors,
    Evidence,
    RunSpec,
    Settings,
    Target,
    TargetKind,
    TensorRecord,
)
from reprocheck.model.baseline import Snapshot, Steps
from reprocheck.protocol import STEP_HEADER, STEP_KINDS

TARGET = Target(text="train.py:train", kind=TargetKind.FILE_FUNCTION, path=Path("train.py"), function="train")


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def records(count: int, parts_at: int | None = None) -> bytes:
    """Step records with a chain; from step `parts_at` on another history."""
    data, chain = b"", ""
    for number in range(count):
        mark = "!" if parts_at is not None and number >= parts_at else ""
        kinds = [bytes.fromhex(digest(f"{kind} {number}{mark}")) for kind in STEP_KINDS]
        chain = digest(f"{chain} {number}{mark}")
        data += STEP_HEADER.pack(number, 0, 0, 0) + b"".join(kinds) + bytes.fromhex(chain)
    return data


def tensor(name: str, content: str = "", **changes: Any) -> TensorRecord:
    given = {"kind": "parameter", "dtype": "float32", "shape": (3, 4), "digest": digest(f"{name} {content}")}
    return TensorRecord(name=name, **{**given, **changes})


def metric(name: str, value: float) -> TensorRecord:
    return TensorRecord(name=name, kind="number", dtype="float64", digest=digest(repr(value)), text=repr(value))


def checkpoint(name: str, content: str = "", **changes: Any) -> CheckpointRecord:
    given = {"call": 0, "calls": 1, "step": 3, "digest": digest(content), "before": "", "tensors": (), "unread": 0}
    return CheckpointRecord(name=name, **{**given, **changes})


def evidence(
    init: tuple[TensorRecord, ...] = (tensor("weight"), tensor("bias", shape=(4,))),
    steps: bytes | None = None,
    outputs: tuple[TensorRecord, ...] = (metric("loss", 0.5), tensor("model.weight", kind="tensor")),
    optimizers: tuple[str, ...] = ("sgd",),
    checkpoints: tuple[CheckpointRecord, ...] = (),
) -> Evidence:
    spec = RunSpec(
        id="s0r0",
        seed=0,
        repeat=0,
        target=TARGET,
        settings=Settings(),
        ambient=EnvironmentFactors(),
        environment={},
        cwd=Path(),
        directory=Path(),
    )
    return Evidence(
        spec=spec,
        seconds=1.0,
        stepping=1.0,
        manifest={},
        rng={},
        initial=init,
        steps=records(30) if steps is None else steps,
        optimizers=optimizers,
        outputs=outputs,
        checkpoints=checkpoints,
        has_output=bool(outputs),
        files=(),
        stdout=Path("stdout"),
        stderr=Path("stderr"),
        settings_at_end={},
        memory={},
        stopped_at=None,
        notes=(),
        values=Path("values"),
    )


def snapshot(**changes: Any) -> Snapshot:
    return snapshot_of(evidence(**changes))


def forgotten(steps: Steps) -> Steps:
    """The steps as a file keeps them."""
    return Steps(
        observed=steps.observed,
        count=steps.count,
        digest=steps.digest,
        marks=steps.marks,
        optimizers=steps.optimizers,
    )


CLASS: Mapping[str, Any] = {
    "platform": "Linux x86_64",
    "cpu": "A",
    "cpu_capability": "AVX2",
    "torch": "2.13.0",
    "threads": 2,
}
