"""Who listens, and what they print."""

from __future__ import annotations

import io
import sys

import pytest

from reprocheck.engine.progress import LiveProgress, PlainProgress, Progress, SilentProgress, choose_progress
from reprocheck.model import Status


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def report_everything(progress: Progress) -> None:
    progress.started(2)
    progress.stage("comparing")
    progress.run_started("s0r0", 0)
    progress.run_step("s0r0", 3, 0.5)
    progress.run_ended("s0r0", Status.COMPLETED, 1.25, 20)
    progress.run_started("s0r1", 1)
    progress.run_ended("s0r1", Status.TIMED_OUT, 60.0, 1)
    progress.finished()
    progress.finished()


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    report_everything(SilentProgress())
    assert capsys.readouterr() == ("", "")


def test_plain_is_one_line_for_each_finished_run(capsys: pytest.CaptureFixture[str]) -> None:
    report_everything(PlainProgress())
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "reprocheck: run 1/2 s0r0 completed in 1.2 s, 20 steps",
        "reprocheck: run 2/2 s0r1 timed out in 60.0 s, 1 step",
    ]


def test_runs_beyond_the_plan_say_what_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress()
    progress.started(1)
    progress.run_ended("s0r0", Status.COMPLETED, 1.25, 20)
    progress.stage("does it reproduce without?")
    progress.run_ended("x01", Status.COMPLETED, 1.25, 20)
    progress.further(20)
    progress.found("RC531: it is the set at train.py:5")
    progress.stage("does it depend on the hash seed?")
    progress.run_ended("x02", Status.COMPLETED, 0.5, 1)
    assert capsys.readouterr().err.splitlines() == [
        "reprocheck: run 1/1 s0r0 completed in 1.2 s, 20 steps",
        "reprocheck: further run 1 x01 completed in 1.2 s, 20 steps: does it reproduce without?",
        "reprocheck: RC531: it is the set at train.py:5",
        "reprocheck: further run 2 of at most 20 x02 completed in 0.5 s, 1 step: does it depend on the hash seed?",
    ]


def test_verbose_reports_starts_and_stages(capsys: pytest.CaptureFixture[str]) -> None:
    report_everything(PlainProgress(verbose=True))
    err = capsys.readouterr().err
    assert "reprocheck: comparing\n" in err
    assert "reprocheck: run s0r1 started\n" in err


def test_a_live_display_writes_to_standard_error_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    error, out = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "xterm")
    progress = LiveProgress()
    progress.started(1)
    progress.run_started("[red]:smile:", 0)
    progress.run_step("[red]:smile:", 7, 0.1)
    progress.stage("[/x] \x1b[31mstage")
    progress.run_ended("[red]:smile:", Status.FAILED, 1.0, 0)
    progress.finished()
    assert sys.stderr is error
    assert out.getvalue() == ""
    assert "[red]:smile: failed" in error.getvalue()
    assert "\x1b[31mstage" not in error.getvalue()


def test_a_live_display_says_how_long_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("reprocheck.engine.progress.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = LiveProgress()
    progress.started(4)
    assert progress._overview() == "0 of 4 runs done"
    for seconds, expected in (
        (110.0, "1 of 4 runs done, about 30 s left"),
        (400.0, "2 of 4 runs done, about 5 min left"),
    ):
        clock[0] = seconds
        progress.run_ended("s0r0", Status.COMPLETED, 10.0, 1)
        assert progress._overview() == expected
    progress.run_ended("s0r0", Status.COMPLETED, 10.0, 1)
    progress.run_ended("s0r0", Status.COMPLETED, 10.0, 1)
    assert progress._overview() == "4 of 4 runs done"
    progress.finished()


def test_a_plan_says_what_may_follow(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    then = "if they differ, at most 20 further runs find out why"
    PlainProgress().started(2, then)
    assert capsys.readouterr().err == f"reprocheck: 2 runs; {then}\n"
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = LiveProgress()
    shown: list[str | None] = []
    monkeypatch.setattr(progress, "_refresh", lambda message=None: shown.append(message))
    progress.started(1, then)
    assert progress._overview() == f"0 of 1 runs done; {then}"
    progress.run_ended("s0r0", Status.COMPLETED, 5.0, 1)
    assert progress._overview() == "1 of 1 runs done"
    progress.stage("does it reproduce without?")
    progress.further(20)
    progress.run_ended("x01", Status.COMPLETED, 7.0, 1)
    progress.stage("does it depend on the hash seed?")
    assert shown[1] == "further run 1: does it reproduce without?"
    assert shown[3] == "further run 2 of at most 20: does it depend on the hash seed? (at most about 2 min left)"
    progress.finished()


def test_events_without_a_start_are_harmless() -> None:
    progress = LiveProgress()
    progress.run_step("s0r0", 1, 0.0)
    progress.stage("x")
    progress.finished()


@pytest.mark.parametrize(
    ("quiet", "verbose", "terminal", "term", "expected"),
    [
        (0, False, True, "xterm", LiveProgress),
        (0, False, True, "dumb", PlainProgress),
        (0, True, True, "xterm", PlainProgress),
        (0, False, False, "xterm", PlainProgress),
        (1, False, True, "xterm", SilentProgress),
        (2, True, False, "xterm", SilentProgress),
    ],
)
def test_the_listener_fits_the_terminal(
    quiet: int, verbose: bool, terminal: bool, term: str, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert isinstance(choose_progress(quiet, verbose), expected)
