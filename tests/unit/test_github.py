"""Annotations: the worst first, within GitHub's limits, and no text from outside is a command."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from reprocheck.model import Audit, Location
from reprocheck.report import render_markdown, render_text, write
from reprocheck.report.github import render_github
from tests.support.audits import PLAIN, audit, cause, explained
from tests.support.formats import hostile, no_verdict, unjudged


def lines(answer: Audit) -> list[str]:
    text = render_github(answer, PLAIN)
    assert text.endswith("\n")
    return text.splitlines()


def kinds(answer: Audit) -> list[str]:
    return [line.split()[0].strip(":") for line in lines(answer)]


def many(errors: int, warnings: int) -> Audit:
    found = [cause(code="RC701", severity="warning", message=f"w{n}") for n in range(warnings)]
    found += [cause(code="RC702", message=f"e{n}") for n in range(errors)]
    return explained(findings=tuple(found))


def test_a_difference_is_an_error_at_its_line() -> None:
    first = lines(explained())[0]
    assert first.startswith(
        "::error file=gcn.py,line=41,title=RC303%3A training step differs between s0r0 and s0r1::training step differs"
    )
    assert "%0A  h = x[source]%0Afirst at step 3 in gradients, op `aten::index_add_`%0A" in first


def test_the_last_line_is_a_notice_with_the_verdict() -> None:
    assert lines(audit()) == [
        "::notice title=reprocheck%3A REPRODUCIBLE::gcn.py:train: no difference observed in 2 runs"
    ]
    assert lines(explained())[-1].startswith("::notice title=reprocheck%3A DIFFERENT::")


def test_no_verdict_is_an_error_for_every_seed_that_has_none() -> None:
    assert (
        lines(no_verdict())[0]
        == "::error title=reprocheck%3A no verdict reached::seed 0 has no verdict: run s0r0 failed"
    )
    assert kinds(replace(no_verdict(), seeds=())) == ["error", "notice"]
    answer = explained()
    both = lines(replace(answer, seeds=(*answer.seeds, unjudged(1))))
    assert both[0] == "::error title=reprocheck%3A no verdict reached::seed 1 has no verdict: run s1r0 failed"


def test_the_worst_come_first_and_no_more_than_are_shown() -> None:
    assert kinds(many(2, 3)) == ["error"] * 2 + ["warning"] * 3 + ["notice"]
    found = lines(many(12, 11))
    assert kinds(many(12, 11)) == ["error"] * 10 + ["warning"] * 10 + ["notice"]
    assert "%0A3 further findings not shown here (RC702, RC701): see the text or JSON report" in found[-1]


def test_notes_are_only_counted() -> None:
    found = lines(audit(findings=(cause(severity="note"),)))
    assert len(found) == 1
    assert "1 further finding not shown here (RC541)" in found[0]


def test_paths_are_relative_to_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").touch()
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    place = Location(path=str(tmp_path / "sub" / "a.py"), line=3)
    assert lines(explained(findings=(cause(location=place),)))[0].startswith("::error file=sub/a.py,line=3,")


@pytest.mark.parametrize("arguments", ["a%b\r\n::error::c", "x,line=1:y", "\x1b[31m\u2028::set-output name=a::b"])
def test_no_text_from_outside_ends_a_command_or_a_property(arguments: str) -> None:
    for line in lines(hostile(arguments)):
        found = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert found
        names = [item.partition("=")[0] for item in found[2].split(",")]
        assert names in (["title"], ["file", "line", "title"])
        assert re.sub("%(25|0D|0A|3A|2C)", "", line).count("%") == 0
        assert line.isprintable()


class TestStepSummary:
    def test_it_is_appended_where_annotations_were_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "summary"
        file.write_text("before\n")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
        write.append_step_summary(audit(), ["json", "github", "github"])
        assert file.read_text() == "before\n" + render_markdown(audit(), PLAIN)

    def test_it_is_left_alone_without_annotations(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
        write.append_step_summary(audit(), ["json"])
        monkeypatch.delenv("GITHUB_STEP_SUMMARY")
        write.append_step_summary(audit(), ["github"])
        assert os.listdir(tmp_path) == []

    def test_a_summary_that_cannot_be_written_is_stated_and_costs_no_audit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary"))
        write.append_step_summary(audit(), ["github"])
        assert "cannot write the step summary" in capsys.readouterr().err


def test_the_problem_matcher_reads_the_text_report() -> None:
    file = Path(__file__).parents[2] / "ci" / "problem-matcher.json"
    [matcher] = json.loads(file.read_text())["problemMatcher"]
    head, place = (re.compile(one["regexp"]) for one in matcher["pattern"])
    lines = render_text(explained(), PLAIN).splitlines()
    found = [
        (head.match(a)[2], head.match(a)[3], place.match(b)[1], int(place.match(b)[2]))  # type: ignore[index]
        for a, b in pairwise(lines)
        if head.match(a) and place.match(b)
    ]
    assert ("RC541", "the backward of indexing adds gradients in the order of threads", "gcn.py", 41) in found
