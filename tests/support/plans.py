"""Plans whose runs were made by nobody: evidence that the recorder wrote, results as workers write them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.commands.plan.make import make_plan
from reprocheck.config.settings import merge
from reprocheck.config.target import parse_target
from reprocheck.engine.plan import START_GAP
from reprocheck.model import EnvironmentFactors
from reprocheck.model.plan import Plan, Result
from reprocheck.protocol.plan_files import RESULT_FILE, encode_result, read_plan, run_folder
from tests.support.evidence import make_run

TRAIN = "def train(seed=0):\n    return seed\n"


def plan_here(out: str = "plan", **options: Any) -> Path:
    """A plan of a function in the current folder."""
    Path("train.py").write_text(TRAIN)
    merged = merge({"seeds": 1, **options}, {})
    make_plan(parse_target("train.py:train", None, (), ()), merged, Path(out))
    return Path(out).absolute()


def make_result(
    folder: Path,
    number: int,
    word: str = "",
    cpu: str = "one",
    threads: int = 2,
    host: str = "here",
    started: float | None = None,
    **more: Any,
) -> Path:
    """The run of this number as if a worker had made it; the folder of its start. `word`: another one makes other
    steps."""
    plan = read_plan(folder)
    run = plan.runs[number]
    start = folder / run_folder(number) / f"start-{os.urandom(8).hex()}"
    outcome = make_run(start / run.id, run.id, word=word, **more)
    facts = {"cpu": cpu, "threads": threads}
    manifest = {"python": "3.12.0", **facts, "imported": ["torch"], "switches": {}, "numerical_class": facts}
    spec = replace(outcome.spec, ambient=EnvironmentFactors(start_gap=START_GAP))
    result = Result(
        run=run,
        outcome=replace(outcome, spec=spec),
        not_varied=(),
        manifest=manifest,
        started=1000.0 + 10 * number if started is None else started,
        host=host,
    )
    (start / RESULT_FILE).write_text(encode_result(plan.id, result))
    return start


def complete(folder: Path, **options: Any) -> Plan:
    """All of them, equal."""
    plan = read_plan(folder)
    for run in plan.runs:
        make_result(folder, run.number, **options)
    return plan
