"""The settings that are priced, in the order of what they take out of a user's hands. Pure.

`plain` is the target as it is, with nothing set and nothing seeded by us. Everything else is seeded as `reprocheck run`
seeds, since no setting makes an unseeded training reproduce, and adds one setting to that; presets add several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reprocheck.commands.cost.model import Row
from reprocheck.config.checks import nearest, shown
from reprocheck.errors import UsageError
from reprocheck.model import Deterministic, NotCompared, Seeding, Settings

PLAIN = Row(name="plain", what="as it is, nothing set", seeded=False)
AGAIN = Row(name="plain again", what="the same once more: the noise", seeded=False)

UNFILLED, FILLED = "deterministic-unfilled", "deterministic-warn"
"""Deterministic algorithms without and with the fill of uninitialized memory."""

_WARN = ("deterministic", Deterministic.WARN)
_CUDNN = (("cudnn_deterministic", True), ("cudnn_benchmark", False))

ROWS = (
    Row(name="seeded", what="generators seeded", preset=True),
    Row(name="workers-0", what="DataLoader(num_workers=0)", overrides=(("loader_workers", 0),)),
    Row(name="mkl-cbwr", what="MKL_CBWR=AUTO,STRICT", environment=(("MKL_CBWR", "AUTO,STRICT"),), needs="mkl"),
    Row(name="tf32-off", what="--no-tf32", settings=(("tf32", False),), needs="cuda"),
    Row(
        name="cublas-workspace",
        what="CUBLAS_WORKSPACE_CONFIG=:4096:8",
        environment=(("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),),
        needs="cuda",
    ),
    Row(name="cudnn-benchmark-off", what="--no-cudnn-benchmark", settings=_CUDNN[1:], needs="cuda"),
    Row(name="cudnn-deterministic", what="--cudnn-deterministic", settings=_CUDNN[:1], needs="cuda"),
    Row(
        name=UNFILLED,
        what="--deterministic warn, memory not filled",
        settings=(_WARN,),
        overrides=(("fill_memory", False),),
    ),
    Row(name=FILLED, what="--deterministic warn, memory filled", settings=(_WARN,)),
    Row(name="one-thread", what="--threads 1", settings=(("threads", 1),), needs="threads"),
    Row(
        name="deterministic",
        what="--deterministic warn, cudnn deterministic",
        settings=(_WARN, *_CUDNN),
        preset=True,
    ),
    Row(
        name="strict",
        what="--deterministic error --threads 1, memory filled",
        settings=(("deterministic", Deterministic.ERROR), ("threads", 1), *_CUDNN),
        overrides=(("fill_memory", True),),
        preset=True,
    ),
)


def choose_rows(names: Sequence[str]) -> tuple[Row, ...]:
    """The rows of these names (all without any), in their own order. Raises UsageError."""
    known = {row.name: row for row in ROWS}
    wanted = {word for name in names for word in name.split(",") if word}
    for word in sorted(wanted):
        if word not in known:
            hint = nearest(word, known) or f"the settings are {', '.join(known)}"
            raise UsageError(f"--only: there is no setting {shown(word)}", hint)
    return tuple(row for row in ROWS if not wanted or row.name in wanted)


def why_not(row: Row, manifest: Mapping[str, Any]) -> NotCompared | None:
    """Why a row says nothing about a target whose plain run left this manifest; None where it applies."""
    reasons = {
        "cuda": "" if manifest.get("gpus") else "the training used no GPU",
        "mkl": "" if manifest.get("mkl") else "this PyTorch was built without MKL",
        "threads": "" if manifest.get("threads") != 1 else "the training runs on one thread already",
    }
    reason = reasons.get(row.needs, "")
    return NotCompared(what=row.name, reason=reason) if reason else None


def settings_of(asked: Settings, row: Row) -> Settings:
    """What the runs of a row are given. Of what was asked only the place counts (threads, devices, environment,
    limits):
    a determinism setting of the configuration would be in every row, plain ones, too.
    """
    base = Settings(
        seeding=Seeding.ALL if row.seeded else Seeding.NONE,
        threads=asked.threads,
        device=asked.device,
        memory_fraction=asked.memory_fraction,
        memory_limit=asked.memory_limit,
        env=(*asked.env, *row.environment),
        timeout=asked.timeout,
        max_steps=asked.max_steps,
    )
    return replace(base, **dict[str, Any](row.settings))
