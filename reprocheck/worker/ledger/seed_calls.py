"""Wrappers of what seeds a generator, and on generators that nobody seeds."""

from __future__ import annotations

import contextlib
import random
import sys
from threading import get_ident
from typing import TYPE_CHECKING, Any

from reprocheck.worker.ledger import freeze
from reprocheck.worker.ledger.entries import Entry, Instruction, Source, instruction
from reprocheck.worker.ledger.replacer import Choice, Replacer

if TYPE_CHECKING:
    from reprocheck.worker.ledger.undrawn import Undrawn

STATE = "state"
"""The value of a seed call that sets a whole state."""
ENTROPY = "entropy"
"""The value of a seed call that takes a seed from the system."""
DEFAULT_SEED = 67280421310721
"""Of a torch.Generator() that was never seeded."""
_COPIES = "numpy.random._pickle"
OWN = frozenset({"torch"})
"""torch seeds its own loader workers and puts states back: no choice of the user's."""


def install(replacer: Replacer) -> None:
    """All of them, now or when their module is imported."""
    _watch_python(replacer)
    replacer.once_imported("numpy.random", lambda module: _watch_numpy(replacer, module))
    replacer.once_imported("torch", lambda _: _watch_torch(replacer))
    for module in ("sklearn.utils.validation", "scipy._lib._util"):
        replacer.once_imported(module, lambda found: _watch_random_states(replacer, found))


def _text_of(position: int, keyword: str) -> Any:
    def text(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        return _text(args[position] if len(args) > position else kwargs.get(keyword))

    return text


def _text(seed: Any) -> str:
    if isinstance(seed, (str, bytes, bool)) or seed is None:
        return repr(seed)
    if hasattr(seed, "tolist"):  # a tensor's or an array's repr is longer than its value
        seed = seed.tolist()
    return repr(seed)


def _seed_or_entropy(
    replacer: Replacer, name: str, generator: str, position: int, keyword: str, constant: Any
) -> Choice:
    """Calls with a seed, and calls that ask the system for one."""
    given = replacer.ledger.source(
        kind="seed", name=name, generator=generator, value=_text_of(position, keyword), not_from=OWN
    )
    taken = replacer.ledger.source(
        kind="seed", name=name, generator=generator, value=lambda *_: ENTROPY, item="unseeded", constant=constant,
        not_from=OWN,
    )  # fmt: skip

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source:
        seed = args[position] if len(args) > position else kwargs.get(keyword)
        return taken if seed is None else given

    return choose


def _watch_states(replacer: Replacer, generator: str, owner: Any, get: str, put: str, **fields: Any) -> None:
    """A state that the generator had before and gets back seeds nothing: only others are taken down."""
    if not (hasattr(owner, get) and hasattr(owner, put)):
        return
    original = getattr(owner, get)
    fields = {"name": f"{owner.__name__}.{put}", **fields}
    source = replacer.ledger.source(kind="seed", generator=generator, value=lambda *_: STATE, **fields)
    known = replacer.ledger.put_back(generator)

    def getter(*args: Any, **kwargs: Any) -> Any:
        state = original(*args, **kwargs)
        if not str(sys._getframe(1).f_globals.get("__name__")).startswith("reprocheck."):
            with contextlib.suppress(Exception):
                known.got(state)
        return state

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source | None:
        return None if known.is_put_back((*args, *kwargs.values())[0]) else source

    replacer.replace(owner, get, getter)
    replacer.watch_by_choice(owner, put, choose)


def _watch_python(replacer: Replacer) -> None:
    seed = random.seed
    choice = _seed_or_entropy(
        replacer, "random.seed", "python", 0, "a", lambda entry, *_: seed(freeze.constant_seed(entry))
    )
    replacer.watch_by_choice(random, "seed", choice)
    _watch_states(replacer, "python", random, "getstate", "setstate")
    _watch_python_instances(replacer)


def _watch_python_instances(replacer: Replacer) -> None:
    own = frozenset({"random"})
    instance = "random.Random"
    seed, init = random.Random.seed, random.Random.__init__
    choice = _seed_or_entropy(
        replacer,
        "random.Random.seed",
        instance,
        1,
        "a",
        lambda entry, args, _: seed(args[0], freeze.constant_seed(entry)),
    )
    made = replacer.ledger.source(
        kind="unseeded", name=instance, generator=instance, not_from=own,
        constant=lambda entry, args, _: init(args[0], freeze.constant_seed(entry)),
    )  # fmt: skip
    given = replacer.ledger.source(kind="seed", name=instance, generator=instance, value=_text_of(1, "x"), not_from=own)
    system = replacer.ledger.source(kind="entropy", name="random.SystemRandom", generator="random.SystemRandom")

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source | None:
        if isinstance(args[0], random.SystemRandom):
            return system
        return made if (args[1] if len(args) > 1 else kwargs.get("x")) is None else given

    replacer.watch_by_choice(random.Random, "seed", choice)
    replacer.watch_by_choice(random.Random, "__init__", choose)


def _watch_numpy(replacer: Replacer, numpy_random: Any) -> None:
    from reprocheck.worker.ledger.undrawn import Undrawn

    undrawn = Undrawn(replacer.ledger)
    seed, default_rng = numpy_random.seed, numpy_random.default_rng
    choice = _seed_or_entropy(
        replacer, "numpy.random.seed", "numpy", 0, "seed", lambda entry, *_: seed(freeze.constant_seed(entry))
    )
    replacer.watch_by_choice(numpy_random, "seed", choice)
    _watch_states(replacer, "numpy", numpy_random, "get_state", "set_state")
    generator = "numpy.random.Generator"
    given = replacer.ledger.source(
        kind="seed", name="numpy.random.default_rng", generator=generator, value=_text_of(0, "seed")
    )
    made = replacer.ledger.source(
        kind="unseeded", name="numpy.random.default_rng", generator=generator,
        constant=lambda entry, *_: default_rng(freeze.constant_seed(entry)),
    )  # fmt: skip

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source | None:
        seed = args[0] if args else kwargs.get("seed")
        if seed is None:
            return made
        return given if isinstance(seed, int) or not hasattr(seed, "random_raw") else None

    replacer.watch_by_choice(numpy_random, "default_rng", choose, then=undrawn.hold)
    _watch_numpy_entropy(replacer, numpy_random, undrawn)
    for library in ("gymnasium", "gym"):
        replacer.once_imported(
            f"{library}.utils.seeding", lambda module: _watch_environments(replacer, module, undrawn)
        )


def _watch_environments(replacer: Replacer, module: Any, undrawn: Undrawn) -> None:
    """Environments make generators through one function: how they are seeded is taken down below it."""
    np_random = module.np_random

    def wrapper(seed: Any = None) -> Any:
        made = np_random(seed)
        if seed is None:
            with contextlib.suppress(Exception):
                undrawn.hold(made[0])
        return made

    replacer.replace(module, "np_random", wrapper)


def _watch_numpy_entropy(replacer: Replacer, numpy_random: Any, undrawn: Undrawn) -> None:
    """Every numpy generator without a seed asks one function for its entropy: no class has to be replaced.

    RandomState(seed) makes an unseeded one first and seeds that: then the use is taken back, as of a `seed(...)` later.
    """
    source = replacer.ledger.source(
        kind="unseeded",
        name="numpy.random.SeedSequence",
        generator="numpy.random.BitGenerator",
    )
    state = "numpy.random.RandomState"
    given = replacer.ledger.source(kind="seed", name=state, generator=state, value=_text_of(0, "seed"))
    randbits = numpy_random.bit_generator.randbits
    legacy_seeding = numpy_random.MT19937._legacy_seeding
    last: dict[int, tuple[Instruction, Entry]] = {}

    def take(bits: int) -> int:
        frame = sys._getframe(1)
        if frame.f_globals.get("__name__") == _COPIES and not replacer.ledger.in_child:
            return int(randbits(bits))  # a copy: the state of the original takes its place
        entry = replacer.ledger.use(source, frame, (), {})
        if entry is None:
            return int(randbits(bits))
        last[get_ident()] = (instruction(frame), entry)
        if entry.frozen:
            return freeze.constant_seed(entry)
        entropy = int(randbits(bits))
        undrawn.made(entry, entropy)
        return entropy

    def _legacy_seeding(generator: Any, seed: Any) -> None:
        where, entry = last.pop(get_ident(), (None, None))
        if seed is not None and (entry is None or where != instruction(sys._getframe(1))):
            entry = undrawn.seeded(generator)
        if entry is not None and seed is not None:
            replacer.ledger.take_back(entry)
            replacer.ledger.use(given, sys._getframe(1), (seed,), {})
        legacy_seeding(generator, seed)

    replacer.replace(numpy_random.bit_generator, "randbits", take)
    replacer.replace(numpy_random.MT19937, "_legacy_seeding", _legacy_seeding)


def _watch_torch(replacer: Replacer) -> None:
    import torch
    import torch.cuda
    import torch.random

    def reseed(entry: Any, *_: Any) -> int:
        manual_seed(freeze.constant_seed(entry))
        return freeze.constant_seed(entry)

    def reseed_own(entry: Any, args: tuple[Any, ...], _: Any) -> int:
        manual_seed_of(args[0], freeze.constant_seed(entry))
        return freeze.constant_seed(entry)

    own: Any = torch._C.Generator
    manual_seed, manual_seed_of = torch.manual_seed, own.manual_seed
    text, entropy, state = _text_of(0, "seed"), (lambda *_: ENTROPY), (lambda *_: STATE)
    for owner in (torch, torch.random):
        shared: dict[str, Any] = {"kind": "seed", "generator": "torch", "not_from": OWN}
        replacer.watch(owner, "manual_seed", name="torch.manual_seed", value=text, **shared)
        replacer.watch(owner, "seed", name="torch.seed", value=entropy, item="unseeded", constant=reseed, **shared)
    for owner in (torch, torch.random):
        _watch_states(
            replacer, "torch", owner, "get_rng_state", "set_rng_state", name="torch.set_rng_state", not_from=OWN
        )
    _watch_states(replacer, "cuda", torch.cuda, "get_rng_state", "set_rng_state", not_from=OWN)
    for name in ("manual_seed", "manual_seed_all", "seed", "seed_all"):
        value = text if name.startswith("manual") else entropy
        replacer.watch(torch.cuda, name, kind="seed", generator="cuda", value=value, not_from=OWN)
    shared = {"kind": "seed", "generator": "torch.Generator", "not_from": OWN}
    replacer.watch(own, "manual_seed", name="torch.Generator.manual_seed", value=_text_of(1, "seed"), **shared)
    replacer.watch(own, "set_state", name="torch.Generator.set_state", value=state, **shared)
    replacer.watch(
        own, "seed", name="torch.Generator.seed", value=entropy, item="unseeded", constant=reseed_own, **shared
    )


def _watch_random_states(replacer: Replacer, module: Any) -> None:
    """`random_state=None`: it draws from numpy's global generator, whoever seeded that."""
    import numpy as np

    draws = replacer.ledger.source(
        kind="unseeded", name=f"{module.__name__.partition('.')[0]} random_state=None", generator="numpy",
        constant=lambda entry, *_: np.random.RandomState(freeze.constant_seed(entry)),
    )  # fmt: skip

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source | None:
        seed = args[0] if args else kwargs.get("seed")
        return draws if seed is None or seed is np.random else None

    replacer.watch_by_choice(module, "check_random_state", choose)
