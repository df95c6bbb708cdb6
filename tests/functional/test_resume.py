"""`reprocheck resume` on trainings that forget one thing each: what is named, and what resumes exactly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reprocheck.config.checks import DOCUMENT_FORMATS, any_of
from tests.support.cli import Ran, environment, reprocheck

TARGETS = Path(__file__).parent.parent / "targets" / "resume"
CODES = {"resumes_exactly": 0, "different": 1, "no_verdict": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in TARGETS.glob("*.py"):
        shutil.copy(file, tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str) -> Ran:
    return reprocheck("resume", "--threads", "1", *arguments, cwd=folder, env=environment())


def resume(folder: Path, *arguments: str) -> Any:
    ran = run(folder, "--format", "json", *arguments)
    assert ran.code in CODES.values(), ran.out + ran.err
    answer = ran.json()
    assert (CODES[answer["verdict"]], answer["exit_code"]) == (ran.code, ran.code)
    return answer


def trainer(folder: Path, *arguments: str, forget: str = "nothing", every: int = 5, at: int = 7) -> Any:
    return resume(folder, "--at", str(at), "trainer.py", "--", "--forget", forget, "--every", str(every), *arguments)


def causes(answer: Any) -> list[str]:
    return [cause["cause"] for cause in answer["causes"]]


def test_the_state_of_the_optimizer_is_forgotten(folder: Path) -> None:
    answer = trainer(folder, forget="optimizer")
    assert (answer["verdict"], answer["resumed_from"], answer["steps_done_again"]) == ("different", 5, 2)
    assert answer["difference"] == {"step": 5, "kind": "optimizer state", "detail": "right after the resumption"}
    assert causes(answer)[0] == "optimizer-state"
    assert [item["what"] for item in answer["restored"] if item["same"] is False] == [
        "optimizer state",
        "learning rate",  # it lives in the optimizer
    ]
    assert sorted(path.name for path in folder.iterdir()) == [".reprocheck", "functions.py", "loader.py", "trainer.py"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("forget", "every", "step", "kind", "cause"),
    [
        ("rng", 5, 5, "loss", "rng"),
        ("scheduler", 5, 8, "parameters", "scheduler"),
        ("scaler", 5, 5, "loss", "scaler"),
        ("average", 5, 9, "saved tensors", "ema"),
        ("position", 3, 6, "batch", "loader-position"),
        ("epoch", 5, 5, "batch", "epoch-counter"),
        ("buffers", 5, 5, "buffers of Sequential", "buffers"),
        ("parameters", 5, 5, "parameters", "parameters"),
        ("weight", 5, 5, "loss", "epoch-counter"),
        ("mode", 5, 5, "loss", "mode"),
        ("frozen", 5, 5, "gradients", "frozen"),
    ],
)
def test_what_is_forgotten_is_named(folder: Path, forget: str, every: int, step: int, kind: str, cause: str) -> None:
    answer = trainer(folder, forget=forget, every=every)
    assert answer["verdict"] == "different"
    assert (answer["difference"]["step"], answer["difference"]["kind"]) == (step, kind)
    assert causes(answer) == [cause]
    assert answer["resumed_from"] == 7 // every * every


@pytest.mark.slow
@pytest.mark.parametrize(
    ("forget", "step", "kind", "cause"),
    [("redraw", 6, "batch", "loader-position"), ("counter", 8, "saved tensors", "averaging")],
)
def test_what_is_restored_is_not_named(folder: Path, forget: str, step: int, kind: str, cause: str) -> None:
    answer = resume(folder, "--at", "7", "loader.py", "--", forget)
    assert (answer["verdict"], answer["resumed_from"]) == ("different", 6)
    assert (answer["difference"]["step"], answer["difference"]["kind"]) == (step, kind)
    assert causes(answer) == [cause]


@pytest.mark.slow
def test_all_is_restored(folder: Path) -> None:
    ran = run(folder, "--at", "7", "trainer.py")
    assert ran.code == 0, ran.out
    assert ran.out.startswith("RESUMES EXACTLY  trainer.py  steps 5 to 19 are equal")
    assert "resumed from the state before step 5; 2 steps were done again" in ran.out
    answer = trainer(folder, "--on-sigterm", "save")
    assert (answer["verdict"], answer["resumed_from"], answer["steps_done_again"]) == ("resumes_exactly", 7, 0)
    answer = trainer(folder, "--on-sigterm", "ignore")
    assert (answer["verdict"], answer["resumed_from"]) == ("resumes_exactly", 5)
    assert "ignores SIGTERM" in answer["runs"][1]["how"]
    answer = resume(folder, "--kill", "trainer.py", "--", "--on-sigterm", "save")
    assert (answer["verdict"], answer["stopped_after"], answer["resumed_from"]) == ("resumes_exactly", 10, 5)


@pytest.mark.slow
def test_one_that_does_not_resume_has_no_verdict(folder: Path) -> None:
    answer = trainer(folder, forget="to save")
    assert (answer["verdict"], answer["reason"]) == ("no_verdict", "never-saved")
    answer = trainer(folder, "--resume-only-with-flag")
    assert (answer["verdict"], answer["reason"]) == ("no_verdict", "did-not-resume")
    arguments = ("--at", "7", "--resume-arg", "--resume", "trainer.py", "--", "--resume-only-with-flag")
    assert resume(folder, *arguments)["verdict"] == "resumes_exactly"


@pytest.mark.slow
def test_functions(folder: Path) -> None:
    answer = resume(folder, "--at", "8", "functions.py:average")
    assert (answer["verdict"], answer["resumed_from"]) == ("resumes_exactly", 6)
    assert answer["notes"] == ["kept from the resumption on only, and equal there: losses"]
    answer = resume(folder, "--at", "8", "functions.py:average", "--arg", "forget=True")
    assert (answer["verdict"], answer["difference"]["kind"], causes(answer)) == (
        "different",
        "outputs",
        ["other-state"],
    )
    assert answer["difference"]["detail"] == "mean"
    arguments = ("--at", "4", "--resume-arg", "resume=asked.pt", "functions.py:saves_when_asked")
    answer = resume(folder, *arguments)
    assert (answer["verdict"], answer["resumed_from"]) == ("resumes_exactly", 4)
    assert answer["runs"][1]["how"] == "ended on SIGTERM in its own way"


@pytest.mark.slow
def test_what_cannot_be_judged(folder: Path) -> None:
    answer = resume(folder, "functions.py:fails_to_resume")
    assert (answer["verdict"], answer["reason"]) == ("no_verdict", "resumed-run-failed")
    assert "RuntimeError" in answer["summary"]
    answer = resume(folder, "functions.py:never_the_same")
    assert (answer["verdict"], answer["reason"]) == ("no_verdict", "not-reproducible")
    answer = resume(folder, "functions.py:believes_that_it_is_done")
    assert (answer["verdict"], causes(answer)) == ("different", ["epoch-counter"])
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    answer = resume(folder, "functions.py:saves_elsewhere", "--arg", f"folder={str(elsewhere)!r}")
    assert (answer["verdict"], answer["reason"]) == ("no_verdict", "not-fresh")
    assert "elsewhere/state.pt before it was stopped" in answer["summary"]
    answer = resume(folder, "functions.py:no_optimizer")
    assert (answer["verdict"], answer["reason"]) == ("no_verdict", "no-steps")


@pytest.mark.slow
def test_a_cut_behind_the_end_is_refused(folder: Path) -> None:
    ran = run(folder, "--at", "12", "functions.py:average")
    assert (ran.code, ran.out) == (2, "")
    assert "--at 12: the run takes 12 steps" in ran.err
    assert not list((folder / ".reprocheck").glob("resumes/*"))


def test_bad_arguments_are_refused(folder: Path) -> None:
    for arguments, output in (
        (("--resume-arg", "last.pt", "functions.py:average"), "--resume-arg must be NAME=VALUE"),
        (("--resume-arg", "'", "trainer.py"), "--resume-arg: no closing quotation"),
        (("--grace", "inf", "trainer.py"), "--grace must be seconds from 0 to 3600, not inf"),
        (("--format", "xml", "trainer.py"), f"--format must be {any_of(DOCUMENT_FORMATS)}"),
    ):
        ran = run(folder, *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert output in ran.err


@pytest.mark.slow
def test_two_answers_are_byte_for_byte_the_same(folder: Path) -> None:
    plain = []
    for _ in range(2):
        answer = trainer(folder, forget="scaler")
        del answer["volatile"]
        plain.append(json.dumps(answer))
    assert plain[0] == plain[1]
