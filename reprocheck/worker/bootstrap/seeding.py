"""Seed the generators, and fingerprint their states."""

from __future__ import annotations

import ctypes
import random
import sys
from array import array
from typing import Any

from xxhash import xxh3_128, xxh3_128_digest

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
    return _DIGESTS[generator]()


class _Memory:
    """The integers of a generator of the kind MT19937 where they lie: to ask for its state copies them word by word."""

    def __init__(self, generator: Any, address: int) -> None:
        self._generator = generator  # held: as long as it is there, they are
        self.values: Any = (ctypes.c_char * MT19937_BYTES).from_address(address)
        self.last: Any = None
        """What else belonged to the state when it was last looked at, or a digest of the integers then."""
        self.known = b""
        """What follows from that."""

    def is_of(self, generator: Any) -> bool:
        """Whether it is that of this generator."""
        return self._generator is generator


class _Known:
    """Of the generators of a process, as far as they are known."""

    python: _Memory | None = None
    numpy: _Memory | None = None
    contents_digest: Any = None
    """Imported with torch: an import in every step is a search in every step."""
    is_python_laid_out: bool | None = None if sys.implementation.name == "cpython" else False
    """Whether the state of python's generator lies right behind the head of the object; looked at once."""


def _python_digest() -> bytes:
    """Of position and integers of the generator, and the gauss that it keeps."""
    generator: Any = getattr(random, "_inst", None)
    memory = _Known.python
    if memory is None or not memory.is_of(generator):
        memory = _Known.python = _python_memory(generator)
    if memory is None:
        version, values, gauss = random.getstate()
        in_memory = array("I", [values[-1], *values[:-1]]).tobytes()
        return xxh3_128_digest(in_memory + repr((version, gauss)).encode())
    gauss = generator.gauss_next
    if not memory.known or gauss is not memory.last:
        memory.last, memory.known = gauss, repr((generator.VERSION, gauss)).encode()
    digest = xxh3_128(memory.values)
    digest.update(memory.known)
    return digest.digest()


def _python_memory(generator: Any) -> _Memory | None:
    """None where its integers lie elsewhere than expected."""
    if type(generator) is not random.Random or _Known.is_python_laid_out is False:
        return None
    memory = _Memory(generator, id(generator) + object.__basicsize__)
    if _Known.is_python_laid_out is None:
        try:
            values = generator.getstate()[1]
            _Known.is_python_laid_out = memory.values.raw == array("I", [values[-1], *values[:-1]]).tobytes()
        except Exception:
            _Known.is_python_laid_out = False
    return memory if _Known.is_python_laid_out else None


def _numpy_digest() -> bytes | None:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or "numpy.random" not in sys.modules:
        return None
    generator: Any = numpy.random.get_bit_generator() if hasattr(numpy.random, "get_bit_generator") else None
    memory = _Known.numpy
    if memory is None or not memory.is_of(generator):
        is_known = type(generator).__name__ == "MT19937"
        memory = _Known.numpy = _Memory(generator, generator.ctypes.state_address) if is_known else None
    values = None if memory is None else xxh3_128_digest(memory.values)
    if memory is not None and memory.known and values == memory.last:
        return memory.known
    state = numpy.random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return xxh3_128_digest(repr(state).encode())
    tail = (state["state"]["pos"], state["has_gauss"], state["gauss"])
    found = xxh3_128_digest(bytes(state["state"]["key"].tobytes()) + repr(tail).encode())
    if memory is not None:
        # NOTE: with a gauss kept, the next draw would use it up and leave the integers as they are.
        memory.last, memory.known = values, (b"" if state["has_gauss"] else found)
    return found


def _torch_digest() -> bytes | None:
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "default_generator"):
        return None
    if _Known.contents_digest is None:
        from reprocheck.worker.fingerprint.digest import contents_digest

        _Known.contents_digest = contents_digest
    digest: bytes = _Known.contents_digest(torch.default_generator.get_state())
    return digest


def _cuda_digest() -> bytes | None:
    torch: Any = sys.modules.get("torch")
    if torch is None or not getattr(torch, "cuda", None) or not torch.cuda.is_initialized():
        return None
    from reprocheck.worker.fingerprint.digest import raw_bytes

    return xxh3_128_digest(b"".join(raw_bytes(generator.get_state()) for generator in torch.cuda.default_generators))


_DIGESTS = {"python": _python_digest, "numpy": _numpy_digest, "torch": _torch_digest, "cuda": _cuda_digest}
