"""One run from its specification to its closing record."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from reprocheck.model import RunSpec
from reprocheck.protocol import SPEC_FILE, decode_spec
from reprocheck.protocol.rank_folders import RANK_RECORD, all_stopped
from reprocheck.protocol.secrets import secrets_of
from reprocheck.worker.bootstrap import compiler_stub, flags, machine, memory_limit, seeding
from reprocheck.worker.bootstrap.execute import TargetUnusable, execute
from reprocheck.worker.bootstrap.heap import HeapFill
from reprocheck.worker.bootstrap.importing import after_import
from reprocheck.worker.bootstrap.leaving import join_threads, watch_exit, watch_exits
from reprocheck.worker.bootstrap.target_error import describe, print_traceback
from reprocheck.worker.fingerprint.leaves import leaves_of, line_of
from reprocheck.worker.inputs import listing
from reprocheck.worker.inputs.files import WrittenFiles
from reprocheck.worker.inputs.inputs import Inputs
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe import peaks
from reprocheck.worker.observe.checkpoints import Checkpoints
from reprocheck.worker.observe.children import follow_children
from reprocheck.worker.parts.notebook import Listener
from reprocheck.worker.parts.parts import Parts
from reprocheck.worker.private import error_text, text_of
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.ledger.ledger import Ledger
    from reprocheck.worker.observe.observe import Observer

_start_thread = _thread.start_new_thread
_sleep = time.sleep
THREADS_GRACE = 1.0
"""Seconds that threads of a target get that was stopped."""
OTHERS_GRACE = 5.0
"""Seconds that a rank which was stopped waits for the others."""
LOOK_SECONDS = 0.02
STANDSTILL_SECONDS = 5.0
"""After the last step in a thread, all others may wait for that thread: then the run is over."""
IDLE_SHARE = 0.02
"""Of a core: a process that uses less stands still."""


def run(folder: str) -> None:
    """Run the target of `folder`/spec.json and leave its evidence there. Exits as the target would."""
    spec = decode_spec((Path(folder) / SPEC_FILE).read_text(encoding="utf-8"))
    _Run(spec, spec.directory).go()


def begin_rank(spec: RunSpec, run: Path, identity: Mapping[str, Any], *, is_early: bool) -> None:
    """From now on this process of a run, whose folder is `run`, is observed into `spec.directory`.

    `is_early`: nothing of the target has run here: it is seeded and arranged as the process of a run is.
    """
    _RankRun(spec, run).begin(identity, is_early=is_early)


class _Run:
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
        self.recorder.line("rng after seeding", **_rng_states())

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
            returned, value = execute(self.spec, self._call_again, _Cells(self.parts, self.recorder))
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
                self._write_end(status, returned, value, error, memory)

    def _write_end(self, status: str, returned: bool, value: Any, error: str, memory: dict[str, Any] | None) -> None:
        recorder = self.recorder
        self._part("the ledger", self._close_ledger)
        if self.observer is not None:
            self._part("the training at its end", self.observer.finish, is_result=True)
        self._part("checkpoints", self.checkpoints.close, is_result=True)
        if returned:
            self._part("the returned value", lambda: self._record_output(value), is_result=True)
        self._part("variables", self._record_variables)
        if self.observer is not None and status != "stopped":
            self._part("what was trained by hand", self.observer.steps.report_updates)
        files, read_checkpoints = self.files, self.spec.read_checkpoints
        for record, made, otherwise in (
            ("rng at end", _rng_states, {}),
            ("files", lambda: files.found(self.spec.cwd, read_checkpoints), {"files": []}),
            ("settings", lambda: {"settings": flags.read_settings()}, {"settings": {}}),
            ("memory", lambda: {"memory": peaks.memory()}, {"memory": {}}),
            ("sources", lambda: {"paths": self.sites.user_files()}, {"paths": []}),
        ):
            content = self._part(record, made, is_result=record == "files")
            recorder.line(record, **(otherwise if content is None else content))
        if self.inputs is not None:
            inputs = self._part("what the run read", self.inputs.found)
            if inputs is not None:
                recorder.line("inputs", **inputs)
        # Last: it loads libraries that the target did not ask for.
        manifest = self._part("manifest", machine.manifest)
        recorder.line("manifest", manifest={} if manifest is None else manifest)
        stopped = None if self.observer is None else self.observer.stopped_at
        skipped = 0 if self.observer is None else self.observer.steps.skipped
        more = {} if memory is None else {"out_of_memory": memory}
        recorder.end(status=status, returned=returned, error=error, stopped_at=stopped, skipped=skipped, **more)

    def _close_ledger(self) -> None:
        if self.ledger is not None:
            self.ledger.close()

    def _record_output(self, value: Any) -> None:
        shapes, lines = set(), []
        for leaf in leaves_of(value, self.own_tmpdir):
            shapes.add(tuple(leaf.shape))
            lines.append(line_of(leaf, self.recorder.values))
        self.recorder.line("output", leaves=lines)
        if self.observer is not None:
            self.observer.steps.found_again(shapes)

    def _record_variables(self) -> None:
        from reprocheck.worker.observe.variables import variables

        self.recorder.line("variables", leaves=[line_of(leaf, lambda data: None) for leaf in variables()])

    def _part(self, what: str, make: Callable[[], Any], *, is_result: bool = False) -> Any:
        """A part of the end. What the target left behind (limits, hooks, signals to itself, its own code that fails)
        must not hide the rest; None where the part failed, which is said."""
        try:
            return make()
        except BaseException as error:
            self.recorder.unobserved(
                what,
                f"at the end of the run it could not be read: {error_text(error)}",
                is_result=is_result,
                help="see what the target leaves behind: limits, audit hooks, timers, patched modules",
            )
            return None


class _Cells(Listener):
    """Writes down how far a notebook is."""

    def __init__(self, parts: Parts, recorder: Recorder) -> None:
        self._parts = parts
        self._recorder = recorder

    def begin(self, name: str) -> None:
        """A cell begins."""
        self._parts.begin(name)

    def values(self, names: frozenset[str]) -> None:
        """A cell has ended. What it left may be anything, and must not end the run."""
        with contextlib.suppress(Exception):
            self._parts.values(names)

    def note(self, text: str) -> None:
        """Something of the notebook is not run."""
        self._recorder.line("note", text=text)


class _RankRun(_Run):
    """A rank: the interpreter runs its target, and it is observed from some point on to its end."""

    is_rank = True
    _error = ""

    def begin(self, identity: Mapping[str, Any], *, is_early: bool) -> None:
        """Observe from now on."""
        self._start()
        self.recorder.line(RANK_RECORD, **identity)
        if is_early:
            self._arrange()
            self._observe()
            self._seed_and_watch()
        else:
            self.inputs = None
            self._observe()
            self._follow_on()
            self._record_generators()
        previous = sys.excepthook

        def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            self._error = self._error or describe(error)
            previous(kind, error, trace)

        sys.excepthook = hook
        watch_exit(lambda: self.recorder.is_open, self._ended)
        atexit.register(self._over)

    def _follow_on(self) -> None:
        """What an explaining run records is recorded in this process already, where multiprocessing started it."""
        if self.spec.is_plain:
            return
        from reprocheck.worker.ledger.install import installed

        if installed.ledger is None:
            self._instrument()
            self.files.watch(self.ledger)
        else:
            self.ledger = installed.ledger
            self.ledger.become_own(self.spec.directory, self._steps)

    def _over(self) -> None:
        if self.recorder.is_open and "torch" not in sys.modules:  # a program beside the training
            self.recorder.abandon("")
            shutil.rmtree(self.spec.directory, ignore_errors=True)
            return
        self._finish("failed" if self._error else "finished", error=self._error)

    def _leave(self) -> None:
        """After its last step, and not before the others: they may still wait for what this one sends."""
        self._finish("stopped")
        until = time.monotonic() + OTHERS_GRACE
        while time.monotonic() < until and not all_stopped(self._folder):
            time.sleep(LOOK_SECONDS)
        super()._leave()


def _rng_states() -> dict[str, str]:
    states = {name: seeding.state_digest(name) for name in seeding.GENERATORS}
    return {name: state.hex() for name, state in states.items() if state is not None}


def _shown_status(code: object) -> str:
    return text_of(code) if issubclass(type(code), int) else repr(text_of(code))
