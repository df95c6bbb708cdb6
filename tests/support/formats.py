"""What the published schemas of SARIF and JUnit ask of the part of them that reprocheck writes, and audits to tell.

The shapes are closed: a key or element that they do not name is an error, as in the schemas.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.model import Audit, Location, NotCompared, Request, SeedAudit, Status, Target, TargetKind, Verdict
from reprocheck.model.baseline import BaselineAnswer, Tolerance
from tests.support.audits import HOSTILE, audit, cause, different, divergence, place_finding, run, tensor

# Key → shape. `!` marks what must be there; a list of one shape is a list of such; a set is an enumeration.
_TEXT = {"text!": str}
_ARTIFACT = {"uri": re.compile(r"[!#-;=?-\[\]_a-z~%]+"), "uriBaseId": str, "description": _TEXT}
_REGION = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1, "snippet": _TEXT}
_LOCATION = {"physicalLocation": {"artifactLocation!": _ARTIFACT, "region": _REGION}, "message": _TEXT}
_LEVEL = {"none", "note", "warning", "error"}
_RULE = {
    "id!": re.compile(r"RC\d+"),
    "name": re.compile(r"[A-Z]\w*"),
    "shortDescription": _TEXT,
    "fullDescription": _TEXT,
    "help": _TEXT,
    "defaultConfiguration": {"level": _LEVEL},
    "properties": dict,
}
_FIX = {
    "description": _TEXT,
    "artifactChanges!": [
        {
            "artifactLocation!": _ARTIFACT,
            "replacements!": [{"deletedRegion!": _REGION, "insertedContent": _TEXT}],
        }
    ],
}
_RESULT = {
    "ruleId": str,
    "ruleIndex": 0,
    "kind": {"notApplicable", "pass", "fail", "review", "open", "informational"},
    "level": _LEVEL,
    "message!": _TEXT,
    "locations": [_LOCATION],
    "relatedLocations": [_LOCATION],
    "partialFingerprints": dict,
    "fixes": [_FIX],
    "properties": dict,
}
_INVOCATION = {
    "executionSuccessful!": bool,
    "exitCode": 0,
    "exitCodeDescription": str,
    "toolExecutionNotifications": [{"message!": _TEXT, "level": _LEVEL}],
}
_SARIF = {
    "$schema": str,
    "version!": {"2.1.0"},
    "runs!": [
        {
            "tool!": {"driver!": {"name!": str, "semanticVersion": str, "rules": [_RULE]}},
            "automationDetails": {"id": str},
            "originalUriBaseIds": dict,
            "columnKind": {"utf16CodeUnits", "unicodeCodePoints"},
            "invocations": [_INVOCATION],
            "results": [_RESULT],
            "properties": dict,
        }
    ],
}


def check_sarif(log: Any) -> Any:
    """The one run of a log that has the shape, and keeps the rules that a schema cannot say."""
    _check(log, _SARIF, "log")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["kind"] == "fail" or result["level"] == "none"
        assert result["partialFingerprints"]
    (invocation,) = run["invocations"]
    errors = [item for item in invocation["toolExecutionNotifications"] if item["level"] == "error"]
    assert invocation["executionSuccessful"] is not bool(errors)
    return run


def _check(value: Any, shape: Any, where: str) -> None:
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        known = {key.rstrip("!"): inner for key, inner in shape.items()}
        assert not value.keys() - known.keys(), f"{where}: {value.keys() - known.keys()}"
        missing = {key[:-1] for key in shape if key.endswith("!")} - value.keys()
        assert not missing, f"{where}: {missing}"
        for key, item in value.items():
            _check(item, known[key], f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for place, item in enumerate(value):
            _check(item, shape[0], f"{where}[{place}]")
    elif isinstance(shape, set):
        assert value in shape, f"{where}: {value}"
    elif isinstance(shape, re.Pattern):
        assert isinstance(value, str), where
        assert shape.fullmatch(value), f"{where}: {value}"
    elif isinstance(shape, int):
        assert type(value) is int, where
        assert value >= shape, where
    else:
        assert isinstance(value, shape), f"{where}: {value!r}"


_OUTCOMES = {"failure", "error", "skipped"}
_ELEMENTS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time", "timestamp", "hostname", "id", "package"},
        {"testcase", "system-out", "system-err", "properties"},
    ),
    "testcase": ({"name"}, {"time", "classname"}, {*_OUTCOMES, "system-out", "system-err"}),
    **{outcome: (set(), {"type", "message"}, set()) for outcome in _OUTCOMES},
    "system-out": (set(), set(), set()),
}


def check_junit(text: str) -> ET.Element:
    """The one suite of a file that has the shape, and whose numbers are true."""
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        required, optional, children = _ELEMENTS[element.tag]
        names = set(element.keys())
        assert required <= names <= required | optional, element.attrib
        assert {child.tag for child in element} <= children, element.tag
        if "time" in element.attrib:
            assert re.fullmatch(r"\d+\.\d{3}", element.attrib["time"])
    (suite,) = root
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    for attribute, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{outcome}"))
    return suite


def unjudged(seed: int = 0) -> SeedAudit:
    """A seed whose run failed."""
    lost = run(0, id=f"s{seed}r0", status=Status.FAILED, reason="exit code 1", stderr_tail="boom\n", init="", output="")
    return SeedAudit(
        seed=seed, verdict=Verdict.NO_VERDICT, reason=f"run s{seed}r0 failed", runs=(lost,), divergence=None
    )


def no_verdict() -> Audit:
    return audit(verdict=Verdict.NO_VERDICT, exit_code=3, summary="a run failed", seeds=(unjudged(),), metrics=())


def hostile(arguments: str = HOSTILE) -> Audit:
    """An audit with the same text in every place that is filled from outside."""
    bad = divergence(
        names=(arguments,),
        tensors=(tensor(arguments, dtype=arguments, reason=arguments, values=None, a=arguments, b=""),),
        note=arguments,
        kind=arguments,
        op=arguments,
        location=Location(path=arguments, line=1),
    )
    second = run(
        1, id=arguments, status=Status.LOST, reason=arguments, stderr_tail=arguments, settings={"threads": arguments}
    )
    finding = cause(cause=arguments, message=arguments, location=Location(path=arguments, line=2), source=arguments)
    return different(
        bad,
        second,
        request=Request(target=Target(text=arguments, kind=TargetKind.SCRIPT, path=Path("/x" + arguments))),
        findings=(place_finding(message=arguments, help=arguments, evidence=(arguments,)), finding),
        summary=arguments,
        compared=(arguments,),
        not_compared=(NotCompared(what=arguments, reason=arguments),),
        varied=(arguments,),
        directory=Path("/x" + arguments),
    )


def with_baseline(verdict: Verdict, answer: Audit | None = None) -> Audit:
    """An audit beside a baseline that came to a verdict."""
    others = BaselineAnswer(
        file="base.toml",
        verdict=verdict,
        reason="it holds no results" if verdict is Verdict.NO_VERDICT else "",
        class_name="avx2",
        compared_class="avx2",
        class_differences=(),
        packages=(),
        seeds=(),
        tolerance=Tolerance(),
    )
    return replace(answer or audit(verdict=verdict, not_compared=()), baseline=others)
