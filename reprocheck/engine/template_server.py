"""Templates for many audits: torch is imported once for all that need the same environment.

For sessions that make many small audits, such as a test suite. The server keeps processes that have imported torch and
nothing else; a template of an audit is a fork of one of them, not a process that imports. Within an audit nothing
changes: two templates of one audit never come from the same process, so runs that are compared share as much or as
little as ever. Two audits may share the address layout of a process; nothing compares those.
"""

from __future__ import annotations

import json
import os
import select
import site
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from reprocheck.protocol import RUN_VARIABLE, SERVER_VARIABLE, TEMPLATES
from reprocheck.protocol.package import WORKER_FILE
from reprocheck.worker.bootstrap.template import READ_AT_IMPORT

MOST_PROCESSES = 40
"""That are kept, where there is memory for them."""
MEMORY_OF_EACH = 160 << 20
_MEMORY_SHARE = 0.4
"""Of the memory that is free when the server starts."""
NAME_ROOM = 200
"""Bytes for the name of a run in the environment that the system shows of a process."""
MOST_BYTES = 1 << 16
"""Of a message, so of an environment."""
ANSWER_SECONDS = 30.0
_LOOKED_AT = (
    *READ_AT_IMPORT,
    *("PYTHON", "GLIBC_", "Malloc", "LANG", "LC_", "TZ", "CUDA", "NVIDIA", "HIP", "ROC"),
    *("HOME", "XDG_", "VIRTUAL_ENV", "CONDA"),
)
"""How the names of variables start that an interpreter or an import may look at. A run gets the others later."""
_LATER = ("TORCHINDUCTOR_CACHE_DIR", *(() if site.ENABLE_USER_SITE else ("HOME",)))
"""Of these, what a compiler alone looks at, when it compiles; and where the user's packages are, if none are used."""
_INHERITED = (
    *("Umask", "Uid", "Gid", "Groups", "SigIgn", "CapEff", "NoNewPrivs", "Seccomp"),
    *("Cpus_allowed", "Mems_allowed"),
)
"""Lines of /proc/self/status."""
_OK = b"ok"


@contextmanager
def template_server() -> Iterator[str]:
    """A server that ends with the block, or with this process. Gives the value of SERVER_VARIABLE for the audits."""
    with serving(__name__, start_new_session=True) as path:
        yield path


@contextmanager
def serving(module: str, **how: Any) -> Iterator[str]:
    """A process that runs this module with the number of a listening socket, whose path this gives. It ends with the
    block, or with this process: its standard input ends then."""
    with TemporaryDirectory(prefix="server-") as folder:
        path = os.path.join(folder, "socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind(path)
            listening.listen(64)
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(listening.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=(listening.fileno(),),
                **how,
            )
        assert process.stdin is not None
        try:
            yield path
        finally:
            process.stdin.close()
            process.wait()


def ask_for_template(
    server: str, environment: Mapping[str, str], number: int, folder: Path, channel: socket.socket
) -> bool:
    """Have a template forked that talks through `channel`. `number`: of the templates of this audit with this
    environment. False where the server gives none: then it has to be a process of its own."""
    wish = {"environment": dict(environment), "number": number, "folder": str(folder), "inherited": inherited()}
    data = json.dumps(wish).encode()
    if len(data) > MOST_BYTES:
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(ANSWER_SECONDS)
        asking.connect(server)
        socket.send_fds(asking, [data], [channel.fileno()])
        return asking.recv(len(_OK)) == _OK
    return False


def inherited() -> list[str]:
    """What a process has from the one that started it, apart from the environment."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = [line for line in lines if line.partition(":")[0] in _INHERITED]
    found += [Path("/proc/self", name).read_text() for name in ("limits", "cgroup", "oom_score_adj")]
    found += [os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))]
    return [*found, str(os.getpriority(os.PRIO_PROCESS, 0)), sys.executable, str(WORKER_FILE)]


class _Imported:
    """A process that has imported torch, and forks templates."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, str(WORKER_FILE), TEMPLATES, str(other.fileno()), str(os.getpid())],
                cwd="/",
                env={**environment, RUN_VARIABLE: "template".ljust(NAME_ROOM, "-")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
                start_new_session=True,
            )

    def fork(self, folder: str, channel: int) -> None:
        """A template in that folder, at the other end of that socket. Raises OSError."""
        socket.send_fds(self._socket, [os.fsencode(folder)], [channel])

    def close(self) -> None:
        """End it; its templates go on."""
        self._socket.close()
        if self._process.poll() is None:
            self._process.send_signal(SIGKILL)
        self._process.wait()


class _Server:
    def __init__(self) -> None:
        self._inherited = inherited()
        self._processes: dict[Any, _Imported] = {}
        """The one that was used last is the last one."""
        free = psutil.virtual_memory().available
        self._most = max(2, min(MOST_PROCESSES, int(free * _MEMORY_SHARE) // MEMORY_OF_EACH))

    def serve(self, listening: socket.socket) -> None:
        """Until standard input ends."""
        try:
            while True:
                readable, _, _ = select.select([listening, sys.stdin], [], [])
                if sys.stdin in readable:
                    return
                asking, _ = listening.accept()
                with asking, suppress(OSError, ValueError, KeyError, TypeError):
                    asking.settimeout(ANSWER_SECONDS)
                    self._answer(asking)
        finally:
            for process in self._processes.values():
                process.close()

    def _answer(self, asking: socket.socket) -> None:
        data, channels, *_ = socket.recv_fds(asking, MOST_BYTES, 1)
        try:
            wish = json.loads(data)
            if channels and wish["inherited"] == self._inherited:
                self._fork(wish["environment"], wish["number"], wish["folder"], channels[0])
                asking.sendall(_OK)
        finally:
            for channel in channels:
                os.close(channel)

    def _fork(self, environment: Mapping[str, str], number: int, folder: str, channel: int) -> None:
        environment = {
            name: value for name, value in environment.items() if name.startswith(_LOOKED_AT) and name not in _LATER
        }
        key = (tuple(sorted(environment.items())), number)
        process = self._processes.pop(key, None) or _Imported(environment)
        try:
            process.fork(folder, channel)
        except OSError:  # it has died
            process.close()
            process = _Imported(environment)
            process.fork(folder, channel)
        self._processes[key] = process
        while len(self._processes) > self._most:
            self._processes.pop(next(iter(self._processes))).close()


if __name__ == "__main__":
    os.environ.pop(SERVER_VARIABLE, None)
    _Server().serve(socket.socket(fileno=int(sys.argv[1])))
