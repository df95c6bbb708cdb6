"""Taps on clocks, process numbers and the system's entropy. Library code reads them all the time: where it does for
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
from reprocheck.worker.ledger.callers import OURS, STANDARD
from reprocheck.worker.ledger.entries import Reach, Source
from reprocheck.worker.ledger.taps_replace import Replacer

_MONOTONIC = ("monotonic", "perf_counter", "process_time", "thread_time")
_BENEATH = tuple(os.sep + name for name in ("random.py", "secrets.py", "uuid.py"))


def install(taps: Replacer) -> None:
    """All of them, now or when their module is imported."""
    _tap_time(taps)
    _tap_datetime(taps)
    for owner, name, answer in (
        (os, "getpid", freeze.PID), (os, "getppid", freeze.PID + 1), (platform, "node", freeze.HOST),
    ):  # fmt: skip
        _tap_process(taps, owner, name, answer)
    taps.once_imported("socket", lambda socket: _tap_process(taps, socket, "gethostname", freeze.HOST))
    for name in ("urandom", "getrandom"):
        taps.tap(os, name, kind="entropy", constant=lambda entry, args, _: freeze.constant_bytes(entry, args[0]))
    _tap_system_random(taps)
    taps.once_imported("uuid", lambda uuid: _tap_uuid(taps, uuid))
    taps.once_imported("secrets", lambda secrets: _tap_secrets(taps, secrets))


def _tap_process(taps: Replacer, owner: Any, name: str, answer: Any) -> None:
    taps.tap(owner, name, kind="pid", reach=Reach.DIRECT, constant=lambda *_: answer)


def _tap_time(taps: Replacer) -> None:
    frozen = taps.ledger.frozen

    def wall() -> int:
        return frozen.nanoseconds(freeze.EPOCH)

    def clock(name: str, constant: Any) -> None:
        taps.tap(time, name, kind="clock", reach=Reach.DIRECT, constant=constant)

    clock("time", lambda *_: wall() / 1e9)
    clock("time_ns", lambda *_: wall())
    for name in _MONOTONIC:
        clock(name, lambda *_: frozen.nanoseconds(freeze.MONOTONIC_START) / 1e9)
        clock(f"{name}_ns", lambda *_: frozen.nanoseconds(freeze.MONOTONIC_START))
    _tap_calendar(taps)
    if frozen.is_whole("clock"):
        _lengthen_sleep(taps)


def _tap_calendar(taps: Replacer) -> None:
    """time.localtime() and its like read the clock when they are not given a time."""
    frozen, localtime = taps.ledger.frozen, time.localtime

    def seconds() -> float:
        return frozen.nanoseconds(freeze.EPOCH) / 1e9

    for name, given in (("localtime", 0), ("gmtime", 0), ("ctime", 0), ("asctime", 0), ("strftime", 1)):
        original = getattr(time, name)

        def constant(entry: Any, args: Any, kwargs: Any, original: Any = original, name: str = name) -> Any:
            return original(*args, localtime(seconds()) if name in ("asctime", "strftime") else seconds())

        source = taps.ledger.source(kind="clock", name=f"time.{name}", reach=Reach.DIRECT, constant=constant)

        def choose(args: Any, kwargs: Any, source: Source = source, given: int = given) -> Source | None:
            return source if len(args) <= given else None

        taps.tap_by_choice(time, name, choose)


def _lengthen_sleep(taps: Replacer) -> None:
    sleep = time.sleep

    def wrapper(seconds: float) -> None:
        taps.ledger.frozen.sleep(seconds)
        sleep(seconds)

    taps.replace(time, "sleep", wrapper)


def _tap_datetime(taps: Replacer) -> None:
    """datetime.today() and date.today() read time.time; these two read the system's clock themselves."""
    frozen = taps.ledger.frozen
    real: Any = datetime.datetime
    for name in ("now", "utcnow"):
        original = vars(real)[name]
        source = taps.ledger.source(kind="clock", name=f"datetime.datetime.{name}", reach=Reach.DIRECT)

        def read(
            cls: Any, *args: Any, name: str = name, original: Any = original, source: Source = source, **kwargs: Any
        ) -> Any:
            entry = taps.ledger.use(source, sys._getframe(1), args, kwargs)
            if entry is None or not entry.frozen:
                return original.__get__(None, cls)(*args, **kwargs)
            zone = datetime.timezone.utc if name == "utcnow" else args[0] if args else kwargs.get("tz")
            moment = cls.fromtimestamp(frozen.nanoseconds(freeze.EPOCH) / 1e9, zone)
            return moment.replace(tzinfo=None) if name == "utcnow" else moment

        taps.replace_classmethod(real, name, read)


def _tap_system_random(taps: Replacer) -> None:
    """random.SystemRandom, and through it secrets and numpy, take their entropy from this one function."""
    module: Any = random
    original = module._urandom
    ledger = taps.ledger
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


def _tap_uuid(taps: Replacer, uuid: Any) -> None:
    def constant(version: int) -> Any:
        return lambda entry, *_: uuid.UUID(bytes=freeze.constant_bytes(entry, 16), version=version)

    taps.tap(uuid, "uuid1", kind="entropy", constant=constant(1))
    taps.tap(uuid, "uuid4", kind="entropy", constant=constant(4))


def _tap_secrets(taps: Replacer, secrets: Any) -> None:
    for name in ("token_bytes", "token_hex", "token_urlsafe", "randbits", "randbelow", "choice"):
        taps.tap(secrets, name, kind="entropy")
