"""Which runs an audit took from earlier ones, and why it made the others again (--cached)."""

from __future__ import annotations

from reprocheck.engine.console import clip
from reprocheck.model import Audit
from reprocheck.report.document import Block, Note
from reprocheck.report.wording import count, first_of

_MOST_SEEDS = 5


def reused_blocks(audit: Audit) -> list[Block]:
    """Below the verdict; nothing where --cached was not given."""
    if not audit.request.cached:
        return []
    runs = [run for seed in audit.seeds for run in seed.runs]
    by_audit: dict[str, list[str]] = {}
    for run in runs:
        if run.reused_from:
            by_audit.setdefault(run.reused_from, []).append(run.id)
    blocks: list[Block] = []
    for earlier, ids in by_audit.items():
        which = f"all {count(len(runs), 'run')}" if len(ids) == len(runs) else clip(first_of(ids, 4))
        text = f"{which} of audit {clip(earlier)}; nothing that they rest on has changed"
        blocks.append(Note("reused", text, indent=2))
    again = list(audit.run_again.items())
    texts = [f"seed {seed}: {clip(reason)}" for seed, reason in again[:_MOST_SEEDS]]
    left_out = len(again) - _MOST_SEEDS
    texts += [count(left_out, "more seed")] if left_out > 0 else []
    return blocks + [Note("run again", text, indent=2) for text in texts]
