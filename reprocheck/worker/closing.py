"""What a run writes at its end: what is compared once, and its closing record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reprocheck.model import RunSpec
from reprocheck.worker.bootstrap import flags, machine, seeding
from reprocheck.worker.fingerprint.leaves import leaves_of, line_of
from reprocheck.worker.inputs.files import WrittenFiles
from reprocheck.worker.inputs.inputs import Inputs
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe import peaks
from reprocheck.worker.observe.checkpoints import Checkpoints
from reprocheck.worker.private import error_text
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.ledger.ledger import Ledger
    from reprocheck.worker.observe.observe import Observer


def generator_states() -> dict[str, str]:
    """The digest of the state of each generator that is loaded."""
    states = {name: seeding.state_digest(name) for name in seeding.GENERATORS}
    return {name: state.hex() for name, state in states.items() if state is not None}


@dataclass(frozen=True)
class Closing:
    """Where the parts of the end are."""

    spec: RunSpec
    recorder: Recorder
    observer: Observer | None
    ledger: Ledger | None
    checkpoints: Checkpoints
    files: WrittenFiles
    inputs: Inputs | None
    sites: Sites
    own_tmpdir: str

    def write(self, status: str, *, returned: bool, value: Any, error: str, memory: dict[str, Any] | None) -> None:
        """All of it, in order. The closing record is the last line of the evidence."""
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
            ("rng at end", generator_states, {}),
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
