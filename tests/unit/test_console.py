"""Style decisions, escaping, and messages that never fail."""

from __future__ import annotations

import io
import os
import sys

import pytest

from reprocheck.engine.console import Style, clip, decide_style, escape, harmless, print_message


class Stream(io.StringIO):
    """A stream with an encoding, a terminal or not."""

    def __init__(self, terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal, self._encoding = terminal, encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(autouse=True)
def _no_colour_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("color", "environment", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour_follows_option_then_environment_then_terminal(
    color: str, environment: dict[str, str], terminal: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert decide_style(color, Stream(terminal)).colour is expected


def test_plots_are_for_terminals_that_can_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {name: decide_style("auto", Stream(True, name)) for name in ("utf-8", "ascii", "cp1252")}
    assert [style.plots for style in shown.values()] == [True, True, False]
    assert [style.ascii for style in shown.values()] == [False, True, False]
    assert not decide_style("always", Stream()).plots
    monkeypatch.setenv("TERM", "dumb")
    assert not decide_style("auto", Stream(True)).plots


def test_a_pipe_has_a_fixed_width_and_a_terminal_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "66")
    assert decide_style("auto", Stream()).width == 100
    assert decide_style("auto", Stream(terminal=True)).width == 66


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", False), ("ascii", True), ("latin-1", True), ("nonsense", True)]
)
def test_symbols_are_written_only_where_the_stream_carries_them(encoding: str, expected: bool) -> None:
    assert decide_style("auto", Stream(encoding=encoding)).ascii is expected


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert decide_style("auto", stream) == Style()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain [red] :smile:", "plain [red] :smile:"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202eabc", "\\u202eabc"),
        ("\udcff", "\\udcff"),
        ("größe", "größe"),
    ],
)
def test_what_a_terminal_would_obey_becomes_visible(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_escaped_for_ascii_nothing_else_is_left() -> None:
    assert escape("ü…", ascii_only=True) == "\\xfc\\u2026"


def test_very_long_text_is_cut_and_says_so() -> None:
    assert clip("x" * 1000).endswith("x\u2026 (1000 characters)")
    assert harmless("\x1b" * 1000).endswith("\\x1b\u2026 (1000 characters)")


def test_a_message_goes_to_standard_error_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_message("hello \x1b[31m [red] :smile:")
    assert capsys.readouterr() == ("", "hello \\x1b[31m [red] :smile:\n")


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_message_that_nobody_hears_is_no_failure(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    error = None
    if stream == "closed":
        error = io.StringIO()
        error.close()
    monkeypatch.setattr(sys, "stderr", error)
    print_message("hello")


def test_a_message_into_a_broken_pipe_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        print_message("hello")
        print_message("again")


def test_a_message_that_the_encoding_lacks_is_written_with_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    print_message("größe")
    assert raw.getvalue() == b"gr\\xf6\\xdfe\n"
