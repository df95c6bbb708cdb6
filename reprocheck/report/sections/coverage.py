"""What the verdict rests on: what was compared, what was not, what was varied, and which settings were in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reprocheck.engine.console import clip
from reprocheck.model import Audit, Settings
from reprocheck.report.document import Block, Fold, Heading, Note, Table, indented
from reprocheck.report.sections.explanation import MOST_SHOWN
from reprocheck.report.sections.runs import MOST_ITEMS
from reprocheck.report.wording import count, first_of


def informational_blocks(audit: Audit) -> list[Block]:
    """What decides only when asked for."""
    rows: dict[bool, list[tuple[str, ...]]] = {True: [], False: []}
    for seed in audit.seeds:
        for item in seed.informational:
            same = "same" if item.same else "differ"
            decides = "decides" if item.decides else "does not decide"
            rows[item.same].append((f"seed {seed.seed}", clip(item.what), same, decides, clip(item.detail)))
    differing, alike = rows[False], rows[True]
    more = [f"and {len(differing) - MOST_ITEMS} more"] if len(differing) > MOST_ITEMS else []
    blocks: list[Block] = [Table(tuple(differing[:MOST_ITEMS])), *more] if differing else []
    if alike:
        names = dict.fromkeys(f"{what} ({decides})" for _, what, _, decides, _ in alike)
        seeds = "" if len(audit.seeds) == 1 else f" in {count(len({seed for seed, *_ in alike}), 'seed')}"
        blocks.append(Fold(f"same{seeds}: {', '.join(names)}", (Table(tuple(alike[:MOST_ITEMS])),)))
    return [Heading("informational"), *indented(blocks)] if blocks else []


def settings_blocks(audit: Audit) -> list[Block]:
    """Settings that were not at the end of a run what was asked for."""
    asked = {name: getattr(audit.request.settings, name) for name in Settings.__dataclass_fields__}
    changed: dict[str, list[str]] = {}
    for run in (run for seed in audit.seeds for run in seed.runs):
        for name, value in sorted(run.settings.items()):
            if asked.get(name) is not None and not _same(asked[name], value):
                before, after = clip(_value(asked[name])), clip(_value(value))
                line = f"{clip(name)}: asked {before}, at the end {after}"
                changed.setdefault(line, []).append(clip(run.id))
    if not changed:
        return []
    lines = [f"{line} ({first_of(runs, 3)})" for line, runs in list(changed.items())[:MOST_ITEMS]]
    return [Heading("settings that the target changed"), *indented(lines)]


def _same(asked: Any, found: Any) -> bool:
    return bool(asked == found) or _value(asked) == _value(found)


def _value(value: Any) -> str:
    plain = getattr(value, "value", value)
    return str(plain).lower() if isinstance(plain, bool) else str(plain)


def coverage_blocks(audit: Audit) -> list[Block]:
    """What was compared and varied, what was not, and why."""
    lines: list[Block] = [f"compared: {clip(', '.join(audit.compared)) or 'nothing'}"]
    said = () if audit.explanation is None else audit.explanation.not_done[:MOST_SHOWN]
    lines += _reasons("not compared", [item for item in audit.not_compared if item.help or item not in said])
    lines.append(clip(_varied(audit)))
    return lines + _reasons("not varied", audit.not_varied)


def _varied(audit: Audit) -> str:
    return f"varied: {', '.join(audit.varied) or 'nothing'}"


def _reasons(title: str, items: Sequence[Any]) -> list[Block]:
    if not items:
        return []
    blocks: list[Block] = []
    for item in sorted(items, key=lambda item: not item.is_result)[:MOST_ITEMS]:
        blocks.append(f"{clip(item.what)}: {clip(item.reason)}")
        blocks += [Note("help", clip(item.help), indent=2)] if item.help else []
    left_out = len(items) - MOST_ITEMS
    return [Heading(f"{title}:"), *indented([*blocks, *([f"and {left_out} more"] if left_out > 0 else [])])]
