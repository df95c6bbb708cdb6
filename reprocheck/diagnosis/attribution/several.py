"""Several sources, none of which is enough by itself: held constant together, also with what may mend a race."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.diagnosis.attribution.frozen import narrow
from reprocheck.diagnosis.attribution.held import FILLED, Held, HoldExperiments, NotEnough
from reprocheck.diagnosis.attribution.log import FROZEN_KINDS, RESERVED
from reprocheck.diagnosis.generators import drawn_before_seeded
from reprocheck.model import Location
from reprocheck.model.explanation import Attribution, Hold
from reprocheck.model.kinds import AttributionKind

_RACE = "another cause"


class Several:
    """Experiments with all that was not enough."""

    def __init__(self, holds: HoldExperiments) -> None:
        self._holds = holds
        self._log = holds.log
        self.others: tuple[Attribution, ...] = ()
        """What is needed, too, where only several sources together are enough; further rounds may show more of them."""
        self._joined = 0
        """How many of these were held constant together already."""

    def together(self) -> Attribution | None:
        """Sources, each of which is not enough by itself, held constant together: then each is needed."""
        parts = self._holds.not_enough[:]
        if len(parts) < 2 or len(parts) == self._joined or self._log.runner.left < 2 + RESERVED:
            return None
        self._joined = len(parts)
        return self._needed(parts, Hold())

    def beside_races(self, races: Sequence[Hold]) -> Attribution | None:
        """Whether there is a race and another cause. `races`: what may mend a race, the likeliest first.

        Where what comes from outside was not enough, it may be with one of these held constant, too. Where an operation
        showed that it is a race, runs that still differ with it mended show the rest.
        """
        log, holds = self._log, self._holds
        parts = [one for one in holds.not_enough if one.name != FILLED]
        unseeded = drawn_before_seeded(log.seen.entries, log.runner.request.settings.seeding)
        is_settled = log.is_settled and bool(log.entries(*FROZEN_KINDS) or unseeded)
        rest, before = log.rest, holds.not_enough[:]
        for race in races if parts or is_settled else ():
            if log.runner.left < 4 + RESERVED:
                break
            alone = holds.hold(_RACE, "does it agree with what may mend a race?", race)
            left = holds.not_enough[len(before) :]
            log.rest, holds.not_enough = rest, before[:]
            if alone.same or not left:
                return None
            if is_settled:
                log.rest = left[0].one, left[0].other
                return log.answer(AttributionKind.INTRINSIC, rate=log.rate(), hold=race)
            found = self._needed(parts, race)
            if found is not None:
                return found
            log.rest = rest
        return None

    def _needed(self, parts: list[NotEnough], race: Hold) -> Attribution | None:
        """Of these, held constant together with `race`, the first that is needed: it is the answer, and the runs
        that still differ with it alone show the others."""
        log = self._log
        before = self._holds.not_enough[:]
        held, parts = self._fewest(parts, race)
        self._holds.not_enough = before
        first = parts[0]
        log.rest = None
        if not held.same or first.name == FILLED:
            return None
        factors, lines, sure = list(first.factors), list[Location](), held.sure
        if first.kind == AttributionKind.FROZEN:
            known = log.runner.hold
            log.runner.hold = known + sum((one.hold for one in parts[1:]), race)
            factors, lines, is_narrow = narrow(log, factors, held.run)
            log.runner.hold = known
            sure = sure and is_narrow
        log.rest = first.one, first.other
        self.others = tuple(
            log.answer(one.kind, one.factors, hold=one.hold, sure=sure and one.name != FILLED) for one in parts[1:]
        )
        if race != Hold():
            self.others += (log.answer(AttributionKind.INTRINSIC, rate=log.rate(), hold=race, sure=sure),)
        return log.answer(first.kind, factors, lines=tuple(lines), sure=sure, hold=first.hold, rate=log.rate())

    def _fewest(self, parts: list[NotEnough], race: Hold) -> tuple[Held, list[NotEnough]]:
        """Without each that is not needed."""
        held = self._hold(parts, race)
        for one in parts if held.same else ():
            others = [other for other in parts if other is not one]
            if not others or (len(others) == 1 and race == Hold()) or self._log.runner.left < 2 + RESERVED:
                break
            fewer = self._hold(others, race)
            if fewer.same:
                held, parts = fewer, others
                self._log.runner.not_needed[one.name] = self._log.limit
        return held, parts

    def _hold(self, parts: Sequence[NotEnough], race: Hold) -> Held:
        name = " and ".join([one.name for one in parts] + [_RACE] * (race != Hold()))
        hold = sum((one.hold for one in parts), race)
        return self._holds.hold(name, "does it agree when all of these are held constant?", hold)
