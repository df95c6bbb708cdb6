"""The JSON report, contract version 1.

Everything outside `volatile` is byte-identical between two audits of the same reproducible target. Within a
version, keys are only added. Types are written out here, apart from the model, so that the model may change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from reprocheck.compare.verdict import results_not_compared
from reprocheck.engine.console import Style
from reprocheck.model import (
    Audit,
    Informational,
    MetricSummary,
    RankSummary,
    Request,
    RunSummary,
    SeedAudit,
    SelfSeeding,
    StepGrid,
    Target,
)
from reprocheck.model.classes import Classes
from reprocheck.protocol import FINGERPRINT_VERSION
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.protocol.secrets import mask_arguments, mask_argv
from reprocheck.report.headline import headline
from reprocheck.report.json.against import plain_against
from reprocheck.report.json.baseline import plain_baseline
from reprocheck.report.json.difference import Plain, plain_divergence, plain_finding, plain_location, plain_not_compared
from reprocheck.report.json.drift import plain_drift
from reprocheck.report.json.explanation import plain_explanation, plain_times
from reprocheck.report.json.memory import plain_out_of_memory
from reprocheck.report.wording import flat_memory, shown_path, shown_target

VERSION = 1
_VOLATILE = "volatile"


def render_json(audit: Audit, style: Style) -> str:
    """The report as ASCII JSON: keys sorted, a newline at the end."""
    return json.dumps(to_plain(audit), indent=2, sort_keys=True, allow_nan=False) + "\n"


def to_plain(audit: Audit) -> Plain:
    """The report as dictionaries, lists and scalars."""
    stable = Scrub(audit.directory).clean(plain(_stable(audit)))
    return {**stable, _VOLATILE: plain(_volatile(audit))}


def _stable(audit: Audit) -> Plain:
    return {
        "schema_version": VERSION,
        "fingerprint_version": FINGERPRINT_VERSION,
        "verdict": audit.verdict,
        "exit_code": audit.exit_code,
        "headline": headline(audit),
        "summary": audit.summary,
        "summary_parts": [{"kind": part.kind, "text": part.text} for part in audit.summary_parts],
        "target": _target(audit.request.target),
        "asked": _asked(audit.request),
        "seeds": [_seed(seed) for seed in audit.seeds],
        "divergence": plain_divergence(audit.divergence),
        "ranks": _ranks(next((seed for seed in audit.seeds if seed.divergence is not None), audit.seeds[0]))
        if audit.seeds
        else [],
        "explanation": plain_explanation(audit.explanation),
        "drift": plain_drift(audit),
        "against": plain_against(audit.against, _seed),
        "baseline": plain_baseline(audit.baseline),
        "findings": [plain_finding(finding) for finding in audit.findings],
        "metrics": [_metric(metric) for metric in audit.metrics],
        "compared": audit.compared,
        "not_compared": [plain_not_compared(item) for item in audit.not_compared],
        "not_compared_results": results_not_compared(audit),
        "self_seeding": _self_seeding(audit.self_seeding),
        "varied": audit.varied,
        "not_varied": [plain_not_compared(item) for item in audit.not_varied],
        "manifest": {key: value for key, value in audit.manifest.items() if key != _VOLATILE},
        "missing_runs": audit.missing_runs,
        "classes": None if audit.classes is None else _classes(audit.classes),
    }


def _classes(classes: Classes) -> Plain:
    return {
        "summary": classes.summary,
        "classes": [
            {"name": one.name, "text": one.text, "runs": one.runs, "hosts": one.hosts, "alike": one.alike}
            for one in classes.classes
        ],
        "differences": [
            {"classes": one.classes, "facts": one.facts, "first": one.first, "reason": one.reason}
            for one in classes.differences
        ],
    }


def _volatile(audit: Audit) -> Plain:
    measured = audit.manifest.get(_VOLATILE)
    return {
        **(measured if isinstance(measured, Mapping) else {}),
        "started": audit.started,
        "seconds": audit.seconds,
        "directory": str(audit.directory),
        "runs": {run.id: _run_volatile(run) for seed in _all_seeds(audit) for run in seed.runs},
        "run_again": {str(seed): reason for seed, reason in audit.run_again.items()},
        "explanation": plain_times(audit.explanation),
        "beside": {
            str(seed.seed): {item.what: item.detail for item in seed.informational if not item.same}
            for seed in audit.seeds
        },
    }


def _all_seeds(audit: Audit) -> tuple[SeedAudit, ...]:
    """Those of the other revision, too."""
    return audit.seeds if audit.against is None else (*audit.seeds, *audit.against.seeds)


def _run_volatile(run: RunSummary) -> Plain:
    return {
        "seconds": run.seconds,
        "memory": run.memory,
        "directory": run.directory,
        "reused_from": run.reused_from or None,
        "ambient": run.ambient,
        "last_words": run.stderr_tail,
        "files": dict(run.digests),
        **({"hosts": [one.host for one in run.ranks]} if run.ranks else {}),
        **({} if run.out_of_memory is None else {"out_of_memory": plain_out_of_memory(run.out_of_memory)}),
    }


def _target(target: Target) -> Plain:
    return {
        "text": shown_target(target),
        "kind": target.kind,
        "path": None if target.path is None else shown_path(target.path),
        "module": target.module,
        "function": target.function,
        "argv": mask_argv(target.argv),
        "arguments": mask_arguments(dict(target.arguments)),
    }


def _asked(request: Request) -> Plain:
    settings = request.settings
    return {
        "seeds": request.seeds,
        "repeats": request.repeats,
        "jobs": request.jobs,
        "ambient": request.ambient,
        "compare": request.compare,
        "ignore": request.ignore,
        "tolerance": request.tolerance.options,
        "settings": {
            "seeding": settings.seeding,
            "cudnn_deterministic": settings.cudnn_deterministic,
            "cudnn_benchmark": settings.cudnn_benchmark,
            "deterministic": settings.deterministic,
            "tf32": settings.tf32,
            "threads": settings.threads,
            "device": settings.device,
            "memory_fraction": settings.memory_fraction,
            "memory_limit": settings.memory_limit,
            "env": sorted(name for name, _ in settings.env),  # names only: a value may be a secret
            "timeout": settings.timeout,
            "max_steps": settings.max_steps,
        },
    }


def _seed(seed: SeedAudit) -> Plain:
    return {
        "seed": seed.seed,
        "verdict": seed.verdict,
        "reason": seed.reason,
        "runs": [_run(run) for run in seed.runs],
        "divergence": plain_divergence(seed.divergence),
        "ranks": _ranks(seed),
        "beside": [_informational(item) for item in seed.informational],
        "notes": seed.notes,
        "step_grids": [_grid(grid) for grid in seed.grids],
    }


def _grid(grid: StepGrid) -> Plain:
    """A character for every so many steps: `=` equal, `!` different, `?` not compared, `.` nothing was observed."""
    kinds = [{"kind": kind, "cells": cells} for kind, cells in grid.rows]
    return {"runs": grid.runs, "steps": grid.steps, "steps_of_a_cell": grid.width, "kinds": kinds}


def _run(run: RunSummary) -> Plain:
    return {
        "id": run.id,
        "status": run.status,
        "reason": run.reason,
        "init": run.init,
        "output": run.output,
        "steps": {"count": run.steps, "digest": run.steps_digest},
        "metrics": run.metrics,
        "settings": run.settings,
        "memory": {"measured": sorted(flat_memory(run.memory))},
        "stopped_at": run.stopped_at,
        "ranks": [_rank(one) for one in run.ranks],
    }


def _rank(one: RankSummary) -> Plain:
    return {
        "rank": one.rank,
        "start": one.start,
        "local_rank": one.local_rank,
        "world_size": one.world_size,
        "init": one.init,
        "steps": {"count": one.steps, "digest": one.steps_digest},
        "closed": one.closed,
    }


def _ranks(seed: SeedAudit) -> list[Plain]:
    """Every rank of a seed's runs, and the first difference of each that differs."""
    divergences = {divergence.rank: divergence for divergence in seed.ranks}
    known = sorted({one.rank for run in seed.runs for one in run.ranks})
    return [
        {"rank": rank, "same": rank not in divergences, "divergence": plain_divergence(divergences.get(rank))}
        for rank in known
    ]


def _informational(item: Informational) -> Plain:
    """What differed is kept in `volatile`: such text may hold times and paths."""
    detail = item.detail if item.same else ""
    return {
        "what": item.what,
        "same": item.same,
        "detail": detail,
        "decides": item.decides,
        "only_times": item.only_times,
    }


def _self_seeding(known: SelfSeeding | None) -> Plain | None:
    if known is None:
        return None
    unseeded = [
        {"generator": one.name, "location": plain_location(one.location), "late": one.late} for one in known.unseeded
    ]
    return {
        "seeds_itself": known.seeds_itself,
        "reason": known.reason,
        "declined": known.declined,
        "unseeded": unseeded,
    }


def _metric(metric: MetricSummary) -> Plain:
    return {
        "name": metric.name,
        "seeds": metric.seeds,
        "mean": metric.mean,
        "std": metric.std,
        "within": metric.within,
        "runs": metric.runs,
        "min": metric.minimum,
        "max": metric.maximum,
        "interval": metric.interval,
        "seed_std": metric.seed_std,
        "within_std": metric.within_std,
        "notes": metric.notes,
    }
