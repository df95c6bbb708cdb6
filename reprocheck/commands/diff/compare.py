"""Two sides → the answer of `reprocheck diff`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reprocheck.commands.diff.model import Diff, Fact, Side
from reprocheck.compare.baseline.compare import compare_snapshots
from reprocheck.compare.baseline.numerical import fact_text
from reprocheck.compare.baseline.summary import where_first
from reprocheck.errors import ExitCode
from reprocheck.model import Verdict
from reprocheck.model.baseline import OTHER_CLASS, SeedComparison, State
from reprocheck.model.tolerance import Tolerance

_CODES = {
    Verdict.REPRODUCIBLE: ExitCode.OK,
    Verdict.DIFFERENT: ExitCode.DIFFERENT,
    Verdict.NO_VERDICT: ExitCode.NO_VERDICT,
}


def diff_sides(a: Side, b: Side, tolerance: Tolerance) -> Diff:
    """Seed by seed. Bits are compared between any two machines, but where a tolerance was asked for."""
    other_class = a.numerical_class != b.numerical_class
    no_bits = OTHER_CLASS if other_class and tolerance.options else ""
    common = [seed for seed in a.seeds if seed in b.seeds]
    seeds = tuple(compare_snapshots(seed, a.seeds[seed], b.seeds[seed], tolerance, no_bits) for seed in common)
    verdict = _verdict(seeds)
    return Diff(
        a=a,
        b=b,
        verdict=verdict,
        exit_code=_CODES[verdict],
        summary=_summary(verdict, seeds),
        seeds=seeds,
        asked=_facts(a.asked, b.asked, both=False),
        manifest=_manifests(a, b),
        other_class=other_class,
        tolerance=tolerance,
        notes=tuple(_notes(a, b, common)),
    )


def _verdict(seeds: tuple[SeedComparison, ...]) -> Verdict:
    if any(part.state is State.DIFFERENT for one in seeds for part in one.parts):
        return Verdict.DIFFERENT
    return Verdict.REPRODUCIBLE if seeds and all(one.is_comparable for one in seeds) else Verdict.NO_VERDICT


def _summary(verdict: Verdict, seeds: tuple[SeedComparison, ...]) -> str:
    count = f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    if verdict is Verdict.REPRODUCIBLE:
        return f"no difference in {count}"
    if verdict is Verdict.NO_VERDICT:
        return "nothing could be compared" if seeds else "no seed was completed on both sides"
    differing = [one for one in seeds if one.first is not None]
    where = [f"seed {one.seed} {where_first(one.first)}" for one in differing if one.first is not None]
    return f"{len(differing)} of {count} {'differs' if len(differing) == 1 else 'differ'}; {where[0]}"


def _notes(a: Side, b: Side, common: list[int]) -> Iterator[str]:
    yield from a.notes
    yield from b.notes
    for side in (a, b):
        only = [seed for seed in side.seeds if seed not in common]
        if only:
            yield f"only {side.name} has seed{'s' if len(only) > 1 else ''} {', '.join(map(str, only[:10]))}"


def _manifests(a: Side, b: Side) -> tuple[Fact, ...]:
    """What decides bits, then the rest; a baseline knows only some packages."""
    partial = "baseline" in (a.kind, b.kind)
    decides = _facts(a.numerical_class, b.numerical_class, both=False)
    left, right = (
        dict(_flat({key: value for key, value in side.manifest.items() if key not in _secondary(side)}))
        for side in (a, b)
    )
    rest = _facts(left, right, both=partial)
    found = [*decides, *rest]
    return tuple(sorted(found, key=lambda fact: not fact.differs))


def _secondary(side: Side) -> set[str]:
    return {"numerical_class", "imported", "volatile", *side.numerical_class}


def _facts(a: Mapping[str, Any], b: Mapping[str, Any], *, both: bool) -> tuple[Fact, ...]:
    """Those that differ first. `both`: leave out what only one side knows."""
    names = [name for name in dict.fromkeys((*a, *b)) if not both or (name in a and name in b)]
    facts = [Fact(name=name, a=fact_text(a.get(name)), b=fact_text(b.get(name))) for name in names]
    return tuple(sorted(facts, key=lambda fact: not fact.differs))


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
