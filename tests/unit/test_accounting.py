"""What a green verdict does not hold for: said in the first line of every report, and no pass with --strict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reprocheck.commands.run.gate import FailOn, Switches, decide, ruled
from reprocheck.compare.verdict import open_questions, unique
from reprocheck.model import (
    Audit,
    Informational,
    Location,
    NotCompared,
    Request,
    SeedAudit,
    SelfSeeding,
    Status,
    SummaryPart,
    Target,
    TargetKind,
    UnseededGenerator,
    Verdict,
)
from reprocheck.model.kinds import SummaryKind
from reprocheck.report import FORMATS
from reprocheck.report.headline import headline
from tests.support.audits import PLAIN, audit, explained, run

CHILD = NotCompared(
    what="1 child process that used torch",
    reason="its steps were not observed",
    is_result=True,
    help="return what it trained",
)
SCRIPT = Request(target=Target(text="train.py", kind=TargetKind.SCRIPT))
FIRST = "REPRODUCIBLE in what was compared; not compared: 1 child process that used torch"


def incomplete(*more: NotCompared) -> Audit:
    return audit(not_compared=(NotCompared(what="loss", reason="never seen"), CHILD, *more))


def seeded(unseeded: tuple[UnseededGenerator, ...] = (), request: Request = SCRIPT, **known: Any) -> Audit:
    return audit(
        request=request, self_seeding=SelfSeeding(**{"seeds_itself": not unseeded, "unseeded": unseeded, **known})
    )


TORCH = UnseededGenerator(name="torch", location=Location(path="train.py", line=7))


class TestFirstLine:
    def test_text(self) -> None:
        assert FORMATS["text"](incomplete(), PLAIN).splitlines()[0].startswith(f"{FIRST}  gcn.py:train  ")
        assert FORMATS["text"](audit(), PLAIN).splitlines()[0].startswith("REPRODUCIBLE  gcn.py:train  ")

    def test_markdown(self) -> None:
        assert FORMATS["markdown"](incomplete(), PLAIN).splitlines()[0] == f"### reprocheck: {FIRST}"

    def test_github(self) -> None:
        first, *_, last = FORMATS["github"](incomplete(), PLAIN).splitlines()
        assert first.startswith("::warning ")
        assert FIRST.replace(":", "%3A") in first
        assert FIRST.replace(":", "%3A") in last

    def test_sarif(self) -> None:
        run = json.loads(FORMATS["sarif"](incomplete(), PLAIN))["runs"][0]
        first = run["invocations"][0]["toolExecutionNotifications"][0]
        assert first == {"level": "warning", "message": {"text": FIRST}}
        assert run["properties"]["headline"] == FIRST

    def test_junit(self) -> None:
        text = FORMATS["junit"](incomplete(), PLAIN)
        assert f'<property name="headline" value="{FIRST}" />' in text
        assert f"<system-out>{FIRST}: " in text

    def test_json(self) -> None:
        report = json.loads(FORMATS["json"](incomplete(), PLAIN))
        assert report["verdict"] == "reproducible"
        assert report["headline"] == FIRST
        assert report["not_compared_results"] == ["1 child process that used torch"]

    def test_several_things_are_counted(self) -> None:
        more = [NotCompared(what=f"output {name}", reason="opaque", is_result=True) for name in "abcd"]
        assert headline(incomplete(*more)).endswith(
            "not compared: 1 child process that used torch, output a, output b and 2 more"
        )

    def test_only_a_green_verdict_is_qualified(self) -> None:
        assert headline(replace(explained(), not_compared=(CHILD,))) == "DIFFERENT"

    def test_what_to_do_is_in_each_line(self) -> None:
        for form in ("text", "markdown", "sarif", "junit", "json"):
            assert "return what it trained" in FORMATS[form](incomplete(), PLAIN)


class TestSeeds:
    def test_a_script_that_seeds_nothing(self) -> None:
        answer = seeded((TORCH,))
        first = "REPRODUCIBLE only with reprocheck's seeds: torch is never seeded, train.py:7"
        assert headline(answer) == first
        assert FORMATS["text"](answer, PLAIN).splitlines()[0].startswith(f"{first}  train.py  ")
        late = replace(TORCH, late=True)
        assert "torch is seeded only after its first draw, train.py:7" in headline(seeded((late,)))

    @pytest.mark.parametrize(
        ("fail_on", "code"),
        [(FailOn.DIFFERENCE, 0), (FailOn.ERROR, 1), (FailOn.WARNING, 1), (FailOn.NEVER, 0)],
    )
    def test_it_fails_by_default(self, fail_on: FailOn, code: int) -> None:
        assert decide(seeded((TORCH,)), Switches(fail_on=fail_on)).exit_code == code

    def test_a_function_may_leave_seeding_to_its_caller(self) -> None:
        answer = seeded((TORCH,), request=audit().request)
        assert headline(answer) == "REPRODUCIBLE"
        assert decide(answer, Switches(strict=True)).exit_code == 0

    def test_it_is_stated_that_nobody_looked(self) -> None:
        answer = seeded(seeds_itself=None, reason="no copy of the folder")
        assert headline(answer) == "REPRODUCIBLE; not checked whether it seeds itself"
        assert decide(answer, Switches()).exit_code == 0
        assert decide(answer, Switches(strict=True)).exit_code == 3
        declined = seeded(seeds_itself=None, reason="--no-explain", declined=True)
        assert decide(declined, Switches(strict=True)).exit_code == 0


class TestStrict:
    def test_what_was_not_compared_of_the_result_is_no_pass(self) -> None:
        assert decide(incomplete(), Switches()).exit_code == 0
        strict = ruled(incomplete(), Switches(strict=True, exit_zero=True))
        assert strict.exit_code == 3
        assert strict.verdict is Verdict.REPRODUCIBLE
        assert "no pass with --strict: not compared: 1 child process that used torch" in strict.summary
        assert decide(audit(), Switches(strict=True)).exit_code == 0

    def test_a_difference_stays_one(self) -> None:
        assert decide(replace(explained(), not_compared=(CHILD,)), Switches(strict=True)).exit_code == 1

    def test_reports_fail_too(self) -> None:
        strict = ruled(incomplete(), Switches(strict=True))
        run = json.loads(FORMATS["sarif"](strict, PLAIN))["runs"][0]
        assert run["invocations"][0]["executionSuccessful"] is False
        assert 'errors="1"' in FORMATS["junit"](strict, PLAIN)
        assert "::error " in FORMATS["github"](strict, PLAIN)


def test_child_processes_are_reported_once() -> None:
    one = replace(CHILD, kind="children that used torch", count=1)
    ten = replace(one, what="10 child processes that used torch", count=10)
    other = replace(one, kind="children that ran Python", what="1 child process that ran Python")
    assert unique([one, ten, other, one]) == (ten, other)


def test_the_message_of_a_failed_run_is_shown_once() -> None:
    arguments = 'Traceback (most recent call last):\n  File "train.py", line 4, in train\n    fail()\nValueError: no\n'
    failed = run(0, status=Status.FAILED, reason="ValueError: no at train.py:4", stderr_tail=arguments)
    seed = SeedAudit(seed=0, verdict=Verdict.NO_VERDICT, reason="run s0r0 failed", runs=(failed,), divergence=None)
    text = FORMATS["text"](audit(verdict=Verdict.NO_VERDICT, exit_code=3, seeds=(seed,)), PLAIN)
    assert text.count("ValueError: no") == 1
    assert "|     fail()" in text


def test_the_message_of_runs_that_failed_alike_is_shown_once() -> None:
    tail = 'Traceback (most recent call last):\n  File "train.py", line 4, in train\n    fail()\nValueError: no\n'
    runs = tuple(
        run(number, status=Status.FAILED, reason="ValueError: no at train.py:4", stderr_tail=tail) for number in (0, 1)
    )
    reason = "run s0r0 failed: ValueError: no at train.py:4"
    seed = SeedAudit(seed=0, verdict=Verdict.NO_VERDICT, reason=reason, runs=runs, divergence=None)
    summary = f"no verdict from 2 runs of 1 seed: {reason}"
    text = FORMATS["text"](audit(verdict=Verdict.NO_VERDICT, exit_code=3, seeds=(seed,), summary=summary), PLAIN)
    assert text.count("ValueError: no") == 1
    assert "  runs s0r0, s0r1 failed\n" in text
    assert text.count("|     fail()") == 1


def informational(*items: Informational, **changes: Any) -> Audit:
    return audit(seeds=(replace(audit().seeds[0], informational=items),), **changes)


class TestWhatDoesNotDecide:
    """Results that are printed or written only are told to differ where nobody asked to have them decide."""

    @pytest.mark.parametrize(
        ("differing", "first"),
        [
            (("stdout",), "standard output differs, and counts only with --compare stdout"),
            (("files",), "files differ, and count only with --compare files"),
            (("files", "stdout"), "standard output and files differ, and count only with --compare stdout,files"),
            (("stderr",), "standard error differs, and counts only with --compare stderr"),
            (("variables",), "variables differ, and count only with --compare variables"),
        ],
    )
    def test_first_line(self, differing: tuple[str, ...], first: str) -> None:
        found = informational(*(Informational(what=what, same=False, detail="line 1") for what in differing))
        assert headline(found) == f"REPRODUCIBLE in what was compared; {first}"

    def test_next_to_what_was_not_compared(self) -> None:
        found = informational(Informational(what="stdout", same=False, detail="line 1"), not_compared=(CHILD,))
        assert headline(found).startswith(f"{FIRST}; standard output differs")

    def test_strict_lets_none_of_it_pass_unless_it_is_ignored(self) -> None:
        found = informational(Informational(what="files", same=False, detail="a differs"))
        assert open_questions(found) == ["files differ, and count only with --compare files (or --ignore files)"]
        ignoring = replace(found, request=replace(found.request, ignore=("files",)))
        assert open_questions(ignoring) == []
        assert headline(ignoring) == "REPRODUCIBLE"

    def test_what_decides_or_agrees_or_is_no_product(self) -> None:
        found = informational(
            Informational(what="stdout", same=True, detail=""),
            Informational(what="files", same=False, detail="a differs", decides=True),
            Informational(what="generators", same=False, detail="python"),
            Informational(what="stdout", same=False, detail="took 1 s", only_times=True),
        )
        assert headline(found) == "REPRODUCIBLE"


def test_the_last_line_says_what_no_other_line_does() -> None:
    parts = (
        SummaryPart(kind=SummaryKind.RUNS, text="no difference observed in 2 runs; of one kind"),
        SummaryPart(kind=SummaryKind.NOT_COMPARED, text="not compared: a; b"),
        SummaryPart(kind=SummaryKind.VARIED, text="varied: nothing"),
        SummaryPart(kind=SummaryKind.BASELINE, text="as in baseline base.json"),
    )
    one = replace(audit(), summary_parts=parts)
    assert one.summary.endswith("; of one kind; not compared: a; b; varied: nothing; as in baseline base.json")
    text = FORMATS["text"](one, PLAIN)
    assert "\nnot compared: a; b; as in baseline base.json\n" in text
    assert "of one kind" not in text
