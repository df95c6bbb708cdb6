"""The file of states → History. Nothing in it is trusted to be well formed; its last line may have been cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reprocheck.evidence import EvidenceUnreadable, tensor_record
from reprocheck.protocol import STATES_FILE
from reprocheck.resume.model import History, ModelState, Save, Start, StepState


def read_history(folder: Path) -> History:
    """What the run in `folder` wrote down; empty when it never came to its first step. Raises EvidenceUnreadable."""
    try:
        lines = list(_lines(folder / STATES_FILE))
        return _history(lines)
    except OSError as error:
        raise EvidenceUnreadable(f"cannot read the states in {folder}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvidenceUnreadable(f"the states in {folder} are damaged: {error}") from error


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.exists():  # the run ended before it imported torch
        return
    with path.open(encoding="utf-8") as file:
        for text in file:
            if text.endswith("\n"):
                yield json.loads(text)


def _history(lines: list[Mapping[str, Any]]) -> History:
    by_record: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_record.setdefault(line["record"], []).append(line)
    return History(
        starts=tuple(_start(line) for line in by_record.get("start", ())),
        steps=tuple(_step(line) for line in by_record.get("step", ())),
        saves=tuple(
            Save(step=line["step"], path=line["path"], leaves=tuple(tensor_record(leaf) for leaf in line["leaves"]))
            for line in by_record.get("save", ())
        ),
        loads=tuple(dict.fromkeys(line["path"] for line in by_record.get("load", ()) if line["path"])),
        restored=tuple((line["generator"], line["digest"]) for line in by_record.get("restored", ())),
        handler=next((line["handler"] for line in by_record.get("cut", ())), ""),
        killed_after=next((line["after"] for line in by_record.get("killed", ())), ""),
    )


def _start(line: Mapping[str, Any]) -> Start:
    names = ("step", "optimizer", "parameters", "state", "entries")
    return Start(**{name: line[name] for name in names})


def _step(line: Mapping[str, Any]) -> StepState:
    names = ("step", "optimizer", "batch", "loss", "gradients", "hyperparameters", "parameters", "state", "generators")
    return StepState(
        **{name: line[name] for name in names},
        rates=tuple(line["rates"]),
        scalers=tuple(line["scalers"]),
        models=tuple(ModelState(**model) for model in line["models"]),
    )
