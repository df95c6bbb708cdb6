"""Wrappers of clocks, process numbers and the system's entropy. Library code reads them all the time: where it does for
reasons of its own, it is passed over."""

from __future__ import annotations

import datetime
import os
import platform
import random
import sys
import time
from types import FrameType
from typing import Any

from reprocheck.worker.ledger import freeze
from reprocheck.worker.ledger.callers import OURS, STANDARD, USER
from reprocheck.worker.ledger.entries import Reach, Source
from reprocheck.worker.ledger.replacer import Replacer

_MONOTONIC = ("monotonic", "perf_counter", "process_time", "thread_time")
_BENEATH = tuple(os.sep + name for name in ("random.py", "secrets.py", "uuid.py"))


def install(replacer: Replacer) -> None:
    """All of them, now or when their module is imported."""
    _watch_time(replacer)
    _watch_datetime(replacer)
    for owner, name, answer in (
        (os, "getpid", freeze.PID), (os, "getppid", freeze.PID + 1), (platform, "node", freeze.HOST),
    ):  # fmt: skip
        _watch_process(replacer, owner, name, answer)
    replacer.once_imported("socket", lambda socket: _watch_process(replacer, socket, "gethostname", freeze.HOST))
    for name in ("urandom", "getrandom"):
        replacer.watch(os, name, kind="entropy", constant=lambda entry, args, _: freeze.constant_bytes(entry, args[0]))
    _watch_system_random(replacer)
    replacer.once_imported("uuid", lambda uuid: _watch_uuid(replacer, uuid))
    replacer.once_imported("secrets", lambda secrets: _watch_secrets(replacer, secrets))
    replacer.once_imported("tempfile", lambda tempfile: _watch_names(replacer, tempfile))


def _watch_process(replacer: Replacer, owner: Any, name: str, answer: Any) -> None:
    replacer.watch(owner, name, kind="pid", reach=Reach.DIRECT, constant=lambda *_: answer)


def _watch_time(replacer: Replacer) -> None:
    frozen = replacer.ledger.frozen

    def wall() -> int:
        return frozen.nanoseconds(freeze.EPOCH)

    def clock(name: str, constant: Any) -> None:
        replacer.watch(time, name, kind="clock", reach=Reach.DIRECT, constant=constant)

    clock("time", lambda *_: wall() / 1e9)
    clock("time_ns", lambda *_: wall())
    for name in _MONOTONIC:
        clock(name, lambda *_: frozen.nanoseconds(freeze.MONOTONIC_START) / 1e9)
        clock(f"{name}_ns", lambda *_: frozen.nanoseconds(freeze.MONOTONIC_START))
    _watch_calendar(replacer)
    if frozen.is_whole("clock"):
        _lengthen_sleep(replacer)


def _watch_calendar(replacer: Replacer) -> None:
    """time.localtime() and its like read the clock when they are not given a time."""
    frozen, localtime = replacer.ledger.frozen, time.localtime

    def seconds() -> float:
        return frozen.nanoseconds(freeze.EPOCH) / 1e9

    for name, given in (("localtime", 0), ("gmtime", 0), ("ctime", 0), ("asctime", 0), ("strftime", 1)):
        original = getattr(time, name)

        def constant(entry: Any, args: Any, kwargs: Any, original: Any = original, name: str = name) -> Any:
            return original(*args, localtime(seconds()) if name in ("asctime", "strftime") else seconds())

        source = replacer.ledger.source(kind="clock", name=f"time.{name}", reach=Reach.DIRECT, constant=constant)

        def choose(args: Any, kwargs: Any, source: Source = source, given: int = given) -> Source | None:
            return source if len(args) <= given else None

        replacer.watch_by_choice(time, name, choose)


def _lengthen_sleep(replacer: Replacer) -> None:
    sleep = time.sleep

    def wrapper(seconds: float) -> None:
        replacer.ledger.frozen.sleep(seconds)
        sleep(seconds)

    replacer.replace(time, "sleep", wrapper)


def _watch_datetime(replacer: Replacer) -> None:
    """datetime.today() and date.today() read time.time; these two read the system's clock themselves."""
    frozen = replacer.ledger.frozen
    real: Any = datetime.datetime
    for name in ("now", "utcnow"):
        original = vars(real)[name]
        source = replacer.ledger.source(kind="clock", name=f"datetime.datetime.{name}", reach=Reach.DIRECT)

        def read(
            cls: Any, *args: Any, name: str = name, original: Any = original, source: Source = source, **kwargs: Any
        ) -> Any:
            entry = replacer.ledger.use(source, sys._getframe(1), args, kwargs)
            if entry is None or not entry.frozen:
                return original.__get__(None, cls)(*args, **kwargs)
            zone = datetime.timezone.utc if name == "utcnow" else args[0] if args else kwargs.get("tz")
            moment = cls.fromtimestamp(frozen.nanoseconds(freeze.EPOCH) / 1e9, zone)
            return moment.replace(tzinfo=None) if name == "utcnow" else moment

        replacer.replace_classmethod(real, name, read)


def _watch_system_random(replacer: Replacer) -> None:
    """random.SystemRandom, and through it secrets and numpy, take their entropy from this one function."""
    module: Any = random
    original = module._urandom
    ledger = replacer.ledger
    seen = ledger.source(kind="entropy", name="random.SystemRandom", generator="random.SystemRandom")
    beneath = ledger.source(kind="entropy", name="", written=False)

    def outside(frame: FrameType | None) -> tuple[FrameType | None, bool]:
        passed = False
        while frame is not None:
            owner = ledger.callers.owner(frame.f_code)
            passed = passed or owner == OURS
            if owner != OURS and not (owner == STANDARD and frame.f_code.co_filename.endswith(_BENEATH)):
                break
            frame = frame.f_back
        return frame, passed

    def urandom(size: int) -> bytes:
        frame, passed = outside(sys._getframe(1))
        if frame is not None:  # what passed a wrapper of ours has been taken down there
            entry = ledger.use(beneath if passed else seen, frame, (), {})
            if entry is not None and entry.frozen:
                return freeze.constant_bytes(entry, size)
        return bytes(original(size))

    module._urandom = urandom


def _watch_uuid(replacer: Replacer, uuid: Any) -> None:
    def constant(version: int) -> Any:
        return lambda entry, *_: uuid.UUID(bytes=freeze.constant_bytes(entry, 16), version=version)

    replacer.watch(uuid, "uuid1", kind="entropy", constant=constant(1))
    replacer.watch(uuid, "uuid4", kind="entropy", constant=constant(4))


def _watch_secrets(replacer: Replacer, secrets: Any) -> None:
    for name in ("token_bytes", "token_hex", "token_urlsafe", "randbits", "randbelow", "choice"):
        replacer.watch(secrets, name, kind="entropy")


def _watch_names(replacer: Replacer, tempfile: Any) -> None:
    """Names of temporary files are drawn from a generator of the module's own. Libraries (multiprocessing for its
    semaphores) ask it for names that nobody sees."""
    ledger = replacer.ledger
    source = ledger.source(
        kind="entropy", name="tempfile", reach=Reach.FAR,
        constant=lambda entry, *_: freeze.constant_bytes(entry, 4).hex(),
    )  # fmt: skip

    def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Source | None:
        inside = frame = sys._getframe(2)
        while frame.f_back is not None and frame.f_globals is vars(tempfile):
            frame = frame.f_back
        return source if frame is not inside and ledger.callers.owner(frame.f_code) == USER else None

    names = getattr(tempfile, "_RandomNameSequence", None)
    if names is not None:
        replacer.watch_by_choice(names, "__next__", choose)
