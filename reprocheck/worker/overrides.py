"""Settings of the target that an explaining run changes, to see whether they matter."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any

from reprocheck.model import Probe
from reprocheck.worker.importing import after_import

_FOR_WORKERS = ("prefetch_factor", "persistent_workers", "multiprocessing_context", "timeout")
"""What a loader without workers refuses."""


def apply(probe: Probe) -> None:
    """Now, or as soon as what they change is imported."""
    workers, fill = probe.loader_workers, probe.fill_memory
    if workers is not None:
        after_import("torch.utils.data.dataloader", lambda: _give_workers(workers))
    if fill is not None:
        after_import("torch", lambda: _fill_memory(fill))


def _give_workers(count: int) -> None:
    loader: Any = sys.modules["torch.utils.data.dataloader"].DataLoader
    original = loader.__init__
    signature = inspect.signature(original)

    @functools.wraps(original)
    def __init__(*args: Any, **kwargs: Any) -> None:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:  # the original says why
            original(*args, **kwargs)
            return
        loader_itself = given.pop("self")
        if not count:
            for name in _FOR_WORKERS:
                given.pop(name, None)
        original(loader_itself, **{**given, "num_workers": count})

    loader.__init__ = __init__


def _fill_memory(fill: bool) -> None:
    import torch.utils.deterministic as deterministic

    settings: Any = deterministic
    settings.fill_uninitialized_memory = fill
