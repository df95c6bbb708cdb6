"""What the command line of a program that the target starts tells: whether it is Python, and which files it names."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from typing import Any

PROGRAMS = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec")
"""Audit events of a program that is started."""
MOST_IN_FOLDER = 1_000
"""Files of a folder that a program was given are looked at."""
_DEEP = 3
_WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s;&|()]+|[;&|()]+")
_PATH = re.compile(r"(?:^|(?<=[\s'\"=>(,]))~?/[^\s'\"`;&|()<>=,*?\[\]{}$\\]+")
"""A whole path in a text: of a shell, an option, a program."""
_OF_LIBRARIES = re.compile(
    r"-packages/|multiprocessing\.|-m\s+(?:pip|torch|venv|ensurepip|site|sysconfig|platform)\b|--version\b"
)
"""In the command lines of Python programs that libraries start to do their work: compilers, trackers, launchers."""
_LEAVES_SOMETHING = re.compile(r"open\(|write|save|dump|to_\w+\(|run|exec|spawn|import\(|main\(|train|fit")
"""In code that stands on the command line (`python -c`): it may make a result. Other such code only asks something."""


def runs_python(event: str, args: tuple[Any, ...]) -> bool:
    """Whether a program that is started is Python, and code of the target's rather than of a library."""
    text = " ".join(_command_line(event, args))
    plain = [word.strip("'\"") for word in _WORD.findall(text)]
    for before, word in itertools.pairwise(plain):
        program = before.rpartition("/")[2]
        if (
            program.rstrip("0123456789.") == "python"
            and not before.startswith("-")
            and word[:1] not in ";&|()<>0123456789"
        ):
            return not _OF_LIBRARIES.search(text) and (word != "-c" or bool(_LEAVES_SOMETHING.search(text)))
    return False


def paths_named(event: str, args: tuple[Any, ...]) -> Iterator[str]:
    """Whole paths that a program is given, and where it runs: it may write there, unseen by this process."""
    words = _command_line(event, args)
    if event == "subprocess.Popen" and args[2] is not None:
        yield os.path.abspath(os.fsdecode(args[2]))
    for word in words[1:] if event != "os.system" else words:
        found = [word] if word.startswith("/") and os.path.lexists(word) else _PATH.findall(os.path.expandvars(word))
        yield from (os.path.expanduser(path) for path in found)


def files_at(path: str, cwd: str) -> Iterator[str]:
    """The file, or those of a folder that was made for something: not the home, the temporary folder or one above."""
    if not os.path.isdir(path):
        yield path
        return
    whole = os.path.realpath(path) + os.sep
    broad = (
        os.path.realpath(one) + os.sep for one in (tempfile.gettempdir(), os.path.expanduser("~"), cwd, "/var/tmp")
    )
    if whole.count(os.sep) < 3 or any(one.startswith(whole) for one in broad):
        return
    files = (
        os.path.join(folder, name)
        for folder, names, found in os.walk(path)
        for name in _sorted(folder[len(path) :].count(os.sep) >= _DEEP, names, found)
    )
    yield from itertools.islice(files, MOST_IN_FOLDER)


def _sorted(is_deep: bool, folders: list[str], files: list[str]) -> list[str]:
    folders[:] = [] if is_deep else sorted(name for name in folders if name != ".git")
    return sorted(files)


def _command_line(event: str, args: tuple[Any, ...]) -> list[str]:
    command = args[0] if event == "os.system" else args[1]
    words = [command] if isinstance(command, (str, bytes, os.PathLike)) else list(command)
    if event == "subprocess.Popen" and args[0] is not None:
        words[:1] = [args[0]] if len(words) > 1 else [args[0], *words]
    return [os.fsdecode(word) for word in words]
