"""Why the runs differ and which fix works, in sentences. Only what an experiment showed is said."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.engine.console import clip
from reprocheck.model import Edit
from reprocheck.model.explanation import (
    WITH_AND_WITHOUT_CLOCK,
    WITH_AND_WITHOUT_EARLIER_FILES,
    Arm,
    Attribution,
    Explanation,
    Trial,
)
from reprocheck.model.kinds import AttributionKind
from reprocheck.report.document import Across, Block, Diagnostic, Heading, Role, Span, Table, Text, indented
from reprocheck.report.sections.diagnostics import is_shown, place, suggestion
from reprocheck.report.sections.spread import spread_text
from reprocheck.report.wording import count

MOST_SHOWN = 10
_OUTSIDE = {
    "clock": "the clock",
    "entropy": "the system's entropy",
    "pid": "process and host names",
    "unseeded": "unseeded generators",
}
_VERDICTS = (
    Span("works", Role.SUCCESS),
    "no effect",
    Span("masks the cause", Role.WARNING),
    Span("no answer", Role.WARNING),
)


def why_notes(explanation: Explanation) -> list[str]:
    """What the experiments showed and ruled out, each a sentence."""
    attribution = explanation.attribution
    notes = [] if attribution is None else [*_shown(attribution), clip(attribution.note)]
    notes += [] if explanation.spread is None else [spread_text(explanation.spread, explanation.origin)]
    for one in explanation.further:
        still = "" if _is_additional(one) else "it still differs; "
        notes += [f"with that held constant, {still}{why}" for why in _shown(one)[-1:]]
    left_out = len(explanation.excluded) - MOST_SHOWN
    excluded = [clip(item) for item in explanation.excluded[:MOST_SHOWN]]
    notes.append("; ".join([*excluded, *([f"and {left_out} more"] if left_out > 0 else [])]))
    for arm in () if attribution is None else attribution.arms:
        if arm.failed:
            notes.append(f"no answer from {clip(arm.name)}: {clip(arm.failed)}")
    if explanation.origin is None and (explanation.replays[0] or not explanation.replays[1]):
        notes.append("the first operation that differs was not found")
    return [note for note in notes if note]


def trial_blocks(explanation: Explanation, shown: tuple[Edit, ...]) -> list[Block]:
    """What was tried, what works first. `shown` are the changed lines that stand in a finding already."""
    trials = sorted(explanation.trials, key=_rank)
    if all(is_shown(trial, shown) for trial in trials):
        return []
    ranks = {_rank(trial) for trial in trials}
    none = "" if 0 in ranks else ": none removes the cause" if 2 in ranks else ": none works"
    rows: list[tuple[Text, ...] | Across] = []
    for trial in trials[:MOST_SHOWN]:
        rows.append((_VERDICTS[_rank(trial)], _remedies(trial), *_outcome(trial)))
        rows += [Across(f"= note: {clip(reason)}", indent=2) for reason in _reasons(trial)]
    more = [f"and {len(trials) - MOST_SHOWN} more"] if len(trials) > MOST_SHOWN else []
    edits = (edit for trial in trials for remedy in trial.remedies for edit in remedy.edits)
    return [
        Heading(f"fixes tried{none}"),
        *indented([Table(tuple(rows)), *more]),
        *(
            Diagnostic(tuple(suggestion(edit, explanation.trials)))
            for edit in dict.fromkeys(edit for edit in edits if edit not in shown)
        ),
    ]


def closing_lines(explanation: Explanation, code: str) -> list[Block]:
    """What it took, what was left undone, and where to read on."""
    diverged, pairs = explanation.replays
    parts = [count(explanation.runs, "further run")]
    parts += [f"{diverged} of {count(pairs, 'traced replay')} differed"] if pairs else []
    parts += [f"more: `reprocheck explain {clip(code)}`"] if code else []
    undone = [f"not done: {clip(item.what)}: {clip(item.reason)}" for item in explanation.not_done[:MOST_SHOWN]]
    left_out = len(explanation.not_done) - MOST_SHOWN
    return [*undone, *([f"not done: {left_out} more"] if left_out > 0 else []), "; ".join(parts)]


def _shown(attribution: Attribution) -> list[str]:
    """The attribution in one or two sentences."""
    differed, comparisons = attribution.rate
    factors = [clip(factor) for factor in attribution.factors]
    if attribution.kind == AttributionKind.INTRINSIC:
        by_chance = ", so two runs may agree by chance" if differed < comparisons else ""
        seen = f" in {differed} of {count(comparisons, 'comparison')}" if comparisons else ""
        return [f"differs with everything equal{seen}{by_chance}"]
    if attribution.kind == AttributionKind.UNCLEAR:
        return ["the experiments gave no clear answer"]
    lines = [place(line) for line in attribution.lines]
    alone = f" at {_and(lines)} alone" if lines else ""
    sentences: dict[str, Callable[[], str]] = {
        "ambient": lambda: _environment(attribution),
        "frozen": lambda: (
            "a run with a constant clock differs from one without"
            if _is_additional(attribution)
            else f"agrees with {_and([_OUTSIDE.get(factor, factor) for factor in factors])} held constant"
            f"{alone}{_agreed(attribution, 'frozen')}"
        ),
        "process": lambda: "a second call in the same process differs from the first call of a fresh one",
        "leftover": lambda: _leftover(attribution),
        "seeding": lambda: (
            f"agrees when reprocheck seeds {_and(factors) or 'the generators'} for it{_agreed(attribution, 'seeding')}"
        ),
    }
    sentence = sentences.get(attribution.kind, lambda: clip(attribution.kind))()
    return [
        *([f"differs with every environment factor equal ({differed} of {comparisons})"] if differed else []),
        sentence,
    ]


def _leftover(attribution: Attribution) -> str:
    if _is_additional(attribution):
        return "a run that finds the files of earlier runs differs from one without them"
    if any(arm.name == "without earlier files" and arm.same for arm in attribution.arms):
        return "without the files that earlier runs wrote, a run agrees with the first one, and not with later ones"
    return f"agrees when every run has a copy of the folder{_agreed(attribution, 'fresh folder')}"


def _is_additional(attribution: Attribution) -> bool:
    return any(arm.name in (WITH_AND_WITHOUT_CLOCK, WITH_AND_WITHOUT_EARLIER_FILES) for arm in attribution.arms)


def _environment(attribution: Attribution) -> str:
    """Factors that no honest repeat shares: equal in the control pair, then changed one or a few at a time."""
    control = next((arm for arm in attribution.arms if arm.name == "control" and arm.same), None)
    parts = [] if control is None else [f"agrees with every environment factor equal{_of(control.agreed, control)}"]
    together = " and ".join(attribution.factors)
    names = (together,) if any(arm.name == together for arm in attribution.arms) else attribution.factors
    bare = []
    for name in names:
        label = f"the {clip(name).replace(' and ', ' and the ')}"
        alone = next((arm for arm in attribution.arms if arm.name == name and arm.differed), None)
        if alone is None:
            bare.append(label)
        else:
            parts.append(f"differs when only {label} is changed{_of(alone.differed, alone)}")
    filled = _agreed(attribution, "filled heap")
    if filled:
        return f"agrees when fresh memory is filled with one byte in all runs{filled}"
    if len(attribution.sets) > 1:
        named = [" together with ".join(f"the {clip(factor)}" for factor in one) for one in attribution.sets]
        return "; ".join([*parts[:1], f"depends on {_and(named)}, each enough alone"])
    return "; ".join([*parts, *([f"depends on {_and(bare)}"] if bare else [])])


def _agreed(attribution: Attribution, word: str) -> str:
    """The count of the narrowest experiment of that name that agreed, where there is one."""
    arm = next((arm for arm in reversed(attribution.arms) if word in arm.name and arm.same), None)
    return "" if arm is None else _of(arm.agreed, arm)


def _of(part: int, arm: Arm) -> str:
    return f" ({part} of {arm.agreed + arm.differed})"


def _rank(trial: Trial) -> int:
    """Index into _VERDICTS: a setting that only hides the cause fixes nothing, however well its runs agree."""
    if trial.failed or trial.runs < 2:
        return 3
    if not trial.works:
        return 1
    return 2 if any(remedy.hides for remedy in trial.remedies) else 0


def _remedies(trial: Trial) -> str:
    return _and([f"`{clip(remedy.text)}`" for remedy in trial.remedies])


def _outcome(trial: Trial) -> tuple[str, str]:
    """How many runs agreed, and the price where it bought something."""
    if trial.works:
        time = "" if trial.time_ratio is None else f"time x{trial.time_ratio:.2f}"
        return f"{trial.agreed} of {count(trial.runs, 'run')}", time
    return ("" if trial.failed else f"{count(trial.runs, 'run')} differ"), ""


def _reasons(trial: Trial) -> list[str]:
    """Why a trial is not what it looks like: it had no end, or it only hides the cause."""
    hides = [remedy.hides for remedy in trial.remedies if remedy.hides] if trial.works else []
    return list(dict.fromkeys([trial.failed] if trial.failed else hides))


def _and(items: list[str]) -> str:
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
