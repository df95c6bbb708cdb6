"""Runs of one seed by the numerical class of the machine that made them: within a class they are compared, run by
run; of every class only the first run is held. That classes differ among themselves decides nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reprocheck.compare.baseline.numerical import class_differences, class_name
from reprocheck.compare.runs import compare
from reprocheck.model import Divergence, Evidence, Request, RunSummary
from reprocheck.model.classes import ClassDifference, Classes, ClassOfRuns
from reprocheck.report.sections.difference import where
from reprocheck.report.wording import first_of

MOST = 26
"""Classes that are told apart: they are named by letters."""
MOST_FACTS = 6
_MOST_NAMES = 3


@dataclass
class _Class:
    name: str
    facts: Mapping[str, Any]
    runs: list[str] = field(default_factory=list)
    hosts: dict[str, None] = field(default_factory=dict)
    results: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Seed → digests of its first run."""
    parts: dict[str, tuple[Divergence | None, str]] = field(default_factory=dict)
    """An earlier class → where this one differs from it first, or why that is not known."""


class Grouped:
    """Collects, seed by seed."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._classes: dict[str, _Class] = {}

    def class_of(self, facts: Mapping[str, Any]) -> str | None:
        """The name of the class with these facts; None where there are too many to tell apart."""
        key = json.dumps(facts, sort_keys=True)
        if key not in self._classes:
            if len(self._classes) >= MOST:
                return None
            self._classes[key] = _Class(chr(ord("A") + len(self._classes)), facts)
        return self._classes[key].name

    def facts(self, name: str) -> Mapping[str, Any]:
        """Of the class with this name."""
        return next(one.facts for one in self._classes.values() if one.name == name)

    def add(self, name: str, run: RunSummary, seed: int, host: str) -> None:
        """A run of this class that is complete."""
        one = next(one for one in self._classes.values() if one.name == name)
        one.runs.append(run.id)
        one.hosts[host] = None
        one.results.setdefault(seed, (run.init, run.steps_digest, run.output))

    def across(self, firsts: Mapping[str, Evidence]) -> None:
        """The first run of each class, of one seed: where classes part, if they do."""
        for one in list(self._classes.values())[1:]:
            for other in self._classes.values():
                if other is one:
                    break
                if other.name in one.parts or one.name not in firsts or other.name not in firsts:
                    continue
                seed = firsts[one.name].spec.seed
                if one.results[seed] != other.results[seed] or not any(one.results[seed]):
                    found = compare(firsts[other.name], firsts[one.name], self._request)
                    if found.divergence is not None:
                        one.parts[other.name] = (found.divergence, "")
                    elif not found.compared:
                        one.parts[other.name] = (None, "nothing was compared")

    def answer(self, reproduces: bool) -> Classes | None:
        """None where all runs are of one class. `reproduces`: within each of them."""
        kept = [one for one in self._classes.values() if one.runs]
        if len(kept) < 2:
            return None
        alike = {one.name: next(other.name for other in kept if _alike(one, other)) for one in kept}
        classes = tuple(
            ClassOfRuns(
                name=one.name,
                text=class_name(one.facts),
                runs=tuple(one.runs),
                hosts=tuple(one.hosts),
                alike=alike[one.name],
            )
            for one in kept
        )
        differences = tuple(_difference(kept[0], one, alike) for one in kept[1:])
        return Classes(summary=_summary(classes, differences, reproduces), classes=classes, differences=differences)


def _alike(one: _Class, other: _Class) -> bool:
    """Whether all seeds that both have gave the same bits; there is one."""
    common = one.results.keys() & other.results.keys()
    return one is other or (
        bool(common) and all(one.results[seed] == other.results[seed] and any(one.results[seed]) for seed in common)
    )


def _difference(first: _Class, one: _Class, alike: Mapping[str, str]) -> ClassDifference:
    facts = class_differences(first.facts, one.facts)
    divergence, reason = one.parts.get(first.name, (None, ""))
    if divergence is None and not reason and alike[one.name] != alike[first.name]:
        common = first.results.keys() & one.results.keys()
        reason = "they differ in nothing that decides" if common else "no seed was run on both"
    return ClassDifference(
        classes=(first.name, one.name),
        facts=tuple(f"{name}: {a[:100]}, {b[:100]}" for name, a, b in facts[:MOST_FACTS]),
        first="" if divergence is None else _place(divergence),
        reason=reason,
    )


def _place(divergence: Divergence) -> str:
    """Where, and of which tensors, as far as they are known by name."""
    names = first_of(divergence.names, _MOST_NAMES)
    return where(divergence) + (f" ({names})" if names else "")


def _summary(classes: Sequence[ClassOfRuns], differences: Iterable[ClassDifference], reproduces: bool) -> str:
    groups: dict[str, int] = {}
    for one in classes:
        groups[one.alike] = groups.get(one.alike, 0) + 1
    most = max(groups.values())
    agree = f"{most} of {len(classes)}" if most > 1 else "no two of them"
    number = f"{len(classes)} numerical classes"
    parts = [f"reproduces within each of {number}" if reproduces else number, f"{agree} agree bit for bit"]
    first = next((one for one in differences if one.first), None)
    if first is not None:
        a, b = first.classes
        parts.append(f"first difference between {a} and {b} {first.first}")
    return "; ".join(parts)
