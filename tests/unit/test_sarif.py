"""The SARIF report: its shape, places, fingerprints, and what an audit without a verdict looks like."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.model import Audit, Location, NotCompared, Request, Target, TargetKind, Verdict
from reprocheck.report.sarif import FINGERPRINT, render_sarif
from tests.support.audits import (
    CODE,
    LINE,
    PLAIN,
    audit,
    call,
    cause,
    different,
    divergence,
    edit,
    explained,
    explanation,
    origin,
    place_finding,
    run,
)
from tests.support.formats import check_sarif, hostile, no_verdict, unjudged, with_baseline


def shown(answer: Audit) -> Any:
    return check_sarif(json.loads(render_sarif(answer, PLAIN)))


def fingerprints(answer: Audit) -> list[str]:
    return [result["partialFingerprints"][FINGERPRINT] for result in shown(answer)["results"]]


def with_edit() -> Audit:
    return explained(findings=(place_finding(), cause(edit=edit())))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, with the audit in a folder of it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "train ü").mkdir()
    monkeypatch.chdir(tmp_path / "train ü")
    return tmp_path


@pytest.mark.parametrize("make", [audit, no_verdict, explained, with_edit, hostile])
def test_the_shape_is_that_of_the_schema(make: Callable[[], Audit]) -> None:
    text = render_sarif(make(), PLAIN)
    assert text.isascii()
    assert text.endswith("}\n")
    check_sarif(json.loads(text))


class TestVerdict:
    def test_a_reproducible_audit_is_a_success_without_results(self) -> None:
        run = shown(audit())
        assert run["invocations"][0]["executionSuccessful"] is True
        assert run["invocations"][0]["exitCode"] == 0
        assert run["results"] == []

    def test_what_was_not_compared_is_stated_next_to_a_success(self) -> None:
        (note,) = shown(audit())["invocations"][0]["toolExecutionNotifications"]
        assert (note["level"], note["message"]["text"]) == ("note", "loss not compared: never seen")

    def test_no_verdict_is_a_failed_invocation_that_says_why(self) -> None:
        (invocation,) = shown(replace(no_verdict(), not_compared=()))["invocations"]
        assert invocation["executionSuccessful"] is False
        assert invocation["exitCode"] == 3
        (note,) = invocation["toolExecutionNotifications"]
        assert note["level"] == "error"
        assert note["message"]["text"] == "seed 0 has no verdict: run s0r0 failed"

    def test_no_verdict_for_no_seed_is_a_failed_invocation_too(self) -> None:
        answer = audit(verdict=Verdict.NO_VERDICT, exit_code=3, summary="nothing was run", seeds=())
        assert shown(answer)["invocations"][0]["executionSuccessful"] is False

    def test_a_seed_without_verdict_next_to_a_difference_is_not_forgotten(self) -> None:
        answer = explained()
        run = shown(replace(answer, seeds=(*answer.seeds, unjudged(1))))
        assert run["invocations"][0]["executionSuccessful"] is False
        assert len(run["results"]) == 2

    def test_a_baseline_that_could_not_be_compared_with_is_a_failure_of_the_invocation(self) -> None:
        (invocation,) = shown(with_baseline(Verdict.NO_VERDICT, audit(not_compared=())))["invocations"]
        assert invocation["executionSuccessful"] is False
        (note,) = invocation["toolExecutionNotifications"]
        assert note["message"]["text"] == "not compared with baseline base.toml: it holds no results"


class TestResults:
    def test_a_difference_stands_at_its_line(self) -> None:
        first, second = shown(explained())["results"]
        assert (first["ruleId"], first["kind"], first["level"]) == ("RC303", "fail", "error")
        assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 41, "snippet": {"text": CODE}}
        assert "first at step 3 in gradients" in first["message"]["text"]
        assert "fix that works: `--threads 1`: 2 of 2 runs" in first["message"]["text"]
        assert second["ruleId"] == "RC541"

    def test_the_worst_comes_first_and_every_severity_has_its_level(self) -> None:
        severities = ("note", "warning", "error")
        found = tuple(cause(code=f"RC90{n}", severity=severity) for n, severity in enumerate(severities))
        results = shown(explained(findings=found))["results"]
        assert [result["level"] for result in results] == ["error", "warning", "note"]

    def test_the_lines_that_called_it_are_related(self) -> None:
        (related,) = shown(explained())["results"][0]["relatedLocations"]
        assert related["physicalLocation"]["region"]["startLine"] == 88

    def test_a_suggestion_replaces_the_whole_line(self) -> None:
        (change,) = shown(with_edit())["results"][1]["fixes"][0]["artifactChanges"]
        (replacement,) = change["replacements"]
        assert replacement["deletedRegion"] == {"startLine": 12, "startColumn": 1, "endLine": 12, "endColumn": 28}
        assert replacement["insertedContent"]["text"] == edit().after

    def test_a_rule_has_its_page(self) -> None:
        (rule,) = shown(explained(findings=(place_finding(),)))["tool"]["driver"]["rules"]
        assert rule["id"] == "RC303"
        assert rule["name"].isalnum()
        assert rule["shortDescription"]["text"] == "training step differs"
        assert rule["fullDescription"]["text"]
        assert "How to fix it" in rule["help"]["text"]

    def test_a_code_without_a_page_is_still_a_rule(self) -> None:
        (rule,) = shown(explained(findings=(cause(code="RC999"),)))["tool"]["driver"]["rules"]
        assert rule["id"] == "RC999"
        assert rule["shortDescription"]["text"] == cause().message

    def test_no_text_is_a_placeholder_or_a_link(self) -> None:
        (result,) = shown(explained(findings=(cause(message="{0} [see](3)"),)))["results"]
        assert result["message"]["text"].startswith("{{0}} [see] (3)\n")


class TestPlaces:
    def test_paths_are_relative_to_the_repository_and_encoded(self, repository: Path) -> None:
        place = Location(path=str(repository / "train ü" / "a.py"), line=3)
        (result,) = shown(explained(findings=(cause(location=place),)))["results"]
        artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert artifact == {"uri": "train%20%C3%BC/a.py", "uriBaseId": "%SRCROOT%"}

    def test_a_relative_path_starts_where_the_audit_did(self, repository: Path) -> None:
        (result,) = shown(explained(findings=(cause(location=Location(path="a.py", line=3)),)))["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "train%20%C3%BC/a.py"

    def test_a_file_outside_has_a_whole_uri(self, repository: Path) -> None:
        (result,) = shown(explained(findings=(cause(location=Location(path="/opt/a.py", line=3)),)))["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///opt/a.py"}

    def test_without_a_line_the_file_of_the_target_is_named_and_no_line(self, repository: Path) -> None:
        target = Target(text="t.py", kind=TargetKind.SCRIPT, path=repository / "t.py")
        answer = audit(request=Request(target=target), findings=(cause(location=None, source=""),))
        (result,) = shown(answer)["results"]
        place = result["locations"][0]["physicalLocation"]
        assert place == {"artifactLocation": {"uri": "t.py", "uriBaseId": "%SRCROOT%"}}


class TestFingerprints:
    def moved(self, lines: int, **changes: Any) -> Audit:
        """The explained audit with everything further down in its file."""
        place = Location(path=LINE.path, line=LINE.line + lines)
        frames = tuple(replace(frame, location=place) for frame in call().frames[:1])
        begun = origin(call=call(frames=frames))
        first = divergence(tensors=(), note="", location=place, step=3 + lines, **changes)
        found = (place_finding(), cause(location=place))
        return explained(divergence=first, findings=found, explanation=explanation(origin=begun))

    def test_they_do_not_move_with_the_line_or_the_step(self) -> None:
        assert fingerprints(self.moved(0)) == fingerprints(self.moved(7))

    def test_they_do_not_depend_on_indentation(self) -> None:
        one, other = (explained(findings=(cause(source=text),)) for text in ("a  =  b", "  a = b"))
        assert fingerprints(one) == fingerprints(other)

    @pytest.mark.parametrize(
        "changes", [{"code": "RC542"}, {"source": "h = y[source]"}, {"location": Location(path="other.py", line=41)}]
    )
    def test_they_change_with_rule_file_and_text_of_the_line(self, changes: dict[str, Any]) -> None:
        one, other = explained(findings=(cause(),)), explained(findings=(cause(**changes),))
        assert fingerprints(one) != fingerprints(other)

    def test_they_change_with_the_operation(self) -> None:
        assert fingerprints(self.moved(0))[0] != fingerprints(self.moved(0, op="aten::add"))[0]

    def test_they_change_with_the_tensors_where_no_operation_is_known(self) -> None:
        one, other = (
            different(divergence(op=None, location=None, names=(name,)), run(1), findings=(place_finding(),))
            for name in ("a", "b")
        )
        assert fingerprints(one) != fingerprints(other)

    def test_equal_findings_in_one_report_are_distinguished(self) -> None:
        one, other = fingerprints(explained(findings=(cause(), cause(location=Location(path="gcn.py", line=50)))))
        assert one != other


def test_the_evidence_folder_and_times_are_not_in_it(tmp_path: Path) -> None:
    one = explained(directory=Path("/evidence/a"), not_compared=(NotCompared(what="x", reason="/evidence/a/s0"),))
    other = explained(directory=Path("/evidence/b"), not_compared=(NotCompared(what="x", reason="/evidence/b/s0"),))
    assert render_sarif(one, PLAIN) == render_sarif(replace(other, seconds=9.0, started="later"), PLAIN)
