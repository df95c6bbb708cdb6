"""The experiments: control pair → environment factors, all in one run → settings one by one → all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reprocheck.commands.vary.flags import flags_of
from reprocheck.commands.vary.model import Change, Facts, InForce, Row, Shift, Status, Variation
from reprocheck.commands.vary.narrow import smallest_sets
from reprocheck.commands.vary.runs import Runs
from reprocheck.compare.runs import compare
from reprocheck.compare.seed_statistics import summarize_metric
from reprocheck.compare.verdict import metrics_of
from reprocheck.diagnosis.localization.localize import locate
from reprocheck.diagnosis.replay import window_of
from reprocheck.evidence.run import EvidenceUnreadable, Ran
from reprocheck.model import Comparison, Divergence, Evidence, NotCompared, Outcome, Request, TraceWindow, as_rank
from reprocheck.model.explanation import Origin
from reprocheck.protocol import count_steps
from reprocheck.protocol.rank_folders import folder_of_rank

NO_RUN = "it gave no evidence"


class ControlDiffers(Exception):
    """Two equal runs differ."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__("two equal runs differ")
        self.divergence = divergence


class NoControl(Exception):
    """A run as the target is gave no evidence, or nothing to compare."""

    def __init__(self, reason: str, stderr_tail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.stderr_tail = stderr_tail


class Experiment:
    """Makes the runs for one answer, and the rows from them."""

    def __init__(self, runs: Runs, request: Request, explain: bool) -> None:
        self._runs = runs
        self._request = request
        self._explain = explain
        self._traced: dict[TraceWindow, Ran] = {}
        self.control = self._whole(runs.run("control"))
        self.spread = self._make_spread()
        again = self._check_control()  # the last to work in the folder before `same-folder`
        self.seconds = min(self.control.seconds, again.seconds)
        seen = in_force(self.control)
        self.facts = Facts(
            request=request,
            manifest=seen.manifest,
            settings=seen.settings,
            is_copied=runs.is_copied,
            flags=flags_of(request.target),
            calls=frozenset(seen.settings.get("applied", ())),
            ranks=seen.ranks,
        )

    def _check_control(self) -> Evidence:
        again = self._whole(self._runs.run("control-again"))
        comparison = compare(self.control, again, self._request)
        if comparison.divergence is not None:
            raise ControlDiffers(self._located(comparison.divergence, self.control, again, Change()))
        if not comparison.compared:
            raise NoControl("nothing was compared: no step and no returned value was seen")
        return again

    @staticmethod
    def _whole(ran: Ran) -> Evidence:
        if isinstance(ran, Evidence):
            return ran
        raise NoControl(f"the control run {ran.spec.id} {_ended(ran)}", ran.stderr_tail)

    def _make_spread(self) -> Mapping[str, float | None]:
        """The standard deviation of every metric over the seeds that were asked for."""
        found = {name: {self.control.spec.seed: (value,)} for name, value in metrics_of(self.control).items()}
        if not found:
            return {}
        for seed in self._request.seeds[1:]:
            ran = self._runs.run(f"seed-{seed}", seed=seed)
            if isinstance(ran, Evidence):
                for name, value in metrics_of(ran).items():
                    found.setdefault(name, {})[seed] = (value,)
        seeds = len(self._request.seeds)
        return {name: summarize_metric(name, values, seeds, seeds).std for name, values in found.items()}

    def environment(self, variations: Sequence[Variation]) -> list[Row]:
        """All in one run; if that differs, those that do it alone are found, and the others cleared together."""
        if not variations:
            return []
        row, ran = self._try("environment", variations)
        if row.status is not Status.DIFFERS and row.status is not Status.FAILED:
            return [replace(row, names=(one.name,), group=one.group) for one in variations]
        tried: dict[tuple[str, ...], tuple[Row, Ran]] = {row.names: (row, ran)}

        def differs(some: Sequence[Variation]) -> bool:
            key = tuple(one.name for one in some)
            if key not in tried:
                tried[key] = self._try(f"environment-{len(tried) + 1}", some)
            return tried[key][0].status in (Status.DIFFERS, Status.FAILED)

        rows = []
        for some in smallest_sets(variations, differs):
            names = tuple(one.name for one in some)
            if names not in tried:
                tried[names] = self._try(f"environment-{len(tried) + 1}", some)
            rows.append(self._checked(*tried[names], _changes(some, self.facts)))
        blamed = {name for row in rows for name in row.names}
        without_effect = replace(row, status=Status.SAME, divergence=None, shift=None, reason="", runs=row.runs)
        for one in variations:
            if one.name not in blamed:
                rows.append(replace(without_effect, names=(one.name,), group=one.group))
        order = [one.name for one in variations]
        return sorted(rows, key=lambda row: order.index(row.names[0]))

    def setting(self, variation: Variation) -> Row:
        """One run."""
        row, ran = self._try(variation.name, [variation])
        return self._checked(row, ran, _changes([variation], self.facts))

    def together(self, variations: Sequence[Variation]) -> list[Row]:
        """All at once that change nothing alone; what differs then takes some of them together."""
        if len(variations) < 2 or all(one.is_environment for one in variations):  # those were varied together already
            return []
        row, ran = self._try("together", variations)
        if row.status is not Status.DIFFERS:
            return [row]
        tried: dict[tuple[str, ...], tuple[Row, Ran]] = {row.names: (row, ran)}

        def differs(some: Sequence[Variation]) -> bool:
            key = tuple(one.name for one in some)
            if len(some) == 1:  # it was seen alone
                return False
            if key not in tried:
                tried[key] = self._try(f"together-{len(tried) + 1}", some)
            return tried[key][0].status is Status.DIFFERS

        rows = []
        for some in smallest_sets(variations, differs)[:1]:
            names = tuple(one.name for one in some)
            if names not in tried:
                tried[names] = self._try(f"together-{len(tried) + 1}", some)
            rows.append(self._checked(*tried[names], _changes(some, self.facts)))
        return rows

    def _try(self, name: str, variations: Sequence[Variation]) -> tuple[Row, Ran]:
        ran = self._runs.run(name, _changes(variations, self.facts))
        row = Row(
            names=tuple(one.name for one in variations),
            group=variations[0].group if len(variations) == 1 else "",
            status=Status.SAME,
            runs=(ran.spec.id,),
            seconds=ran.seconds,
        )
        if isinstance(ran, Outcome):
            return replace(row, status=Status.FAILED, reason=_ended(ran)), ran
        seen = in_force(ran)
        missing = [reason for one in variations if (reason := one.not_in_force(seen))]
        comparison = compare(self.control, ran, self._request)
        row = replace(row, memory=peak(ran), not_compared=_new(comparison, self.control))
        if comparison.divergence is not None:
            shift = _greatest_shift(self.control, ran, self.spread)
            return replace(row, status=Status.DIFFERS, divergence=comparison.divergence, shift=shift), ran
        if missing:
            return replace(row, status=Status.NOT_IN_FORCE, reason=missing[0]), ran
        if not comparison.compared:
            return replace(row, status=Status.NOT_COMPARED, reason="nothing was compared"), ran
        return row, ran

    def _checked(self, row: Row, ran: Ran, changes: Sequence[Change]) -> Row:
        """With the operation at which it parts from the control."""
        if row.divergence is None or isinstance(ran, Outcome):
            return row
        return replace(row, divergence=self._located(row.divergence, self.control, ran, *changes))

    def _located(self, divergence: Divergence, a: Evidence, b: Evidence, *changes: Change) -> Divergence:
        twice = any(change.again or dict(change.overrides).get("calls", 1) != 1 for change in changes)
        rank = divergence.rank
        a, b = as_rank(a, rank), as_rank(b, rank)
        if not self._explain or twice or not a.manifest.get("torch"):  # a trace would be of another run, or of none
            return divergence
        window = window_of(divergence, a, b)
        if window not in self._traced:
            self._traced[window] = self._runs.run(f"control-traced-{len(self._traced) + 1}", trace=window)
        other = self._runs.run(f"{b.spec.id}-traced", changes, trace=window)
        origin = _origin(self._traced[window], other, rank)
        if origin is None:
            return divergence
        frames = origin.call.frames
        place = self._runs.place(frames[0].location) if frames else None
        return replace(divergence, op=origin.call.op, location=place)


def in_force(run: Evidence) -> InForce:
    """What a run says of itself at its end: where ranks alone train, what the lowest of them says."""
    first = run.ranks[0].evidence if run.ranks and not count_steps(run.steps) else run
    ranks = len({one.rank for one in run.ranks}) + (bool(run.ranks) and first is run)
    return InForce(manifest=first.manifest, settings=first.settings_at_end, ranks=ranks)


def _origin(a: Ran, b: Ran, rank: int | None) -> Origin | None:
    if isinstance(a, Outcome) or isinstance(b, Outcome):
        return None
    one, other = (run.spec.directory if rank is None else folder_of_rank(run.spec.directory, rank) for run in (a, b))
    try:
        return locate(one, other, (a.spec.id, b.spec.id))
    except EvidenceUnreadable:
        return None


def _changes(variations: Sequence[Variation], facts: Facts) -> list[Change]:
    return [one.change(facts) if callable(one.change) else one.change for one in variations]


def _new(comparison: Comparison, control: Evidence) -> tuple[NotCompared, ...]:
    """What could not be compared with the control, but for what no run of this target offers."""
    return tuple(item for item in comparison.not_compared if "GPU" in item.reason)


def _greatest_shift(a: Evidence, b: Evidence, spread: Mapping[str, float | None]) -> Shift | None:
    here = metrics_of(b)
    shifts = [
        Shift(metric=name, control=value, here=here[name], std=spread.get(name))
        for name, value in metrics_of(a).items()
        if name in here and here[name] != value
    ]
    return max(shifts, key=lambda one: one.in_std or abs(one.here - one.control), default=None)


def peak(evidence: Evidence) -> int | None:
    """Bytes that the process held at most."""
    found = evidence.memory.get("rss_peak")
    return None if found is None else int(found)


def _ended(outcome: Outcome) -> str:
    return f"{outcome.status.value.replace('-', ' ')}: {outcome.reason}" if outcome.reason else outcome.status.value
