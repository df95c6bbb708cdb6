"""What a failed target prints: as plain Python would, without the frames that wrap its calls."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from reprocheck.worker.bootstrap import target_error


def wrapper(body: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(compile(f"def wrapped(call):\n    {body}\n", f"{target_error._OWN}observe.py", "exec"), names)
    wrapped: Callable[..., Any] = names["wrapped"]
    return wrapped


def fail() -> None:
    raise ValueError("inner")


def chained() -> None:
    try:
        wrapper("call()")(fail)
    except ValueError as error:
        raise KeyError("outer") from error


def looped() -> None:
    error = ValueError("looped")
    error.__cause__ = error
    raise error


@pytest.mark.parametrize("call", [fail, chained, looped])
def test_frames_of_ours_are_left_out_wherever_they_are(
    call: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((ValueError, KeyError)) as caught:
        wrapper("call()")(lambda: wrapper("call()")(call))
    target_error.print_traceback(caught.value)
    output = capsys.readouterr().err
    assert target_error._OWN not in output
    assert f"in {call.__name__}" in output
    assert "in <lambda>" in output


def test_an_error_of_our_own_keeps_its_frames(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        wrapper("1 / 0")(None)
    target_error.print_traceback(caught.value)
    assert target_error._OWN in capsys.readouterr().err


def test_a_replaced_traceback_module_hides_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="inner") as caught:
        wrapper("call()")(fail)
    monkeypatch.setattr(traceback, "print_exception", None)
    target_error.print_traceback(caught.value)
    output = capsys.readouterr().err
    assert "ValueError: inner" in output
    assert target_error._OWN not in output
