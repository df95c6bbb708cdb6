"""The file of states → History. Nothing in it is trusted to be well formed; its last line may have been cut off."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.commands.resume.model import History, ModelState, Pass, Save, Start, StepState
from reprocheck.evidence.records import tensor_record
from reprocheck.evidence.run import readable
from reprocheck.protocol import STATES_FILE
from reprocheck.protocol.rank_folders import rank_folders
from reprocheck.protocol.reading import items, number, read_lines, table, text, texts, whole


def read_history(folder: Path) -> History:
    """What the run in `folder` wrote down; empty when it never came to its first step. Raises EvidenceUnreadable."""
    path = folder / STATES_FILE
    with readable(folder, "states"):
        # The run may have ended before it imported torch.
        return _history(list(read_lines(path, cut=True)) if os.path.lexists(path) else [])


def histories(run: Path) -> dict[int | None, History]:
    """Of all that took steps: the process of the run (None) and its ranks; of the run alone where none did. Raises
    EvidenceUnreadable."""
    own = read_history(run)
    found: dict[int | None, History] = {None: own}
    found |= {rank: read_history(folder) for rank, start, folder in rank_folders(run) if not start}
    return {rank: one for rank, one in found.items() if one.steps} or {None: own}


def main_history(run: Path) -> History:
    """Of the process that a resumption is judged by: that of the run, or its lowest rank. Raises EvidenceUnreadable."""
    return next(iter(histories(run).values()))


def _history(lines: list[Mapping[str, Any]]) -> History:
    by_record: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_record.setdefault(text(line["record"]), []).append(line)
    return History(
        starts=tuple(_start(line) for line in by_record.get("start", ())),
        steps=tuple(_step(line) for line in by_record.get("step", ())),
        saves=tuple(
            Save(
                step=whole(line["step"]),
                path=text(line["path"]),
                leaves=tuple(tensor_record(leaf) for leaf in items(line["leaves"])),
                generators=texts(line["generators"]),
            )
            for line in by_record.get("save", ())
        ),
        loads=tuple(dict.fromkeys(path for line in by_record.get("load", ()) if (path := text(line["path"])))),
        restored=tuple((text(line["generator"]), text(line["digest"])) for line in by_record.get("restored", ())),
        passes=tuple(
            Pass(step=whole(line["step"]), generators=texts(line["generators"])) for line in by_record.get("pass", ())
        ),
        given=frozenset(text(one) for line in by_record.get("given", ()) for one in items(line["digests"])),
        handler=next((text(line["handler"]) for line in by_record.get("cut", ())), ""),
        killed_after=next((text(line["after"]) for line in by_record.get("killed", ())), ""),
    )


def _start(line: Mapping[str, Any]) -> Start:
    return Start(
        step=whole(line["step"]),
        optimizer=whole(line["optimizer"]),
        parameters=text(line["parameters"]),
        state=text(line["state"]),
        entries=whole(line["entries"]),
    )


def _step(line: Mapping[str, Any]) -> StepState:
    names = ("batch", "loss", "gradients", "hyperparameters", "parameters", "state")
    digests = {name: text(line[name]) for name in names}
    return StepState(
        **digests,
        step=whole(line["step"]),
        optimizer=whole(line["optimizer"]),
        generators=texts(line["generators"]),
        rates=tuple(map(_number, items(line["rates"]))),
        scalers=tuple({name: _number(value) for name, value in table(one).items()} for one in items(line["scalers"])),
        models=tuple(_model(table(model)) for model in items(line["models"])),
        positions=tuple(whole(one) for one in items(line["positions"])),
    )


def _model(plain: Mapping[str, Any]) -> ModelState:
    return ModelState(
        label=text(plain["label"]),
        owned=plain["owned"] is True,
        parameters=text(plain["parameters"]),
        buffers=text(plain["buffers"]),
        evaluating=whole(plain["evaluating"]),
        frozen=whole(plain["frozen"]),
    )


def _number(value: Any) -> float:
    """A learning rate or a scale may be anything that a float is."""
    return value if isinstance(value, float) else number(value)
