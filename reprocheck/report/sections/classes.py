"""Runs by numerical class: what each was made on, and where classes part."""

from __future__ import annotations

from reprocheck.engine.console import clip
from reprocheck.model.classes import Classes
from reprocheck.report.document import Block, Heading, Table, indented
from reprocheck.report.wording import first_of

_MOST = 4


def classes_blocks(found: Classes | None) -> list[Block]:
    """Nothing where all runs are of one class."""
    if found is None:
        return []
    rows = tuple(
        (
            one.name,
            str(len(one.runs)),
            "" if one.alike == one.name else f"as {one.alike}",
            clip(one.text),
            clip(first_of(one.hosts, _MOST)),
        )
        for one in found.classes
    )
    lines = []
    for one in found.differences:
        a, b = one.classes
        what = f"differ first {one.first}" if one.first else one.reason or "agree bit for bit"
        facts = f" ({'; '.join(one.facts)})" if one.facts else ""
        lines.append(clip(f"{a} and {b}: {what}{facts}"))
    table = Table(rows, ("class", "runs", "results", "made with", "hosts"), right=(1,))
    return [Heading("numerical classes"), *indented([table]), *indented(lines)]
