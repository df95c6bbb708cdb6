"""The JUnit report: its shape, which case is a failure, an error or skipped, and text that XML cannot hold."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest

from reprocheck.model import Against, Audit, Verdict
from reprocheck.report.junit import render_junit
from tests.support.audits import PLAIN, audit, divergence, explained
from tests.support.formats import check_junit, hostile, no_verdict, unjudged, with_baseline


def suite(answer: Audit) -> ET.Element:
    return check_junit(render_junit(answer, PLAIN))


def case(answer: Audit, name: str) -> ET.Element:
    found = suite(answer).find(f"testcase[@name='{name}']")
    assert found is not None
    return found


def against(verdict: Verdict, allowed: bool = False) -> Audit:
    moved = divergence() if verdict is Verdict.DIFFERENT else None
    other = Against(
        text="main",
        commit="c" * 40,
        verdict=verdict,
        reason="it failed" if verdict is Verdict.NO_VERDICT else "",
        seeds=(),
        differing=(0,) if moved else (),
        divergence=moved,
        shifts=(),
        allowed=allowed,
    )
    return audit(against=other, not_compared=())


@pytest.mark.parametrize("make", [audit, no_verdict, explained, hostile])
def test_the_shape_is_that_of_the_schema(make: Callable[[], Audit]) -> None:
    text = render_junit(make(), PLAIN)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    assert text.endswith("</testsuites>\n")
    check_junit(text)


def test_a_seed_that_reproduces_passes() -> None:
    passed = case(audit(), "seed 0")
    assert list(passed) == []
    assert (passed.attrib["classname"], passed.attrib["time"]) == ("gcn.py:train", "2.500")


def test_a_difference_is_a_failure_with_the_diagnostic_inside() -> None:
    (failure,) = case(explained(), "seed 0")
    assert failure.tag == "failure"
    assert failure.attrib["message"] == "runs differ first at step 3 in gradients"
    assert "error[RC303]: gradients differ between run s0r0 and run s0r1" in str(failure.text)
    assert "fixes tried" in str(failure.text)


def test_no_verdict_is_an_error_that_says_why() -> None:
    (error,) = case(no_verdict(), "seed 0")
    assert error.tag == "error"
    assert error.attrib["message"] == "no verdict: run s0r0 failed"
    assert "boom" in str(error.text)


def test_every_seed_has_its_case() -> None:
    answer = explained()
    found = suite(replace(answer, seeds=(*answer.seeds, unjudged(1), replace(audit().seeds[0], seed=2))))
    outcomes = {item.attrib["name"]: [child.tag for child in item] for item in found.findall("testcase")}
    assert outcomes == {"seed 0": ["failure"], "seed 1": ["error"], "seed 2": [], "compared: loss": ["skipped"]}


def test_what_was_not_compared_is_skipped_and_never_passes() -> None:
    (skipped,) = case(audit(), "compared: loss")
    assert (skipped.tag, skipped.attrib["message"]) == ("skipped", "never seen")


@pytest.mark.parametrize(
    ("verdict", "allowed", "expected"),
    [
        (Verdict.REPRODUCIBLE, False, []),
        (Verdict.DIFFERENT, False, ["failure"]),
        (Verdict.DIFFERENT, True, []),
        (Verdict.NO_VERDICT, False, ["error"]),
        (Verdict.NO_VERDICT, True, ["skipped"]),
    ],
)
def test_another_revision_is_a_case_of_its_own(verdict: Verdict, allowed: bool, expected: list[str]) -> None:
    assert [child.tag for child in case(against(verdict, allowed), "against main")] == expected


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(Verdict.REPRODUCIBLE, []), (Verdict.DIFFERENT, ["failure"]), (Verdict.NO_VERDICT, ["error"])],
)
def test_a_baseline_is_a_case_of_its_own(verdict: Verdict, expected: list[str]) -> None:
    assert [child.tag for child in case(with_baseline(verdict), "baseline base.toml")] == expected


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\x85", "\u2028", "\ud800", "\ufffe", "\uffff", "\r"])
def test_what_xml_cannot_hold_is_made_visible(char: str) -> None:
    text = render_junit(hostile(f"a{char}b]]></failure>"), PLAIN)
    assert char not in text
    text.encode("utf-8")
    failure = check_junit(text).find("testcase/failure")
    assert failure is not None
    assert f"{ord(char):x}" in str(failure.text) or "\\r" in str(failure.text)
