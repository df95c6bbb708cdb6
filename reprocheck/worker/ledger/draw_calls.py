"""Wrappers of draws from the global generators of python, numpy and torch.

Draws inside torch's own kernels (dropout) have no Python function that could be replaced without torch.jit noticing;
they are not taken down.
"""

from __future__ import annotations

import random
import sys
from typing import Any

from reprocheck.worker.ledger.entries import Source
from reprocheck.worker.ledger.ledger import in_main_thread
from reprocheck.worker.ledger.replacer import Choice, Replacer
from reprocheck.worker.ledger.seed_calls import DEFAULT_SEED

THREAD = "thread"
"""The value of a draw that came first from another thread than the main one."""
_NOT_DRAWS = {"seed", "getstate", "setstate", "get_state", "set_state"}
_FACTORIES = ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson", "rand_like",
              "randn_like", "randint_like")  # fmt: skip
_METHODS = ("normal_", "uniform_", "random_", "bernoulli_", "bernoulli", "multinomial", "exponential_", "geometric_",
            "log_normal_", "cauchy_")  # fmt: skip


def install(replacer: Replacer) -> None:
    """All of them, now or when their module is imported."""
    for name in random.__all__:
        if name not in _NOT_DRAWS and isinstance(getattr(getattr(random, name), "__self__", None), random.Random):
            replacer.watch(random, name, kind="draw", generator="python", value=_thread)
    replacer.once_imported("numpy.random", lambda module: _watch_numpy(replacer, module))
    replacer.once_imported("torch", lambda _: _watch_torch(replacer))
    replacer.once_imported(
        "torch._dynamo.variables.user_defined", lambda module: _register_with_dynamo(replacer, module)
    )


def _thread(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    return "" if in_main_thread() else THREAD


def _watch_numpy(replacer: Replacer, module: Any) -> None:
    for name in module.__all__:
        if name not in _NOT_DRAWS and getattr(getattr(module, name), "__self__", None) is module.mtrand._rand:
            replacer.watch(module, name, kind="draw", generator="numpy", value=_thread)


def _watch_torch(replacer: Replacer) -> None:
    import torch
    from torch.utils import _device

    # NOTE: a table of the factories that torch.device as a context redirects; it must hold the originals.
    _device._device_constructors()
    randperm = torch.randperm

    def watch_splits(module: Any) -> None:
        if module.randperm is randperm:  # imported by its name before
            module.randperm = torch.randperm

    for name in _FACTORIES:
        replacer.watch_by_choice(torch, name, _global_or_private(replacer, f"torch.{name}"))
    for name in _METHODS:
        replacer.watch_by_choice(torch.Tensor, name, _global_or_private(replacer, f"torch.Tensor.{name}"))
    replacer.once_imported("torch.utils.data.dataset", watch_splits)


def _register_with_dynamo(replacer: Replacer, module: Any) -> None:
    """Its table of the random functions that it can compile is made on first use, and must hold the originals."""
    with replacer.taken_away("random"):
        module.UserDefinedObjectVariable._supported_random_functions()


def _global_or_private(replacer: Replacer, name: str) -> Choice:
    """A draw from torch's generators, or one from a private generator that was never seeded."""
    cpu = replacer.ledger.source(kind="draw", name=name, generator="torch", value=_thread)
    cuda = replacer.ledger.source(kind="draw", name=name, generator="cuda", value=_thread)
    unseeded = unseeded_generator(replacer)
    default: Any = sys.modules["torch"].default_generator

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source | None:
        generator = kwargs.get("generator")
        if generator is not None and generator is not default:
            return unseeded if generator.initial_seed() == DEFAULT_SEED else None
        device = kwargs.get("device")
        if device is None:
            return cuda if args and getattr(args[0], "is_cuda", False) else cpu
        return cuda if "cuda" in str(device) else cpu

    return choose


def unseeded_generator(replacer: Replacer) -> Source:
    """The use of a torch.Generator() that still has the seed that it was born with."""
    return replacer.ledger.source(
        kind="unseeded", name="torch.Generator", generator="torch.Generator", value=lambda *_: "default seed"
    )
