"""Attribute: what does the difference depend on? Each arm is an experiment that changes one thing.

The traced runs are controls already: each has the environment factors of a run of the audit. Where both agree with
their twin, only environment factors can be responsible, and they are found by giving one run the factors of the other.
Where they do not, the target differs with everything equal: then what it takes from outside (files of earlier runs,
clocks, entropy) is held constant, to see whether that makes it agree. That proves something only if plain pairs still
differ.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace

from reprocheck.diagnosis.agree import first_difference, limit_of
from reprocheck.diagnosis.experiments import ExperimentRunner, tmpdir_of, why_failed
from reprocheck.diagnosis.factors import SmallestSets, Spent
from reprocheck.diagnosis.generators import drawn_before_seeded
from reprocheck.diagnosis.leftovers import Leftover, first_writes, leftovers
from reprocheck.diagnosis.replay import Replay
from reprocheck.evidence.run import Ran
from reprocheck.model import Divergence, EnvironmentFactors, Evidence, Instruments, Location, RunSpec, Seeding
from reprocheck.model.explanation import Arm, Attribution, Hold, LedgerEntry
from reprocheck.model.kinds import AttributionKind, OriginKind, SourceKind, Stage

FIELD_OF_FACTOR = {
    "hash seed": "hash_seed",
    "heap contents": "heap_byte",
    "directory order": "listing_key",
    "switch interval": "switch_interval",
    "temporary directory": "own_tmpdir",
}
FROZEN_KINDS = ("unseeded", "entropy", "pid", "clock")
"""What can be held constant, the likeliest first."""
OUTSIDE = (*FROZEN_KINDS, "leftover", "seeding", "intrinsic")
"""What cannot be responsible where runs agree as soon as every environment factor is equal."""
RESERVED = 4
"""Runs left for trying fixes."""
LUCK = 0.1
"""How likely an experiment may come out as it did though what it asks is not so."""
SUSPICIOUS = 3
"""Factors of which each seems enough by itself."""
_FILLED = "filled heap"
MOST_REPEATS = 3
"""Further runs of an experiment whose agreement may be luck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NotEnough:
    """What was held constant and did not make the runs agree, with two of them."""

    name: str
    hold: Hold
    kind: AttributionKind
    kinds: tuple[str, ...]
    """The factors of that attribution."""
    one: Evidence
    other: Evidence


class Attributor:
    """The experiments on one difference."""

    def __init__(
        self,
        runner: ExperimentRunner,
        a: Evidence,
        b: Evidence,
        divergence: Divergence,
        seen: Replay,
        *,
        again: bool = False,
    ) -> None:
        """`again`: these runs are further ones already, with the first causes held constant."""
        self.runner = runner
        self.a, self.b = a, b
        self.seen = seen
        self.divergence = divergence
        self.limit = limit_of(divergence)
        self.arms: list[Arm] = []
        self.rest: tuple[Evidence, Evidence] | None = None
        """Runs that still differ with what was found held constant: there is another cause."""
        self._again = again
        self._plain: list[tuple[Ran, Ran, bool | None]] = []
        """Pairs with every environment factor equal, and whether they agree."""
        self._not_enough: list[_NotEnough] = []
        self.others: tuple[Attribution, ...] = ()
        """What is needed, too, where only several sources together are enough; further rounds may show more of them."""
        self._joined = 0
        """How many of these were held constant together already."""
        self._turned: bool | None = None
        """Whether the last run that differed from run a agreed with run b."""

    def attribute(self) -> Attribution:
        """The answer, and every experiment that it rests on."""
        if _calls(self.a) != _calls(self.b):
            return self._answer(AttributionKind.PROCESS, ["process state"])
        self._controls()
        outcomes = [outcome for _, _, outcome in self._plain if outcome is not None]
        if outcomes and all(outcomes):
            return self._environment() or self._answer(
                "unclear",
                note="it agrees with every environment factor equal, and none of them was shown to make the difference",
                excluded=OUTSIDE if len(outcomes) > 1 else (),
            )
        if outcomes and not self._still_differs():
            alone = next(one for one, _, outcome in self._plain if outcome is False)
            return self._first_alone() if alone is self.a else self._one_alone(alone)
        found = self._from_outside() if outcomes else None
        if found is not None:
            return replace(found, rate=self._rate())
        if outcomes:
            return self._answer(AttributionKind.INTRINSIC, rate=self._rate())
        return self._answer(AttributionKind.UNCLEAR, rate=(1, 1), note="it did not come back in the further runs")

    def _rate(self) -> tuple[int, int]:
        outcomes = [outcome for _, _, outcome in self._plain if outcome is not None]
        return outcomes.count(False), len(outcomes)

    def _answer(self, kind: str, factors: Sequence[str] = (), **more: object) -> Attribution:
        return replace(Attribution(kind=kind, factors=tuple(factors), arms=tuple(self.arms)), **more)  # type: ignore[arg-type]

    def _arm(self, name: str, question: str, runs: int, outcomes: Iterable[bool | None], failed: str = "") -> Arm:
        known = [outcome for outcome in outcomes if outcome is not None]
        arm = Arm(
            name=name,
            question=question,
            runs=runs,
            agreed=known.count(True),
            differed=known.count(False),
            failed=failed or ("" if known else "no evidence"),
        )
        self.arms.append(arm)
        return arm

    # Controls

    def _controls(self) -> None:
        """Runs with every environment factor equal: those of the audit with --ambient fixed, and the traced ones."""
        made = 0
        if self.a.spec.ambient == replace(self.b.spec.ambient, start_gap=self.a.spec.ambient.start_gap):
            self._plain.append((self.a, self.b, False))
        for twin, original in ((self.seen.first, self.a), (self.seen.second, self.b)):
            if twin is not None:
                self._plain.append((original, twin, self.runner.agree(original, twin, self.limit)))
        originals = [self.a] if not self._plain else []
        if len(self._plain) == 1 and self._plain[0][2] is True:
            originals = [self.b if self._plain[0][0] is self.a else self.a]
        for original in originals:
            if self.runner.left > RESERVED:
                twin_run = self.runner.run(
                    "control", [self.runner.spec(original, limit=self.limit, against=(original,))]
                )[0]
                self._plain.append((original, twin_run, self.runner.agree(original, twin_run, self.limit)))
                made += 1
        question = "does it differ with every environment factor equal?"
        self._arm("control", question, made, [outcome for _, _, outcome in self._plain])

    def _still_differs(self) -> bool:
        """Whether plain pairs differ that do not have one and the same run of the audit in them: the first one finds
        what no run left, and one that differs from all others shows nothing of what they depend on."""
        differing = [(one, twin) for one, twin, outcome in self._plain if outcome is False]
        if self._again or len(differing) != 1 or self.runner.left < 2:
            return True
        one, twin = differing[0]
        if not isinstance(twin, Evidence) or (one is self.a and one.spec.repeat):
            return True
        another = self.runner.run(
            "does it still differ?", [self.runner.spec(twin, limit=self.limit, against=(self.a, twin))]
        )[0]
        outcome = self.runner.agree(twin, another, self.limit)
        self._plain.append((twin, another, outcome))
        self._arm("later control", "do later runs differ with every environment factor equal?", 1, [outcome])
        return outcome is not True

    def _one_alone(self, one: Ran) -> Attribution:
        """A run that is not the first differs from all others: its difference does not come back."""
        name = one.spec.id
        return self._answer(
            "unclear",
            rate=self._rate(),
            note=f"only run {name} differs: all further runs agree with one another",
            excluded=FROZEN_KINDS,
            sure=False,
        )

    # The first run alone

    def _first_alone(self) -> Attribution:
        """The first run differs, and all later ones agree with their twins: it found something that they did not."""
        later = next(twin for one, twin, outcome in self._plain if one is self.a and outcome is False)
        assert isinstance(later, Evidence)
        found = leftovers((*self.seen.entries, *self.seen.other_entries), self.a, self.b)
        shown = self._as_at_first(found, later) if found and self.runner.left >= 1 else None
        parts = first_difference(later, self.b, self.runner.request, self.limit)
        if shown is not None:
            self.rest = None if parts is None else (later, self.b)
            return shown
        if parts is not None and not found:
            self.a, self.divergence = later, parts
            ambient = self._environment()
            if ambient is not None:
                return replace(ambient, sure=False, rate=self._rate())
        note = "only the first run differs: all later ones agree with one another"
        if found:
            note += f"; they read {found[0].path}, which a run wrote"
        return self._answer(
            "unclear",
            ["files of earlier runs"] if found else [],
            rate=self._rate(),
            note=note,
            excluded=(*FROZEN_KINDS, "seeding", "intrinsic", *FIELD_OF_FACTOR) if found else FROZEN_KINDS,
        )

    def _as_at_first(self, found: Sequence[Leftover], later: Evidence) -> Attribution | None:
        """A run without the files that earlier ones wrote must agree with the first run, and not with later ones."""
        folder = os.path.realpath(self.a.spec.cwd)
        inside = [os.path.relpath(one.path, folder) for one in found if not one.is_outside]
        outside = [one.path for one in found if one.is_outside]
        spec = self.runner.spec(
            self.a,
            limit=self.limit,
            fresh=True,
            copy_without=inside,
            home_without=outside if outside else None,
            against=(self.a, later),
            instruments=Instruments(ledger=True),
        )
        ran = self.runner.run("does it agree with the first run where no run has left a file?", [spec])[0]
        same = self.runner.agree(self.a, ran, self.limit)
        differs = self.runner.agree(later, ran, self.limit) is False
        question = "does a run without files of earlier ones agree with the first run, and differ from later ones?"
        self._arm(
            "without earlier files", question, 1, [same and differs if same is not None else None], why_failed(ran)
        )
        if not (same and differs):
            return None
        writes = first_writes(ran, self.a)
        return self._answer(
            AttributionKind.LEFTOVER, ["files of earlier runs"], hold=Hold(), rate=self._rate(), first_writes=writes
        )

    # Environment factors

    def _varied_factors(self) -> list[str]:
        """Factors in which the two runs differ, the likeliest first."""
        one, other = self.a.spec, self.b.spec
        varied = [
            factor
            for factor, name in FIELD_OF_FACTOR.items()
            if getattr(one.ambient, name) != getattr(other.ambient, name)
        ]
        own = one.ambient.own_tmpdir and other.ambient.own_tmpdir
        if own and tmpdir_of(self.a) != tmpdir_of(self.b):
            varied.append("temporary directory")
        if "directory order" in varied and self.seen.pairs and not self._tapped("listing"):
            varied.remove("directory order")  # it listed nothing
        if self._tapped("listing"):
            varied.sort(key=lambda factor: factor != "directory order")
        return varied

    def _tapped(self, *kinds: str) -> list[LedgerEntry]:
        return [entry for entry in self.seen.entries if _kind(entry) in kinds and self._is_before(entry)]

    def _is_before(self, entry: LedgerEntry) -> bool:
        return self.limit is None or entry.step < self.limit

    def _environment(self) -> Attribution | None:
        """The smallest sets of factors that turn run a into something else; None when none is shown to."""
        factors = self._varied_factors()
        effects: dict[frozenset[str], Divergence] = {}

        def differs(given: tuple[str, ...]) -> bool:
            if self.runner.left <= RESERVED // 2:
                raise Spent
            return self._differs_with(given, effects)

        search = SmallestSets(factors, differs, lambda: self._turned is True)
        search.search()
        if not search.found:
            return None
        if len(search.found) >= SUSPICIOUS and not self._repeats():
            return None
        sets = sorted(search.found, key=lambda one: when(effects.get(frozenset(one), self.divergence)))
        responsible = [factor for one in sets for factor in one]
        return self._answer(
            "ambient",
            responsible,
            sets=tuple(sets),
            excluded=OUTSIDE,
            sure=len([outcome for _, _, outcome in self._plain if outcome]) > 1,
            hold=self._equal(responsible) if search.complete else None,
        )

    def _repeats(self) -> bool:
        """Whether one more run with the factors of run a agrees with it. Else plain runs differ, and no factor is
        responsible for that: every one seems enough where run a is one that nothing agrees with."""
        if self.runner.left <= RESERVED // 2:
            return True
        spec = self.runner.spec(self.a, limit=self.limit, against=(self.a,))
        ran = self.runner.run("control", [spec])[0]
        same = self.runner.agree(self.a, ran, self.limit)
        self._plain.append((self.a, ran, same))
        self._arm("later control", "do later runs differ with every environment factor equal?", 1, [same])
        return same is not False

    def _equal(self, factors: Sequence[str]) -> Hold:
        """These factors as run a had them."""
        names = [FIELD_OF_FACTOR[factor] for factor in factors]
        return Hold(
            ambient=tuple((name, getattr(self.a.spec.ambient, name)) for name in names),
            tmpdir=tmpdir_of(self.a) if "temporary directory" in factors else "",
        )

    def _differs_with(self, factors: Sequence[str], effects: dict[frozenset[str], Divergence]) -> bool:
        """Whether a run with the factors of run a, but these from run b, differs from run a."""
        ambient = _mixed(self.a.spec.ambient, self.b.spec.ambient, factors)
        reference = self.b if "temporary directory" in factors else self.a
        spec = self.runner.spec(reference, limit=self.limit, ambient=ambient, against=(self.a, self.b))
        ran = self.runner.run(f"does it depend on the {_and(factors)}?", [spec])[0]
        same = self.runner.agree(self.a, ran, self.limit)
        question = f"does changing only the {_and(factors)} change it?"
        self._arm(" and ".join(factors), question, 1, [same], why_failed(ran))
        if same is False:
            self._turned = self.runner.agree(ran, self.b, self.limit)
            has_diverged = (
                first_difference(self.a, ran, self.runner.request, self.limit) if isinstance(ran, Evidence) else None
            )
            if has_diverged is not None:
                effects[frozenset(factors)] = has_diverged
        return same is False

    # From outside

    def _from_outside(self) -> Attribution | None:
        outside = () if self._is_settled() else (self._leftover, self._seeding, self._frozen, self._together)
        questions: tuple[Callable[[], Attribution | None], ...] = (*outside, self._heap, self._together)
        for question in questions:
            if self.runner.left >= 2 + RESERVED // 2:
                found = question()
                if found is not None:
                    return found
        return None

    def _is_settled(self) -> bool:
        """An operation of equal inputs gave another result: no file, seed or clock can be the reason."""
        origin = self.seen.origin
        return origin is not None and origin.kind == OriginKind.OP and not origin.unknown_inputs

    def _held(
        self,
        name: str,
        question: str,
        hold: Hold,
        kind: AttributionKind = AttributionKind.UNCLEAR,
        kinds: Iterable[str] = (),
    ) -> tuple[Arm, bool, Ran]:
        """Whether runs agree with this held constant, and whether that is hardly luck. Those with equal factors
        come first; one with the factors of run b shows whether there is another cause. Each comes from a process that
        none of the others was forked from: a repeat that shares its addresses would be none."""
        hold_all = self.runner.hold + hold

        def spec(reference: Evidence) -> RunSpec:
            return self.runner.spec(reference, limit=self.limit, hold=hold_all, against=ran)

        ran: list[Ran] = []
        ran = self.runner.run(question, [spec(self.a), spec(self.a)])
        outcomes = [self.runner.agree(ran[0], ran[1], self.limit)]
        if outcomes[0]:
            other = (
                self.runner.run(question, [spec(self.b)])[0]
                if self.runner.left > 1 and self._varied_factors()
                else None
            )
            across = None if other is None else self.runner.agree(ran[0], other, self.limit)
            if across:
                outcomes.append(True)
            elif across is False and isinstance(ran[0], Evidence) and isinstance(other, Evidence):
                self.rest = ran[0], other
        while (
            all(outcomes)
            and self._luck(outcomes) > LUCK
            and self.runner.left > RESERVED
            and len(ran) < 2 + MOST_REPEATS
        ):
            ran += self.runner.run(question, [spec(self.a)])
            outcomes.append(self.runner.agree(ran[0], ran[-1], self.limit))
        arm = self._arm(name, question, len(ran), outcomes, why_failed(*ran))
        if not arm.same:
            self.rest = None
            if isinstance(ran[0], Evidence) and isinstance(ran[1], Evidence):
                self._not_enough.append(
                    _NotEnough(name=name, hold=hold, kind=kind, kinds=tuple(kinds), one=ran[0], other=ran[1])
                )
        return arm, self._luck(outcomes) <= 2 * LUCK, ran[0]

    def _luck(self, outcomes: Sequence[bool | None]) -> float:
        """How likely so many comparisons agree by chance, by how many plain ones did."""
        differed, total = self._rate()
        return float((1 - (differed + 0.5) / (total + 1)) ** list(outcomes).count(True))

    def _leftover(self) -> Attribution | None:
        """Files that an earlier run wrote: equal ones for both runs, in folders of their own."""
        found = leftovers((*self.seen.entries, *self.seen.other_entries), self.a, self.b)
        if not found:
            return None
        outside = tuple(one.path for one in found if one.is_outside)
        hold = Hold(fresh=True, home_without=outside)
        kind, factors = AttributionKind.LEFTOVER, ["files of earlier runs"]
        question = "does it agree where every run has a copy of the folder?"
        arm, sure, _ = self._held("fresh folder", question, hold, kind, factors)
        return self._answer(kind, factors, sure=sure, hold=hold) if arm.same else None

    def _together(self) -> Attribution | None:
        """Sources, each of which is not enough by itself, held constant together: then each is needed."""
        parts = self._not_enough[:]
        if len(parts) < 2 or len(parts) == self._joined or self.runner.left < 2 + RESERVED:
            return None
        self._joined = len(parts)
        return self._needed(parts, Hold())

    def beside_races(self, races: Sequence[Hold]) -> Attribution | None:
        """Whether there is a race and another cause. `races`: what may mend a race, the likeliest first.

        Where what comes from outside was not enough, it may be with one of these held constant, too. Where an operation
        showed that it is a race, runs that still differ with it mended show the rest.
        """
        parts = [one for one in self._not_enough if one.name != _FILLED]
        is_settled = self._is_settled() and bool(self._tapped(*FROZEN_KINDS))
        rest, before = self.rest, self._not_enough[:]
        for race in races if parts or is_settled else ():
            if self.runner.left < 4 + RESERVED:
                break
            alone, _, _ = self._held("another cause", "does it agree with what may mend a race?", race)
            left = self._not_enough[len(before) :]
            self.rest, self._not_enough = rest, before[:]
            if alone.same or not left:
                return None
            if is_settled:
                self.rest = left[0].one, left[0].other
                return self._answer(AttributionKind.INTRINSIC, rate=self._rate(), hold=race)
            found = self._needed(parts, race)
            if found is not None:
                return found
            self.rest = rest
        return None

    def _needed(self, parts: list[_NotEnough], also_held: Hold) -> Attribution | None:
        """Of these, held constant together with `also_held`, the first that is needed: it is the answer, and the runs
        that still differ with it alone show the others."""
        before = self._not_enough[:]

        def held(some: Sequence[_NotEnough]) -> tuple[Arm, bool, Ran]:
            name = " and ".join([one.name for one in some] + ["another cause"] * (also_held != Hold()))
            hold = sum((one.hold for one in some), also_held)
            return self._held(name, "does it agree when all of these are held constant?", hold)

        arm, sure, ran = held(parts)
        for one in parts if arm.same else ():
            others = [other for other in parts if other is not one]
            if not others or (len(others) == 1 and also_held == Hold()) or self.runner.left < 2 + RESERVED:
                break
            fewer, fewer_sure, fewer_ran = held(others)
            if fewer.same:
                arm, sure, ran, parts = fewer, fewer_sure, fewer_ran, others
        self._not_enough = before
        first = parts[0]
        self.rest = None
        if not arm.same or first.name == _FILLED:
            return None
        lines: list[Location] = []
        factors = list(first.kinds)
        if first.kind == AttributionKind.FROZEN:
            known = self.runner.hold
            self.runner.hold = known + sum((one.hold for one in parts[1:]), also_held)
            factors, lines, narrow = self._narrow_frozen(factors, ran)
            self.runner.hold = known
            sure = sure and narrow
        self.rest = first.one, first.other
        # A race that happened to agree would look like memory that was filled.
        self.others = tuple(
            self._answer(one.kind, one.kinds, hold=one.hold, sure=sure and one.name != _FILLED) for one in parts[1:]
        )
        if also_held != Hold():
            race = self._answer(AttributionKind.INTRINSIC, rate=self._rate(), hold=also_held, sure=sure)
            self.others = (*self.others, race)
        return self._answer(first.kind, factors, lines=tuple(lines), sure=sure, hold=first.hold, rate=self._rate())

    def _heap(self) -> Attribution | None:
        """Fresh memory as the system gives it is never twice the same: fill it, and equally, in both runs."""
        byte = self.b.spec.ambient.heap_byte or self.a.spec.ambient.heap_byte
        origin = self.seen.origin
        is_clear = origin is not None and origin.kind in (OriginKind.GENERATOR, OriginKind.EXTRA)
        if byte is None or (is_clear and not self._not_enough):
            return None
        tunables = (("GLIBC_TUNABLES", uncached(self.a.spec.environment.get("GLIBC_TUNABLES", ""))),)
        hold = Hold(ambient=(("heap_byte", byte),), environment=tunables)
        kind, factors = AttributionKind.AMBIENT, ["heap contents"]
        question = "does it agree when fresh memory is filled with the same byte in both runs?"
        arm, sure, _ = self._held(_FILLED, question, hold, kind, factors)
        return self._answer(kind, factors, sure=sure, hold=hold) if arm.same else None

    def _seeding(self) -> Attribution | None:
        """A target that leaves a generator unseeded agrees when reprocheck seeds it."""
        settings = self.runner.request.settings
        held = dict(self.runner.hold.settings).get("seeding")
        if Seeding.ALL in (settings.seeding, held):
            return None
        hold = Hold(settings=(("seeding", Seeding.ALL),))
        drawn = drawn_before_seeded(self.seen.entries, settings.seeding)
        question = "does it agree when reprocheck seeds every generator?"
        arm, sure, _ = self._held("seeding all", question, hold, AttributionKind.SEEDING, drawn)
        return self._answer(AttributionKind.SEEDING, list(drawn), sure=sure, hold=hold) if arm.same else None

    def _frozen(self) -> Attribution | None:
        kinds = [kind for kind in FROZEN_KINDS if self._tapped(kind) and kind not in self.runner.hold.frozen]
        if not kinds:
            return None
        text = ", ".join(_FROZEN_TEXT[kind] for kind in kinds)
        question = f"does it agree with constant answers from {text}?"
        hold = Hold(frozen=tuple(kinds))
        arm, sure, ran = self._held("frozen " + " and ".join(kinds), question, hold, AttributionKind.FROZEN, kinds)
        if not arm.same:
            return None
        factors, lines, narrow = self._narrow_frozen(kinds, ran)
        return self._answer(AttributionKind.FROZEN, factors, lines=tuple(lines), sure=sure and narrow, hold=hold)

    def _narrow_frozen(self, kinds: list[str], frozen: Ran) -> tuple[list[str], list[Location], bool]:
        """The line whose calls alone have to be constant: then a run agrees with the one where all are. Else all lines
        that differ where they alone are not constant. And whether the answer is sure."""
        places = list(
            {(kind, entry.location): None for kind in kinds for entry in self._tapped(kind) if entry.location}
        )
        if len(places) == 1:
            kind, place = places[0]
            return [kind], [place] if place is not None else [], True
        for one in places:
            if self.runner.left <= RESERVED:
                return kinds, [], False
            if self._agrees_frozen(frozen, [one], f"a constant answer at {_named(one)} only"):
                kind, place = one
                return [kind], [place] if place is not None else [], True
        responsible = []
        for one in places:
            if self.runner.left <= RESERVED:
                return kinds, [], False
            others = [other for other in places if other != one]
            if self._agrees_frozen(frozen, others, f"constant answers everywhere but at {_named(one)}") is False:
                responsible.append(one)
        found = [kind for kind in kinds if any(kind == one[0] for one in responsible)]
        return found or kinds, [place for _, place in responsible if place is not None], bool(responsible)

    def _agrees_frozen(self, frozen: Ran, places: Sequence[tuple[str, Location | None]], text: str) -> bool | None:
        items = tuple(f"{kind}@{place.path}:{place.line}" for kind, place in places if place is not None)
        question = f"does it agree with {text}?"
        hold = self.runner.hold + Hold(frozen=items)
        spec = self.runner.spec(self.a, limit=self.limit, hold=hold, against=(frozen,))
        ran = self.runner.run(question, [spec])[0]
        same = self.runner.agree(frozen, ran, self.limit)
        kinds = " and ".join(dict.fromkeys(kind for kind, _ in places))
        self._arm(
            f"frozen {kinds} at {len(places)} lines" if len(places) > 1 else f"frozen {kinds} at one line",
            question,
            1,
            [same],
            why_failed(ran),
        )
        return same


def _named(place: tuple[str, Location | None]) -> str:
    return "" if place[1] is None else f"{place[1].path}:{place[1].line}"


_STAGES = tuple(Stage)


def when(divergence: Divergence | None) -> tuple[float, int]:
    """Where a difference stands in run order."""
    if divergence is None:
        return float("inf"), 0
    step = 0.0 if divergence.stage == Stage.INIT and divergence.step is None else divergence.step
    return float("inf") if step is None else float(step), _STAGES.index(divergence.stage)


_FROZEN_TEXT = {
    "clock": "the clock",
    "entropy": "the system's entropy",
    "pid": "process and host names",
    "unseeded": "unseeded generators",
}


def uncached(tunables: str) -> str:
    """These tunables of glibc without its cache of freed memory, which hands out again what it never filled."""
    kept = [one for one in tunables.split(":") if one and not one.startswith(f"{_CACHE}=")]
    return ":".join((*kept, f"{_CACHE}=0"))


_CACHE = "glibc.malloc.tcache_count"


def _kind(entry: LedgerEntry) -> str:
    """A generator that is seeded from the system's entropy is as good as made without a seed."""
    return "unseeded" if entry.kind == SourceKind.SEED and entry.value == "entropy" else entry.kind


def _calls(evidence: Evidence) -> int:
    """Calls of the target's function in this run's process."""
    return evidence.spec.interventions.calls


def _and(text: Sequence[str]) -> str:
    return " and the ".join(text)


def _mixed(one: EnvironmentFactors, other: EnvironmentFactors, factors: Iterable[str]) -> EnvironmentFactors:
    """The environment factors of `one` with some of `other`."""
    names = {FIELD_OF_FACTOR[factor] for factor in factors}
    return EnvironmentFactors(
        **{f.name: getattr(other if f.name in names else one, f.name) for f in fields(EnvironmentFactors)}
    )
