"""Run a target twice with the operation trace on, without the command."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reprocheck.model import (
    EnvironmentFactors,
    Instruments,
    Outcome,
    RunSpec,
    Settings,
    Status,
    Target,
    TargetKind,
    TraceWindow,
)
from reprocheck.protocol import RUN_VARIABLE
from tests.support.cli import environment
from tests.support.launching import launched

RUNS = ("one", "two")


def traced_pair(
    folder: Path,
    source: str | Path,
    *,
    window: TraceWindow | None = TraceWindow(),  # noqa: B008
    threads: int = 1,
    names: Sequence[str] = RUNS,
    environments: Sequence[Mapping[str, str]] = (),
    **arguments: Any,
) -> list[Outcome]:
    """Runs (two) of `train` in a source text or file, each with further variables in its environment."""
    path = source if isinstance(source, Path) else folder / "target.py"
    if not isinstance(source, Path):
        path.write_text(source, encoding="utf-8")
    specs = []
    for name, own in zip(names, environments or [{}] * len(names), strict=True):
        target = Target(
            text=f"{path.name}:train",
            kind=TargetKind.FILE_FUNCTION,
            path=path.absolute(),
            function="train",
            arguments=tuple(arguments.items()),
        )
        variables = environment(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), **own)
        variables[RUN_VARIABLE] = f"{folder}/{name}"
        specs.append(
            RunSpec(
                id=name,
                seed=0,
                repeat=len(specs),
                target=target,
                settings=Settings(threads=threads, timeout=200),
                ambient=EnvironmentFactors(hash_seed=0),
                environment={**variables, "PYTHONHASHSEED": str(len(specs))},
                cwd=folder,
                directory=folder / "evidence" / name,
                instruments=Instruments(trace=window),
            )
        )
    outcomes = launched(specs, folder)
    for outcome in outcomes:
        assert outcome.status is Status.COMPLETED, (outcome.reason, outcome.stderr_tail)
        assert "could not be traced" not in (outcome.spec.directory / "evidence.jsonl").read_text(encoding="utf-8")
    return outcomes


def folders(outcomes: Sequence[Outcome]) -> tuple[Path, Path]:
    first, second = (outcome.spec.directory for outcome in outcomes)
    return first, second


def line_of(source: str, text: str) -> int:
    """The number of the first line of a source that holds a text."""
    return next(number for number, line in enumerate(source.splitlines(), 1) if text in line)


if __name__ == "__main__":  # a look at any target: python -m tests.support.traced FILE FOLDER [FIRST] [LAST]
    bounds = [None if word == "-" else int(word) for word in sys.argv[3:]]
    chosen = TraceWindow(**dict(zip(("first", "last"), bounds, strict=False)))
    print(traced_pair(Path(sys.argv[2]), Path(sys.argv[1]), window=chosen))
