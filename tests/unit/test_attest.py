"""Statements: what they say, whether others can read them, and whether a forged one passes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.attest.command import attest
from reprocheck.commands.attest.model import Held, Verification
from reprocheck.commands.attest.statement import make_statement, predicate_digest, subject_of
from reprocheck.commands.attest.verify import verify
from reprocheck.commands.collect.command import collect
from reprocheck.engine.progress import SilentProgress
from reprocheck.errors import NoVerdictError, UsageError
from tests.support.plans import complete, make_result, plan_here

EVIDENCE = Path(".reprocheck")


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = plan_here(seeds=2)
    complete(folder)
    collect(folder, SilentProgress())
    return folder


def checked(statement: dict[str, Any], audit: Path | None = None) -> Verification:
    Path("s.json").write_text(json.dumps(statement))
    return verify(Path("s.json"), SilentProgress(), audit=None if audit is None else str(audit))


def test_a_statement_says_what_was_run_and_what_it_came_to(plan: Path) -> None:
    made = attest(str(plan), Path("out.json"), [], EVIDENCE)
    statement = json.loads(Path("out.json").read_text())
    assert statement == made.statement
    predicate = statement["predicate"]
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert (predicate["verdict"], predicate["runs"]) == ("reproducible", 4)
    assert [(one["seed"], one["runs"]) for one in predicate["results"]] == [(0, 2), (1, 2)]
    assert [one["runs"] for one in predicate["classes"]] == [["s0r0", "s0r1", "s1r0", "s1r1"]]
    assert {"audit.json", "s0r0/steps.bin", "s1r1/evidence.jsonl"} <= set(predicate["evidence"])
    assert len(statement["subject"]) == 2
    assert any(item["what"] == "a child" for item in predicate["not_compared"])
    assert checked(statement, plan).exit_code == 0


def test_the_reader_of_in_toto_takes_it(plan: Path) -> None:
    reader = pytest.importorskip("in_toto_attestation.v1.statement")
    json_format = pytest.importorskip("google.protobuf.json_format")
    text = json.dumps(make_statement(str(plan), EVIDENCE))
    found = reader.Statement([], "", {})
    json_format.Parse(text, found.pb)
    found.validate()
    assert found.pb.predicate_type == "urn:reprocheck:reproducibility:v1"
    written = json.loads(json_format.MessageToJson(found.pb))  # whole numbers come back as they were
    assert checked(written, plan).exit_code == 0


def _subject(statement: dict[str, Any]) -> None:
    statement["subject"][0]["digest"]["sha256"] = "0" * 64


def _class(statement: dict[str, Any]) -> None:
    statement["predicate"]["classes"][0]["name"] = "another machine"


def _class_of_a_result(statement: dict[str, Any]) -> None:
    for one in statement["predicate"]["results"]:
        one["class"] = "another machine"


def _evidence(statement: dict[str, Any]) -> None:
    statement["predicate"]["evidence"]["s0r0/steps.bin"] = "0" * 64


def _evidence_left_out(statement: dict[str, Any]) -> None:
    del statement["predicate"]["evidence"]["s0r1/steps.bin"]


def _seed(statement: dict[str, Any]) -> None:
    statement["predicate"]["results"][0]["seed"] = 7


def _result(statement: dict[str, Any]) -> None:
    statement["predicate"]["results"][0]["steps"] = "4 " + "0" * 32


def _verdict(statement: dict[str, Any]) -> None:
    statement["predicate"]["verdict"] = "different"


def _not_compared(statement: dict[str, Any]) -> None:
    statement["predicate"]["not_compared"] = []


def _runs(statement: dict[str, Any]) -> None:
    statement["predicate"]["runs"] = 40


FORGED = [_subject, _class, _class_of_a_result, _evidence, _evidence_left_out, _seed, _result, _verdict]
FORGED += [_not_compared, _runs]


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all that is no table and no list."""
    if not isinstance(value, dict | list) or not value:
        return [path]
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for name, one in entries for leaf in _leaves(one, (*path, name))]


def _changed(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return "changed"
    return value + 1 if isinstance(value, int | float) else f"{value}x"


@pytest.mark.parametrize("removed", [False, True], ids=["changed", "removed"])
def test_no_field_can_be_changed_or_removed(plan: Path, removed: bool) -> None:
    statement = make_statement(str(plan), EVIDENCE)
    leaves = _leaves(statement)
    assert len(leaves) > 100
    for leaf in leaves:
        forged = json.loads(json.dumps(statement))
        parent = forged
        for name in leaf[:-1]:
            parent = parent[name]
        if removed:
            del parent[leaf[-1]]
        else:
            parent[leaf[-1]] = _changed(parent[leaf[-1]])
        try:
            assert checked(forged).exit_code == 1, leaf
        except UsageError:  # it is no statement any more
            continue


@pytest.mark.parametrize("forge", FORGED)
def test_a_changed_field_fails(plan: Path, forge: Callable[[dict[str, Any]], None]) -> None:
    statement = make_statement(str(plan), EVIDENCE)
    forge(statement)
    assert checked(statement).exit_code == 1


@pytest.mark.parametrize("forge", FORGED[1:])
def test_a_consistent_forgery_does_not_follow_from_the_evidence(
    plan: Path, forge: Callable[[dict[str, Any]], None]
) -> None:
    statement = make_statement(str(plan), EVIDENCE)
    forge(statement)
    predicate = statement["predicate"]
    predicate["digest"] = predicate_digest(predicate)
    statement["subject"] = [subject_of(one) for one in predicate["results"]]
    found = checked(statement, plan)
    assert found.exit_code == 1
    assert [one.what for one in found.checks if one.held is Held.NO] == [f"evidence in {plan}"]


def test_evidence_that_was_changed_is_not_attested(plan: Path) -> None:
    statement = make_statement(str(plan), EVIDENCE)
    path = next(plan.glob("run-0/start-*/s0r0/steps.bin"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UsageError, match="not as it was"):
        make_statement(str(plan), EVIDENCE)
    assert checked(statement, plan).exit_code == 1


def test_a_report_that_was_changed_is_not_attested(plan: Path) -> None:
    path = plan / "audit.json"
    content = json.loads(path.read_text())
    content["seeds"][0]["runs"][0]["output"] = content["seeds"][0]["runs"][1]["output"] = "0" * 32
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="does not fit the report"):
        make_statement(str(plan), EVIDENCE)


def test_what_differs_has_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = plan_here()
    make_result(folder, 0)
    make_result(folder, 1, word="other")
    collect(folder, SilentProgress())
    with pytest.raises(NoVerdictError, match="nothing to attest"):
        make_statement(str(folder), EVIDENCE)


def test_each_class_has_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = plan_here(repeats=4)
    for number in range(4):
        make_result(folder, number, cpu="one" if number < 2 else "two", word="" if number < 2 else "b")
    collect(folder, SilentProgress())
    predicate = make_statement(str(folder), EVIDENCE)["predicate"]
    assert [one["runs"] for one in predicate["classes"]] == [["s0r0", "s0r1"], ["s0r2", "s0r3"]]
    assert len({one["steps"] for one in predicate["results"]}) == 2


def test_a_checkpoint_is_one_that_all_runs_wrote(plan: Path) -> None:
    Path("out.txt").write_text("none of theirs")
    with pytest.raises(UsageError, match=r"out\.txt is not what all runs of a seed wrote"):
        make_statement(str(plan), EVIDENCE, [Path("out.txt")])


def test_an_envelope_is_opened_and_its_signature_left_to_others(plan: Path) -> None:
    payload = base64.b64encode(json.dumps(make_statement(str(plan), EVIDENCE)).encode()).decode()
    envelope = {"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []}
    for wrapped in (envelope, {"dsseEnvelope": envelope}):
        found = checked(wrapped, plan)
        assert found.exit_code == 0
        assert found.checks[0].what == "signature"
        assert "not checked here" in found.checks[0].detail


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is not JSON: line 1, column 1"),
        (b"hello", "it is not JSON: line 1, column 1"),
        (b'{"a": 1,\n  "b"}', "it is not JSON: line 2, column 6"),
        (b"\x80\x04\x95", "it is not JSON: it is not in UTF-8"),
        (b"[]", "s.json: .*"),
        (b"{}", "it is no in-toto Statement"),
        (b'{"payload": "x"}', "its payload is not in base64"),
        (b'{"payload": "aGVsbG8="}', "it is not JSON"),
        (
            b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "p"}',
            "its predicate is none of",
        ),
    ],
)
def test_what_is_no_statement_is_refused(plan: Path, content: bytes, why: str) -> None:
    Path("s.json").write_bytes(content)
    with pytest.raises(UsageError, match=why):
        verify(Path("s.json"), SilentProgress())
