"""Whose code a frame runs: the user's, reprocheck's, the standard library's, or an installed package's."""

from __future__ import annotations

import os
import sysconfig
from types import CodeType, FrameType

from reprocheck.protocol.package import PACKAGE_FOLDER
from reprocheck.worker.inputs.sites import Sites

USER = ""
OURS = "reprocheck"
STANDARD = "standard library"
_IMPORTING = "<frozen importlib"
_DEEPEST = 300


class Callers:
    """Owners of code objects, remembered."""

    def __init__(self, sites: Sites) -> None:
        self._is_user_file = sites.is_user_file
        self._own = PACKAGE_FOLDER + os.sep
        paths = sysconfig.get_paths()
        # NOTE: packages lie below the standard library's folder, so their folders are asked first.
        self._packages = tuple({paths[name] + os.sep for name in ("purelib", "platlib")})
        # NOTE: by identity: to hash a code object is to hash all that it holds, which takes longer than most calls.
        self._known: dict[int, tuple[str, CodeType]] = {}

    def owner(self, code: CodeType) -> str:
        """USER, OURS, STANDARD, or the top-level name of an installed package."""
        known = self._known.get(id(code))
        if known is None:
            known = self._known[id(code)] = (self.owner_of_file(code.co_filename), code)
        return known[0]

    def owner_of_file(self, name: str) -> str:
        """The same, for the name of a source file."""
        if name.startswith("<"):
            return STANDARD
        if name.startswith(self._own):
            return OURS
        if self._is_user_file(name):
            return USER
        for folder in (*self._packages, f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}"):
            _, found, below = name.rpartition(folder)
            if found:
                return below.split(os.sep, 1)[0].removesuffix(".py")
        return STANDARD

    def user_frame(self, frame: FrameType | None) -> tuple[FrameType | None, bool]:
        """The innermost frame of the user's code, from `frame` outwards, and whether it is importing a library."""
        imports = False
        for _ in range(_DEEPEST):
            if frame is None or self.owner(frame.f_code) == USER:
                return frame, imports
            imports = imports or frame.f_code.co_filename.startswith(_IMPORTING)
            frame = frame.f_back
        return None, imports

    def entry(self, frame: FrameType) -> FrameType:
        """The library's frame that the user's code called on the way to `frame`."""
        found = frame
        for _ in range(_DEEPEST):
            if frame.f_back is None or self.owner(frame.f_back.f_code) == USER:
                return found if self.owner(frame.f_code) == OURS else frame
            if self.owner(frame.f_code) != OURS:
                found = frame
            frame = frame.f_back
        return found


def is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported further up the stack."""
    for _ in range(_DEEPEST):
        if frame is None:
            return False
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False
