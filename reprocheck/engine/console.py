"""How the terminal is spoken to: colour, width and symbols, decided once; text from outside, made harmless.

In come an option, a stream and the environment; out goes the Style that reports are rendered with.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import unicodedata
from dataclasses import dataclass
from typing import TextIO

PLAIN_WIDTH = 100
SYMBOLS = "…±"
"""What a report writes outside ASCII."""
PLOT_SYMBOLS = "\u25cb\u25cf\u253c\u2500"
"""And a plot: a run, the first run of a seed, the mean, its interval."""

LONGEST = 400
"""Characters of one piece of text from outside; more is cut, and said to be."""

# Control, format (bidirectional overrides), surrogates, line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_ANYWHERE = re.compile(r"##(?=[A-Za-z]*\[)")
_AT_START = re.compile(
    r"((?:^|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029])\s*)::(?!:)"
)  # `:::`, as in a report, is no command
_DISARMED = {
    **dict.fromkeys(("json", "sarif"), ("#\\u0023", "\\u003a:")),
    **dict.fromkeys(("html", "junit"), ("#&#35;", "&#58;:")),
}
"""By format: what stands in place of two number signs, and of two colons; a backslash before it elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a report looks; never what it says."""

    colour: bool = False
    width: int = PLAIN_WIDTH
    """Columns of the terminal; PLAIN_WIDTH where there is none."""
    ascii: bool = False
    """Write ASCII only."""
    plots: bool = False
    """A person looks at a terminal that can show a plot."""
    wraps: bool = False
    """A person looks at a terminal."""
    verbose: bool = False
    """Nothing is folded."""
    brief: bool = False
    """Of a text the verdict and the first cause alone."""


def decide_style(color: str, stream: TextIO) -> Style:
    """The style for a stream. `color` is always, never or auto."""
    terminal = is_terminal(stream)
    ascii_only = not _carries(stream, SYMBOLS)
    return Style(
        colour=_wants_colour(color, terminal),
        width=max(20, shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns) if terminal else PLAIN_WIDTH,
        ascii=ascii_only,
        plots=terminal and os.environ.get("TERM") != "dumb" and (ascii_only or _carries(stream, PLOT_SYMBOLS)),
        wraps=terminal,
    )


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads the stream on a terminal."""
    try:
        return stream is not None and stream.isatty()
    except (ValueError, OSError):  # closed
        return False


def escape(text: str, *, ascii_only: bool = False, keep_lines: bool = False) -> str:
    """Text from outside with everything visible that a terminal would obey."""
    kept = "\n" if keep_lines else ""
    if text.isascii() and text.isprintable():
        return text
    safe = "".join(
        char if char in kept or unicodedata.category(char) not in _UNSAFE else _visible(char) for char in text
    )
    return safe.encode("ascii", "backslashreplace").decode("ascii") if ascii_only else safe


def clip(text: str) -> str:
    """Text from outside, not too long to read. It is not yet harmless."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\u2026 ({len(text)} characters)"


def harmless(text: str) -> str:
    """Text from outside, on one line, not too long, and nothing that a terminal would obey."""
    return escape(clip(text))


def print_message(message: str) -> None:
    """One plain message on standard error. Never fails: nobody may be listening."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(encodable(disarm(escape(message, keep_lines=True)), stream) + "\n")
        stream.flush()
    except (OSError, ValueError):
        silence(stream)


def disarm(text: str, form: str = "text") -> str:
    """Text in which no line is a command to whoever runs a job and reads its log: `::error::` at the start of a line,
    `##[error]` or `##vso[...]` anywhere in one. `form` is the format it is written in, whose reading stays the same.

    The format `github` consists of such commands; what is shown in them has no line of its own.
    """
    mark, colon = _DISARMED.get(form, ("##\\", "\\::"))
    if "##" in text:
        text = _ANYWHERE.sub(lambda found: mark, text)
    if "::" in text and form != "github":
        text = _AT_START.sub(lambda found: found[1] + colon, text)
    return text


def encodable(text: str, stream: TextIO) -> str:
    """The text with what the stream cannot encode written as backslash escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except (LookupError, UnicodeError):
        return text.encode("ascii", "backslashreplace").decode("ascii")


def silence(stream: TextIO) -> None:
    """Point a stream that nobody reads at the null device: else the interpreter fails again at its exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())
        finally:
            os.close(null)


def _wants_colour(color: str, terminal: bool) -> bool:
    if color in ("always", "never"):
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def _carries(stream: TextIO, symbols: str) -> bool:
    try:
        symbols.encode(getattr(stream, "encoding", None) or "utf-8")
    except (LookupError, UnicodeError):
        return False
    return True


def _visible(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(char)
    if char in named:
        return named[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
