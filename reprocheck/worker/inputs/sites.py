"""Which line of the user's code is at work: a walk up the stack, cheap enough for every operation.

User code is what lies neither in the standard library, nor in an installed package, nor in reprocheck; the folder of
the target is always user code, wherever it lies. A site is a number; its line is worked out when it is written down.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from itertools import islice
from types import CodeType, FrameType
from typing import Any

from reprocheck.model import RunSpec, TargetKind
from reprocheck.model.places import is_notebook
from reprocheck.protocol.package import PACKAGE_FOLDER

MOST_FRAMES = 3
"""Frames of the user's code that a site remembers."""
_DEEPEST = 200
_INSTALLED = ("site-packages", "dist-packages")

Key = tuple[tuple[CodeType, int], ...]


class Sites:
    """Numbers for the places in the user's code that something happened at. 0 is no place."""

    def __init__(self, spec: RunSpec) -> None:
        # NOTE: not real paths: a virtual environment's packages are named by the path they were imported from.
        paths = sysconfig.get_paths()
        top_models = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in paths}
        top_models |= {os.path.realpath(root) for root in top_models}
        self._library = tuple(root + os.sep for root in top_models)
        self._own = PACKAGE_FOLDER + os.sep
        self._target = target_folder(spec)
        path = spec.target.path
        self._notebook = str(path) if path is not None and is_notebook(path) else ""
        # NOTE: by identity: to hash a code object is to hash all that it holds, which takes longer than the walk.
        self._known: dict[int, tuple[CodeType, bool]] = {}
        self._numbers: dict[tuple[int, ...], int] = {}
        self._keys: list[Key] = [()]

    def here(self, skip: int = 1) -> int:
        """The site of the caller; `skip` frames above this one are passed over."""
        frame: FrameType | None = sys._getframe(skip)
        known = self._known
        found: list[int] = []
        depth = 0
        while frame is not None and depth < _DEEPEST:
            code = frame.f_code
            entry = known.get(id(code))
            if entry is None:
                entry = known[id(code)] = code, self.is_user_file(code.co_filename)
            if entry[1]:
                found += (id(code), frame.f_lasti)
                if len(found) == 2 * MOST_FRAMES:
                    break
            frame = frame.f_back
            depth += 1
        if not found:
            return 0
        number = self._numbers.get(tuple(found))
        if number is None:
            number = self._numbers[tuple(found)] = len(self._keys)
            places = zip(found[::2], found[1::2], strict=True)
            self._keys.append(tuple((known[code][0], lasti) for code, lasti in places))
        return number

    def at(self, code: CodeType, lasti: int) -> int:
        """The site of an instruction that was at work before."""
        key = ((code, lasti),)
        if key not in self._keys:
            self._keys.append(key)
        return self._keys.index(key)

    def is_user_file(self, name: str) -> bool:
        """Whether a file holds the user's code."""
        if name.startswith("<"):
            return False
        path = name if os.path.isabs(name) else os.path.abspath(name)
        if path.startswith(self._own):
            return False
        if self._target and path.startswith(self._target):
            # A virtual environment often lies in the folder of the project.
            return not any(f"{os.sep}{name}{os.sep}" in path[len(self._target) - 1 :] for name in _INSTALLED)
        return not path.startswith(self._library) and f"{os.sep}site-packages{os.sep}" not in path

    def user_files(self) -> list[str]:
        """The files of the user's code that are imported now."""
        found = {self._notebook} if self._notebook else set()
        for module in list(sys.modules.values()):
            name = getattr(module, "__file__", None)
            # torch.ops and torch.classes call themselves "_ops.py", which is in no folder at all.
            if isinstance(name, str) and os.path.isabs(name) and name.endswith(".py") and self.is_user_file(name):
                found.add(os.path.normpath(name))
        return sorted(found)

    def frames(self, site: int) -> list[dict[str, Any]]:
        """The frames of a site, innermost first: path, line, function, and the columns of the expression."""
        return [
            {
                "path": os.path.abspath(code.co_filename),
                "line": line_of(code, lasti),
                "function": code.co_qualname if hasattr(code, "co_qualname") else code.co_name,
                "columns": columns_of(code, lasti),
            }
            for code, lasti in self._keys[site]
        ]


def line_of(code: CodeType, lasti: int) -> int:
    """The line that an instruction belongs to."""
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return line
    return code.co_firstlineno


def columns_of(code: CodeType, lasti: int) -> list[int]:
    """The bytes of its line at which the expression of an instruction begins and ends; empty where Python does not
    say, or where it is on several lines."""
    positions = getattr(code, "co_positions", None)
    if positions is None or lasti < 0:
        return []
    first, last, start, end = next(islice(positions(), lasti // 2, None), (None,) * 4)
    if start is None or end is None or not first == last == line_of(code, lasti):
        return []
    return [start, end]


def target_folder(spec: RunSpec) -> str:
    """The folder of the target's own code when it is known without importing it; else empty."""
    if spec.target.kind in (TargetKind.FILE_FUNCTION, TargetKind.SCRIPT) and spec.target.path is not None:
        return os.path.dirname(os.path.abspath(spec.target.path)) + os.sep
    return ""
