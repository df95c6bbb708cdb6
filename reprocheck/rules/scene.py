"""Reading a case: which lines could be guilty, which of them is the likeliest, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reprocheck.explain.generators import ENTROPY
from reprocheck.explain.model import Case, Remedy, SourceHit, Tap
from reprocheck.model import Edit, Location
from reprocheck.rules.model import HIGH, LOW, MEDIUM, Match
from reprocheck.rules.standing import Standing, standing, told


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A line that could be guilty: seen at work (tap), seen in the source (hit), or both."""

    location: Location
    code: str
    tap: Tap | None = None
    hit: SourceHit | None = None

    @property
    def edit(self) -> Edit | None:
        return None if self.hit is None else self.hit.edit


def taps(case: Case, *kinds: str, names: Iterable[str] = ()) -> tuple[Tap, ...]:
    """Taps of these kinds that came before the difference; `names` are last parts of dotted names."""
    wanted = set(names)
    first = {_key(tap) for tap in case.taps}
    every = (*case.taps, *(tap for tap in case.other_taps if _key(tap) not in first))
    return tuple(
        tap
        for tap in every
        if tap.kind in kinds and (not wanted or tap.name.rpartition(".")[2] in wanted) and _precedes(case, tap)
    )


def hits(case: Case, *patterns: str) -> tuple[SourceHit, ...]:
    """Static hits of these patterns."""
    return tuple(hit for hit in case.hits if hit.pattern in patterns)


def lines(items: Iterable[Tap | SourceHit]) -> set[tuple[str, int]]:
    """Where they are."""
    return {(item.location.path, item.location.line) for item in items if item.location is not None}


def on_lines(found: Iterable[Tap], wanted: Iterable[Tap | SourceHit]) -> tuple[Tap, ...]:
    """The taps that stand on a line of the wanted ones."""
    places = lines(wanted)
    return tuple(tap for tap in found if tap.location and (tap.location.path, tap.location.line) in places)


def with_hits(case: Case, found: Iterable[Tap], *patterns: str) -> tuple[SourceHit, ...]:
    """The hits of these patterns on the lines of taps: they add a changed line, not a candidate."""
    places = lines(found)
    return tuple(hit for hit in hits(case, *patterns) if (hit.location.path, hit.location.line) in places)


def value_differs(case: Case, tap: Tap) -> bool:
    """The same call of the two runs had another value."""
    twins = {
        other.value
        for other in case.other_taps
        if (other.kind, other.name, other.location) == (tap.kind, tap.name, tap.location)
    }
    return bool(twins) and tap.value not in twins


def differing_seeds(case: Case) -> tuple[Tap, ...]:
    """Seeds that had another value in the other run."""
    return tuple(tap for tap in taps(case, "seed") if tap.value != ENTROPY and value_differs(case, tap))


def on_cuda(case: Case) -> bool:
    """The run used a GPU."""
    return bool(case.manifest.get("gpus"))


def find(
    case: Case,
    *,
    sources: tuple[str, ...],
    taps: Iterable[Tap] = (),
    hits: Iterable[SourceHit] = (),
    rivals: Iterable[SourceHit] = (),
    shown: bool = False,
    latest: bool = False,
    fallback: bool = False,
    cap: str = HIGH,
    evidence: tuple[str, ...] = (),
    remedies: tuple[Remedy, ...] = (),
) -> Match | None:
    """The guilty line among taps and hits, or None when the experiments speak against these sources.

    rivals: lines that another cause of the same source would have. shown: the origin itself shows the cause.
    latest: of equal candidates the last one is the likelier. fallback: without any candidate the line that took the
    difference in is named, at low confidence. cap: no more confidence than this.
    """
    stand = standing(case, *sources)
    if stand is Standing.AGAINST:
        return None
    stand = Standing.SHOWN if shown else stand
    own = _narrowed(case, stand, _merge(taps, hits))
    if not own:
        return _at_origin(case, evidence, remedies) if fallback and stand is Standing.SHOWN else None
    others = _merge((), rivals)
    order = sorted((*own, *others), key=lambda spot: (_rank(case, spot), _order(spot, latest)))
    best = next(spot for spot in order if spot in own)
    top = [spot for spot in order if _rank(case, spot) == _rank(case, order[0])]
    confidence = _confidence(case, stand, best, alone=len(order) == 1, first=best is order[0] and len(top) == 1)
    edit = best.edit
    return Match(
        confidence=max(confidence, cap, key=(HIGH, MEDIUM, LOW).index),
        location=best.location,
        source=best.code,
        evidence=(*told(case), *_of_spot(case, best), *evidence),
        edit=edit,
        remedies=((changed_line(edit), *remedies) if edit else remedies),
    )


def changed_line(edit: Edit) -> Remedy:
    """The remedy of changing one source line."""
    return Remedy(text=f"{edit.after.strip()}  # line {edit.line}", edits=(edit,))


def origin_place(case: Case) -> tuple[Location | None, str]:
    """The innermost line of the user's code where the runs part, and its source."""
    if case.origin is not None and case.origin.call.frames:
        frame = case.origin.call.frames[0]
        return frame.location, frame.code
    return None, ""


def at_origin(case: Case, confidence: str, evidence: tuple[str, ...], remedies: tuple[Remedy, ...] = ()) -> Match:
    """A match whose line is that of the origin."""
    location, code = origin_place(case)
    edit = next((hit.edit for hit in case.hits if hit.edit is not None and hit.location == location), None)
    return Match(
        confidence=confidence if location is not None or confidence == LOW else MEDIUM,
        location=location,
        source=code,
        evidence=(*told(case), *evidence),
        remedies=remedies,
        edit=edit,
    )


def _at_origin(case: Case, evidence: tuple[str, ...], remedies: tuple[Remedy, ...]) -> Match:
    location, code = origin_place(case)
    where = "no line of the source stands out" + ("; this one took the difference in" if location is not None else "")
    return Match(
        confidence=LOW, location=location, source=code, evidence=(*told(case), *evidence, where), remedies=remedies
    )


def _key(tap: Tap) -> tuple[object, ...]:
    return tap.kind, tap.name, tap.location


def _precedes(case: Case, tap: Tap) -> bool:
    divergence = case.divergence
    if divergence is None or divergence.stage not in ("init", "data", "step"):
        return True
    return tap.step <= (divergence.step or 0)


def _merge(found: Iterable[Tap], seen: Iterable[SourceHit]) -> list[Spot]:
    """One spot a line."""
    spots: dict[tuple[str, int], Spot] = {}
    for hit in seen:
        spots.setdefault((hit.location.path, hit.location.line), Spot(location=hit.location, code=hit.code, hit=hit))
    for tap in found:
        if tap.location is not None:
            key = tap.location.path, tap.location.line
            known = spots.get(key)
            hit_there = known.hit if known is not None else None
            if known is None or known.tap is None:
                spots[key] = Spot(
                    location=tap.location, code=tap.code or (known.code if known else ""), tap=tap, hit=hit_there
                )
    return list(spots.values())


def _narrowed(case: Case, stand: Standing, spots: list[Spot]) -> list[Spot]:
    """Where an experiment named the lines, no other line can be guilty."""
    if stand is Standing.SHOWN and case.attribution is not None and case.attribution.lines:
        return [spot for spot in spots if spot.location in case.attribution.lines]
    return spots


def _rank(case: Case, spot: Spot) -> tuple[int, ...]:
    differs = spot.tap is not None and spot.tap.kind == "seed" and value_differs(case, spot.tap)
    both = spot.tap is not None and spot.hit is not None
    return (not differs, not both, spot.tap is None, _distance(case, spot) if spot.tap is None else 0)


def _order(spot: Spot, latest: bool) -> int:
    number = spot.tap.order if spot.tap is not None else spot.location.line
    return -number if latest else number


def _distance(case: Case, spot: Spot) -> int:
    """From the line where the runs part: same line, same function, on the stack, same file, elsewhere."""
    if case.origin is None or not case.origin.call.frames:
        return 3
    for index, frame in enumerate(case.origin.call.frames):
        if frame.location == spot.location:
            return 0
        function = spot.hit.function if spot.hit is not None else None
        if function is not None and (frame.location.path, frame.function) == (spot.location.path, function):
            return 1 if index == 0 else 2
    return 3 if case.origin.call.frames[0].location.path == spot.location.path else 4


def _confidence(case: Case, stand: Standing, best: Spot, *, alone: bool, first: bool) -> str:
    proved = case.attribution is not None and best.location in case.attribution.lines
    differs = best.tap is not None and best.tap.kind == "seed" and value_differs(case, best.tap)
    if stand is Standing.SHOWN:
        if alone or proved or (first and differs):
            return HIGH
        return MEDIUM if first else LOW
    return MEDIUM if alone or (first and differs) else LOW


def _of_spot(case: Case, spot: Spot) -> tuple[str, ...]:
    tap = spot.tap
    if tap is None:
        return ()
    if tap.kind == "seed" and value_differs(case, tap):
        other = next((o.value for o in case.other_taps if _key(o) == _key(tap)), "")
        return (f"`{tap.name}` got {tap.value} in one run and {other} in the other",)
    times = "once" if tap.count == 1 else f"{tap.count} times"
    return (f"`{tap.name}` was called here {times}",)
