"""A second time: in the folder that a run left behind, in the same process, or half of it in each of two."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, Variation

RESUME = "resume"
"""Three runs of its own, of a target that can resume: only where it is asked for."""


def _no_copy(facts: Facts) -> str:
    return "" if facts.is_copied else "the folder is too large to be copied, so every run is a second one in it"


def _no_function(facts: Facts) -> str:
    return "" if facts.request.target.function else "the target is no function: a process runs it once"


VARIATIONS = (
    Variation(
        name="same-folder",
        group="same-folder",
        emulates="a second run where the first left its files",
        change=Change(again=True),
        why_not=_no_copy,
    ),
    Variation(
        name="same-process",
        group="same-process",
        emulates="a second call in one process, as in a notebook",
        change=Change(overrides=(("calls", 2),)),
        why_not=_no_function,
    ),
    Variation(
        name=RESUME,
        group=RESUME,
        emulates="a run that is stopped half way and resumed (`reprocheck resume`)",
        change=Change(),
    ),
)
