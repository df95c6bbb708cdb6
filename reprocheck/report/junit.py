"""The JUnit report, for test dashboards: a case for each seed, in the XML shape that Jenkins and its kin read.

A difference is a failure, no verdict an error; what could not be compared is a skipped case, never a passed one.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass

from reprocheck.compare.baseline.summary import summarize_baseline
from reprocheck.compare.verdict import seeding_is_unknown
from reprocheck.engine.console import Style, escape, harmless
from reprocheck.errors import ExitCode
from reprocheck.model import Against, Audit, NotCompared, SeedAudit, Verdict
from reprocheck.model.baseline import BaselineAnswer
from reprocheck.report.headline import headline, qualification
from reprocheck.report.sections.audit import audit_document
from reprocheck.report.sections.difference import where
from reprocheck.report.wording import shown_path, shown_target
from reprocheck.report.writers.text import write_text

# What XML 1.0 cannot hold at all, and what it discourages.
_ILLEGAL = re.compile("[^\t\n\\x20-\\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    name: str
    outcome: str | None
    """failure, error or skipped; None: it passed."""
    message: str = ""
    text: str = ""
    seconds: float = 0.0


def render_junit(audit: Audit, style: Style) -> str:
    """The report as XML."""
    cases = list(_cases(audit))
    target = harmless(shown_target(audit.request.target))
    counts = {what: sum(case.outcome == what for case in cases) for what in ("failure", "error", "skipped")}
    numbers = {
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "time": f"{audit.seconds:.3f}",
    }
    root = ET.Element("testsuites", {"name": "reprocheck", **numbers})
    timed = {"timestamp": audit.started[:19]} if audit.started else {}
    suite = ET.SubElement(
        root, "testsuite", {"name": _legal(target), **numbers, "skipped": str(counts["skipped"]), **timed}
    )
    if qualification(audit):
        properties = ET.SubElement(suite, "properties")
        ET.SubElement(properties, "property", {"name": "headline", "value": _legal(harmless(headline(audit)))})
    for case in cases:
        _add(suite, case, target)
    ET.SubElement(suite, "system-out").text = _legal(f"{harmless(headline(audit))}: {harmless(audit.summary)}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add(suite: ET.Element, case: _Case, target: str) -> None:
    attributes = {"classname": _legal(target), "name": _legal(case.name), "time": f"{case.seconds:.3f}"}
    element = ET.SubElement(suite, "testcase", attributes)
    if case.outcome is not None:
        child = ET.SubElement(element, case.outcome, {"type": case.outcome, "message": _legal(case.message)})
        child.text = _legal(case.text) or None


def _cases(audit: Audit) -> Iterator[_Case]:
    """The seeds, the other revision, what was not compared. The first case that did not pass has the whole report."""
    whole = write_text(audit_document(audit), Style())
    for seed in audit.seeds:
        case = _seed(seed, whole)
        whole = "" if case.text else whole
        yield case
    if audit.against is not None:
        case = _against(audit.against, whole)
        whole = "" if case.text else whole
        yield case
    if audit.baseline is not None:
        yield _baseline(audit.baseline, whole)
    is_open = audit.verdict is Verdict.REPRODUCIBLE and audit.exit_code == ExitCode.NO_VERDICT
    yield from (_not_compared(item, is_open and item.is_result) for item in audit.not_compared)
    if is_open and seeding_is_unknown(audit) and audit.self_seeding is not None:
        reason = harmless(audit.self_seeding.reason)
        yield _Case(name="seeds itself", outcome="error", message=f"not checked: {reason}")


def _seed(seed: SeedAudit, whole: str) -> _Case:
    name, seconds = f"seed {seed.seed}", sum(run.seconds for run in seed.runs)
    if seed.verdict is Verdict.REPRODUCIBLE:
        return _Case(name=name, outcome=None, seconds=seconds)
    if seed.verdict is Verdict.NO_VERDICT:
        reason = harmless(seed.reason) or "reason unknown"
        return _Case(name=name, outcome="error", message=f"no verdict: {reason}", text=whole, seconds=seconds)
    first = "" if seed.divergence is None else f" first {harmless(where(seed.divergence))}"
    return _Case(name=name, outcome="failure", message=f"runs differ{first}", text=whole, seconds=seconds)


def _against(against: Against, whole: str) -> _Case:
    name = f"against {harmless(against.text)}"
    if against.verdict is Verdict.REPRODUCIBLE:
        return _Case(name=name, outcome=None)
    if against.verdict is Verdict.NO_VERDICT:
        reason = f"not compared: {harmless(against.reason)}"
        return _Case(name=name, outcome="skipped" if against.allowed else "error", message=reason, text=whole)
    if against.allowed:
        return _Case(name=name, outcome=None)
    first = "" if against.divergence is None else f", first {harmless(where(against.divergence))}"
    return _Case(name=name, outcome="failure", message=f"the results changed{first}", text=whole)


def _baseline(answer: BaselineAnswer, whole: str) -> _Case:
    name, message_text = f"baseline {harmless(shown_path(answer.file))}", harmless(summarize_baseline(answer))
    if answer.verdict is Verdict.REPRODUCIBLE:
        return _Case(name=name, outcome=None)
    outcome = "failure" if answer.verdict is Verdict.DIFFERENT else "error"
    return _Case(name=name, outcome=outcome, message=message_text, text=whole)


def _not_compared(item: NotCompared, is_error: bool) -> _Case:
    """An error where --strict lets nothing pass that is a result."""
    message = harmless(item.reason) + (f"; help: {harmless(item.help)}" if item.help else "")
    return _Case(name=f"compared: {harmless(item.what)}", outcome="error" if is_error else "skipped", message=message)


def _legal(text: str) -> str:
    """Every character that XML cannot hold, made visible."""
    return _ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", escape(text, keep_lines=True))
