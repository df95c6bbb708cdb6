"""`reprocheck selftest` sees what is planted, and says so when it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reprocheck.commands.selftest.selftest import (
    CASES,
    FIXTURES,
    FORMATS,
    Case,
    Seen,
    SelfTest,
    render_json,
    try_all,
)
from reprocheck.engine.console import Style
from reprocheck.engine.progress import SilentProgress
from reprocheck.errors import ExitCode
from reprocheck.model import NotCompared, Verdict
from tests.functional.test_delivery import check
from tests.support.cli import reprocheck

SET_ORDER = next(case for case in CASES if case.function == "set_order")
NOT_TRIED = NotCompared(what="race of threads", reason="there is one core")
CLEAN = next(case for case in CASES if case.expected is Verdict.REPRODUCIBLE)


def seen(case: Case, verdict: Verdict, detail: str = "") -> Seen:
    return Seen(case=case, verdict=verdict, detail=detail, seconds=1.0)


@pytest.mark.slow
@pytest.mark.long
def test_every_fault_is_seen_and_no_clean_training_is_called_different(tmp_path: Path) -> None:
    check(tmp_path, "selftest", ("-q",))
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["exit_code"] == 0, answer
    tried = {case["family"] for case in answer["cases"]} | {item["what"] for item in answer["not_tried"]}
    assert tried == {case.family for case in CASES}
    assert all(case["as_expected"] for case in answer["cases"])
    assert {path.name for path in tmp_path.iterdir()} == {"answer.html", "answer.json", "answer.txt", "train.py"}


def test_the_old_name_of_the_format_is_understood(tmp_path: Path) -> None:
    ran = reprocheck("selftest", "--json", "--output", "text=no/such/folder", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "cannot write text report to no/such/folder" in ran.err


@pytest.mark.slow
def test_a_fault_that_the_environment_hides_goes_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Path.cwd()
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    answer = try_all(SilentProgress(), [SET_ORDER])
    (one,) = answer.seen
    assert one.verdict is Verdict.REPRODUCIBLE
    assert one.detail == "hash seed does not vary: PYTHONHASHSEED is set in the environment"
    assert (answer.exit_code, answer.skipped) == (ExitCode.NO_VERDICT, ())
    assert Path.cwd() == before


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([seen(SET_ORDER, Verdict.DIFFERENT), seen(CLEAN, Verdict.REPRODUCIBLE)], 0),
        ([seen(SET_ORDER, Verdict.REPRODUCIBLE), seen(CLEAN, Verdict.REPRODUCIBLE)], 3),
        ([seen(SET_ORDER, Verdict.DIFFERENT), seen(CLEAN, Verdict.DIFFERENT)], 3),
        ([seen(SET_ORDER, Verdict.NO_VERDICT), seen(CLEAN, Verdict.REPRODUCIBLE)], 3),
        ([seen(SET_ORDER, Verdict.DIFFERENT), seen(CLEAN, Verdict.NO_VERDICT)], 3),
        ([], 3),
    ],
)
def test_exit_code(found: list[Seen], code: int) -> None:
    answer = SelfTest(tuple(found), ())
    assert answer.exit_code == code
    assert json.loads(render_json(answer, Style()))["exit_code"] == code


def test_the_table_says_what_went_wrong_and_what_was_not_tried() -> None:
    found = [seen(SET_ORDER, Verdict.REPRODUCIBLE, "hash seed does not vary"), seen(CLEAN, Verdict.REPRODUCIBLE)]
    text = FORMATS["text"](SelfTest(tuple(found), (NOT_TRIED,)), Style())
    assert "order of a set     different     reproducible  WRONG  1.0 s  hash seed does not vary" in text
    assert "not tried: race of threads: there is one core" in text
    assert text.endswith("1 of 2 cases as expected: do not trust a verdict here\n")


def test_every_case_has_its_training() -> None:
    for case in CASES:
        assert f"\ndef {case.function}(" in (FIXTURES / case.file).read_text()
