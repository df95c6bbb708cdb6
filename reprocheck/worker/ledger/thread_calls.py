"""Wrappers of threads, pools, processes and data loaders: where the order of things may depend on scheduling."""

from __future__ import annotations

import inspect
import sys
import threading
from typing import Any

from reprocheck.worker.ledger.draw_calls import unseeded_generator
from reprocheck.worker.ledger.entries import Reach, Source
from reprocheck.worker.ledger.ledger import in_main_thread
from reprocheck.worker.ledger.replacer import Replacer
from reprocheck.worker.ledger.seed_calls import DEFAULT_SEED

_LOADER_FIELDS = ("num_workers", "shuffle", "worker_init_fn", "generator", "multiprocessing_context",
                  "persistent_workers")  # fmt: skip


def install(replacer: Replacer) -> None:
    """All of them, now or when their module is imported."""
    replacer.watch(threading.Thread, "__init__", kind="thread", name="threading.Thread", value=_target_name)
    replacer.watch(threading.Thread, "start", kind="thread", name="threading.Thread.start", value=_thread_name)
    _watch_pools(replacer)
    _watch_queues(replacer)
    replacer.once_imported("torch", lambda torch: _watch_sharing(replacer, torch.nn.Module))
    replacer.once_imported("torch.utils.data.dataloader", lambda module: _watch_loaders(replacer, module.DataLoader))


def _target_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    target = kwargs.get("target", args[2] if len(args) > 2 else None)
    return _name(target) if target is not None else type(args[0]).__qualname__


def _thread_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    target = getattr(args[0], "_target", None)
    return _name(target) if target is not None else type(args[0]).__qualname__


def _name(value: Any) -> str:
    return str(getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__)


def _watch_pools(replacer: Replacer) -> None:
    def watch(module: str, owner: str, name: str, /, **fields: Any) -> None:
        def act(found: Any) -> None:
            replacer.watch(getattr(found, owner) if owner else found, name, kind="pool", **fields)

        replacer.once_imported(module, act)

    thread_pool, process_pool = "concurrent.futures.thread", "concurrent.futures.process"
    watch(thread_pool, "ThreadPoolExecutor", "__init__", name="concurrent.futures.ThreadPoolExecutor")
    watch(process_pool, "ProcessPoolExecutor", "__init__", name="concurrent.futures.ProcessPoolExecutor")
    for module in ("concurrent.futures._base", "concurrent.futures"):
        watch(module, "", "as_completed", name="concurrent.futures.as_completed")
    pool = "multiprocessing.pool.Pool"
    watch("multiprocessing.pool", "Pool", "__init__", name=pool, reach=Reach.FAR, value=_pool_text)
    watch("multiprocessing.pool", "Pool", "imap_unordered", name=f"{pool}.imap_unordered")
    watch("multiprocessing.process", "BaseProcess", "start", name="multiprocessing.Process", value=_start_method,
        reach=Reach.FAR)  # fmt: skip


def _pool_text(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    context = kwargs.get("context")
    return "" if context is None else str(context.get_start_method())


def _start_method(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    method = getattr(args[0], "_start_method", None)
    return str(method or sys.modules["multiprocessing"].get_start_method())


def _watch_queues(replacer: Replacer) -> None:
    """Taking from a queue: what comes first may depend on who was first."""
    for module, owner in (("queue", "Queue"), ("multiprocessing.queues", "Queue"),
                          ("multiprocessing.queues", "SimpleQueue")):  # fmt: skip
        source = replacer.ledger.source(kind="pool", name=f"{module}.{owner}.get", reach=Reach.DIRECT)

        def choose(args: tuple[Any, ...], kwargs: dict[str, Any], source: Source = source) -> Source | None:
            return source if in_main_thread() else None

        def act(found: Any, owner: str = owner, choose: Any = choose) -> None:
            replacer.watch_by_choice(getattr(found, owner), "get", choose)

        replacer.once_imported(module, act)


def _watch_sharing(replacer: Replacer, module: Any) -> None:
    replacer.watch(module, "share_memory", kind="share_memory", name="torch.nn.Module.share_memory")


def _watch_loaders(replacer: Replacer, loader: Any) -> None:
    signature = inspect.signature(loader.__init__)

    def bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return dict(signature.bind(*args, **kwargs).arguments)

    def value(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        given = bound(args, kwargs)
        return ", ".join(
            f"{name}={_loader_text(given[name])}" for name in _LOADER_FIELDS if given.get(name) is not None
        )

    made = replacer.ledger.source(kind="loader", name="torch.utils.data.DataLoader", value=value)
    unseeded = unseeded_generator(replacer)

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source:
        generator = kwargs.get("generator")
        if generator is not None and generator.initial_seed() == DEFAULT_SEED:
            replacer.ledger.use(unseeded, sys._getframe(2), args, kwargs)
        return made

    replacer.watch_by_choice(loader, "__init__", choose)


def _loader_text(value: Any) -> str:
    if hasattr(value, "initial_seed"):
        seed = value.initial_seed()
        return (
            "torch.Generator with its default seed" if seed == DEFAULT_SEED else f"torch.Generator seeded with {seed}"
        )
    return repr(value) if isinstance(value, (bool, int, str)) else _name(value)
