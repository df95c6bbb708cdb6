"""One run from its specification to its closing record."""

from __future__ import annotations

import _thread
import contextlib
import os
import platform
import sys
import time
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, NoReturn

from reprocheck.model import RunSpec
from reprocheck.protocol import SPEC_FILE, decode_spec
from reprocheck.protocol.secrets import secrets_of
from reprocheck.worker.bootstrap import compiler_stub, flags, memory_limit, seeding
from reprocheck.worker.bootstrap.execute import TargetUnusable, execute
from reprocheck.worker.bootstrap.heap import HeapFill
from reprocheck.worker.bootstrap.importing import after_import
from reprocheck.worker.bootstrap.leaving import join_threads, watch_exits
from reprocheck.worker.bootstrap.target_error import describe, print_traceback
from reprocheck.worker.closing import Closing, generator_states
from reprocheck.worker.inputs import listing
from reprocheck.worker.inputs.files import WrittenFiles
from reprocheck.worker.inputs.inputs import Inputs
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe.checkpoints import Checkpoints
from reprocheck.worker.observe.children import follow_children
from reprocheck.worker.parts.cells import Cells
from reprocheck.worker.parts.parts import Parts
from reprocheck.worker.private import text_of
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.ledger.ledger import Ledger
    from reprocheck.worker.observe.observe import Observer

_start_thread = _thread.start_new_thread
_sleep = time.sleep
THREADS_GRACE = 1.0
"""Seconds that threads of a target get that was stopped."""
STANDSTILL_SECONDS = 5.0
"""After the last step in a thread, all others may wait for that thread: then the run is over."""
IDLE_SHARE = 0.02
"""Of a core: a process that uses less stands still."""


def run(folder: str) -> None:
    """Run the target of `folder`/spec.json and leave its evidence there. Exits as the target would."""
    spec = decode_spec((Path(folder) / SPEC_FILE).read_text(encoding="utf-8"))
    Run(spec, spec.directory).go()


class Run:
    """One process of a run, from its start to its closing record."""

    is_rank = False

    def __init__(self, spec: RunSpec, folder: Path) -> None:
        """`folder`: of the run; that of a rank lies in it."""
        self.spec = spec
        self._folder = folder
        self.recorder = Recorder(spec.directory, secrets_of(spec))
        temporary = spec.environment.get("TMPDIR", "")
        self.files = WrittenFiles((str(folder.parent), temporary), spec.cwd, self.recorder.children, temporary)
        self._finishing = RLock()
        self.heap_fill = HeapFill(spec.ambient.heap_byte)
        self.observer: Observer | None = None
        self.sites = Sites(spec)
        self.ledger: Ledger | None = None
        self.own_tmpdir = spec.environment.get("TMPDIR", "") if spec.ambient.own_tmpdir else ""
        self.inputs = Inputs(folder, self.own_tmpdir, self.sites) if spec.is_plain else None
        self.parts = Parts(self.recorder, self._steps)
        self.checkpoints = Checkpoints(self.recorder, self._steps, self._seen_in_step, self.own_tmpdir)

    def go(self) -> None:
        """Run the target."""
        spec = self.spec
        self._start()
        self._arrange()
        after_import("torch", self._cap_memory)
        if spec.interventions.calls == 1:
            self._observe()
        self._seed_and_watch()
        follow_children(self._folder)
        watch_exits(spec, lambda: self.recorder.is_open, self._ended, self._starts_again)
        self._run_target()

    def _start(self) -> None:
        spec = self.spec
        self.recorder.line("start", run=spec.id, seed=spec.seed, pid=os.getpid(), python=platform.python_version())

    def _arrange(self) -> None:
        """Environment factors and settings, before anything of the target."""
        spec = self.spec
        in_order = spec.interventions.sorted_listings
        listed = None if self.inputs is None else self.inputs.listed
        evidence = str(self._folder.parent.parent.parent)
        listing.rearrange(spec.ambient.listing_key, evidence, in_order=in_order, on_listing=listed)
        if spec.ambient.switch_interval is not None:
            sys.setswitchinterval(spec.ambient.switch_interval)
        after_import("torch", compiler_stub.install)
        after_import("torch", lambda: flags.apply_to_torch(spec.settings))

    def _seed_and_watch(self) -> None:
        spec = self.spec
        if not spec.is_plain:
            self._instrument()
        seeding.seed_before_import(spec.seed, spec.settings.seeding)
        for library in ("numpy", "torch"):
            after_import(library, self._record_generators)
        self._record_generators()
        if self.inputs is not None:
            self.inputs.watch()
        self.files.watch(self.ledger, self.inputs)

    def _cap_memory(self) -> None:
        try:
            memory_limit.cap_process(self.spec.settings)
        except TargetUnusable as error:
            self._unusable(error)

    def _record_generators(self) -> None:
        self.recorder.line("rng after seeding", **generator_states())

    def _observe(self) -> None:
        self.checkpoints.open()
        self.parts.open()
        after_import("torch", self._observe_torch)

    def _observe_torch(self) -> None:
        from reprocheck.worker.bootstrap.listeners import follow_instruments, make_tracer
        from reprocheck.worker.observe.observe import Observer

        tracer, last = make_tracer(self.spec, self.recorder)
        limits = [limit for limit in (self.spec.settings.max_steps, last) if limit is not None]
        self.observer = Observer(self.recorder, self.heap_fill, min(limits, default=None), self._leave, self.sites)
        self.observer.leaves = self.is_rank
        self.observer.stopped_in_thread = self._stopped_in_thread
        self.observer.install(tracer)
        follow_instruments(self.observer, self.spec, self.recorder, self._steps)
        if tracer is not None:
            self.observer.follow(tracer)  # the last: it begins where nothing of ours follows before a step
        self.checkpoints.is_compiling = sys.modules["torch"].compiler.is_compiling

    def _instrument(self) -> None:
        from reprocheck.worker.bootstrap.edits import EditMismatch
        from reprocheck.worker.ledger.install import install

        def note(text: str) -> None:
            self.recorder.line("note", text=text)

        try:
            self.ledger = install(self.spec, self.sites, self._steps, note)
        except EditMismatch as error:
            self._unusable(error)

    def _steps(self) -> int:
        return 0 if self.observer is None else self.observer.steps.count

    def _starts_again(self) -> None:
        if self.observer is not None and (self.observer.steps.count or self.observer.top_models.changes):
            self.recorder.children.starts_again()

    def _seen_in_step(self) -> str:
        return "" if self.observer is None else self.observer.seen_in_step()

    def _unusable(self, error: Exception) -> NoReturn:
        self.recorder.end(status="unusable", error=str(error))
        sys.exit(2)

    def _call_again(self, is_last: bool) -> None:
        """Between calls of one function in this process. Only the last one is observed."""
        seeding.seed_again(self.spec.seed, self.spec.settings.seeding)
        self._record_generators()
        if is_last:
            self._observe()

    def _run_target(self) -> None:
        try:
            returned, value = execute(self.spec, self._call_again, Cells(self.parts, self.recorder))
        except TargetUnusable as error:
            self._unusable(error)
        except SystemExit as stop:
            self._exited(stop)
            raise
        except BaseException as error:
            if self._was_stopped(error):
                self._finish("stopped")
                if not join_threads(THREADS_GRACE):  # nobody ended them with the training
                    self._leave()
                return
            self._finish("failed", error=describe(error), memory=self._out_of_memory(error))
            print_traceback(error)
            raise SystemExit(1) from None
        join_threads()
        self._finish("finished", returned=returned, value=value)

    def _out_of_memory(self, error: BaseException) -> dict[str, Any] | None:
        if "torch" not in sys.modules:
            return None
        try:
            memory_limit.lift()
            from reprocheck.worker.observe.out_of_memory import describe, memory_error

            failed = memory_error(error)
            return None if failed is None else describe(failed, self.spec, self.observer, self.sites)
        except BaseException as trouble:  # whatever the target left behind must not hide how it ended
            self.recorder.line("note", text=f"what held the memory could not be seen: {type(trouble).__name__}")
            return None

    def _exited(self, stop: SystemExit) -> None:
        ended_well = stop.code is None or (issubclass(type(stop.code), int) and stop.code == 0)
        if ended_well:
            join_threads()
        self._ended(0 if ended_well else 1, f"exited with status {_shown_status(stop.code)}")

    def _ended(self, status: int, error: str) -> None:
        if status == 0:
            self._finish("finished")
        else:
            self._finish("failed", error=error)

    def _was_stopped(self, error: BaseException) -> bool:
        stopped = self.observer is not None and self.observer.stopped_at is not None
        return stopped and type(error).__name__ == "TargetStopped"

    def _stopped_in_thread(self) -> None:
        _start_thread(self._leave_at_standstill, ())

    def _leave_at_standstill(self) -> None:
        """A thread of the target has ended with its last step. Others may wait for it at a barrier, for ever."""
        since, used = time.monotonic(), time.process_time()
        while self.recorder.is_open:
            _sleep(STANDSTILL_SECONDS / 20)
            seconds = time.monotonic() - since
            if time.process_time() - used > IDLE_SHARE * STANDSTILL_SECONDS:
                since, used = time.monotonic(), time.process_time()
            elif seconds >= STANDSTILL_SECONDS and self.recorder.is_open:
                self.recorder.line("note", text="after its last step the threads of the target waited for one another")
                self._leave()

    def _leave(self) -> None:
        """The target swallowed the end that --max-steps asked for: take down what there is, and leave."""
        self._finish("stopped")
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(0)

    def _finish(
        self,
        status: str,
        *,
        returned: bool = False,
        value: Any = None,
        error: str = "",
        memory: dict[str, Any] | None = None,
    ) -> None:
        if not self.recorder.is_open:  # a forked child of the target came here by itself
            return
        with self._finishing:  # several threads may come here, and the process ends with the first that leaves
            if self.recorder.is_open:
                closing = Closing(
                    self.spec,
                    self.recorder,
                    self.observer,
                    self.ledger,
                    self.checkpoints,
                    self.files,
                    self.inputs,
                    self.sites,
                    self.own_tmpdir,
                )
                closing.write(status, returned=returned, value=value, error=error, memory=memory)


def _shown_status(code: object) -> str:
    return text_of(code) if issubclass(type(code), int) else repr(text_of(code))
