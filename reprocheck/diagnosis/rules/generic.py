"""What to try whatever the cause is: the settings that commonly fix a difference of this kind."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.rules.candidate_lines import changed_line, entries, on_cuda, with_hits
from reprocheck.diagnosis.rules.kernels.cuda import CONVOLUTIONS, CUDNN_DETERMINISTIC, CUDNN_NO_BENCHMARK, RNNS
from reprocheck.diagnosis.rules.kernels.operations import DETERMINISTIC, ONE_THREAD, op_name
from reprocheck.diagnosis.rules.leftovers.tmpdir_dependence import FIXED_FOLDER
from reprocheck.diagnosis.rules.memory.heap_contents import FILLED
from reprocheck.diagnosis.rules.order.hash_order import FIXED_HASHES
from reprocheck.diagnosis.rules.order.listing_order import SORTED
from reprocheck.diagnosis.rules.seeds.global_generators import SEED_EVERYTHING
from reprocheck.diagnosis.rules.seeds.worker_init_entropy import NO_WORKERS
from reprocheck.diagnosis.rules.support import RACE, Support, support_of
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import AttributionKind, OriginKind, SourceKind
from reprocheck.model.places import short_place

_POOLS = ("ThreadPoolExecutor", "ProcessPoolExecutor", "Pool")
_BY_SOURCE = {
    "hash seed": (FIXED_HASHES,),
    "heap contents": (DETERMINISTIC, FILLED),
    "directory order": (SORTED,),
    "temporary directory": (FIXED_FOLDER,),
    "seeding": (SEED_EVERYTHING,),
}


def generic_remedies(case: Case) -> tuple[Remedy, ...]:
    """By what the experiments showed, else by what a race would need."""
    if case.divergence is None:
        return ()
    found: list[Remedy] = []
    for source, remedies in _BY_SOURCE.items():
        if support_of(case, source) is Support.SHOWN:
            found += remedies
    found += _constant(case)
    if support_of(case, *RACE) is not Support.AGAINST:
        found += _against_races(case)
    return tuple(found)


def _constant(case: Case) -> list[Remedy]:
    """What a source from outside gave at the lines that were shown, as a constant in its place."""
    attribution = case.attribution
    if attribution is None or attribution.kind != AttributionKind.FROZEN or not attribution.factors:
        return []
    if not attribution.lines or len(attribution.factors) != 1:
        text = " and ".join(_CONSTANT[factor] for factor in attribution.factors)
        return [Remedy(text=text, overrides=(("frozen", attribution.factors),), cost=6)]
    kind = attribution.factors[0]
    places = " and ".join(short_place(line.path, line.line) for line in attribution.lines)
    items = tuple(f"{kind}@{line.path}:{line.line}" for line in attribution.lines)
    return [Remedy(text=f"{_CONSTANT[kind]} at {places}", overrides=(("frozen", items),), cost=5)]


_CONSTANT = {
    "clock": "a constant in place of the clock",
    "entropy": "constant bytes in place of the system's entropy",
    "pid": "a constant in place of the process number",
    "unseeded": "a constant seed",
}


def _against_races(case: Case) -> list[Remedy]:
    found: list[Remedy] = []
    is_op = case.origin is not None and case.origin.kind == OriginKind.OP
    is_on_device = on_cuda(case) and is_op
    # The order in which a kernel adds hangs neither on the host's threads nor, unless it is cuDNN's, on cuDNN.
    if not is_on_device and case.manifest.get("threads") != 1 and case.request.settings.threads != 1:
        found.append(ONE_THREAD)
    if case.origin is None or is_op or on_cuda(case):
        found.append(DETERMINISTIC)
    pools = with_hits(case, entries(case, SourceKind.POOL, names=_POOLS), "pool-workers")
    one_worker = [replace(changed_line(hit.edit), cost=2) for hit in pools if hit.edit is not None]
    found = [*found, *one_worker] if is_op else [*one_worker, *found]
    if any("num_workers=0" not in entry.value for entry in entries(case, SourceKind.LOADER)):
        found.append(NO_WORKERS)
    if on_cuda(case) and (not is_on_device or op_name(case) in CONVOLUTIONS | RNNS):
        found.append(CUDNN_DETERMINISTIC)
        if case.settings_at_end.get("cudnn_benchmark"):
            found.append(CUDNN_NO_BENCHMARK)
    return found
