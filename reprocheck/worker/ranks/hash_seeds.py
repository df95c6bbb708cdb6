"""Another hash seed for each rank that torchrun starts, as without an audit: one for all of them would hide what
depends on the order of a set in each rank.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reprocheck.protocol import SPEC_FILE, decode_spec
from reprocheck.worker.bootstrap.importing import after_import

AGENT = "torch.distributed.elastic.agent.server.local_elastic_agent"
_VARIABLE = "PYTHONHASHSEED"
_BETWEEN = 7919
"""From one rank to the next."""
_SEEDS = 2**32


def watch_agent(run: Path) -> None:
    """Where the elastic agent starts its ranks. Nothing where the user, or the target, gave the hash seed."""
    after_import(AGENT, lambda: _wrap(run))


def _wrap(run: Path) -> None:
    module: Any = sys.modules[AGENT]
    original: Callable[..., Any] = module.start_processes

    @functools.wraps(original)
    def start_processes(*args: Any, **kwargs: Any) -> Any:
        seed = decode_spec((run / SPEC_FILE).read_text(encoding="utf-8")).ambient.hash_seed
        if "envs" in kwargs and seed and os.environ.get(_VARIABLE) == str(seed):
            kwargs["envs"] = with_own_seeds(kwargs["envs"], seed)
        return original(*args, **kwargs)

    module.start_processes = start_processes


def with_own_seeds(environments: Mapping[int, Mapping[str, str]], seed: int) -> dict[int, dict[str, str]]:
    """What each rank is started with. That of rank 0 stays."""
    return {
        local: {**env, _VARIABLE: str((seed + _BETWEEN * int(env.get("RANK", local))) % _SEEDS)}
        for local, env in environments.items()
    }
