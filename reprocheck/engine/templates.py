"""Warm processes that have imported torch, from which runs are forked: the import is paid once for several runs.

Runs of one seed never come from the same template: what a template was born with (its hash seed, its address layout)
would be the same for both, and a difference that depends on it would not be seen.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

from reprocheck.engine.processes import continue_if_stopped, has_ended
from reprocheck.engine.template_server import NAME_ROOM, ask_for_template
from reprocheck.model import Isolation, RunSpec
from reprocheck.protocol import RUN_VARIABLE, SERVER_VARIABLE, TEMPLATE
from reprocheck.protocol.package import WORKER_FILE
from reprocheck.protocol.reading import items, parse_json, whole

WARM_UP_SECONDS = 120.0
"""Without a sign of life for so long, a template is given up."""
FORK_SECONDS = 10.0
WAIT_SECONDS = 0.005
LOOK_SECONDS = 0.5
"""Between two looks at whether the target has stopped its template."""
MOST_AT_ONCE = 4
"""Templates that import at the same time, at most; each needs some 300 MB."""
OF_A_RUN = (RUN_VARIABLE, "TMPDIR", "CUBLAS_WORKSPACE_CONFIG")
"""Variables that a run gets after the fork: nothing that a template imports looks at them."""
MOST_IDLE = 4
"""Templates that are kept for runs to come, if there may be any."""
_MOST_PID = 2**31 - 1


class TemplateLost(Exception):
    """A template does not answer, so the run needs a process of its own."""


class Forked:
    """A run that a template forked; what it became is heard from the template."""

    def __init__(self, pid: int, template: Template) -> None:
        self.pid = pid
        self._template = template

    def poll(self) -> int | None:
        """Its exit status (negative: the signal that ended it); None while it runs."""
        return self._template.status_of(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("run", timeout or 0.0)
            time.sleep(WAIT_SECONDS)
        return status


class Template:
    """One warm process, asked through a socket. `server`: where it is forked, if there can be had one."""

    def __init__(self, environment: Mapping[str, str], cwd: Path, server: str = "", number: int = 0) -> None:
        self._socket, other = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        with other:
            if not server or not ask_for_template(server, environment, number, cwd, other):
                self._process = subprocess.Popen(
                    [sys.executable, str(WORKER_FILE), TEMPLATE, str(other.fileno()), str(os.getpid())],
                    cwd=cwd,
                    env={**environment, RUN_VARIABLE: "template".ljust(NAME_ROOM, "-")},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(other.fileno(),),
                    start_new_session=True,
                )
        self._pid = None if self._process is None else self._process.pid
        self._socket.setblocking(False)
        self._received = b""
        self._statuses: dict[int, int] = {}
        self._forked: list[int] = []
        self._started = self._looked = time.monotonic()
        self.is_ready = False
        self.is_lost = False

    @property
    def is_warming(self) -> bool:
        """Whether it still imports."""
        self._listen()
        if not self.is_ready and time.monotonic() - self._started > WARM_UP_SECONDS:
            self.is_lost = True
        return not self.is_ready and not self.is_lost

    def fork(self, folder: Path) -> Forked:
        """Start the run whose order lies in `folder`. Raises TemplateLost."""
        try:
            self._socket.sendall(json.dumps(str(folder)).encode() + b"\n")
        except OSError as error:
            self.is_lost = True
            raise TemplateLost from error
        until = time.monotonic() + FORK_SECONDS
        while not self._forked:
            self._listen()
            if self.is_lost or time.monotonic() > until:
                self.is_lost = True
                raise TemplateLost
            time.sleep(WAIT_SECONDS / 5)
        return Forked(self._forked.pop(0), self)

    def status_of(self, pid: int) -> int | None:
        """How a forked run ended; None while it runs."""
        self._listen()
        if pid not in self._statuses and self.is_lost and has_ended(pid):
            self._statuses[pid] = -SIGKILL  # nobody is left who could report
        return self._statuses.get(pid)

    def close(self) -> None:
        """End it; its runs go on."""
        self._socket.close()  # which ends it, unless it is stopped
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, SIGKILL)
            self._process.wait()
        elif self._pid is not None:
            continue_if_stopped(self._pid)

    def _listen(self) -> None:
        now = time.monotonic()
        if now > self._looked + LOOK_SECONDS and self._pid is not None:
            self._looked = now
            continue_if_stopped(self._pid)
        self._read()

    def _read(self) -> None:
        """Take in the messages that have come."""
        try:
            while data := self._socket.recv(1 << 16):
                self._received += data
            self.is_lost = True
        except BlockingIOError:
            pass
        except OSError:
            self.is_lost = True
        *lines, self._received = self._received.split(b"\n")
        try:
            for line in lines:
                self._take(parse_json(line))
        except (ValueError, IndexError):  # whatever says that, it is no template of ours
            self.is_lost = True

    def _take(self, message: Any) -> None:
        event, *numbers = items(message)
        if event == "ready":
            self._pid = whole(numbers[0], 2, _MOST_PID)
            self.is_ready = True
        elif event == "forked":
            self._forked += [whole(number, 2, _MOST_PID) for number in numbers]
        else:
            self._statuses[whole(numbers[0], 2, _MOST_PID)] = whole(numbers[1], -256, 256)


class Templates:
    """The templates of one audit. As a context it ends them all."""

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self.idle = 1
        """Templates without a run to come that are kept, the first ones, besides the last one. Each holds 150 MB."""
        self._slots: list[_Slot] = []
        self._places: dict[str, _Slot] = {}
        self._server = os.environ.get(SERVER_VARIABLE, "") if sys.platform == "linux" else ""

    def __enter__(self) -> Templates:
        return self

    def __exit__(self, *error: object) -> None:
        for slot in self._slots:
            slot.close()

    def place(self, specs: Sequence[RunSpec]) -> None:
        """Decide which template forks which of these runs, where that is not decided yet. To warm one up for a single
        run gains nothing, unless a server has one: that one is used no further."""
        suited = [spec for spec in specs if self._isolation is Isolation.TEMPLATE and _suits(spec)]
        for spec in (spec for spec in suited if spec.id not in self._places):
            environment = {name: value for name, value in spec.environment.items() if name not in OF_A_RUN}
            slot = next((slot for slot in self._slots if slot.may_serve(spec, environment)), None)
            if slot is None and (len(suited) > 1 or self._server):
                number = sum(environment == slot.environment for slot in self._slots)
                slot = _Slot(environment, spec.copy_of or spec.cwd, number, for_one=len(suited) == 1)
                self._slots.append(slot)
            if slot is not None:
                slot.serves.append(spec)
                slot.waiting.add(spec.id)
                self._places[spec.id] = slot

    def are_ready(self, waiting: Sequence[RunSpec]) -> bool:
        """Whether the first of `waiting` can be started. Else the templates of the next runs are warmed up together:
        no import slows down a run that could have been started later."""
        slot = self._places.get(waiting[0].id)
        if slot is None:
            return True
        if slot.template is None and not slot.closed:
            self._warm_up(slot)
        return not any(slot.template is not None and slot.template.is_warming for slot in self._slots)

    def take(self, spec: RunSpec) -> Template | None:
        """The template for a run; None where it gets a process of its own."""
        slot = self._places.get(spec.id)
        return None if slot is None or slot.template is None or slot.template.is_lost else slot.template

    def ended(self, spec: RunSpec) -> None:
        """A run is over. Of templates without another some are kept, which later runs may use: the first ones and the
        last one."""
        slot = self._places.pop(spec.id, None)
        if slot is not None:
            slot.waiting.discard(spec.id)
            if slot.for_one:
                slot.close()
            idle = [other for other in self._slots[:-1] if other.template is not None and not other.waiting]
            for other in idle[self.idle :]:
                other.close()

    def share(self, one: str, other: str) -> bool:
        """Whether one template has forked both of these runs: they have more in common than two executions have."""
        return one != other and any({one, other} <= {spec.id for spec in slot.serves} for slot in self._slots)

    def _warm_up(self, due: _Slot) -> None:
        cold = [slot for slot in self._slots if slot.waiting and slot.template is None and not slot.closed]
        for slot in sorted(cold, key=lambda slot: slot is not due)[: min(MOST_AT_ONCE, os.cpu_count() or 1)]:
            slot.template = Template(slot.environment, slot.folder, self._server, slot.number)


class _Slot:
    """One template, started when the first of its runs is due."""

    def __init__(self, environment: Mapping[str, str], folder: Path, number: int, for_one: bool) -> None:
        self.environment = environment
        self.number = number
        """Of the templates with this environment."""
        self.for_one = for_one
        """Whether it stands for an interpreter of the run's own."""
        self.folder = folder
        self.template: Template | None = None
        self.serves: list[RunSpec] = []
        self.waiting: set[str] = set()
        """Runs that have not ended."""
        self.closed = False

    def may_serve(self, spec: RunSpec, environment: Mapping[str, str]) -> bool:
        """Whether it can fork this run, and has forked none that the run is compared with."""
        usable = not self.closed and not self.for_one and not (self.template is not None and self.template.is_lost)
        return usable and environment == self.environment and not any(_compared(spec, one) for one in self.serves)

    def close(self) -> None:
        if self.template is not None:
            self.template.close()
        self.template, self.closed = None, True


def _compared(spec: RunSpec, other: RunSpec) -> bool:
    return spec.seed == other.seed if spec.compared_with is None else other.id in spec.compared_with


def _suits(spec: RunSpec) -> bool:
    """Whether the run may be forked. One whose memory, time or first calls are looked into needs an interpreter of its
    own; a path that depends on the current folder has to be taken up there."""
    path = spec.environment.get("PYTHONPATH", "")
    is_fixed = not path or all(os.path.isabs(part) for part in path.split(os.pathsep))
    fits = len(f"{spec.environment[RUN_VARIABLE]}".encode()) < NAME_ROOM
    return sys.platform == "linux" and _may_fork(spec) and is_fixed and fits


def _may_fork(spec: RunSpec) -> bool:
    recorded, changed = spec.instruments, spec.interventions
    return not (
        recorded.states or recorded.times or recorded.weights or recorded.doctor or changed.cut or changed.calls > 1
    )
