"""`reprocheck.checkpoint(name, value)`: points of observation that the target names itself.

Outside an audited run a call does nothing. Inside, the value's fingerprint is written down with the step. What is kept
stays bounded: the first calls under a name have a line each, later ones share lines whose rows grow with the count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from xxhash import xxh3_128, xxh3_128_intdigest

from reprocheck.protocol import ROW_GROWTH, SINGLE_CALLS, THREAD_MARK
from reprocheck.worker.fingerprint.leaves import Leaf, leaves_of, line_of
from reprocheck.worker.fingerprint.public import leaves_digest
from reprocheck.worker.private import text_of
from reprocheck.worker.recorder import Recorder

MOST_SINGLE = 20_000
"""Lines for single calls, over all names."""
MOST_LEAVES = 20_000
"""Leaves that are listed by name, over all calls; further ones count only in the digest of their call."""
MOST_BYTES = 16 * 2**20
"""Bytes of values that are kept, so that a difference can be measured."""
MOST_NAMES = 1000
OTHER_NAMES = "(further names)"


def checkpoint(name: str, value: object) -> None:
    """Have `value` compared between the runs of an audit. Outside an audit this does nothing, at next to no cost.

    `value` is anything that a training may return: a tensor, an array, a number, a module, or a nesting of them. It is
    fingerprinted at once, and never changed or kept. Calls under one name are numbered. In a function
    that torch.compile compiles the call is left out.
    """
    observer = _active
    if observer is not None and not observer.is_compiling():
        observer.take(name, value)


class Checkpoints:
    """Writes the checkpoints of this process into its evidence."""

    def __init__(self, recorder: Recorder, steps: Callable[[], int], before: Callable[[], str], hide: str) -> None:
        self._recorder = recorder
        self._steps = steps
        self._before = before
        self._hide = hide
        self._rows: dict[str, _Row] = {}
        self._singles = self._leaves = self._bytes = 0
        self._failed: set[str] = set()
        self._lock = threading.RLock()
        self.is_compiling: Callable[[], bool] = _never

    def open(self) -> None:
        """From now on, calls are recorded."""
        global _active
        _active = self

    def close(self) -> None:
        """The end of the target: the rows that are still open."""
        with self._lock:
            for row in self._rows.values():
                if row.calls:
                    self._write_row(row)

    def take(self, name: str, value: object) -> None:
        """One call. Whatever goes wrong is said, never raised into the target."""
        if not self._recorder.is_open:
            return
        try:
            leaves = list(leaves_of(value, self._hide))
            with self._lock:
                self._take(str(name), leaves)
        except Exception as error:
            what = f"checkpoint {text_of(name, 100)!r}"
            if what not in self._failed and len(self._failed) < 20:
                self._failed.add(what)
                self._recorder.unobserved(what, f"it could not be recorded: {type(error).__name__}", is_result=True)

    def _take(self, name: str, leaves: list[Leaf]) -> None:
        digest = leaves_digest(leaves)
        unread = sum(not leaf.digest for leaf in leaves)
        if threading.current_thread() is not threading.main_thread():
            self._row(name + THREAD_MARK).add(digest + name, unread, None)
            return
        row = self._row(name)
        if row.name != OTHER_NAMES and row.first < SINGLE_CALLS and self._singles < MOST_SINGLE:
            self._write_single(row, digest, unread, leaves)
            return
        row.add(digest + name, unread, self._steps())
        if row.calls * ROW_GROWTH >= row.first:
            self._write_row(row)

    def _row(self, name: str) -> _Row:
        if name not in self._rows and len(self._rows) >= MOST_NAMES:
            name = OTHER_NAMES + (THREAD_MARK if name.endswith(THREAD_MARK) else "")
        row = self._rows.get(name)
        if row is None:
            row = self._rows[name] = _Row(name)
        return row

    def _write_single(self, row: _Row, digest: str, unread: int, leaves: list[Leaf]) -> None:
        listed = self._leaves + len(leaves) <= MOST_LEAVES
        lines = [line_of(leaf, self._keep) for leaf in leaves] if listed else []
        self._line(row.name, row.first, 1, self._steps(), digest, unread, before=self._before(), leaves=lines)
        row.first += 1
        self._singles += 1
        self._leaves += len(lines)

    def _write_row(self, row: _Row) -> None:
        self._line(row.name, row.first, row.calls, row.last, row.digest(), row.unread)
        row.start_again()

    def _line(
        self,
        name: str,
        call: int,
        calls: int,
        step: int | None,
        digest: str,
        unread: int,
        before: str = "",
        leaves: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._recorder.line(
            "checkpoint",
            name=name,
            call=call,
            calls=calls,
            step=step,
            before=before,
            digest=digest,
            unread=unread,
            leaves=leaves,
        )

    def _keep(self, data: memoryview) -> int | None:
        if self._bytes + data.nbytes > MOST_BYTES:
            return None
        self._bytes += data.nbytes
        return self._recorder.values(data)


class _Row:
    """Calls under one name that share a line."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_ordered = not name.endswith(THREAD_MARK)
        self.first = 0
        """The number of the first call of the row."""
        self.calls = 0
        self.unread = 0
        self.last: int | None = None
        """The step of the last call in the main thread."""
        self._sum = 0
        self._chain = xxh3_128()

    def add(self, digest: str, unread: int, step: int | None) -> None:
        """One call. From a thread, when it came among others means nothing."""
        self.last = step
        self.calls += 1
        self.unread += unread
        self._chain.update(digest.encode())
        self._sum = (self._sum + xxh3_128_intdigest(digest.encode())) % (1 << 128)

    def digest(self) -> str:
        """Over the calls of the row."""
        return self._chain.hexdigest() if self.is_ordered else f"{self._sum:032x}"

    def start_again(self) -> None:
        """The next row, behind this one."""
        self.first += self.calls
        self.calls = self.unread = self._sum = 0
        self._chain = xxh3_128()


def _never() -> bool:
    return False


_active: Checkpoints | None = None
"""Of this process, when it is an audited run."""
