"""Reading a case: which lines could be responsible, which of them is the likeliest, and how sure that is."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile

from reprocheck.diagnosis.generators import ENTROPY
from reprocheck.diagnosis.rules.model import HIGH, LOW, MEDIUM, Match
from reprocheck.diagnosis.rules.support import Support, experiment_notes, support_of
from reprocheck.diagnosis.source.order_place import ADDRESSES
from reprocheck.model import Edit, Location
from reprocheck.model.explanation import Case, LedgerEntry, Remedy, SeedPlace, SourceHit
from reprocheck.model.kinds import Confidence, SourceKind, Stage
from reprocheck.model.places import line_text, short_place


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A line that could be responsible: seen at work (ledger entry), seen in the source (hit), or both."""

    location: Location
    code: str
    entry: LedgerEntry | None = None
    hit: SourceHit | None = None

    @property
    def edit(self) -> Edit | None:
        return None if self.hit is None else self.hit.edit


def entries(case: Case, *kinds: str, names: Iterable[str] = ()) -> tuple[LedgerEntry, ...]:
    """Entries of these kinds that came before the difference; `names` are last parts of dotted names."""
    wanted = set(names)
    first = {_key(entry) for entry in case.entries}
    every = (*case.entries, *(entry for entry in case.other_entries if _key(entry) not in first))
    return tuple(
        entry
        for entry in every
        if entry.kind in kinds and (not wanted or entry.name.rpartition(".")[2] in wanted) and _precedes(case, entry)
    )


def hits(case: Case, *patterns: str) -> tuple[SourceHit, ...]:
    """Static hits of these patterns."""
    return tuple(hit for hit in case.hits if hit.pattern in patterns)


def lines(items: Iterable[LedgerEntry | SourceHit]) -> set[tuple[str, int]]:
    """Where they are."""
    return {(item.location.path, item.location.line) for item in items if item.location is not None}


def on_lines(found: Iterable[LedgerEntry], wanted: Iterable[LedgerEntry | SourceHit]) -> tuple[LedgerEntry, ...]:
    """The entries that stand on a line of the wanted ones."""
    places = lines(wanted)
    return tuple(entry for entry in found if entry.location and (entry.location.path, entry.location.line) in places)


def with_hits(case: Case, found: Iterable[LedgerEntry], *patterns: str) -> tuple[SourceHit, ...]:
    """The hits of these patterns on the lines of ledger entries: they add a changed line, not a candidate."""
    places = lines(found)
    return tuple(hit for hit in hits(case, *patterns) if (hit.location.path, hit.location.line) in places)


def into_a_seed(case: Case, read: Iterable[LedgerEntry], seeds: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Readings of a clock that went into one of these seeds, as their lines show, or that no other reading was made
    between the two."""
    read, seeds = tuple(read), tuple(seeds)
    last = {max((entry.order for entry in read if entry.order <= seed.order), default=None) for seed in seeds}
    shown = on_lines(read, (*seeds, *hits(case, "seed-from-clock")))
    return tuple(entry for entry in read if entry.order in last or entry in shown)


def value_differs(case: Case, entry: LedgerEntry) -> bool:
    """The same call of the two runs had another value."""
    twins = {
        other.value
        for other in case.other_entries
        if (other.kind, other.name, other.location) == (entry.kind, entry.name, entry.location)
    }
    return bool(twins) and entry.value not in twins


def same_in_both(case: Case, entry: LedgerEntry) -> bool:
    """Both runs had the same value here: an order that did not change."""
    twins = {
        o.value for o in case.other_entries if (o.kind, o.name, o.location) == (entry.kind, entry.name, entry.location)
    }
    return bool(entry.value) and entry.value in twins


def walks(case: Case, *, of_addresses: bool) -> tuple[LedgerEntry, ...]:
    """Sets that the run walked through, as far as their order was not the same in both runs."""
    found = (
        entry for entry in entries(case, SourceKind.ORDER) if entry.hit is not None and not same_in_both(case, entry)
    )
    return tuple(entry for entry in found if (entry.generator == ADDRESSES) == of_addresses)


def differing_seeds(case: Case) -> tuple[LedgerEntry, ...]:
    """Seeds that had another value in the other run."""
    return tuple(
        entry for entry in entries(case, SourceKind.SEED) if entry.value != ENTROPY and value_differs(case, entry)
    )


def on_cuda(case: Case) -> bool:
    """The run used a GPU."""
    return bool(case.manifest.get("gpus"))


def find(
    case: Case,
    *,
    sources: tuple[str, ...],
    entries: Iterable[LedgerEntry] = (),
    hits: Iterable[SourceHit] = (),
    rivals: Iterable[SourceHit] = (),
    shown: bool = False,
    latest: bool = False,
    fallback: bool = False,
    cap: Confidence = HIGH,
    evidence: tuple[str, ...] = (),
    remedies: tuple[Remedy, ...] = (),
) -> Match | None:
    """The responsible line among entries and hits, or None when the experiments speak against these sources.

    rivals: lines that another cause of the same source would have. shown: the origin itself shows the cause.
    latest: of equal candidates the last one is the likelier. fallback: without any candidate the line that took the
    difference in is named, at low confidence. cap: no more confidence than this.
    """
    stand = support_of(case, *sources)
    if stand is Support.AGAINST:
        return None
    stand = Support.SHOWN if shown else stand
    own = _narrowed(case, stand, _merge(entries, hits))
    if not own:
        return _at_origin(case, evidence, remedies) if fallback and stand is Support.SHOWN else None
    others = _merge((), rivals)
    order = sorted((*own, *others), key=lambda spot: (_rank(case, spot), _order(spot, latest)))
    best = next(spot for spot in order if spot in own)
    top = [spot for spot in order if _rank(case, spot) == _rank(case, order[0])]
    confidence = _confidence(case, stand, best, alone=len(order) == 1, first=best is order[0] and len(top) == 1)
    found = Match(
        confidence=max(confidence, cap, key=(HIGH, MEDIUM, LOW).index),
        location=best.location,
        source=best.code,
        evidence=(*experiment_notes(case), *_of_spot(case, best), *evidence),
        edit=best.edit,
        remedies=((changed_line(best.edit), *remedies) if best.edit else remedies),
    )
    if best.entry is None or best.entry.seed_place is None:
        return found
    return _where_given(found, best, best.entry.seed_place, entries, remedies, (*experiment_notes(case), *evidence))


def _where_given(
    match: Match,
    spot: Spot,
    place: SeedPlace,
    entries: Iterable[LedgerEntry],
    remedies: tuple[Remedy, ...],
    evidence: tuple[str, ...],
) -> Match:
    """A seed that is missing only at run time is missing where the caller could have given it."""
    assert spot.entry is not None
    edit = place.edit or (spot.edit if place.location == spot.location else None)
    if place.location == spot.location and spot.edit is not None:
        edit = spot.edit
    others = [
        entry.seed_place.edit for entry in entries if entry.seed_place is not None and entry.location == spot.location
    ]
    edits = tuple({(one.path, one.line): one for one in (edit, *others) if one is not None}.values())
    changed = (replace(changed_line(edits[0]), edits=edits),) if edits else ()
    calls = tuple(frame.location for frame in spot.entry.frames)
    away = place.location != spot.location
    return replace(
        match,
        location=place.location,
        source=place.code,
        evidence=(*(evidence if away else match.evidence), place.message, *_way(spot.entry, place.location)),
        edit=edit,
        help=_give(edit, place.location) if away or "None" in place.message else "",
        calls=calls if away else (),
        remedies=(*changed, *remedies),
    )


def _way(entry: LedgerEntry, to: Location) -> tuple[str, ...]:
    """From the line that makes the generator outwards to the one that could have given the seed."""
    if entry.location == to or entry.location is None:
        return ()
    places = [frame.location for frame in entry.frames]
    between = places[: places.index(to)] if to in places else places[:1]
    shown = ", called from ".join(short_place(place.path, place.line) for place in (*between, to))
    return (f"`{entry.name}` gets no seed at {shown}",)


def _give(edit: Edit | None, location: Location) -> str:
    if edit is None:
        return "pass the run's seed here: what is called takes one, and None means a different seed in every run"
    where = (
        "" if edit.line == location.line and edit.path == location.path else f" in {line_text(edit.path, edit.line)}"
    )
    return f"give it the run's seed{where}: `{without_comment(edit.after)}`"


def without_comment(line: str) -> str:
    """A line of source as one would say it."""
    with suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type == tokenize.COMMENT:
                return line.strip()[: token.start[1]].strip()
    return line.strip()


def changed_line(edit: Edit) -> Remedy:
    """The remedy of changing one source line."""
    return Remedy(text=f"{without_comment(edit.after)}  # {line_text(edit.path, edit.line)}", edits=(edit,))


def origin_place(case: Case) -> tuple[Location | None, str]:
    """The innermost line of the user's code where the runs diverge, and its source."""
    if case.origin is not None and case.origin.call.frames:
        frame = case.origin.call.frames[0]
        return frame.location, frame.code
    return None, ""


def at_origin(
    case: Case, confidence: Confidence, evidence: tuple[str, ...], remedies: tuple[Remedy, ...] = ()
) -> Match:
    """A match whose line is that of the origin."""
    location, code = origin_place(case)
    edit = next((hit.edit for hit in case.hits if hit.edit is not None and hit.location == location), None)
    return Match(
        confidence=confidence if location is not None or confidence == LOW else MEDIUM,
        location=location,
        source=code,
        evidence=(*experiment_notes(case), *evidence),
        remedies=remedies,
        edit=edit,
    )


def _at_origin(case: Case, evidence: tuple[str, ...], remedies: tuple[Remedy, ...]) -> Match:
    location, code = origin_place(case)
    where = "no line of the source stands out" + ("; this one took the difference in" if location is not None else "")
    return Match(
        confidence=LOW,
        location=location,
        source=code,
        evidence=(*experiment_notes(case), *evidence, where),
        remedies=remedies,
    )


def _key(entry: LedgerEntry) -> tuple[object, ...]:
    return entry.kind, entry.name, entry.location


def _precedes(case: Case, entry: LedgerEntry) -> bool:
    divergence = case.divergence
    if divergence is None or divergence.stage not in (Stage.INIT, Stage.DATA, Stage.STEP):
        return True
    return entry.step <= (divergence.step or 0)


def _merge(found: Iterable[LedgerEntry], seen: Iterable[SourceHit]) -> list[Spot]:
    """One spot a line."""
    spots: dict[tuple[str, int], Spot] = {}
    for hit in seen:
        key = hit.location.path, hit.location.line
        there = spots.setdefault(key, Spot(location=hit.location, code=hit.code, hit=hit)).hit
        if there is not None and there is not hit and there.pattern == hit.pattern:
            spots[key] = replace(spots[key], hit=replace(there, edit=_both(there.edit, hit.edit)))
    for entry in found:
        if entry.location is not None:
            key = entry.location.path, entry.location.line
            known = spots.get(key)
            hit_there = known.hit if known is not None else None
            if known is None or known.entry is None:
                spots[key] = Spot(
                    location=entry.location,
                    code=entry.code or (known.code if known else ""),
                    entry=entry,
                    hit=hit_there,
                )
    return list(spots.values())


def _both(one: Edit | None, other: Edit | None) -> Edit | None:
    """Two changes of one line, made together where they do not overlap: a line may list two folders."""
    if one is None or other is None or one.line != other.line or one.before != other.before:
        return one or other
    (start, end, text), (later, last, further) = sorted((_change(one), _change(other)))
    if end > later:
        return one
    line = one.before
    return replace(one, after=line[:start] + text + line[end:later] + further + line[last:])


def _change(edit: Edit) -> tuple[int, int, str]:
    """The part of the line that is replaced, and by what."""
    start = _same(edit.before, edit.after)
    same = _same(edit.before[start:][::-1], edit.after[start:][::-1])
    return start, len(edit.before) - same, edit.after[start : len(edit.after) - same]


def _same(one: str, other: str) -> int:
    """Characters that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _narrowed(case: Case, stand: Support, spots: list[Spot]) -> list[Spot]:
    """Where an experiment named the lines, no other line can be responsible."""
    if stand is Support.SHOWN and case.attribution is not None and case.attribution.lines:
        return [spot for spot in spots if spot.location in case.attribution.lines]
    return spots


def _rank(case: Case, spot: Spot) -> tuple[int, ...]:
    differs = (
        spot.entry is not None
        and spot.entry.kind in (SourceKind.SEED, SourceKind.ORDER)
        and value_differs(case, spot.entry)
    )
    both = spot.entry is not None and spot.hit is not None
    return (not differs, not both, spot.entry is None, _distance(case, spot) if spot.entry is None else 0)


def _order(spot: Spot, latest: bool) -> int:
    number = spot.entry.order if spot.entry is not None else spot.location.line
    return -number if latest else number


def _distance(case: Case, spot: Spot) -> int:
    """From the line where the runs diverge: same line, same function, on the stack, same file, elsewhere."""
    if case.origin is None or not case.origin.call.frames:
        return 3
    for index, frame in enumerate(case.origin.call.frames):
        if frame.location == spot.location:
            return 0
        function = spot.hit.function if spot.hit is not None else None
        if function is not None and (frame.location.path, frame.function) == (spot.location.path, function):
            return 1 if index == 0 else 2
    return 3 if case.origin.call.frames[0].location.path == spot.location.path else 4


def _confidence(case: Case, stand: Support, best: Spot, *, alone: bool, first: bool) -> Confidence:
    proved = case.attribution is not None and best.location in case.attribution.lines
    differs = (
        best.entry is not None
        and best.entry.kind in (SourceKind.SEED, SourceKind.ORDER)
        and value_differs(case, best.entry)
    )
    if stand is Support.SHOWN:
        if alone or proved or (first and differs):
            return HIGH
        return MEDIUM if first else LOW
    return MEDIUM if alone or (first and differs) else LOW


def _of_spot(case: Case, spot: Spot) -> tuple[str, ...]:
    entry = spot.entry
    if entry is None:
        return ()
    if entry.kind == SourceKind.SEED and value_differs(case, entry):
        other = next((o.value for o in case.other_entries if _key(o) == _key(entry)), "")
        return (f"`{entry.name}` got {entry.value} in one run and {other} in the other",)
    if entry.kind == SourceKind.ORDER:
        same = "; its order was another one in each run" if value_differs(case, entry) else ""
        return (f"a set is walked through here, in the order of {entry.generator}{same}",)
    times = "once" if entry.count == 1 else f"{entry.count} times"
    return (f"`{entry.name}` was called here {times}",)
