"""The calls that led to a generator without a seed: where each stands in the source, and which arguments are None.

A seed is often missing only at run time: the line that makes the generator passes on what it was given, and nobody
gave anything. The calls on the stack show where it could have been given.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from itertools import islice
from types import CodeType, FrameType
from typing import Any

from reprocheck.worker.ledger.callers import OURS, USER

MOST_FRAMES = 24
MOST_USER_FRAMES = 6
MOST_NAMES = 40
_SEED = re.compile(r"(?i)seed|rng|random|generator")

Plain = dict[str, Any]


def stack_of(frame: FrameType | None, owner: Callable[[CodeType], str], folder: str) -> list[Plain]:
    """The frames from `frame` outwards, as far as the user's code goes; relative paths are below `folder`."""
    found: list[Plain] = []
    users = 0
    while frame is not None and len(found) < MOST_FRAMES and users < MOST_USER_FRAMES:
        of = owner(frame.f_code)
        if of == OURS and users:
            break
        if of != OURS:
            found.append(_plain(frame, of, folder))
            users += of == USER
        frame = frame.f_back
    return found


def _plain(frame: FrameType, owner: str, folder: str) -> Plain:
    code = frame.f_code
    plain: Plain = {
        "path": os.path.normpath(os.path.join(folder, code.co_filename)),
        "line": frame.f_lineno or code.co_firstlineno,
        "position": _position(code, frame.f_lasti),
        "function": code.co_name,
        "library": owner,
    }
    if not code.co_flags & inspect.CO_OPTIMIZED:  # a module or the body of a class
        return plain
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[: min(count, MOST_NAMES)]
    values = frame.f_locals
    plain["parameters"] = list(names)
    plain["positional"] = code.co_argcount
    plain["none"] = [name for name in names if name in values and values[name] is None]
    spread = [code.co_flags & inspect.CO_VARARGS, code.co_flags & inspect.CO_VARKEYWORDS]
    plain["spread"] = list(code.co_varnames[count : count + sum(map(bool, spread))])
    if names[:1] == ("self",) and "self" in values:
        own = getattr(values["self"], "__dict__", None)
        plain["type"] = type(values["self"]).__name__
        if isinstance(own, dict):
            unset = (name for name, value in list(own.items()) if value is None and isinstance(name, str))
            plain["unset"] = list(islice((name for name in unset if _SEED.search(name)), MOST_NAMES))
    return plain


def _position(code: CodeType, instruction: int) -> list[int]:
    """First line, last line, first and last column of the call; empty where Python does not say."""
    positions = getattr(code, "co_positions", None)
    if positions is None or instruction < 0:
        return []
    found: tuple[int | None, ...] = next(islice(positions(), instruction // 2, None), ())
    known = [number for number in found if number is not None]
    return known if len(known) == 4 else []
