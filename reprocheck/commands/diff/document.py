"""The answer of `reprocheck diff` for a person: the verdict, where it begins, the numbers, what sets them apart."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.diff.model import Diff, Fact, Side
from reprocheck.engine.console import clip
from reprocheck.model import Verdict
from reprocheck.report.document import Block, Document, Heading, Headline, Note, Role, Span, Table, document, indented
from reprocheck.report.sections.baseline import seed_blocks
from reprocheck.report.wording import count

MOST_FACTS = 40


def diff_document(diff: Diff) -> Document:
    """The whole report."""
    return document(
        "reprocheck diff",
        _opening(diff),
        *(seed_blocks(one, "A", "B") for one in diff.seeds),
        _facts("asked", diff.asked),
        _facts("made with", diff.manifest),
        [f"note: {clip(note)}" for note in diff.notes],
        [clip(diff.summary)],
    )


def _opening(diff: Diff) -> list[Block]:
    word = {
        Verdict.REPRODUCIBLE: Span("SAME", Role.SUCCESS),
        Verdict.DIFFERENT: Span("DIFFERENT", Role.ERROR),
        Verdict.NO_VERDICT: Span("fatal: no verdict reached", Role.ERROR),
    }[diff.verdict]
    blocks: list[Block] = [f"{letter}: {_side(side)}" for letter, side in (("A", diff.a), ("B", diff.b))]
    if diff.other_class and diff.tolerance.options:
        blocks.append(Note("note", "the numerical classes differ: only metrics are compared", indent=0))
    elif diff.other_class:
        text = "the numerical classes differ: the same training may give other bits there"
        blocks.append(Note("note", text, indent=0))
        blocks.append(Note("help", "compare metrics alone, as in --tolerance loss=1%", indent=0))
    return [Headline(word, "", clip(diff.summary)), *indented(blocks)]


def _side(side: Side) -> str:
    verdict = f", {side.verdict.replace('_', ' ')}" if side.verdict else ""
    return f"{clip(side.name)} ({side.kind}{clip(verdict)}, {count(len(side.seeds), 'seed')})"


def _facts(title: str, facts: Sequence[Fact]) -> list[Block]:
    """What differs; of the rest how much there is."""
    differing = [fact for fact in facts if fact.differs]
    equal = len(facts) - len(differing)
    if not differing:
        return [f"{title}: {count(equal, 'equal fact')}"] if equal else []
    rows = tuple((clip(fact.name), clip(fact.a), clip(fact.b)) for fact in differing[:MOST_FACTS])
    left_out = len(differing) - MOST_FACTS
    more = [f"and {left_out} more that differ"] if left_out > 0 else []
    heading = Heading(f"{title}: {len(differing)} of {count(len(facts), 'fact')} differ")
    return [heading, *indented([Table(rows, ("", "A", "B")), *more])]
