"""What the rules on the training loop share: a fact that the run itself noted makes a match."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.diagnosis.localization.source_lines import source_line
from reprocheck.diagnosis.rules.model import HIGH, Match
from reprocheck.model import Fact
from reprocheck.model.explanation import Case

MOST_NAMES = 4


def match_fact(case: Case, kind: str, describe: Callable[[Fact], str]) -> Match | None:
    """The first fact of a kind; how often, and of what, goes into the evidence."""
    facts = [fact for fact in case.facts if fact.kind == kind]
    if not facts:
        return None
    first = facts[0]
    place = first.location
    evidence = [describe(first)]
    if len(facts) > 1:
        evidence.append(f"and at {len(facts) - 1} further line{'s' if len(facts) > 2 else ''}")
    source = "" if place is None else source_line(place.path, place.line)
    return Match(confidence=HIGH, location=place, source=source, evidence=tuple(evidence))


def names_of(fact: Fact) -> str:
    """The first few, and how many more."""
    shown = fact.names[:MOST_NAMES]
    more = max(fact.named, len(fact.names)) - len(shown)
    return ", ".join(f"`{name}`" for name in shown) + (f" and {more} more" if more > 0 else "")


def times(fact: Fact) -> str:
    """Such as `3 times, first at step 2`."""
    often = "once" if fact.count == 1 else f"{fact.count} times, first"
    return f"{often} at step {fact.step}"
