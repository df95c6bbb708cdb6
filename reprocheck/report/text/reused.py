"""Which runs an audit took from earlier ones, and why it made the others again (--cached)."""

from __future__ import annotations

from reprocheck.engine.console import Pen
from reprocheck.model import Audit
from reprocheck.report.wording import count, first_of

_MOST_SEEDS = 5


def reused_lines(audit: Audit, pen: Pen) -> list[str]:
    """Below the verdict; nothing where --cached was not given."""
    if not audit.request.cached:
        return []
    runs = [run for seed in audit.seeds for run in seed.runs]
    by_audit: dict[str, list[str]] = {}
    for run in runs:
        if run.reused_from:
            by_audit.setdefault(run.reused_from, []).append(run.id)
    lines = []
    for earlier, ids in by_audit.items():
        which = f"all {count(len(runs), 'run')}" if len(ids) == len(runs) else pen.text(first_of(ids, 4))
        lines.append(f"  = reused: {which} of audit {pen.text(earlier)}; nothing that they rest on has changed")
    again = list(audit.run_again.items())
    lines += [f"  = run again: seed {seed}: {pen.text(reason)}" for seed, reason in again[:_MOST_SEEDS]]
    left_out = len(again) - _MOST_SEEDS
    return lines + ([f"  = run again: {count(left_out, 'more seed')}"] if left_out > 0 else [])
