"""Environment factors: the smallest sets of them that turn one run into another, when one run is given those of the
other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from reprocheck.diagnosis.agree import first_difference, when
from reprocheck.diagnosis.attribution.controls import repeats
from reprocheck.diagnosis.attribution.log import FROZEN_KINDS, RESERVED, ExperimentLog
from reprocheck.diagnosis.experiments import tmpdir_of, why_failed
from reprocheck.diagnosis.factors import SmallestSets, Spent
from reprocheck.model import Divergence, EnvironmentFactors, Evidence
from reprocheck.model.explanation import Attribution, Hold, LedgerEntry
from reprocheck.model.kinds import AttributionKind

FIELD_OF_FACTOR = {
    "hash seed": "hash_seed",
    "heap contents": "heap_byte",
    "directory order": "listing_key",
    "switch interval": "switch_interval",
    "temporary directory": "own_tmpdir",
}
OUTSIDE = (*FROZEN_KINDS, "leftover", "seeding", "intrinsic")
"""What cannot be responsible where runs agree as soon as every environment factor is equal."""
STRINGS = "string hashes"
"""What the order of a set depends on, as a ledger says it."""
SUSPICIOUS = 3
"""Factors of which each seems enough by itself."""


def responsible_factors(log: ExperimentLog) -> Attribution | None:
    """The smallest sets of factors that turn run a into something else; None when none is shown to."""
    return _FactorExperiments(log).attribute()


def varied_factors(log: ExperimentLog) -> list[str]:
    """Factors in which the two runs differ, the likeliest first."""
    one, other = log.a.spec, log.b.spec
    varied = [
        factor for factor, name in FIELD_OF_FACTOR.items() if getattr(one.ambient, name) != getattr(other.ambient, name)
    ]
    own = one.ambient.own_tmpdir and other.ambient.own_tmpdir
    if own and tmpdir_of(log.a) != tmpdir_of(log.b):
        varied.append("temporary directory")
    if "directory order" in varied and log.seen.pairs and not log.entries("listing"):
        varied.remove("directory order")
    likely = suspects(log)
    varied.sort(key=lambda factor: likely.index(factor) if factor in likely else len(likely))
    return varied


def suspects(log: ExperimentLog) -> list[str]:
    """Factors that the ledgers of both runs speak against, the likeliest first."""
    found = []
    if any(entry.generator == STRINGS and _order_differs(log, entry) for entry in log.entries("order")):
        found.append("hash seed")
    if log.entries("listing"):
        found.append("directory order")
    return found


def _order_differs(log: ExperimentLog, entry: LedgerEntry) -> bool:
    """A set was walked through in another order in the other run."""
    twins = {other.value for other in log.seen.other_entries if other.kind == entry.kind and _same_line(other, entry)}
    return bool(twins) and entry.value not in twins


def _same_line(one: LedgerEntry, other: LedgerEntry) -> bool:
    return (one.name, one.location) == (other.name, other.location)


class _FactorExperiments:
    def __init__(self, log: ExperimentLog) -> None:
        self._log = log
        self._effects: dict[frozenset[str], Divergence] = {}
        """What each set of factors changes first."""
        self._turned: bool | None = None
        """Whether the last run that differed from run a agreed with run b."""

    def attribute(self) -> Attribution | None:
        log = self._log
        varied, likely = varied_factors(log), suspects(log)
        count = sum(factor in likely for factor in varied)
        search = SmallestSets(varied, self._differs_with, lambda: self._turned is True, suspects=count)
        search.search()
        if not search.found or (len(search.found) >= SUSPICIOUS and not repeats(log)):
            return None
        sets = sorted(search.found, key=lambda one: when(self._effects.get(frozenset(one), log.divergence)))
        responsible = [factor for one in sets for factor in one]
        return log.answer(
            AttributionKind.AMBIENT,
            responsible,
            sets=tuple(sets),
            excluded=OUTSIDE,
            sure=log.outcomes_upto().count(True) > 1,
            hold=self._equal(responsible) if search.complete else None,
        )

    def _equal(self, factors: Sequence[str]) -> Hold:
        """These factors as run a had them."""
        a = self._log.a
        names = [FIELD_OF_FACTOR[factor] for factor in factors]
        return Hold(
            ambient=tuple((name, getattr(a.spec.ambient, name)) for name in names),
            tmpdir=tmpdir_of(a) if "temporary directory" in factors else "",
        )

    def _differs_with(self, factors: tuple[str, ...]) -> bool:
        """Whether a run with the factors of run a, but these from run b, differs from run a."""
        log, runner = self._log, self._log.runner
        if runner.left <= RESERVED // 2:
            raise Spent
        ambient = _mixed(log.a.spec.ambient, log.b.spec.ambient, factors)
        reference = log.b if "temporary directory" in factors else log.a
        spec = runner.spec(reference, limit=log.limit, ambient=ambient, against=(log.a, log.b))
        names = " and the ".join(factors)
        ran = runner.run(f"does it depend on the {names}?", [spec])[0]
        same = log.agree(log.a, ran)
        question = f"does changing only the {names} change it?"
        log.arm(" and ".join(factors), question, 1, [same], why_failed(ran))
        if same is False:
            self._turned = log.agree(ran, log.b)
            effect = first_difference(log.a, ran, runner.request, log.limit) if isinstance(ran, Evidence) else None
            if effect is not None:
                self._effects[frozenset(factors)] = effect
        return same is False


def _mixed(one: EnvironmentFactors, other: EnvironmentFactors, factors: Iterable[str]) -> EnvironmentFactors:
    """The environment factors of `one` with some of `other`."""
    names = {FIELD_OF_FACTOR[factor] for factor in factors}
    return replace(one, **{f.name: getattr(other, f.name) for f in fields(EnvironmentFactors) if f.name in names})
