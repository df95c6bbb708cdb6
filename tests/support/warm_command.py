"""The command without the time that Python needs to import it: a process that has imported it forks one for every call.

What is forked is `python -m reprocheck` in all that a test may look at: a process of its own with its own arguments,
folder, environment and standard streams. Tests of how the process itself starts and ends start an interpreter instead,
as everything does that is marked `own_templates`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from reprocheck.engine.template_server import serving

COMMAND_VARIABLE = "WARM_REPROCHECK"
"""The socket of the server."""
_MOST_BYTES = 1 << 17
_LEFT_OUT = ("reprocheck.worker", "reprocheck.commands.selftest.fixtures", "reprocheck.pytest_plugin")
"""No part of the command."""


@contextmanager
def command_server() -> Iterator[str]:
    """A server that ends with the block, or with this process. Gives the value of COMMAND_VARIABLE."""
    with serving(__name__, cwd=Path(__file__).parent.parent.parent) as path:
        yield path


def call(
    server: str, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `reprocheck` with these arguments."""
    with ExitStack() as stack:
        asking = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        out, err = (stack.enter_context(TemporaryFile()) for _ in range(2))
        asking.settimeout(timeout)
        asking.connect(server)
        wish = json.dumps([list(arguments), str(cwd), dict(environment)]).encode()
        socket.send_fds(asking, [wish], [out.fileno(), err.fileno()])
        pid = int(asking.recv(32))
        try:
            code = int(asking.recv(32))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "backslashreplace").replace("\r\n", "\n"))
        return code, texts[0], texts[1]


def _serve(listening: socket.socket) -> None:
    """Fork for every call, until standard input ends. Returns in a command."""
    calls: dict[int, socket.socket] = {}
    awake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    earlier = {one: signal.signal(one, lambda number, frame: None) for one in (signal.SIGCHLD, signal.SIGINT)}
    signal.set_wakeup_fd(waker)
    while True:
        readable, _, _ = select.select([listening, sys.stdin, awake], [], [])
        if sys.stdin in readable:
            os._exit(0)
        if awake in readable:
            os.read(awake, 1 << 12)
        while calls and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with calls.pop(ended[0]) as asking:
                asking.send(str(os.waitstatus_to_exitcode(ended[1])).encode())
        if listening not in readable:
            continue
        asking, _ = listening.accept()
        data, streams, *_ = socket.recv_fds(asking, _MOST_BYTES, 2)
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            for one, handler in earlier.items():
                signal.signal(one, handler)
            for end in (listening, asking, *calls.values()):
                end.close()
            os.close(awake)
            os.close(waker)
            return _become(*json.loads(data), streams)
        asking.send(str(pid).encode())
        calls[pid] = asking
        for number in streams:
            os.close(number)


def _become(arguments: list[str], cwd: str, environment: dict[str, str], streams: list[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, own in enumerate((nothing, *streams)):
        os.dup2(own, number)
        os.close(own)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    sys.path[0] = cwd


def _import() -> None:
    """All of it that does without numpy and torch; the threads of those would not live on in a fork."""
    import reprocheck

    absent: dict[str, Any] = {"numpy": None, "torch": None}
    sys.modules.update(absent)
    for module in pkgutil.walk_packages(reprocheck.__path__, "reprocheck.", onerror=lambda name: None):
        if not module.name.startswith(_LEFT_OUT) and not module.name.endswith("__main__"):
            with suppress(ImportError):
                importlib.import_module(module.name)
    for name in absent:
        del sys.modules[name]
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _import()
    from reprocheck.__main__ import main

    _serve(socket.socket(fileno=int(sys.argv[1])))
    main()
