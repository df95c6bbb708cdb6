"""Another hash seed for each rank that torchrun, or multiprocessing by spawn, starts, as without an audit: one for all
of them would hide what depends on the order of a set in each rank. Forked ones have that of the process they come from.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reprocheck.protocol import SPEC_FILE, decode_spec
from reprocheck.worker.bootstrap.importing import after_import

AGENT = "torch.distributed.elastic.agent.server.local_elastic_agent"
SPAWNING = "multiprocessing.popen_spawn_posix"
_VARIABLE = "PYTHONHASHSEED"
_LOADER = "torch.utils.data"
_BETWEEN = 7919
"""From one rank to the next."""
_SEEDS = 2**32


def watch_starts(run: Path) -> None:
    """Where ranks are started. Nothing where the user, or the target, gave the hash seed."""
    after_import(AGENT, lambda: _wrap(run))
    after_import(SPAWNING, lambda: _wrap_spawning(run))


def _wrap(run: Path) -> None:
    module: Any = sys.modules[AGENT]
    original: Callable[..., Any] = module.start_processes

    @functools.wraps(original)
    def start_processes(*args: Any, **kwargs: Any) -> Any:
        seed = _seed_of(run)
        if "envs" in kwargs and seed:
            kwargs["envs"] = with_own_seeds(kwargs["envs"], seed)
        return original(*args, **kwargs)

    module.start_processes = start_processes


def _wrap_spawning(run: Path) -> None:
    module: Any = sys.modules[SPAWNING]
    original: Callable[..., Any] = module.Popen._launch
    numbers = itertools.count()

    @functools.wraps(original)
    def launch(popen: Any, process: Any) -> Any:
        target = getattr(process, "_target", None)
        if getattr(target, "__module__", "").startswith(_LOADER):  # what it makes arrives in the batches
            return original(popen, process)
        number = next(numbers)
        seed = _seed_of(run)
        if not seed or not number:
            return original(popen, process)
        os.environ[_VARIABLE] = str((seed + _BETWEEN * number) % _SEEDS)
        try:
            return original(popen, process)
        finally:
            os.environ[_VARIABLE] = str(seed)

    module.Popen._launch = launch


def _seed_of(run: Path) -> int | None:
    """That of the run, where this process has it."""
    seed = decode_spec((run / SPEC_FILE).read_text(encoding="utf-8")).ambient.hash_seed
    return seed if seed and os.environ.get(_VARIABLE) == str(seed) else None


def with_own_seeds(environments: Mapping[int, Mapping[str, str]], seed: int) -> dict[int, dict[str, str]]:
    """What each rank is started with. That of rank 0 stays."""
    return {
        local: {**env, _VARIABLE: str((seed + _BETWEEN * int(env.get("RANK", local))) % _SEEDS)}
        for local, env in environments.items()
    }
