"""Write the evidence of a run: lines as they come, step records in blocks, one closing record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from os import getpid, write
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Any

from xxhash import xxh3_128

from reprocheck.protocol import EVIDENCE_FILE, RECORD_SIZE, STEPS_FILE, UNOBSERVED_RECORD, VALUES_FILE
from reprocheck.protocol.secrets import mask_values
from reprocheck.worker.inputs.own_file import OwnFile, identity
from reprocheck.worker.observe.children import Children
from reprocheck.worker.private import copy_of, error_text, text_of

VALUES_LIMIT = 64 * 2**20
"""Bytes of tensor values kept on disk per run."""
BLOCK = 1 << 16
FLUSH_SECONDS = 0.5
_RESULTS = frozenset({"checkpoint", "files", "initial", "output"})
"""Records of what a user would call the result."""
_encode: Callable[[Any], str] = copy_of("json.encoder").JSONEncoder(default=text_of).encode


class Recorder:
    """The evidence files of this process. A forked child shares none of it: it writes nothing."""

    def __init__(self, folder: Path, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets
        self._lines = OwnFile(folder / EVIDENCE_FILE)
        self._steps = OwnFile(folder / STEPS_FILE)
        self._values = OwnFile(folder / VALUES_FILE)
        self._stderr = identity(2)
        self._written = {name: xxh3_128() for name in (EVIDENCE_FILE, STEPS_FILE, VALUES_FILE)}
        """Of each file, a digest of what was written: whoever reads it can check whether it is still that."""
        self._pending = bytearray()
        self._flushed = monotonic()
        self._count = 0
        self._step_records = 0
        self._first_step = self._last_step = 0.0
        self._closed = False
        self._pid = getpid()
        self._lock = RLock()
        self.children = Children(folder)

    @property
    def is_open(self) -> bool:
        """Whether this process may still write: not after the end, not in a forked child."""
        return not self._closed and getpid() == self._pid

    def line(self, record: str, **content: Any) -> None:
        """One line of evidence, on disk at once."""
        with self._lock:
            if self.is_open:
                try:
                    shown = mask_values(content, self._secrets) if self._secrets else content
                    text = _encode({"record": record, **shown})
                except Exception as error:  # a number of too many digits, too deep a nesting
                    lost = {"what": record, "reason": f"it cannot be written down: {error_text(error)}"}
                    text = _encode({"record": UNOBSERVED_RECORD, **lost, "is_result": record in _RESULTS, "help": ""})
                self._write(EVIDENCE_FILE, self._lines, (text + "\n").encode("utf-8", "surrogatepass"))
                self._count += 1

    def unobserved(self, what: str, reason: str, *, is_result: bool = False, help: str = "") -> None:
        """Say what the target made that could not be observed, in the fields of `model.NotCompared`."""
        self.line(UNOBSERVED_RECORD, what=what, reason=reason, is_result=is_result, help=help)

    def step(self, record: bytes) -> None:
        """One step record."""
        assert len(record) == RECORD_SIZE
        with self._lock:
            if self.is_open:
                self._pending += record
                self._step_records += 1
                now = monotonic()
                self._first_step, self._last_step = self._first_step or now, now
                if len(self._pending) >= BLOCK or now - self._flushed >= FLUSH_SECONDS:
                    self._flushed = now
                    self._flush_steps()

    def values(self, data: memoryview) -> int | None:
        """Keep the bytes of a tensor; where they start, or None when there is no room for them."""
        with self._lock:
            start = self._values.end
            if not self.is_open or start + data.nbytes > VALUES_LIMIT:
                return None
            self._write(VALUES_FILE, self._values, data.cast("B") if data.nbytes else data)
            return start

    def flush(self) -> None:
        """Put the step records on disk: the process may be about to be killed."""
        with self._lock:
            if self.is_open:
                self._flush_steps()

    def abandon(self, reason: str) -> None:
        """Nothing more is recorded: without its end the run has no verdict. The reason, if any, is shown."""
        with self._lock:
            self._closed = True
            if reason and self._stderr is not None and identity(2) == self._stderr:  # else it is a file of the target's
                with suppress(OSError):
                    write(2, f"reprocheck: {reason}\n".encode())

    def end(self, **content: Any) -> None:
        """The closing record: without it a run has no verdict."""
        with self._lock:
            if not self.is_open:
                return
            self._flush_steps()
            content["digests"] = {name: state.hexdigest() for name, state in self._written.items()}
            content["stepping"] = self._last_step - self._first_step
            self.line("end", records=self._count, steps=self._step_records, **content)
            self._closed = True
            self.children.is_over = content.get("status") == "finished"

    def _write(self, name: str, file: OwnFile, data: bytes | memoryview) -> None:
        """A full disk must not end the target: recording stops, and a run without its end has no verdict."""
        self._written[name].update(data)
        try:
            file.write(data)
        except OSError as error:
            self.abandon(f"cannot write its evidence: {error.strerror or error}")

    def _flush_steps(self) -> None:
        self._write(STEPS_FILE, self._steps, bytes(self._pending))
        self._pending.clear()
