"""Evidence of one run → what it started from. The target may have written into it: nothing is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reprocheck.commands.params.model import Start, Tensor
from reprocheck.evidence.run import readable, whole_lines
from reprocheck.model import Outcome
from reprocheck.model.initializers import Answer, Family
from reprocheck.model.kinds import Confidence
from reprocheck.protocol import WEIGHTS_RECORD
from reprocheck.protocol.reading import text


def read_start(outcome: Outcome) -> tuple[Start, tuple[str, ...]]:
    """With the notes of the run. Raises EvidenceUnreadable."""
    with readable(outcome.spec.directory):
        lines = whole_lines(outcome)
        found = [line for line in lines if line["record"] == WEIGHTS_RECORD]
        notes = tuple(text(line["text"]) for line in lines if line["record"] == "note")
        stage = text(found[0]["stage"]) if found else ""
        return Start(seed=outcome.spec.seed, stage=stage, tensors=tuple(_tensors(found))), notes


def _tensors(lines: list[dict[str, Any]]) -> Iterator[Tensor]:
    for line in lines:
        for plain in line["tensors"]:
            yield _tensor(str(line["root"]), plain)


def _tensor(root: str, plain: Mapping[str, Any]) -> Tensor:
    answer = plain.get("answer")
    return Tensor(
        root=root,
        name=str(plain["name"]),
        kind=str(plain["kind"]),
        module=str(plain["module"]),
        layer=str(plain["layer"]),
        shape=tuple(int(size) for size in plain["shape"]),
        dtype=str(plain["dtype"]),
        device=str(plain["device"]),
        trainable=bool(plain["trainable"]),
        digest=str(plain.get("digest", "")),
        mean=_number(plain.get("mean")),
        std=_number(plain.get("std")),
        low=_number(plain.get("min")),
        high=_number(plain.get("max")),
        nan=int(plain.get("nan", 0)),
        inf=int(plain.get("inf", 0)),
        answer=None if answer is None else _answer(answer),
        equal_units=bool(plain.get("equal_units", False)),
        copied=bool(plain.get("copied", False)),
        loaded=bool(plain.get("loaded", False)),
        reason=str(plain.get("reason", "")),
        placements=str(plain.get("placements", "")),
        local_shape=tuple(int(size) for size in plain.get("local_shape", ())),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _answer(plain: Mapping[str, Any]) -> Answer:
    return Answer(
        family=Family(plain["family"]),
        confidence=Confidence(plain["confidence"]),
        shape=str(plain["shape"]),
        schemes=tuple(str(scheme) for scheme in plain["schemes"]),
        equal=int(plain["equal"]),
        scale=_number(plain["scale"]),
        centre=float(plain["centre"]),
        nearest=str(plain["nearest"]),
        note=str(plain["note"]),
    )
