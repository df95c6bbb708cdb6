"""Settings of the target that a run changes from outside, to see whether they matter."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from typing import Any

from reprocheck.model import Interventions
from reprocheck.worker.bootstrap.importing import after_import

_FOR_WORKERS = ("prefetch_factor", "persistent_workers", "multiprocessing_context", "timeout")
"""What a loader without workers refuses."""

applied: set[str] = set()
"""What an override could reach so far: `loader`, `optimizer`."""


def apply(changes: Interventions, *, watch: bool) -> None:
    """Now, or as soon as what they change is imported. `watch`: note what they could reach, too."""
    fill, onednn, precision = changes.fill_memory, changes.mkldnn, changes.matmul_precision
    if changes.umask is not None:
        os.umask(changes.umask)
    if fill is not None:
        after_import("torch", lambda: _fill_memory(fill))
    if onednn is not None:
        after_import("torch", lambda: _torch()._C._set_mkldnn_enabled(onednn))
    if precision is not None:
        after_import("torch", lambda: _torch().set_float32_matmul_precision(precision))
    if changes.loader_workers is not None or watch:
        after_import("torch.utils.data.dataloader", lambda: _give_workers(changes.loader_workers))
    if changes.optimizer is not None or watch:
        after_import("torch", lambda: _give_implementation(changes.optimizer))


def _torch() -> Any:
    return sys.modules["torch"]


def _give_implementation(word: str | None) -> None:
    """Optimizers are named by their defaults, which each hands to the constructor of the base class."""
    base: Any = _torch().optim.Optimizer
    original = base.__init__

    @functools.wraps(original)
    def __init__(self: Any, params: Any, defaults: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(defaults, dict) and "foreach" in defaults and (word != "fused" or "fused" in defaults):
            applied.add("optimizer")
            if word is not None:
                defaults = {**defaults, "foreach": word == "foreach"}
                if "fused" in defaults:
                    defaults["fused"] = True if word == "fused" else None
        original(self, params, defaults, *args, **kwargs)

    base.__init__ = __init__


def _give_workers(count: int | None) -> None:
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
        applied.add("loader")
        if count is None:
            original(*args, **kwargs)
            return
        if not count:
            for name in _FOR_WORKERS:
                given.pop(name, None)
        original(loader_itself, **{**given, "num_workers": count})

    loader.__init__ = __init__


def _fill_memory(fill: bool) -> None:
    import torch.utils.deterministic as deterministic

    settings: Any = deterministic
    settings.fill_uninitialized_memory = fill
