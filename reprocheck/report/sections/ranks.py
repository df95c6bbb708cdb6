"""The ranks of a seed's runs, folded to those that matter."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.engine.console import clip
from reprocheck.model import SeedAudit
from reprocheck.report.document import Block
from reprocheck.report.sections.difference import at
from reprocheck.report.wording import count

MOST_RANKS = 8
"""That are shown one by one."""


def ranks_lines(seed: SeedAudit) -> list[Block]:
    """How many there are, and where each that differs does so first. Between ranks there is no order."""
    known = sorted({one.rank for run in seed.runs for one in run.ranks})
    if not known:
        return []
    differing = [divergence for divergence in seed.ranks if divergence.rank is not None]
    if not differing:
        return [f"{count(len(known), 'rank')}: {named(known)}"]
    differ = {divergence.rank for divergence in differing}
    same = [rank for rank in known if rank not in differ]
    blocks: list[Block] = []
    for divergence in differing[:MOST_RANKS]:
        blocks.append(f"rank {divergence.rank} differs first {clip(at(divergence))}")
    left_out = [divergence.rank for divergence in differing[MOST_RANKS:] if divergence.rank is not None]
    blocks += [f"so {'do' if left_out[1:] else 'does'} {named(left_out)}, each somewhere"] if left_out else []
    blocks += [f"{named(same)}: no difference"] if same else []
    return blocks


def named(ranks: Sequence[int]) -> str:
    """`ranks 0 to 3 and 6`."""
    spans: list[list[int]] = []
    for rank in ranks:
        if spans and rank == spans[-1][-1] + 1:
            spans[-1].append(rank)
        else:
            spans.append([rank])
    parts: list[str] = []
    for span in spans:
        parts += [f"{span[0]} to {span[-1]}"] if len(span) > 2 else map(str, span)
    text = ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + parts[-1]
    return f"rank{'s' if len(ranks) > 1 else ''} {text}"
