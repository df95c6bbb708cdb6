"""The records of steps, in order: each is written once its digests are there."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from reprocheck.protocol import (
    DECIDING_KINDS,
    EMPTY_DIGEST,
    FLAG_DEVICE,
    FLAG_TAIL,
    FLAG_THREAD,
    STEP_HEADER,
    STEP_KINDS,
)
from reprocheck.worker.bootstrap.seeding import GENERATORS, state_digest
from reprocheck.worker.fingerprint import device_digest
from reprocheck.worker.fingerprint.digest import DeferredDigest, bytes_digest
from reprocheck.worker.observe.top_models import is_main_thread
from reprocheck.worker.recorder import Recorder

MOST_WAITING = 64
"""Steps whose record may wait for a device."""

_RNG_KINDS = tuple((generator, f"rng {generator}") for generator in GENERATORS)
_DECIDING = tuple(place for place, kind in enumerate(STEP_KINDS) if kind in DECIDING_KINDS)

Digests = dict[str, bytes | DeferredDigest]


class StepRecords:
    """Writes them."""

    def __init__(self, recorder: Recorder, on_step: Callable[[int], None]) -> None:
        """`on_step`: hears of every step that is counted, with their number so far."""
        self._recorder = recorder
        self._on_step = on_step
        self._chain = EMPTY_DIGEST
        self._waiting: deque[tuple[int, int, int, Digests]] = deque()
        """Number, optimizer, flags and digests of steps that are not written yet."""
        self._lock = threading.Lock()
        self.count = 0
        self.waits = False
        """A record is written before the target goes on, also where it has to wait for a device."""

    def write(self, kinds: Digests, optimizer: int, flags: int) -> None:
        """Of the next step, or of what came after the last one."""
        if is_main_thread():
            for generator, kind in _RNG_KINDS:
                kinds[kind] = state_digest(generator) or EMPTY_DIGEST
        else:
            flags |= FLAG_THREAD
        if DeferredDigest in map(type, kinds.values()):
            flags |= FLAG_DEVICE
            device_digest.send()
        while device_digest.problems:
            self._recorder.line("note", text=device_digest.problems.pop())
        with self._lock:
            self._waiting.append((self.count, optimizer, flags, kinds))
            self.write_waiting(wait=bool(flags & FLAG_TAIL))
            if not flags & FLAG_TAIL:
                self.count += 1
                self._on_step(self.count)

    def write_waiting(self, wait: bool) -> None:
        """Write the records of steps whose digests are there, in order; or wait for all."""
        while self._waiting:
            number, optimizer, flags, kinds = self._waiting[0]
            must = wait or self.waits or len(self._waiting) > MOST_WAITING
            late = [digest for digest in kinds.values() if type(digest) is not bytes]
            if late and not must and not all(digest.is_here for digest in late if isinstance(digest, DeferredDigest)):
                return
            self._waiting.popleft()
            taken = [kinds.get(kind, EMPTY_DIGEST) for kind in STEP_KINDS]
            digests = [digest if isinstance(digest, bytes) else self._ready(digest) for digest in taken]
            deciding = b"".join([digests[place] for place in _DECIDING])
            self._chain = bytes_digest(self._chain + optimizer.to_bytes(4, "little") + deciding)
            header = STEP_HEADER.pack(number & 0xFFFFFFFF, optimizer, flags, 0)
            self._recorder.step(header + b"".join(digests) + self._chain)

    def _ready(self, digest: DeferredDigest) -> bytes:
        try:
            return digest.digest()
        except LookupError:  # what is not known must not be taken for a difference: the run has no verdict
            self._recorder.abandon("a GPU could not compute the digests of a step")
            return EMPTY_DIGEST
