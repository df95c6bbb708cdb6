"""Seed the generators, and fingerprint their states."""

from __future__ import annotations

import ctypes
import random
import sys
from array import array
from typing import Any

from xxhash import xxh3_128_digest

from reprocheck.model import Seeding
from reprocheck.worker.bootstrap.importing import after_import

GENERATORS = ("python", "numpy", "torch", "cuda")
"""In the order of the `rng` kinds of a step record."""
MT19937_BYTES = 4 * 624 + 4
"""624 integers and the position in them."""


def seed_before_import(seed: int, seeding: Seeding) -> None:
    """Seed python now; numpy and torch as soon as each is imported, before its importer goes on."""
    if seeding is Seeding.NONE:
        return
    after_import("torch", lambda: _seed_torch(seed))
    if seeding is Seeding.ALL:
        random.seed(seed)
        after_import("numpy", lambda: _seed_numpy(seed))


def seed_again(seed: int, seeding: Seeding) -> None:
    """As at the start, the generators of what is imported by now."""
    if seeding is Seeding.NONE:
        return
    if "torch" in sys.modules:
        _seed_torch(seed)
    if seeding is Seeding.ALL:
        random.seed(seed)
        if "numpy" in sys.modules:
            _seed_numpy(seed)


def _seed_numpy(seed: int) -> None:
    import numpy as np

    np.random.seed(seed)


def _seed_torch(seed: int) -> None:
    import torch

    torch.manual_seed(seed)  # and every CUDA device, when CUDA is initialised


def state_digest(generator: str) -> bytes | None:
    """Digest of one generator's state; None where its library is not in use."""
    state = _STATES[generator]()
    return None if state is None else xxh3_128_digest(state)


def _python_state() -> bytes:
    """Position and integers of the generator, and the gauss that it keeps."""
    generator: Any = getattr(random, "_inst", None)
    memory = _python_values(generator)
    if memory is None:
        version, values, gauss = random.getstate()
        memory = array("I", [values[-1], *values[:-1]]).tobytes()
        return memory + repr((version, gauss)).encode()
    return memory + repr((generator.VERSION, generator.gauss_next)).encode()


def _python_values(generator: Any) -> bytes | None:
    """What it has in memory: getstate() makes an integer of every word. None where it lies elsewhere than expected."""
    if type(generator) is not random.Random:
        return None
    if _layout.is_known is None:
        try:
            values = generator.getstate()[1]
            found = ctypes.string_at(id(generator) + object.__basicsize__, MT19937_BYTES)
            _layout.is_known = found == array("I", [values[-1], *values[:-1]]).tobytes()
        except Exception:
            _layout.is_known = False
    return ctypes.string_at(id(generator) + object.__basicsize__, MT19937_BYTES) if _layout.is_known else None


class _Layout:
    """Whether the state of python's generator lies right behind the head of the object; looked at once."""

    is_known: bool | None = None if sys.implementation.name == "cpython" else False


_layout = _Layout()


def _numpy_state() -> bytes | None:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or "numpy.random" not in sys.modules:
        return None
    values = _mt19937_values(numpy)
    if values and values == _numpy_last.values:
        return _numpy_last.state
    state = numpy.random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return repr(state).encode()
    tail = (state["state"]["pos"], state["has_gauss"], state["gauss"])
    found = bytes(state["state"]["key"].tobytes()) + repr(tail).encode()
    # NOTE: with a gauss kept, the next draw would use it up and leave the integers as they are.
    _numpy_last.values, _numpy_last.state = (b"" if state["has_gauss"] else values), found
    return found


def _mt19937_values(numpy: Any) -> bytes:
    """What numpy's global generator has in memory; asking for its state copies it word by word. Empty if unknown."""
    generator: Any = numpy.random.get_bit_generator() if hasattr(numpy.random, "get_bit_generator") else None
    if type(generator).__name__ != "MT19937":
        return b""
    return ctypes.string_at(generator.ctypes.state_address, MT19937_BYTES)


class _Numpy:
    """The state that was read last, and the integers that it belongs to."""

    values = state = b""


_numpy_last = _Numpy()


def _torch_state() -> bytes | None:
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "default_generator"):
        return None
    from reprocheck.worker.fingerprint.digest import raw_bytes

    return bytes(raw_bytes(torch.default_generator.get_state()))


def _cuda_state() -> bytes | None:
    torch: Any = sys.modules.get("torch")
    if torch is None or not getattr(torch, "cuda", None) or not torch.cuda.is_initialized():
        return None
    from reprocheck.worker.fingerprint.digest import raw_bytes

    return b"".join(bytes(raw_bytes(generator.get_state())) for generator in torch.cuda.default_generators)


_STATES = {"python": _python_state, "numpy": _numpy_state, "torch": _torch_state, "cuda": _cuda_state}
