"""Attribute: what does the difference hang on? Each arm is an experiment that changes one thing.

The traced runs are controls already: each has the ambient factors of a run of the audit. Where both agree with their
twin, an ambient factor is guilty, and is found by giving one run the factors of the other one by one. Where they do
not, the target differs with everything equal: then what it takes from outside (files of earlier runs, clocks,
entropy) is held constant, to see whether that makes it agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace

from reprocheck.explain.agree import limit_of
from reprocheck.explain.generators import drawn_before_seeded
from reprocheck.explain.lab import Lab, Ran, why_failed
from reprocheck.explain.leftovers import reads_what_was_written
from reprocheck.explain.model import Arm, Attribution, Tap
from reprocheck.explain.replay import Replay
from reprocheck.model import Ambient, Divergence, Evidence, Location, Probe, Seeding

FIELD_OF_FACTOR = {
    "hash seed": "hash_seed",
    "heap contents": "heap_byte",
    "directory order": "listing_key",
    "switch interval": "switch_interval",
    "temporary directory": "own_tmpdir",
}
FROZEN_KINDS = ("unseeded", "entropy", "pid", "clock")
"""What can be held constant, the likeliest first."""
RESERVED = 4
"""Runs left for trying fixes."""


class Attributor:
    """The experiments on one difference."""

    def __init__(self, lab: Lab, a: Evidence, b: Evidence, divergence: Divergence, seen: Replay) -> None:
        self.lab = lab
        self.a, self.b = a, b
        self.seen = seen
        self.limit = limit_of(divergence)
        self.step = divergence.step
        self.arms: list[Arm] = []
        self._turned: bool | None = None
        """Whether the last run that differed from run a agreed with run b."""

    def attribute(self) -> Attribution:
        """The answer, and every experiment that it rests on."""
        if _calls(self.a) != _calls(self.b):
            return self._answer("process", ["process state"])
        outcomes = self._controls()
        differed, total = outcomes.count(False), len([one for one in outcomes if one is not None])
        factors = self._varied_factors()
        if total and not differed and factors:
            found = self._ambient(factors)
            if found is not None:
                return found
        found = self._from_outside() if total else None
        if found is not None:
            return replace(found, rate=(differed, total))
        if differed:
            return self._answer("intrinsic", rate=(differed, total))
        return self._answer("unclear", rate=(1, total + 1), note="it did not come back in the further runs")

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

    def _controls(self) -> list[bool | None]:
        """Runs with every ambient factor equal: those of the audit with --ambient fixed, and the traced ones."""
        outcomes: list[bool | None] = []
        if self.a.spec.ambient == replace(self.b.spec.ambient, start_gap=self.a.spec.ambient.start_gap):
            outcomes.append(False)
        runs = 0
        for twin, original in ((self.seen.first, self.a), (self.seen.second, self.b)):
            if twin is not None:
                outcomes.append(self.lab.agree(original, twin, self.limit))
        if not outcomes and self.lab.left > RESERVED:
            twin_run = self.lab.run("control", [self.lab.spec(self.a, limit=self.limit)])[0]
            outcomes.append(self.lab.agree(self.a, twin_run, self.limit))
            runs = 1
        self._arm("control", "does it differ with every ambient factor equal?", runs, outcomes)
        return outcomes

    # Ambient factors

    def _varied_factors(self) -> list[str]:
        """Factors in which the two runs differ, the likeliest first."""
        one, other = self.a.spec, self.b.spec
        varied = [
            factor
            for factor, name in FIELD_OF_FACTOR.items()
            if getattr(one.ambient, name) != getattr(other.ambient, name)
        ]
        if one.ambient.own_tmpdir and other.ambient.own_tmpdir:
            varied.append("temporary directory")
        if "directory order" in varied and self.seen.pairs and not self._tapped("listing"):
            varied.remove("directory order")  # it listed nothing
        if self._tapped("listing"):
            varied.sort(key=lambda factor: factor != "directory order")
        return varied

    def _tapped(self, *kinds: str) -> list[Tap]:
        return [tap for tap in self.seen.taps if _kind(tap) in kinds and self._is_before(tap)]

    def _is_before(self, tap: Tap) -> bool:
        return self.limit is None or tap.step < self.limit

    def _ambient(self, factors: list[str]) -> Attribution | None:
        """The factors that alone turn run a into run b; None when even all of them do not."""
        guilty = self._narrow(factors)
        if not guilty or not self._is_confirmed(guilty, factors):
            return None
        return self._answer("ambient", guilty)

    def _narrow(self, suspects: list[str]) -> list[str]:
        """The likeliest alone, then halves of the others; each question takes one run. Empty when nothing is proved."""
        first, rest = suspects[:1], suspects[1:]
        if self._differs_with(first):
            return first
        proved = False
        while len(rest) > 1 and self.lab.left > RESERVED:
            half = rest[: (len(rest) + 1) // 2]
            proved = self._differs_with(half)
            rest = half if proved else rest[len(half) :]
        return rest if rest and (proved or self._differs_with(rest)) else []

    def _differs_with(self, factors: list[str]) -> bool:
        """Whether a run with the factors of run a, but these from run b, differs from run a."""
        ran, same = self._given(factors)
        self._arm(
            " and ".join(factors), f"does changing only the {_and(factors)} change it?", 1, [same], why_failed(ran)
        )
        if same is False:
            self._turned = self.lab.agree(ran, self.b, self.limit)
        return same is False

    def _given(self, factors: list[str]) -> tuple[Ran, bool | None]:
        ambient = _mixed(self.a.spec.ambient, self.b.spec.ambient, factors)
        reference = self.b if "temporary directory" in factors else self.a
        spec = self.lab.spec(reference, limit=self.limit, ambient=ambient)
        ran = self.lab.run(f"does it hang on the {_and(factors)}?", [spec])[0]
        return ran, self.lab.agree(self.a, ran, self.limit)

    def _is_confirmed(self, guilty: list[str], factors: list[str]) -> bool:
        """A race can make any one run differ: so the run with the guilty factors must agree with run b, or the one with
        all the others must agree with run a."""
        others = [factor for factor in factors if factor not in guilty]
        if self._turned or not others:
            return True
        if self.lab.left <= RESERVED // 2:
            return False
        ran, same = self._given(others)
        question = f"does changing everything but the {_and(guilty)} leave it as it is?"
        self._arm(" and ".join(others), question, 1, [same], why_failed(ran))
        return same is True

    # From outside

    def _from_outside(self) -> Attribution | None:
        outside = () if self._is_settled() else (self._leftover, self._seeding, self._frozen)
        questions: tuple[Callable[[], Attribution | None], ...] = (*outside, self._heap)
        for question in questions:
            if self.lab.left >= 2 + RESERVED // 2:
                found = question()
                if found is not None:
                    return found
        return None

    def _is_settled(self) -> bool:
        """An operation of equal inputs gave another result: no file, seed or clock can be the reason."""
        return self.seen.origin is not None and self.seen.origin.kind == "op"

    def _pair(self, name: str, question: str, **changes: object) -> tuple[Arm, list[Ran]]:
        specs = [self.lab.spec(self.a, limit=self.limit, **changes) for _ in range(2)]  # type: ignore[arg-type]
        ran = self.lab.run(question, specs)
        outcome = self.lab.agree(ran[0], ran[1], self.limit)
        return self._arm(name, question, 2, [outcome], why_failed(*ran)), ran

    def _leftover(self) -> Attribution | None:
        """Files that an earlier run wrote: equal ones for both runs, in folders of their own."""
        if not reads_what_was_written((*self.seen.taps, *self.seen.other_taps), self.a, self.b):
            return None
        arm, _ = self._pair("fresh folder", "does it agree where every run has a copy of the folder?", fresh=True)
        return self._answer("leftover", ["files of earlier runs"]) if arm.same else None

    def _heap(self) -> Attribution | None:
        """Fresh memory as the system gives it is never twice the same: fill it, and equally, in both runs."""
        byte = self.b.spec.ambient.heap_byte or self.a.spec.ambient.heap_byte
        origin = self.seen.origin
        if byte is None or (origin is not None and origin.kind in ("generator", "extra")):
            return None
        ambient = replace(self.a.spec.ambient, heap_byte=byte)
        question = "does it agree when fresh memory is filled with the same byte in both runs?"
        arm, _ = self._pair("filled heap", question, ambient=ambient)
        return self._answer("ambient", ["heap contents"]) if arm.same else None

    def _seeding(self) -> Attribution | None:
        """A target that leaves a generator unseeded agrees when reprocheck seeds it."""
        settings = self.lab.request.settings
        if settings.seeding is Seeding.ALL:
            return None
        arm, _ = self._pair(
            "seeding all",
            "does it agree when reprocheck seeds every generator?",
            settings=replace(settings, seeding=Seeding.ALL),
        )
        drawn = drawn_before_seeded(self.seen.taps, settings.seeding)
        return self._answer("seeding", list(drawn)) if arm.same else None

    def _frozen(self) -> Attribution | None:
        kinds = [kind for kind in FROZEN_KINDS if self._tapped(kind)]
        if not kinds:
            return None
        words = ", ".join(_FROZEN_WORDS[kind] for kind in kinds)
        arm, ran = self._pair(
            "frozen " + " and ".join(kinds),
            f"does it agree with constant answers from {words}?",
            probe=Probe(ledger=False, frozen=tuple(kinds)),
        )
        if not arm.same:
            return None
        factors, lines = self._narrow_frozen(kinds, ran[0])
        return self._answer("frozen", factors, lines=tuple(lines))

    def _narrow_frozen(self, kinds: list[str], frozen: Ran) -> tuple[list[str], list[Location]]:
        """The one line whose calls alone have to be constant: then a run agrees with the one where all are."""
        places = {(kind, tap.location): None for kind in kinds for tap in self._tapped(kind) if tap.location}
        if len(places) == 1:
            kind, place = next(iter(places))
            return [kind], [place] if place is not None else []
        for kind, place in places:
            if self.lab.left <= RESERVED or place is None:
                break
            probe = Probe(ledger=False, frozen=(f"{kind}@{place.path}:{place.line}",))
            question = f"does it agree with a constant answer at {place.path}:{place.line} only?"
            ran = self.lab.run(question, [self.lab.spec(self.a, limit=self.limit, probe=probe)])[0]
            same = self.lab.agree(frozen, ran, self.limit)
            self._arm(f"frozen {kind} at one line", question, 1, [same], why_failed(ran))
            if same:
                return [kind], [place]
        return kinds, []


_FROZEN_WORDS = {
    "clock": "the clock",
    "entropy": "the system's entropy",
    "pid": "process and host names",
    "unseeded": "generators made without a seed",
}


def _kind(tap: Tap) -> str:
    """A generator that is seeded from the system's entropy is as good as made without a seed."""
    return "unseeded" if tap.kind == "seed" and tap.value == "entropy" else tap.kind


def _calls(evidence: Evidence) -> int:
    """Calls of the target's function in this run's process."""
    return 1 if evidence.spec.probe is None else evidence.spec.probe.calls


def _and(words: Sequence[str]) -> str:
    return " and the ".join(words)


def _mixed(one: Ambient, other: Ambient, factors: Iterable[str]) -> Ambient:
    """The ambient factors of `one` with some of `other`."""
    names = {FIELD_OF_FACTOR[factor] for factor in factors}
    return Ambient(**{f.name: getattr(other if f.name in names else one, f.name) for f in fields(Ambient)})
