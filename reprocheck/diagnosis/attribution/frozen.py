"""Clocks, entropy, names of processes and unseeded generators with constant answers: at which line that is needed."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.diagnosis.attribution.log import FROZEN_KINDS, RESERVED, ExperimentLog
from reprocheck.diagnosis.experiments import why_failed
from reprocheck.evidence.run import Ran
from reprocheck.model import Location
from reprocheck.model.explanation import Hold
from reprocheck.model.places import place_text

_TEXT = {
    "clock": "the clock",
    "entropy": "the system's entropy",
    "pid": "process and host names",
    "unseeded": "unseeded generators",
}
_Place = tuple[str, Location | None]
"""A kind of source and where the target asks it."""


def used_kinds(log: ExperimentLog) -> list[str]:
    """The kinds that the target used before the difference, and that are not constant yet."""
    return [kind for kind in FROZEN_KINDS if log.entries(kind) and kind not in log.runner.hold.frozen]


def question_about(kinds: Sequence[str]) -> str:
    """The experiment that makes all of them constant."""
    return f"does it agree with constant answers from {', '.join(_TEXT[kind] for kind in kinds)}?"


def narrow(log: ExperimentLog, kinds: Sequence[str], frozen: Ran) -> tuple[list[str], list[Location], bool]:
    """The line whose calls alone have to be constant: then a run agrees with `frozen`, where all are. Else all lines
    that differ where they alone are not constant. And whether the answer is sure."""
    places: list[_Place] = list(
        {(kind, entry.location): None for kind in kinds for entry in log.entries(kind) if entry.location}
    )
    if len(places) == 1:
        return _only(places[0])
    for one in places:
        if log.runner.left <= RESERVED:
            return list(kinds), [], False
        if _agrees(log, frozen, [one], f"a constant answer at {_named(one)} only"):
            return _only(one)
    responsible = []
    for one in places:
        if log.runner.left <= RESERVED:
            return list(kinds), [], False
        others = [other for other in places if other != one]
        if _agrees(log, frozen, others, f"constant answers everywhere but at {_named(one)}") is False:
            responsible.append(one)
    found = [kind for kind in kinds if any(kind == one[0] for one in responsible)]
    return found or list(kinds), [place for _, place in responsible if place is not None], bool(responsible)


def _only(place: _Place) -> tuple[list[str], list[Location], bool]:
    kind, line = place
    return [kind], [line] if line is not None else [], True


def _agrees(log: ExperimentLog, frozen: Ran, places: Sequence[_Place], text: str) -> bool | None:
    items = tuple(f"{kind}@{place.path}:{place.line}" for kind, place in places if place is not None)
    question = f"does it agree with {text}?"
    spec = log.runner.spec(log.a, limit=log.limit, hold=log.runner.hold + Hold(frozen=items), against=(frozen,))
    ran = log.runner.run(question, [spec])[0]
    same = log.agree(frozen, ran)
    kinds = " and ".join(dict.fromkeys(kind for kind, _ in places))
    where = f"{len(places)} lines" if len(places) > 1 else "one line"
    log.arm(f"frozen {kinds} at {where}", question, 1, [same], why_failed(ran))
    return same


def _named(place: _Place) -> str:
    return "" if place[1] is None else place_text(place[1].path, place[1].line)
