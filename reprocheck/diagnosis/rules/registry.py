"""All rules, the causes of a case, and what may fix it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from reprocheck.diagnosis.rules import difference_pages, resume_pages, start_pages
from reprocheck.diagnosis.rules.candidate_lines import origin_place
from reprocheck.diagnosis.rules.generic import generic_remedies
from reprocheck.diagnosis.rules.model import CONFIDENCES, ERROR, HIGH, LOW, MEDIUM, NOTE, WARNING, Match, Page, Rule
from reprocheck.model import Edit, Finding
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import AttributionKind, Confidence, Severity

MOST_CAUSES = 3
MOST_NOTES = 4
NO_SEED = "no-seed"
"""The cause that a function may leave to its caller."""
_SHORT_CODE = 12
"""Characters of code in a help that say nothing about a line in which they occur."""
_RANK = (ERROR, WARNING, NOTE)


def _load() -> Iterator[Rule]:
    """Every `RULE` in the modules of the families: a family is a folder next to this file, a rule one file in it."""
    here = Path(__file__).parent
    for family in sorted(entry.name for entry in here.iterdir() if (entry / "__init__.py").is_file()):
        for module in sorted(file.stem for file in (here / family).glob("*.py")):
            rule = getattr(import_module(f"{__package__}.{family}.{module}"), "RULE", None)
            if rule is not None:
                yield rule


RULES: tuple[Rule, ...] = tuple(sorted(_load(), key=lambda rule: rule.rank))
"""In order of specificity (`Rule.rank`): of equally sure causes the earlier comes first, unless one stands on the line
where the runs diverge."""


def pages() -> tuple[Page, ...]:
    """Every code, in order."""
    return tuple(
        sorted(
            (*difference_pages.PAGES, *start_pages.PAGES, *resume_pages.PAGES, *(rule.page for rule in RULES)),
            key=lambda page: page.code,
        )
    )


def find_page(name: str) -> Page | None:
    """The page of a code or slug, in any case."""
    wanted = name.strip().lower()
    return next((page for page in pages() if wanted in (page.code.lower(), page.slug)), None)


def nearest(name: str) -> str:
    """The code or slug that looks most like `name`; empty when none does."""
    known = {text.lower(): text for page in pages() for text in (page.code, page.slug)}
    close = get_close_matches(name.strip().lower(), known, n=1)
    return known[close[0]] if close else ""


def diagnose(case: Case, proved: Collection[Edit] = ()) -> tuple[Finding, ...]:
    """The causes that fit, the likeliest first; empty when none does. `proved`: changed lines that work, alone or
    together: their causes are reported, however unsure they were."""
    matches = _matches(case)
    causes = [pair for pair in matches if _is_cause(pair[0])]
    notes = sorted(
        (pair for pair in matches if not _is_cause(pair[0])), key=lambda pair: _RANK.index(pair[0].page.severity)
    )
    if causes and causes[0][1].confidence != LOW:
        causes = [pair for pair in causes if pair[1].confidence != LOW or pair[1].edit in proved]
    kept = (*_distinct(causes)[:MOST_CAUSES], *_distinct(notes)[:MOST_NOTES])
    return tuple(_finding(case, rule.page, match) for rule, match in kept)


def examine(case: Case) -> tuple[Finding, ...]:
    """Everything that is wrong with one run, the worst first: nothing is compared, and nothing is left out."""
    matches = _matches(case, alone=True)
    causes = _distinct([pair for pair in matches if _is_cause(pair[0])])
    notes = [pair for pair in matches if not _is_cause(pair[0])]
    findings = [
        replace(_finding(case, rule.page, match), severity=_severity_alone(case, rule))
        for rule, match in (*causes, *notes)
    ]
    return tuple(sorted(findings, key=lambda finding: _RANK.index(finding.severity)))


def _severity_alone(case: Case, rule: Rule) -> Severity:
    """A function may be left to be seeded by who calls it."""
    if not rule.is_cause or rule.page.severity != ERROR:
        return rule.page.severity
    return NOTE if rule.page.slug == NO_SEED and case.request.target.function is not None else WARNING


def _is_cause(rule: Rule) -> bool:
    return rule.page.severity == ERROR and rule.is_cause


def remedies(case: Case) -> tuple[Remedy, ...]:
    """What may fix the difference, the cheapest first."""
    from_causes = [remedy for _, match in _matches(case) for remedy in match.remedies]
    found: dict[tuple[object, ...], Remedy] = {}
    for remedy in (*from_causes, *generic_remedies(case)):
        found.setdefault((remedy.settings, remedy.environment, remedy.overrides, remedy.edits), remedy)
    return tuple(sorted(found.values(), key=lambda remedy: (bool(remedy.hides), remedy.cost)))


def _matches(case: Case, *, alone: bool = False) -> list[tuple[Rule, Match]]:
    found = []
    for rule in RULES:
        if case.divergence is not None or rule.always or (alone and rule.alone):
            match = rule.match(case)
            if match is not None:
                found.append((rule, match))
    here, _ = origin_place(case)
    return sorted(
        found, key=lambda pair: (CONFIDENCES.index(pair[1].confidence), here is None or pair[1].location != here)
    )


def _distinct(pairs: list[tuple[Rule, Match]]) -> list[tuple[Rule, Match]]:
    """One cause a line: the first is the surer, or the more particular."""
    kept: list[tuple[Rule, Match]] = []
    for rule, match in pairs:
        if match.location is None or all(match.location != other.location for _, other in kept):
            kept.append((rule, match))
    return kept


def _finding(case: Case, page: Page, match: Match) -> Finding:
    return page.finding(
        severity=_severity(case, page),
        confidence=_confidence(case, match),
        location=match.location,
        source=match.source,
        evidence=match.evidence,
        help=match.help or _advice(page, match),
        edit=match.edit,
        calls=match.calls,
    )


def _advice(page: Page, match: Match) -> str:
    """What the page says, unless the line reads like that already: then it is not what is missing."""
    code = re.findall(r"`([^`]+)`", page.fix)
    source = "".join(match.source.split())
    if match.source and any("".join(text.split()) in source for text in code if len(text) > _SHORT_CODE):
        return "the line looks right: check the value that it gets at run time, and where that comes from"
    return page.fix


def _confidence(case: Case, match: Match) -> Confidence:
    """No more than the experiment that it rests on can bear."""
    unsure = case.attribution is not None and not case.attribution.sure
    return MEDIUM if unsure and match.confidence == HIGH else match.confidence


def _severity(case: Case, page: Page) -> Severity:
    """What would be an error is a warning where nothing differs, and less for a function that is left to be seeded by
    who calls it."""
    if page.severity != ERROR or case.divergence is not None:
        return page.severity
    of_seeding = case.attribution is not None and case.attribution.kind == AttributionKind.SEEDING
    return NOTE if of_seeding and case.request.target.function is not None else WARNING
