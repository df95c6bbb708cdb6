"""Run one target in a process of its own with instruments or interventions, without the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reprocheck.diagnosis.ledger_file import load_entries
from reprocheck.evidence.run import load_evidence
from reprocheck.model import (
    EnvironmentFactors,
    Instruments,
    Interventions,
    Outcome,
    RunSpec,
    Settings,
    Status,
    Target,
    TargetKind,
)
from reprocheck.model.explanation import LedgerEntry
from reprocheck.model.run_spec import PLAIN, UNCHANGED
from reprocheck.protocol import RUN_VARIABLE
from tests.support.cli import environment
from tests.support.launching import launched

LEDGER = Instruments(ledger=True)


def probed(
    folder: Path,
    source: str,
    asked: Instruments | Interventions = LEDGER,
    *,
    instruments: Instruments | None = None,
    name: str = "one",
    script: bool = False,
    seed: int = 0,
    **settings: Any,
) -> Outcome:
    """One run of `train` in a source text, or of the text as a script."""
    path = folder / "target.py"
    if not path.exists() or path.read_text(encoding="utf-8") != source:
        path.write_text(source, encoding="utf-8")
    target = Target(
        text="target.py" if script else "target.py:train",
        kind=TargetKind.SCRIPT if script else TargetKind.FILE_FUNCTION,
        path=path.absolute(),
        function=None if script else "train",
    )
    directory = folder / ".reprocheck" / "audits" / "a" / name
    spec = RunSpec(
        id=name,
        seed=seed,
        repeat=0,
        target=target,
        settings=Settings(threads=1, timeout=200, **settings),
        ambient=EnvironmentFactors(hash_seed=0),
        environment={**environment(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1"), RUN_VARIABLE: f"{folder}/{name}"},
        cwd=folder,
        directory=directory,
        instruments=instruments or (asked if isinstance(asked, Instruments) else LEDGER),
        interventions=asked if isinstance(asked, Interventions) else UNCHANGED,
    )
    [outcome] = launched([spec], folder)
    return outcome


def entries_of(
    folder: Path, source: str, asked: Instruments | Interventions = LEDGER, **options: Any
) -> list[LedgerEntry]:
    """The entries of one run that completed."""
    outcome = probed(folder, source, asked, **options)
    assert outcome.status is Status.COMPLETED, f"{outcome.reason}\n{outcome.stderr_tail}"
    return list(load_entries(outcome.spec.directory))


def result_of(folder: Path, source: str, asked: Instruments | Interventions = PLAIN, **options: Any) -> dict[str, str]:
    """What `train` returned: name of each leaf → its text, else its digest."""
    outcome = probed(folder, source, asked, **options)
    assert outcome.status is Status.COMPLETED, f"{outcome.reason}\n{outcome.stderr_tail}"
    return {leaf.name: leaf.text or leaf.digest for leaf in load_evidence(outcome).outputs}
