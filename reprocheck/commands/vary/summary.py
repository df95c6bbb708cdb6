"""What the rows come to, as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.vary.model import Answer, Row, Status
from reprocheck.report.wording import count


def summarize(answer: Answer, broken: Sequence[str]) -> str:
    """One paragraph: on what the bits depend, how far the metric moves, and what changes nothing."""
    differing = [row for row in answer.rows if row.status is Status.DIFFERS]
    failing = [row for row in answer.rows if row.status is Status.FAILED]
    same = [row for row in answer.rows if row.status is Status.SAME]
    together = [row for row in answer.joint if row.status is Status.DIFFERS]
    parts = []
    if differing:
        parts.append(f"bits depend on {_and(_groups(differing))} {_from(differing)}")
        parts.append(_shift(differing))
    if failing:
        parts.append(f"it fails with {_and([_name(row) for row in failing])}")
    if together:
        parts.append(f"together, though none does alone, {_and(list(together[0].names))} change the bits")
    if not parts:
        parts.append(f"none of {count(len(same), 'variation')} changes a bit" if same else "nothing could be varied")
    elif same:
        parts.append(f"nothing else that was varied ({count(len(same), 'variation')}) changes a bit")
    if broken:
        parts.append(f"required not to matter, but it does: {', '.join(broken)}")
    return "; ".join(part for part in parts if part)


def _groups(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.group or _name(row) for row in rows))


def _name(row: Row) -> str:
    return " with ".join(row.names)


def _from(rows: Sequence[Row]) -> str:
    steps = [row.divergence for row in rows if row.divergence is not None]
    at = [one.step for one in steps if one.step is not None]
    ops = list(dict.fromkeys(f"`{one.op}`" for one in steps if one.op))
    text = f"from step {min(at)}" if at else "in what is returned"
    more = f" and {len(ops) - 3} more" if len(ops) > 3 else ""
    return text + (f" ({', '.join(ops[:3])}{more})" if ops else "")


def _shift(rows: Sequence[Row]) -> str:
    shifts = [row.shift for row in rows if row.shift is not None]
    if not shifts:
        return ""
    most = max(shifts, key=lambda one: one.in_std or 0.0)
    if most.in_std is None:
        return f"{most.metric} moves by {abs(most.here - most.control):.3g}"
    return f"{most.metric} moves by {most.in_std:.2g} of its spread over seeds at most"


def _and(items: Sequence[str]) -> str:
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
