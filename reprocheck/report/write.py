"""Every stream and file that a report goes to. Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.engine.console import Style, disarm, encodable, print_message, silence
from reprocheck.errors import ExitCode, ReprocheckError, UsageError
from reprocheck.report import FORMATS
from reprocheck.report.formats import Formats

_COUNTER = itertools.count()


class OutputError(ReprocheckError):
    """A report that was asked for could not be written. Whoever waits for it has no verdict."""

    exit_code = ExitCode.NO_VERDICT


def check_writable(outputs: Sequence[tuple[str, Path]]) -> None:
    """Refuse, before anything is run, files that cannot be written."""
    met: dict[str, Path] = {}
    for form, path in outputs:
        try:
            problem = _problem(path)
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or str(error)
        if problem:
            raise UsageError(f"cannot write {form} report to {path}: {problem}", "name another file for --output")
        real = os.path.realpath(path)
        if real in met and not _is_special(path):
            raise UsageError(f"{path} and {met[real]} are the same file", "give every --output its own file")
        met[real] = path


def write_outputs(answer: Any, outputs: Sequence[tuple[str, Path]], style: Style, formats: Formats = FORMATS) -> None:
    """Write every report, each by a temporary file in its folder. One that fails does not stop the others.

    `formats`: those of the command whose answer it is, by default an audit.
    """
    file_style = replace(
        style, colour=False, ascii=False, plots=False, wraps=False, brief=False
    )  # a file is no terminal, and is UTF-8
    failures: list[OutputError] = []
    for form, path in outputs:
        text = disarm(formats[form](answer, file_style), form)
        try:
            write_atomically(path, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            failures.append(_failed(f"{form} report to {path}", error))
    if failures:
        message = "; ".join(failure.message for failure in failures)
        raise OutputError(message, failures[0].hint) from failures[0].__cause__


def append_step_summary(answer: Any, written: Sequence[str], formats: Formats = FORMATS) -> None:
    """With annotations goes a summary, where GitHub Actions wants one. It is an extra: without it the audit stands."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path or "github" not in written:
        return
    try:
        with open(path, "ab") as stream:
            stream.write(formats["markdown"](answer, Style()).encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as error:
        print_message(f"warning: cannot write the step summary to {path}: {getattr(error, 'strerror', None) or error}")


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content at once; a device or a pipe is written to as it is."""
    if _is_special(path):
        with open(path, "wb") as stream:
            stream.write(content)
        return
    real = Path(os.path.realpath(path))  # a link stays a link
    # NOTE: tempfile would make a file that only its owner may read.
    temporary = real.parent / f".reprocheck-{os.getpid()}-{next(_COUNTER)}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(real.stat().st_mode))
        os.replace(temporary, real)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def print_report(text: str, form: str = "text") -> None:
    """The report on standard output. A reader that has gone away is no error; a full disk is one.

    `form` is the name of its format.
    """
    stream = sys.stdout
    if stream is None:
        return
    try:
        stream.write(encodable(disarm(text, form), stream))
        stream.flush()
    except BrokenPipeError:
        silence(stream)
    except (OSError, ValueError) as error:
        silence(stream)
        raise _failed("the report to standard output", error) from error


def _problem(path: Path) -> str | None:
    """Why a file cannot be written, or None."""
    if path.is_dir():
        return "it is a directory"
    if _is_special(path):
        return None if os.access(path, os.W_OK) else "permission denied"
    real = Path(os.path.realpath(path))
    if not real.parent.exists():
        return f"there is no folder {path.parent}"
    if not real.parent.is_dir():
        return f"{path.parent} is not a folder"
    if not os.access(real.parent, os.W_OK | os.X_OK):
        return f"the folder {path.parent} is not writable"
    if real.exists() and not os.access(real, os.W_OK):
        return "the file is not writable"
    return None


def _is_special(path: Path) -> bool:
    """Something there that is neither file nor folder: /dev/stdout, a named pipe."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _failed(what: str, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    failure = OutputError(f"cannot write {what}: {reason}", "the audit was made; its evidence is kept")
    failure.__cause__ = error
    return failure
