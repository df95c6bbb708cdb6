"""Outcomes and comparisons → the audit's verdict. Pure: the only place that decides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from reprocheck.compare.ranks import first_of
from reprocheck.compare.runs import UNMEASURED
from reprocheck.compare.steps import history_digest, is_cut_in_threads
from reprocheck.errors import ExitCode
from reprocheck.model import (
    Audit,
    Compare,
    Comparison,
    Divergence,
    Evidence,
    Informational,
    NotCompared,
    Outcome,
    RankEvidence,
    RankSummary,
    Request,
    RunSummary,
    SeedAudit,
    Seeding,
    SelfSeeding,
    Status,
    SummaryPart,
    TensorRecord,
    Verdict,
)
from reprocheck.model.kinds import Stage, SummaryKind
from reprocheck.protocol import THREAD_MARK, TRAINED_ELSEWHERE, count_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRuns:
    """Everything known of one seed before it is judged."""

    seed: int
    outcomes: tuple[Outcome, ...]
    evidence: tuple[Evidence, ...]
    comparisons: tuple[Comparison, ...]


def judge_seed(runs: SeedRuns, repeats: int) -> SeedAudit:
    """The verdict for one seed."""
    by_id = {evidence.spec.id: evidence for evidence in runs.evidence}
    summaries = tuple(summary_of(outcome, by_id.get(outcome.spec.id)) for outcome in runs.outcomes)
    return judge_summaries(runs.seed, summaries, runs.comparisons, repeats)


def judge_summaries(
    seed: int, runs: Sequence[RunSummary], comparisons: Sequence[Comparison], repeats: int, alone: str = ""
) -> SeedAudit:
    """The same where the evidence need not be held. `alone`: why a run has nothing to be compared with."""
    divergences = [c.divergence for c in comparisons if c.divergence is not None]
    divergence = min(divergences, key=lambda d: _order(d.stage, d.step), default=None)
    verdict, reason = Verdict.REPRODUCIBLE, ""
    failed = [run for run in runs if run.status is not Status.COMPLETED]
    if divergence is not None:
        verdict = Verdict.DIFFERENT
    elif failed or len(runs) < repeats:
        verdict = Verdict.NO_VERDICT
        reason = f"run {failed[0].id} {_ended(failed[0])}" if failed else "not every run was made"
    elif repeats < 2:
        verdict, reason = Verdict.NO_VERDICT, "one run has nothing to be compared with (--repeats 1)"
    elif alone:
        verdict, reason = Verdict.NO_VERDICT, alone
    elif not all(comparison.compared for comparison in comparisons):
        verdict, reason = Verdict.NO_VERDICT, _nothing_compared(comparisons)
    return SeedAudit(
        seed=seed,
        verdict=verdict,
        reason=reason,
        runs=tuple(runs),
        divergence=divergence,
        informational=tuple(_worst(comparisons)),
        notes=tuple(dict.fromkeys(note for comparison in comparisons for note in comparison.notes)),
        grids=tuple(comparison.grid for comparison in comparisons if comparison.grid is not None),
        ranks=_first_of_each(comparisons),
    )


def _first_of_each(comparisons: Sequence[Comparison]) -> tuple[Divergence, ...]:
    """Of every rank that differs in some pair of runs, the first difference."""
    by_rank: dict[int | None, list[Divergence]] = {}
    for comparison in comparisons:
        for divergence in comparison.ranks:
            by_rank.setdefault(divergence.rank, []).append(divergence)
    return tuple(found for rank in sorted(by_rank, key=str) if (found := first_of(by_rank[rank])) is not None)


def _nothing_compared(comparisons: Sequence[Comparison]) -> str:
    children = unique(item for comparison in comparisons for item in comparison.not_compared if item.kind)
    if children:
        which = children[0].what.replace(" that ", " ")
        return f"{which} and {'was' if children[0].count == 1 else 'were'} not observed"
    if any(item.reason == UNMEASURED for comparison in comparisons for item in comparison.not_compared):
        return "the steps differ in bits, and no output was compared that a tolerance could be measured on"
    return "nothing was compared: no model, no step and no returned value was seen"


def _order(stage: Stage, step: int | None) -> tuple[int, int]:
    """Run order over divergences of several pairs of runs."""
    if stage in (Stage.INIT, Stage.DATA, Stage.STEP) or (stage == Stage.CHECKPOINT and step is not None):
        return (step or 0, 0 if stage == Stage.INIT else 1)
    return (1 << 62, 0)


def _ended(run: RunSummary) -> str:
    if run.status is Status.FAILED:
        return f"failed: {run.reason}"
    return run.reason


def _worst(comparisons: Sequence[Comparison]) -> Iterable[Informational]:
    """For each thing compared for information: the first comparison in which it differs, else that it is the same."""
    found: dict[str, Informational] = {}
    for comparison in comparisons:
        for item in comparison.informational:
            if item.what not in found or (found[item.what].same and not item.same):
                found[item.what] = item
    return found.values()


def summary_of(outcome: Outcome, evidence: Evidence | None) -> RunSummary:
    """Where the process of the run trains nothing itself, its ranks stand for it."""
    ranks = () if evidence is None else tuple(map(_rank, evidence.ranks))
    return RunSummary(
        id=outcome.spec.id,
        repeat=outcome.spec.repeat,
        status=outcome.status,
        reason=outcome.reason,
        stderr_tail=outcome.stderr_tail if outcome.status is not Status.COMPLETED else "",
        init="" if evidence is None else digest_of(evidence.initial) or _over([one.init for one in ranks]),
        steps_digest="" if evidence is None else _history(evidence) or _over([one.steps_digest for one in ranks]),
        steps=0 if evidence is None else count_steps(evidence.steps) or max((one.steps for one in ranks), default=0),
        output="" if evidence is None else digest_of(evidence.outputs),
        metrics={} if evidence is None else metrics_of(evidence),
        seconds=outcome.seconds,
        memory={} if evidence is None else evidence.memory,
        settings={} if evidence is None else evidence.settings_at_end,
        ambient=asdict(outcome.spec.ambient),
        stopped_at=None if evidence is None else evidence.stopped_at,
        directory=str(outcome.spec.directory),
        reused_from=outcome.reused_from,
        out_of_memory=outcome.out_of_memory,
        digests=outcome.digests,
        ranks=ranks,
    )


def _history(evidence: Evidence) -> str:
    """Empty for a process that takes no step, and only launches ranks; and where a run was ended while threads trained:
    which of their steps it has is chance."""
    if evidence.ranks and not count_steps(evidence.steps):
        return ""
    if evidence.stopped_at is not None and is_cut_in_threads(evidence.steps, evidence.optimizers):
        return ""
    return history_digest(evidence.steps, evidence.optimizers)


def _over(digests: Sequence[str]) -> str:
    """One digest over those of all ranks; empty where one of them has none."""
    from xxhash import xxh3_128_hexdigest

    return xxh3_128_hexdigest("\n".join(digests).encode()) if digests and all(digests) else ""


def _rank(one: RankEvidence) -> RankSummary:
    return RankSummary(
        rank=one.rank,
        start=one.start,
        local_rank=one.local_rank,
        world_size=one.world_size,
        host=one.host,
        init=digest_of(one.evidence.initial),
        steps_digest=history_digest(one.evidence.steps, one.evidence.optimizers),
        steps=count_steps(one.evidence.steps),
        closed=not one.evidence.partial,
    )


def digest_of(tensors: Sequence[TensorRecord]) -> str:
    """One digest over named digests; empty when there are none."""
    from xxhash import xxh3_128_hexdigest

    lines = sorted(
        f"{_steady_name(t.name)}|{t.kind.removeprefix(TRAINED_ELSEWHERE)}|{t.dtype}|{t.shape}|{t.digest}"
        for t in tensors
        if t.digest
    )
    return xxh3_128_hexdigest("\n".join(lines).encode("utf-8", "surrogatepass")) if lines else ""


def _steady_name(name: str) -> str:
    """Without the number that a model in a thread got by the order of first calls."""
    return re.sub(rf"{THREAD_MARK}(#\d+)?", THREAD_MARK, name)


def metrics_of(evidence: Evidence) -> dict[str, float]:
    """Scalar outputs by name."""
    metrics = {}
    for leaf in evidence.outputs:
        if leaf.is_metric:
            try:
                metrics[leaf.name or "returned value"] = float(leaf.text)
            except ValueError:
                continue
    return metrics


def overall(seeds: Sequence[SeedAudit]) -> tuple[Verdict, ExitCode]:
    """One difference that was seen outweighs a run that failed; a run that failed outweighs agreement."""
    verdicts = {seed.verdict for seed in seeds}
    if Verdict.DIFFERENT in verdicts:
        return Verdict.DIFFERENT, ExitCode.DIFFERENT
    if Verdict.NO_VERDICT in verdicts or not seeds:
        return Verdict.NO_VERDICT, ExitCode.NO_VERDICT
    return Verdict.REPRODUCIBLE, ExitCode.OK


def unique(items: Iterable[NotCompared]) -> tuple[NotCompared, ...]:
    """Each once, in order; of a kind that is counted the most."""
    found = tuple(dict.fromkeys(items))
    most: dict[str, NotCompared] = {}
    for item in found:
        if item.kind:
            most[item.kind] = max(most.get(item.kind, item), item, key=lambda one: (one.count, len(one.what)))
    return tuple(item for item in found if not item.kind or item is most[item.kind])


def results_not_compared(audit: Audit) -> tuple[str, ...]:
    """What a user would call the result and no comparison holds, by name."""
    return tuple(dict.fromkeys(item.what for item in audit.not_compared if item.is_result))


PRODUCTS = {
    Compare.STDOUT.value: "standard output",
    Compare.STDERR.value: "standard error",
    Compare.FILES.value: "files",
    Compare.VARIABLES.value: "variables",
}
"""What a run makes that decides only when asked for."""


def undecided(audit: Audit) -> tuple[str, ...]:
    """What the runs made differently, and the verdict does not count: `--compare` lets it decide, `--ignore` never."""
    items = (item for seed in audit.seeds for item in seed.informational if not item.same and not item.only_times)
    differing = {item.what for item in items if not item.decides} - set(audit.request.ignore)
    return tuple(what for what in PRODUCTS if what in differing)


def differ_and_do_not_count(differing: Sequence[str]) -> str:
    """The part of a sentence that says so."""
    names = [PRODUCTS[what] for what in differing]
    named = " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
    s = "s" if tuple(differing) in ((Compare.STDOUT.value,), (Compare.STDERR.value,)) else ""
    return f"{named} differ{s}, and count{s} only with --compare {','.join(differing)}"


def unasked(request: Request) -> SelfSeeding | None:
    """What is known of the seeds of a target whose runs agree, where nobody looked."""
    if request.settings.seeding is Seeding.NONE:
        return None
    reason = "--no-explain" if not request.explain else f"--explain-budget {request.explain_budget}"
    return SelfSeeding(seeds_itself=None, reason=reason, declined=True)


def seeding_is_unknown(audit: Audit) -> bool:
    """Whether a script that reproduces may do so only by the seeds that reprocheck sets: nobody has looked.

    A function may leave seeding to its caller.
    """
    known = audit.self_seeding
    is_script = audit.request.target.function is None
    return is_script and audit.verdict is Verdict.REPRODUCIBLE and known is not None and known.seeds_itself is None


def open_questions(audit: Audit) -> list[str]:
    """What stands between an audit and a verdict on all that its target made: --strict lets none of it pass."""
    found = [
        f"not compared: {item.what}" + (f" ({item.help})" if item.help else "")
        for item in audit.not_compared
        if item.is_result
    ]
    if seeding_is_unknown(audit) and audit.self_seeding is not None and not audit.self_seeding.declined:
        found.append(f"not checked whether it seeds itself: {audit.self_seeding.reason}")
    differing = undecided(audit)
    if differing:
        found.append(f"{differ_and_do_not_count(differing)} (or --ignore {' --ignore '.join(differing)})")
    return list(dict.fromkeys(found))


def unjudged(audit: Audit) -> list[str]:
    """Everything that was asked and has no verdict, and why. A difference elsewhere does not outweigh it here."""
    seeds = [seed for seed in audit.seeds if seed.verdict is Verdict.NO_VERDICT]
    found = [f"seed {seed.seed} has no verdict: {seed.reason or 'reason unknown'}" for seed in seeds]
    against, baseline = audit.against, audit.baseline
    if against is not None and against.verdict is Verdict.NO_VERDICT and not against.allowed:
        found.append(f"not compared with {against.text}: {against.reason}")
    if baseline is not None and baseline.verdict is Verdict.NO_VERDICT:
        found.append(f"not compared with baseline {baseline.file}: {baseline.reason}")
    if not found and audit.verdict is Verdict.NO_VERDICT:
        found.append(audit.summary)
    return found


def summarize(
    verdict: Verdict, seeds: Sequence[SeedAudit], varied: Sequence[str], missing: Sequence[str] = ()
) -> tuple[SummaryPart, ...]:
    """The one sentence. `missing`: what of the result was not compared."""
    runs = sum(len(seed.runs) for seed in seeds)
    count = f"{runs} run{'s' if runs != 1 else ''} of {len(seeds)} seed{'s' if len(seeds) != 1 else ''}"
    if verdict is Verdict.REPRODUCIBLE:
        parts = [(SummaryKind.RUNS, f"no difference observed in {count}")]
        parts += [(SummaryKind.NOT_COMPARED, f"not compared: {', '.join(missing)}")] if missing else []
        parts.append((SummaryKind.VARIED, f"varied: {', '.join(varied) or 'nothing'}"))
        return tuple(SummaryPart(kind=kind, text=text) for kind, text in parts)
    if verdict is Verdict.NO_VERDICT:
        reason = next((seed.reason for seed in seeds if seed.verdict is Verdict.NO_VERDICT), "no run was made")
        return (SummaryPart(kind=SummaryKind.RUNS, text=f"no verdict from {count}: {reason}"),)
    differing = [seed for seed in seeds if seed.verdict is Verdict.DIFFERENT]
    verb = "differs" if len(differing) == 1 else "differ"
    text = f"{len(differing)} of {len(seeds)} seed{'s' if len(seeds) != 1 else ''} {verb} between runs"
    return (SummaryPart(kind=SummaryKind.SEEDS, text=text),)
