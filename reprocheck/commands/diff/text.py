"""The answer of `reprocheck diff` for a person: the verdict, where it begins, the numbers, what sets them apart."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.diff.model import Diff, Fact, Side
from reprocheck.engine.console import Pen, Style, aligned
from reprocheck.model import Verdict
from reprocheck.report.text.baseline import seed_lines
from reprocheck.report.wording import count

MOST_FACTS = 40
_INDENT = "  "


def render_diff_text(diff: Diff, style: Style) -> str:
    """The whole report, a newline at its end."""
    pen = Pen(style)
    sections = [
        _opening(diff, pen),
        *(seed_lines(one, "A", "B", pen) for one in diff.seeds),
        _facts("asked", diff.asked, pen),
        _facts("made with", diff.manifest, pen),
        [f"note: {pen.text(note)}" for note in diff.notes],
        [pen.text(diff.summary)],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _opening(diff: Diff, pen: Pen) -> list[str]:
    head = {
        Verdict.REPRODUCIBLE: pen.paint("SAME", "green"),
        Verdict.DIFFERENT: pen.paint("DIFFERENT", "red"),
        Verdict.NO_VERDICT: pen.paint("fatal: no verdict reached", "red"),
    }[diff.verdict]
    lines = [f"{head}  {pen.text(diff.summary)}"]
    lines += [f"{_INDENT}{letter}: {_side(side, pen)}" for letter, side in (("A", diff.a), ("B", diff.b))]
    if diff.other_class and diff.tolerance.options:
        lines.append(f"{_INDENT}= note: the numerical classes differ: only metrics are compared")
    elif diff.other_class:
        lines.append(f"{_INDENT}= note: the numerical classes differ: the same training may give other bits there")
        lines.append(f"{_INDENT}= help: compare metrics alone, as in --tolerance loss=1%")
    return lines


def _side(side: Side, pen: Pen) -> str:
    verdict = f", {side.verdict.replace('_', ' ')}" if side.verdict else ""
    return f"{pen.text(side.name)} ({side.kind}{pen.text(verdict)}, {count(len(side.seeds), 'seed')})"


def _facts(title: str, facts: Sequence[Fact], pen: Pen) -> list[str]:
    """What differs; of the rest how much there is."""
    differing = [fact for fact in facts if fact.differs]
    equal = len(facts) - len(differing)
    if not differing:
        return [f"{title}: {count(equal, 'equal fact')}"] if equal else []
    rows = [["", "A", "B"]]
    rows += [[pen.text(fact.name), pen.text(fact.a), pen.text(fact.b)] for fact in differing[:MOST_FACTS]]
    lines = [_INDENT + line for line in aligned(rows, colours={}, pen=pen)]
    left_out = len(differing) - MOST_FACTS
    lines += [f"{_INDENT}and {left_out} more that differ"] if left_out > 0 else []
    return [f"{title}: {len(differing)} of {count(len(facts), 'fact')} differ", *lines]
