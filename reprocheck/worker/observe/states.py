"""What a training has to restore when it is resumed: the state after every step, what it saves and loads.

One line of JSON each, on disk at once: the run may be ended at any moment, by us at that.
"""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from reprocheck.model import Cut
from reprocheck.protocol import STATES_FILE
from reprocheck.worker.bootstrap.importing import after_import
from reprocheck.worker.bootstrap.seeding import GENERATORS, state_digest
from reprocheck.worker.fingerprint.digest import DigestBuilder
from reprocheck.worker.fingerprint.leaves import leaves_of, line_of
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.inputs.own_file import OwnFile
from reprocheck.worker.observe.listening import Listener
from reprocheck.worker.recorder import Recorder


class States:
    """The file of states. A forked child writes nothing."""

    def __init__(self, folder: Path, steps: Callable[[], int]) -> None:
        self._file = OwnFile(folder / STATES_FILE)
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._steps = steps
        self._scalers: list[weakref.ref[Any]] = []
        self._iterators: list[tuple[weakref.ref[Any], list[int]]] = []
        """Of loaders, with the batches that each had given by the last step."""

    def write(self, record: str, *, kinds: dict[str, bytes] | None = None, **content: Any) -> None:
        """One line. `kinds`: digests of what was observed in a step; with them go generators and scalers."""
        if os.getpid() != self._pid:
            return
        if kinds is not None:
            content["batch"] = kinds.get("training batch", b"").hex()
            content["loss"] = kinds.get("loss", b"").hex()
            content["generators"] = _generators()
            content["scalers"] = self._scaler_states()
            content["positions"] = self._positions()
        with self._lock, suppress(OSError):  # a full disk: what is not there is not compared
            text = json.dumps({"record": record, **content}, default=str) + "\n"
            self._file.write(text.encode("utf-8", "surrogatepass"))

    def watch_torch(self) -> None:
        """Hear of scalers, of what is saved and loaded, of generators that are set back, and of passes over loaders."""
        import torch
        from torch.amp.grad_scaler import GradScaler

        module: Any = torch
        scaler_class: Any = GradScaler
        scaler_class.__init__ = _after(
            scaler_class.__init__, lambda scaler, *_: self._scalers.append(weakref.ref(scaler))
        )
        saver = _after(module.save, self._saved)
        module.save = module.serialization.save = saver
        loader = _after(module.load, self._loaded)
        module.load = module.serialization.load = loader
        setter = _after(torch.random.set_rng_state, lambda *_: self._restored("torch"))
        module.set_rng_state = module.random.set_rng_state = setter
        cuda: Any = torch.cuda
        if torch.version.cuda or torch.version.hip:
            for name in ("set_rng_state", "set_rng_state_all"):
                setter = _after(getattr(cuda, name), lambda *_: self._restored("cuda"))
                setattr(cuda, name, setter)
                setattr(cuda.random, name, setter)
        module.nn.Module.load_state_dict = _after(module.nn.Module.load_state_dict, self._given)
        loader_class: Any = module.utils.data.DataLoader
        loader_class.__iter__ = self._watch_passes(loader_class.__iter__)
        random_module: Any = random
        random_module.setstate = _after(random.setstate, lambda *_: self._restored("python"))
        after_import("numpy", self._watch_numpy)

    def _watch_numpy(self) -> None:
        numpy: Any = sys.modules["numpy"]
        numpy.random.set_state = _after(numpy.random.set_state, lambda *_: self._restored("numpy"))

    def _restored(self, generator: str) -> None:
        state = state_digest(generator)
        self.write("restored", generator=generator, digest="" if state is None else state.hex())

    def _saved(self, value: Any, place: Any = None, *_: Any) -> None:
        if os.getpid() != self._pid:
            return
        with Unobserved():
            leaves = [line_of(leaf, lambda data: None) for leaf in leaves_of(value)]
        self.write("save", step=self._steps(), path=_name(place), leaves=leaves, generators=_generators())

    def _loaded(self, place: Any = None, *_: Any) -> None:
        self.write("load", step=self._steps(), path=_name(place))

    def _given(self, module: Any, *_: Any) -> None:
        """What a module holds once it was loaded into, before the first step: later it is no resumption."""
        if self._steps() or os.getpid() != self._pid:
            return
        with Unobserved():
            lines = [line_of(leaf, lambda data: None) for leaf in leaves_of(dict(module.state_dict()))]
            builder = DigestBuilder()
            for parameter in module.parameters():
                builder.tensor(parameter)
            deferred = builder.deferred()
            whole = deferred if isinstance(deferred, bytes) else deferred.digest()
        digests = [line["digest"] for line in lines if line.get("digest")]
        self.write("given", digests=[*digests, whole.hex()])

    def _watch_passes(self, begin: Any) -> Any:
        @functools.wraps(begin)
        def __iter__(loader: Any) -> Any:
            if os.getpid() == self._pid:
                with suppress(Exception):
                    self.write("pass", step=self._steps(), generators=_generators())
            iterator = begin(loader)
            with suppress(Exception):
                self._iterators = [one for one in self._iterators if one[0]() not in (None, iterator)]
                self._iterators.append((weakref.ref(iterator), [0]))
            return iterator

        return __iter__

    def _positions(self) -> list[int]:
        """Of the loaders that gave batches since the last step: how many of their passes."""
        found = []
        for reference, last in self._iterators:
            given = getattr(reference(), "_num_yielded", None)
            if isinstance(given, int) and given != last[0]:
                last[0] = given
                found.append(given)
        return found

    def _scaler_states(self) -> list[dict[str, float]]:
        found = []
        for reference in self._scalers:
            scaler = reference()
            if scaler is not None and (state := scaler.state_dict()):
                found.append({key: float(value) for key, value in state.items()})
        return found


class Preemption(Listener):
    """Ends this process right after a step: no other process has to hit the moment."""

    in_all_threads = True

    def __init__(self, cut: Cut, states: States, recorder: Recorder) -> None:
        self._cut = cut
        self._states = states
        self._recorder = recorder
        self._is_done = False

    def step_taken(self, count: int, own_seconds: float) -> None:
        """Hear of every step."""
        if self._is_done:
            if count >= self._cut.after + self._cut.steps:
                self._give_up(f"{self._cut.steps} more steps")
        elif count >= self._cut.after and self._recorder.is_open:
            self._is_done = True
            self._recorder.flush()
            handler = _handler()
            self._states.write("cut", step=count, handler=handler)
            if self._cut.kill or handler == "ignored":
                os.kill(os.getpid(), signal.SIGKILL)
            timer = threading.Timer(self._cut.grace, self._give_up, (f"{self._cut.grace:g} s of grace",))
            timer.daemon = True
            timer.start()
            os.kill(os.getpid(), signal.SIGTERM)

    def _give_up(self, after: str) -> None:
        if self._recorder.is_open:  # else it has ended, and is only slow to leave
            self._states.write("killed", after=after)
            os.kill(os.getpid(), signal.SIGKILL)


def _handler() -> str:
    """What a process does on SIGTERM: default, ignored or own."""
    known = {signal.SIG_DFL: "default", signal.SIG_IGN: "ignored"}
    handler = signal.getsignal(signal.SIGTERM)
    return known.get(handler, "own") if isinstance(handler, signal.Handlers) else "own"


def _generators() -> dict[str, str]:
    """Digests of the states of all generators that are in use."""
    states = {name: state_digest(name) for name in GENERATORS}
    return {name: state.hex() for name, state in states.items() if state is not None}


def _name(place: Any) -> str:
    """Of a file; empty for a buffer."""
    try:
        return os.path.relpath(os.fsdecode(place))
    except (TypeError, ValueError, OSError):
        return ""


def _after(function: Any, then: Callable[..., Any]) -> Any:
    """The same function; its positional arguments are passed on once it has returned. A bug of ours ends no target."""

    @functools.wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        with suppress(Exception):
            then(*args, *kwargs.values())
        return result

    return watched
