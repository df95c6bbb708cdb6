"""Process groups: who joins one is a rank."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

GROUPS = "torch.distributed.distributed_c10d"
GLOO_SECONDS = 0.3
"""PyTorch 2.13 waits for gloo's threads while it holds the lock that they may wait for, for ever: they end before."""
_wait_for_threads = time.sleep


def watch_groups(folder: Path, is_run: Callable[[], bool] = lambda: False) -> None:
    """A process that joins a process group is a rank from then on: this one or, later, one that was forked from it.
    `is_run`: whether the caller is the process of the run, which is observed as such."""
    module: Any = sys.modules[GROUPS]
    original: Callable[..., Any] = module.init_process_group

    @functools.wraps(original)
    def init_process_group(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        from reprocheck.worker.ranks.begin import joined

        joined(folder, is_run=is_run())
        return answer

    destroy: Callable[..., Any] = module.destroy_process_group

    @functools.wraps(destroy)
    def destroy_process_group(*args: Any, **kwargs: Any) -> Any:
        _wait_for_threads(GLOO_SECONDS)
        return destroy(*args, **kwargs)

    package: Any = sys.modules["torch.distributed"]
    for one in (module, package):
        for ours, theirs in ((init_process_group, original), (destroy_process_group, destroy)):
            if getattr(one, theirs.__name__, None) is theirs:
                setattr(one, theirs.__name__, ours)
