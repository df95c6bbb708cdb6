"""Taps on threads, pools, processes and data loaders: where the order of things may hang on scheduling."""

from __future__ import annotations

import inspect
import sys
import threading
from typing import Any

from reprocheck.worker.ledger.entries import Reach, Source
from reprocheck.worker.ledger.ledger import in_main_thread
from reprocheck.worker.ledger.taps_draws import unseeded_generator
from reprocheck.worker.ledger.taps_replace import Replacer
from reprocheck.worker.ledger.taps_seeds import DEFAULT_SEED

_LOADER_FIELDS = ("num_workers", "shuffle", "worker_init_fn", "generator", "multiprocessing_context",
                  "persistent_workers")  # fmt: skip


def install(taps: Replacer) -> None:
    """All of them, now or when their module is imported."""
    taps.tap(threading.Thread, "__init__", kind="thread", name="threading.Thread", value=_target_name)
    taps.tap(threading.Thread, "start", kind="thread", name="threading.Thread.start", value=_thread_name)
    _tap_pools(taps)
    _tap_queues(taps)
    taps.once_imported("torch", lambda torch: _tap_sharing(taps, torch.nn.Module))
    taps.once_imported("torch.utils.data.dataloader", lambda module: _tap_loaders(taps, module.DataLoader))


def _target_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    target = kwargs.get("target", args[2] if len(args) > 2 else None)
    return _name(target) if target is not None else type(args[0]).__qualname__


def _thread_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    target = getattr(args[0], "_target", None)
    return _name(target) if target is not None else type(args[0]).__qualname__


def _name(value: Any) -> str:
    return str(getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__)


def _tap_pools(taps: Replacer) -> None:
    def tap(module: str, owner: str, name: str, /, **fields: Any) -> None:
        def act(found: Any) -> None:
            taps.tap(getattr(found, owner) if owner else found, name, kind="pool", **fields)

        taps.once_imported(module, act)

    thread_pool, process_pool = "concurrent.futures.thread", "concurrent.futures.process"
    tap(thread_pool, "ThreadPoolExecutor", "__init__", name="concurrent.futures.ThreadPoolExecutor")
    tap(process_pool, "ProcessPoolExecutor", "__init__", name="concurrent.futures.ProcessPoolExecutor")
    for module in ("concurrent.futures._base", "concurrent.futures"):
        tap(module, "", "as_completed", name="concurrent.futures.as_completed")
    pool = "multiprocessing.pool.Pool"
    tap("multiprocessing.pool", "Pool", "__init__", name=pool, reach=Reach.FAR, value=_pool_text)
    tap("multiprocessing.pool", "Pool", "imap_unordered", name=f"{pool}.imap_unordered")
    tap("multiprocessing.process", "BaseProcess", "start", name="multiprocessing.Process", value=_start_method,
        reach=Reach.FAR)  # fmt: skip


def _pool_text(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    context = kwargs.get("context")
    return "" if context is None else str(context.get_start_method())


def _start_method(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    method = getattr(args[0], "_start_method", None)
    return str(method or sys.modules["multiprocessing"].get_start_method())


def _tap_queues(taps: Replacer) -> None:
    """Taking from a queue: what comes first may hang on who was first."""
    for module, owner in (("queue", "Queue"), ("multiprocessing.queues", "Queue"),
                          ("multiprocessing.queues", "SimpleQueue")):  # fmt: skip
        source = taps.ledger.source(kind="pool", name=f"{module}.{owner}.get", reach=Reach.DIRECT)

        def choose(args: tuple[Any, ...], kwargs: dict[str, Any], source: Source = source) -> Source | None:
            return source if in_main_thread() else None

        def act(found: Any, owner: str = owner, choose: Any = choose) -> None:
            taps.tap_by_choice(getattr(found, owner), "get", choose)

        taps.once_imported(module, act)


def _tap_sharing(taps: Replacer, module: Any) -> None:
    taps.tap(module, "share_memory", kind="share_memory", name="torch.nn.Module.share_memory")


def _tap_loaders(taps: Replacer, loader: Any) -> None:
    signature = inspect.signature(loader.__init__)

    def bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return dict(signature.bind(*args, **kwargs).arguments)

    def value(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        given = bound(args, kwargs)
        return ", ".join(
            f"{name}={_loader_text(given[name])}" for name in _LOADER_FIELDS if given.get(name) is not None
        )

    made = taps.ledger.source(kind="loader", name="torch.utils.data.DataLoader", value=value)
    unseeded = unseeded_generator(taps)

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source:
        generator = kwargs.get("generator")
        if generator is not None and generator.initial_seed() == DEFAULT_SEED:
            taps.ledger.use(unseeded, sys._getframe(2), args, kwargs)
        return made

    taps.tap_by_choice(loader, "__init__", choose)


def _loader_text(value: Any) -> str:
    if hasattr(value, "initial_seed"):
        seed = value.initial_seed()
        return (
            "torch.Generator with its default seed" if seed == DEFAULT_SEED else f"torch.Generator seeded with {seed}"
        )
    return repr(value) if isinstance(value, (bool, int, str)) else _name(value)
