"""A process that has imported torch and nothing of any target, and forks runs.

It never runs an operation of torch: threads that one starts do not live on in a child, which would wait for them for
ever. To its children torch and numpy look as if nobody had imported them yet; they are there at once when asked for.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from reprocheck.model import RunSpec, TargetKind
from reprocheck.protocol import (
    LEDGER_FILE,
    RUN_VARIABLE,
    SPEC_FILE,
    STDERR_FILE,
    STDOUT_FILE,
    TRACE_FILE,
    TRACE_TABLE_FILE,
    TRACE_VALUES_FILE,
    decode_spec,
)
from reprocheck.protocol.package import WORKER_FILE
from reprocheck.worker import AT_START
from reprocheck.worker.bootstrap import quick_exit
from reprocheck.worker.bootstrap.supervisor import end_with_parent, supervise
from reprocheck.worker.observe import peaks

HIDDEN = ("numpy", "torch")
"""In the order in which torch imports them."""
OURS = ("reprocheck.worker.run", "reprocheck.worker.observe.observe")
READ_AT_IMPORT = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "VECLIB_", "ATEN_", "ONEDNN_", "DNNL_"),
    *("TORCH", "PYTORCH_", "NPY_", "NUMPY_", "LD_", "MALLOC_"),
    *("COMPILE_", "FX_", "KINETO_", "NVPL_", "TQDM_"),
)
"""How the names of variables start that libraries may look at when they are loaded."""
_WORKER = str(WORKER_FILE)
_exec = os.execve


def serve(number: int, parent: int) -> str:
    """Be a template: fork a run for every folder that comes in through the socket; say so, and how each ended.

    Returns only in a run: its folder. The template itself ends when the socket closes or `parent` dies.
    """
    end_with_parent(parent, signal.SIGKILL)
    return _fork_runs(socket.socket(fileno=number), _import())


def serve_templates(number: int, parent: int) -> str:
    """Fork a template for every socket and folder that come in through the socket (engine.template_server).

    Returns only in a run: its folder. This process ends when the socket closes or `parent` dies; its templates go on
    until their own sockets close.
    """
    end_with_parent(parent, signal.SIGKILL)
    channel = socket.socket(fileno=number)
    kept = _import()
    with _Children() as children:
        while True:
            if not children.wait(channel):
                continue
            data, numbers, *_ = socket.recv_fds(channel, 1 << 16, 1)
            if not data:
                os._exit(0)
            if numbers and not os.fork():
                break
            for one in numbers:
                os.close(one)
    channel.close()
    os.setsid()
    os.chdir(os.fsdecode(data))
    return _fork_runs(socket.socket(fileno=numbers[0]), kept)


def _import() -> list[_Kept]:
    for name in (*reversed(HIDDEN), *OURS):
        importlib.import_module(name)
    kept = [_Kept(name) for name in HIDDEN]
    gc.collect()
    gc.freeze()  # else every collection in a run goes through all of torch
    peaks.remember_files()
    quick_exit.remember_libraries()
    return kept


def _fork_runs(channel: socket.socket, kept: list[_Kept]) -> str:
    _report(channel, "ready", os.getpid())
    asked = b""
    template = os.getpid()
    with _Children(lambda *ended: _report(channel, "ended", *ended)) as children:
        while True:
            if not children.wait(channel):
                continue
            data = channel.recv(1 << 16)
            if not data:
                os._exit(0)
            *lines, asked = (asked + data).split(b"\n")
            for line in lines:
                pid = os.fork()
                if not pid:
                    children.close()
                    channel.close()
                    supervise(template)
                    return _become(json.loads(line), kept)
                _report(channel, "forked", pid)


class _Children:
    """Wakes up when a child ends. Closed in a child, it leaves nothing behind."""

    def __init__(self, ended: Callable[[int, int], None] = lambda pid, code: None) -> None:
        self._ended = ended
        self._awake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

    def __enter__(self) -> _Children:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        if self._awake < 0:
            return
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._awake)
        os.close(self._waker)
        self._awake = -1

    def wait(self, channel: socket.socket) -> bool:
        """Until something comes in or a child ends; whether something came in."""
        readable, _, _ = select.select([channel.fileno(), self._awake], [], [])
        with suppress(BlockingIOError):
            os.read(self._awake, 1 << 12)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._ended(ended[0], os.waitstatus_to_exitcode(ended[1]))
        return channel.fileno() in readable


def _report(channel: socket.socket, *message: Any) -> None:
    channel.sendall(json.dumps(message).encode() + b"\n")


def _become(folder: str, kept: list[_Kept]) -> str:
    """In a fresh fork: what a process has that was started for this run alone."""
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, os.path.join(folder, STDOUT_FILE), os.O_WRONLY | os.O_CREAT),
        (2, os.path.join(folder, STDERR_FILE), os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    spec = decode_spec(Path(folder, SPEC_FILE).read_text(encoding="utf-8"))
    os.chdir(spec.cwd)
    _show_name(spec.environment[RUN_VARIABLE])
    for name in set(os.environ) - set(spec.environment):
        del os.environ[name]
    os.environ.update({k: v for k, v in spec.environment.items() if os.environ.get(k) != v})
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
    for one in kept:
        one.spec = spec
        one.reseed()
    random.seed()
    if _is_shadowed(spec):
        start_again(spec)
    quick_exit.end_quickly()
    return folder


def _show_name(name: str) -> None:
    """Put the name of the run where the system shows it of a process: whoever ends a run looks for it there."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    place = libc.getenv(RUN_VARIABLE.encode())
    room = len(os.environ[RUN_VARIABLE])
    ctypes.memmove(place, name.encode().ljust(room, b"\0"), room)


def _is_shadowed(spec: RunSpec) -> bool:
    """Whether the target's folder has a module by the name of one that was imported without looking there."""
    path = spec.target.path
    in_file = path is not None and spec.target.kind in (TargetKind.SCRIPT, TargetKind.FILE_FUNCTION)
    folder = os.path.dirname(os.path.realpath(path)) if in_file and path is not None else os.getcwd()
    try:
        there = {name.removesuffix(".py") for name in os.listdir(folder)}
    except OSError:
        return False
    imported = {name.partition(".")[0] for name in (*sys.modules, *HIDDEN)}
    return bool(there & (imported - AT_START - {"reprocheck"}))


def start_again(spec: RunSpec) -> None:
    """Begin the run again in an interpreter of its own."""
    os.chdir(spec.cwd)
    for name in (LEDGER_FILE, TRACE_FILE, TRACE_TABLE_FILE, TRACE_VALUES_FILE):
        with suppress(OSError):
            os.unlink(os.path.join(spec.directory, name))
    for number in (1, 2):
        with suppress(OSError):
            os.ftruncate(number, 0)
            os.lseek(number, 0, os.SEEK_SET)
    _exec(sys.executable, [sys.executable, _WORKER, str(spec.directory)], dict(spec.environment))


class _Kept:
    """A module that is imported but not shown. As finder and loader it brings it back."""

    def __init__(self, name: str) -> None:
        self._module = sys.modules.pop(name)
        self._own = self._module.__spec__
        self._name = name
        self.spec: RunSpec | None = None
        sys.meta_path.insert(0, self)

    def reseed(self) -> None:
        """Its generator starts from fresh entropy, as after an import."""
        if self._name == "torch":
            self._module.default_generator.seed()
        elif "numpy.random" in sys.modules:
            sys.modules["numpy.random"].seed()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """As meta path finders do."""
        if name != self._name or self._own is None:
            return None
        found = ModuleSpec(name, self, origin=self._own.origin, is_package=True)  # type: ignore[arg-type]
        found.submodule_search_locations = self._own.submodule_search_locations
        found.has_location, found.cached = True, self._own.cached
        return found

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """As loaders do."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """The import, as far as the target can see."""
        if self.spec is not None and _changed(self.spec):
            start_again(self.spec)
        sys.meta_path.remove(self)
        module.__spec__ = self._own
        if self._name == HIDDEN[-1]:
            for name in HIDDEN[:-1]:
                importlib.import_module(name)


def _changed(spec: RunSpec) -> bool:
    """Whether the target set a variable that an import would have looked at."""
    names = {name for name in (*os.environ, *spec.environment) if name.startswith(READ_AT_IMPORT)}
    return any(os.environ.get(name) != spec.environment.get(name) for name in names)
