"""What the target takes from outside (files of earlier runs, seeds, clocks, entropy, fresh memory), held constant."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.diagnosis.attribution.environment import varied_factors
from reprocheck.diagnosis.attribution.frozen import narrow, question_about, used_kinds
from reprocheck.diagnosis.attribution.held import FILLED, HoldExperiments
from reprocheck.diagnosis.attribution.log import RESERVED, is_race, place_of
from reprocheck.diagnosis.attribution.several import Several
from reprocheck.diagnosis.generators import drawn_before_seeded
from reprocheck.diagnosis.leftovers import first_work, leftovers
from reprocheck.diagnosis.replay import replay_twin
from reprocheck.model import Seeding
from reprocheck.model.explanation import Attribution, Hold
from reprocheck.model.kinds import AttributionKind, OriginKind

_FRESH = "fresh folder"
_CACHE = "glibc.malloc.tcache_count"


class OutsideExperiments:
    """One source after another, the likeliest first."""

    def __init__(self, holds: HoldExperiments, several: Several) -> None:
        self._holds = holds
        self._log = holds.log
        self._several = several

    def attribute(self) -> Attribution | None:
        """The source that makes the runs agree when it is constant; None where none does."""
        together = self._several.together
        outside = () if self._log.is_settled else (self._leftover, self._seeding, self._frozen, together, self._twin)
        questions: tuple[Callable[[], Attribution | None], ...] = (*outside, self._heap, together)
        for question in questions:
            if self._log.runner.left >= 2 + RESERVED // 2:
                found = question()
                if found is not None:
                    return found
        return None

    def _leftover(self) -> Attribution | None:
        """Files that an earlier run wrote: equal ones for both runs, in folders of their own."""
        log = self._log
        found = leftovers((*log.seen.entries, *log.seen.other_entries), log.a, log.b)
        if not found or log.is_known(_FRESH):
            return None
        hold = Hold(fresh=True, home_without=tuple(one.path for one in found if one.is_outside))
        question = "does it agree where every run has a copy of the folder?"
        factors = ["files of earlier runs"]
        held = self._holds.hold(_FRESH, question, hold, AttributionKind.LEFTOVER, factors, ledger=True)
        if not held.same:
            return None
        first = first_work(held.run, log.a)
        return log.answer(AttributionKind.LEFTOVER, factors, sure=held.sure, hold=hold, first_work=first)

    def _seeding(self) -> Attribution | None:
        """A target that leaves a generator unseeded agrees when reprocheck seeds it."""
        runner = self._log.runner
        settings = runner.request.settings
        if Seeding.ALL in (settings.seeding, dict(runner.hold.settings).get("seeding")):
            return None
        hold = Hold(settings=(("seeding", Seeding.ALL),))
        drawn = drawn_before_seeded(self._log.seen.entries, settings.seeding)
        question = "does it agree when reprocheck seeds every generator?"
        return self._attribute("seeding all", question, hold, AttributionKind.SEEDING, list(drawn))

    def _twin(self) -> Attribution | None:
        """Runs with equal factors may diverge in another place than runs with different ones: a race there does not
        explain the first difference, which has a cause of its own."""
        log = self._log
        plain = place_of(log.seen.origin)
        if plain is None or not varied_factors(log):
            return None
        twin = replay_twin(log.runner, log.a, log.b, log.seen)
        if twin is None or not is_race(twin.origin) or place_of(twin.origin) in (None, plain):
            return None
        log.seen = twin
        return log.answer(AttributionKind.INTRINSIC)

    def _heap(self) -> Attribution | None:
        """Fresh memory as the system gives it is never twice the same: fill it, and equally, in both runs."""
        log = self._log
        audited = log.runner.ambient(log.runner.request.repeats - 1)  # both runs may have those of the first repeat
        known = (log.b.spec.ambient, log.a.spec.ambient, audited)
        byte = next((one.heap_byte for one in known if one.heap_byte), None)
        origin = log.seen.origin
        is_clear = origin is not None and origin.kind in (OriginKind.GENERATOR, OriginKind.EXTRA)
        if byte is None or "heap_byte" in dict(log.runner.hold.ambient) or (is_clear and not self._holds.not_enough):
            return None
        tunables = (("GLIBC_TUNABLES", uncached(log.a.spec.environment.get("GLIBC_TUNABLES", ""))),)
        hold = Hold(ambient=(("heap_byte", byte),), environment=tunables)
        question = "does it agree when fresh memory is filled with the same byte in both runs?"
        return self._attribute(FILLED, question, hold, AttributionKind.AMBIENT, ["heap contents"])

    def _frozen(self) -> Attribution | None:
        kinds = used_kinds(self._log)
        if not kinds:
            return None
        hold = Hold(frozen=tuple(kinds))
        name = "frozen " + " and ".join(kinds)
        held = self._holds.hold(name, question_about(kinds), hold, AttributionKind.FROZEN, kinds)
        if not held.same:
            return None
        factors, lines, is_narrow = narrow(self._log, kinds, held.run)
        return self._log.answer(
            AttributionKind.FROZEN, factors, lines=tuple(lines), sure=held.sure and is_narrow, hold=hold
        )

    def _attribute(
        self, name: str, question: str, hold: Hold, kind: AttributionKind, factors: list[str]
    ) -> Attribution | None:
        held = self._holds.hold(name, question, hold, kind, factors)
        return self._log.answer(kind, factors, sure=held.sure, hold=hold) if held.same else None


def uncached(tunables: str) -> str:
    """These tunables of glibc without its cache of freed memory, which hands out again what it never filled."""
    kept = [one for one in tunables.split(":") if one and not one.startswith(f"{_CACHE}=")]
    return ":".join((*kept, f"{_CACHE}=0"))
