"""Which listeners hear an event."""

from __future__ import annotations

from pathlib import Path

from reprocheck.worker.observe.listening import Listener, Listeners
from reprocheck.worker.recorder import Recorder


class Heard(Listener):
    def __init__(self) -> None:
        self.events: list[str] = []

    def step_taken(self, count: int, own_seconds: float) -> None:
        self.events.append("step")

    def ends(self) -> None:
        self.events.append("ends")

    def finish(self, was_stopped: bool) -> None:
        self.events.append("finish")


def test_the_end_of_a_run_is_heard_from_every_thread(tmp_path: Path) -> None:
    """A run may end in a thread; a trace that is not closed then is lost."""
    heard = {}
    for is_main in (True, False):
        listeners = Listeners(Recorder(tmp_path), lambda is_main=is_main: is_main)  # type: ignore[misc]
        listener = Heard()
        listeners.add(listener)
        listeners.tell(Listener.step_taken, 1, 0.0)
        listeners.tell(Listener.ends)
        listeners.tell(Listener.finish, True)
        heard[is_main] = listener.events
    assert heard == {True: ["step", "ends", "finish"], False: ["ends", "finish"]}
