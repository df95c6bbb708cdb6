"""What the experiments say of a source of differences: they showed it, they leave it open, or they exclude it."""

from __future__ import annotations

from enum import IntEnum

from reprocheck.model.explanation import (
    WITH_AND_WITHOUT_CLOCK,
    WITH_AND_WITHOUT_EARLIER_FILES,
    WITH_AND_WITHOUT_SEEDS,
    Attribution,
    Case,
)
from reprocheck.model.kinds import AttributionKind, OriginKind

INTRINSIC = "intrinsic"
"""The source of causes that no experiment can hold constant: races, addresses, operations."""
RACE = (INTRINSIC, "switch interval")
_IN_AN_OPERATION = frozenset({*RACE, "heap contents"})
CLOCK = ("clock", "start time")
UNSEEDED = ("unseeded",)
_FROZEN = ("clock", "entropy", "pid", "unseeded")
_ENVIRONMENT = ("hash seed", "heap contents", "directory order", "switch interval", "temporary directory", "start time")


RACING = frozenset(
    """_index_put_impl_ index_put_ index_put _unsafe_index_put put_ put take_backward scatter_ scatter index_copy_
    index_copy masked_scatter_ scatter_add_ scatter_add index_add_ index_add""".split()  # noqa: SIM905
)
"""Operations whose threads may write one place: with equal inputs nothing but their order decides."""


class Support(IntEnum):
    """How far a source is supported."""

    AGAINST = 0
    OPEN = 1
    SHOWN = 2


def support_of(case: Case, *sources: str) -> Support:
    """Of a cause that comes from one of these sources: factors, `leftover`, `seeding`, or INTRINSIC."""
    attribution = case.attribution
    if attribution is None:
        return Support.OPEN
    if is_by_luck(case):
        return Support.OPEN if INTRINSIC in sources or "switch interval" in sources else Support.AGAINST
    if attribution.kind in (AttributionKind.AMBIENT, AttributionKind.FROZEN, AttributionKind.PROCESS):
        return Support.SHOWN if set(sources) & set(attribution.factors) else Support.AGAINST
    if attribution.kind in (AttributionKind.LEFTOVER, AttributionKind.SEEDING):
        # Where nothing differs, that seeding is needed excludes nothing else.
        other = Support.OPEN if case.divergence is None else Support.AGAINST
        return Support.SHOWN if attribution.kind in sources else other
    if attribution.kind == AttributionKind.INTRINSIC and _is_race(case) and not set(sources) & _IN_AN_OPERATION:
        return Support.AGAINST  # equal inputs, another output: no file, seed or clock is the reason
    open_ = [source for source in sources if not _is_excluded(attribution, source)]
    return Support.OPEN if open_ else Support.AGAINST


def is_by_luck(case: Case) -> bool:
    """A race got equal inputs, and happened to agree in the experiment with filled memory: that shows nothing."""
    if case.attribution is None or case.origin is None or not _is_race(case):
        return False
    name = case.origin.call.op.partition("::")[2].partition(".")[0]
    return case.attribution.factors == ("heap contents",) and name in RACING


def _is_race(case: Case) -> bool:
    """Whether an operation of equal inputs gave another result."""
    return case.origin is not None and case.origin.kind == OriginKind.OP and not case.origin.unknown_inputs


def _is_excluded(attribution: Attribution, source: str) -> bool:
    """A source that the experiments held constant while the runs still differed, or rule out."""
    if source in attribution.excluded:
        return True
    if source in _ENVIRONMENT and attribution.kind == AttributionKind.INTRINSIC:
        return source not in ("switch interval", "start time")
    if source in _FROZEN:
        return any(arm.name.startswith("frozen ") and source in arm.name and arm.differed for arm in attribution.arms)
    names = {"leftover": "fresh folder", "seeding": "seeding all"}
    return any(arm.name == names.get(source) and arm.differed for arm in attribution.arms)


def experiment_notes(case: Case) -> tuple[str, ...]:
    """The attribution as a sentence."""
    attribution = case.attribution
    if attribution is None:
        return ()
    if is_by_luck(case):
        return ("equal inputs gave different results, in some pairs of runs only",)
    return attribution_notes(attribution, differs=case.divergence is not None)


def attribution_notes(attribution: Attribution, *, differs: bool = True) -> tuple[str, ...]:
    """What the experiments alone say: evidence of a cause, which a report with its own words for them leaves out."""
    factors = " and ".join(attribution.factors)
    differed, of = attribution.rate
    if attribution.kind == AttributionKind.AMBIENT:
        return (f"experiments tie the difference to the {factors}",)
    if any(arm.name == WITH_AND_WITHOUT_CLOCK for arm in attribution.arms):
        return ("with the other causes held constant, a run with a constant clock still differs from one without",)
    if attribution.kind == AttributionKind.FROZEN:
        where = ", at this line alone" if attribution.lines else ""
        where = ", at this line and at others that are responsible, too" if attribution.together else where
        return (f"the runs agree once {_FACTOR_TEXT.get(factors, f'the answers of {factors} are')} constant{where}",)
    if attribution.kind == AttributionKind.PROCESS:
        return ("only a second call in the same process differs",)
    if attribution.kind == AttributionKind.LEFTOVER and any(
        arm.name == "without earlier files" and arm.same for arm in attribution.arms
    ):
        return ("without the files that earlier runs wrote, a run agrees with the first one and not with later ones",)
    if attribution.kind == AttributionKind.LEFTOVER and any(
        arm.name == WITH_AND_WITHOUT_EARLIER_FILES for arm in attribution.arms
    ):
        return (
            "with the other causes held constant, runs agree that find the files of earlier runs; one without differs",
        )
    if attribution.kind == AttributionKind.LEFTOVER:
        return ("the runs agree when each starts in a fresh copy of the folder",)
    if any(arm.name == WITH_AND_WITHOUT_SEEDS for arm in attribution.arms):
        return ("with the other causes held constant, a run without reprocheck's seeds differs from one with them",)
    if attribution.kind == AttributionKind.SEEDING and any(
        arm.name == "seeding none" and arm.differed for arm in attribution.arms
    ):
        return (f"it repeats only because reprocheck seeds {factors}: a run with --seeding none differs",)
    if attribution.kind == AttributionKind.SEEDING and differs:
        return (f"the runs agree when reprocheck seeds {factors or 'every generator'}",)
    if attribution.kind == AttributionKind.INTRINSIC and of:
        return (f"with everything equal {differed} of {of} comparisons differ",)
    return ()


_FACTOR_TEXT = {
    "clock": "the clock's answers are",
    "entropy": "the system's entropy is",
    "pid": "process and host names are",
    "unseeded": "unseeded generators get a seed that is",
}
