"""Settings of the target that a run changes from outside, to see whether they matter."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from reprocheck.model import Interventions
from reprocheck.worker.bootstrap.importing import after_import

_FOR_WORKERS = ("prefetch_factor", "persistent_workers", "multiprocessing_context", "timeout")
"""What a loader without workers refuses."""
_OF_PARALLEL = ("bucket_cap_mb", "gradient_as_bucket_view", "static_graph")
"""Arguments of DistributedDataParallel, by the names of the interventions."""

applied: set[str] = set()
"""What an override could reach so far: `loader`, `optimizer`, `ddp`."""


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
    parallel = {name: value for name in _OF_PARALLEL if (value := getattr(changes, name)) is not None}
    if parallel or watch:
        after_import("torch.nn.parallel.distributed", lambda: _give_to_parallel(parallel))


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
    def change(given: dict[str, Any]) -> None:
        applied.add("loader")
        if count is None:
            return
        if not count:
            for name in _FOR_WORKERS:
                given.pop(name, None)
        given["num_workers"] = count

    _change_arguments(sys.modules["torch.utils.data.dataloader"], "DataLoader", change)


def _give_to_parallel(values: Mapping[str, Any]) -> None:
    def change(given: dict[str, Any]) -> None:
        applied.add("ddp")
        given.update(values)

    _change_arguments(sys.modules["torch.nn.parallel.distributed"], "DistributedDataParallel", change)


def _change_arguments(module: Any, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Of the constructor of a class."""
    kind: Any = getattr(module, name)
    original = kind.__init__
    signature = inspect.signature(original)

    @functools.wraps(original)
    def __init__(*args: Any, **kwargs: Any) -> None:
        try:
            given = dict(signature.bind(*args, **kwargs).arguments)
        except TypeError:  # the original says why
            original(*args, **kwargs)
            return
        itself = given.pop("self")
        before = dict(given)
        change(given)
        if given == before:
            original(*args, **kwargs)
        else:
            original(itself, **given)

    kind.__init__ = __init__


def _fill_memory(fill: bool) -> None:
    import torch.utils.deterministic as deterministic

    settings: Any = deterministic
    settings.fill_uninitialized_memory = fill
