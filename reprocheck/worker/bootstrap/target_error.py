"""What is said of the error that ended the target: its text and line, and the traceback as Python would print it."""

from __future__ import annotations

import builtins
import contextlib
import os
import re
import sys
import traceback
from types import TracebackType
from typing import Any

from reprocheck.model.places import NOTEBOOK, line_text, place_text
from reprocheck.protocol.package import WORKER_FILE
from reprocheck.worker.private import error_text

_STDLIB = os.path.dirname(os.__file__) + os.sep
_OWN = os.path.dirname(WORKER_FILE) + os.sep
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())
"""Python 3.10 has none."""


def describe(error: BaseException) -> str:
    """The error and the innermost line of the user's code; where there is none, that of a library."""
    place = own = ""
    trace = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if os.sep + "reprocheck" + os.sep not in path:
            place = f" at {place_text(path, trace.tb_lineno)}"
            own = own if _is_of_library(path) else place
        trace = trace.tb_next
    return error_text(error) + (own or place)


def _is_of_library(path: str) -> bool:
    return path.startswith(("<", _STDLIB)) or f"{os.sep}site-packages{os.sep}" in path


def print_traceback(error: BaseException) -> None:
    """As Python would print it, without our own frames."""
    with contextlib.suppress(BaseException):
        _hide_own_frames(error, set())
    try:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        print(_IN_CELL.sub(_named, text), end="", file=sys.stderr)
    except BaseException:  # the target closed its standard error, or replaced what this needs
        with contextlib.suppress(BaseException):
            sys.__excepthook__(type(error), error, error.__traceback__)


_IN_CELL = re.compile(rf'File "([^"\n]*{re.escape(NOTEBOOK)})", line (\d+)')


def _named(found: re.Match[str]) -> str:
    return f'File "{found[1]}", {line_text(found[1], int(found[2]))}'


def _hide_own_frames(error: BaseException | None, met: set[int]) -> None:
    """Take what wraps the target's calls out of the traceback of an error and of those behind it. An error that comes
    from our own code keeps it all."""
    if error is None or id(error) in met:
        return
    met.add(id(error))
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    if frames and not _is_own(frames[-1]):
        kept = [frame for frame in frames if not _is_own(frame)]
        for frame, following in zip(kept, [*kept[1:], None], strict=True):
            frame.tb_next = following
        BaseException.with_traceback(error, kept[0])
    for other in (error.__cause__, error.__context__, *(error.exceptions if isinstance(error, _GROUP) else ())):
        _hide_own_frames(other, met)


def _is_own(trace: TracebackType) -> bool:
    return str.startswith(trace.tb_frame.f_code.co_filename, _OWN)
