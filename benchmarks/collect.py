"""`reprocheck collect` at scale: many runs, and runs of many steps, with evidence that nobody trained for.

The files that all runs share are hard links: what is measured is reading and judging, not the disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Line, Skipped, figure
from reprocheck import __version__
from reprocheck.model import Target, TargetKind
from reprocheck.model.plan import Plan, PlannedRun, Result
from reprocheck.protocol import EVIDENCE_FILE
from reprocheck.protocol.plan_files import ORDER_FILE, PLAN_FILE, RESULT_FILE, encode_plan, encode_result, run_folder
from reprocheck.protocol.seal import FILES, digest_state, seal
from tests.support.evidence import make_run

GROUP = "collect"
MOST_MIB = 1024
REPEATS = 2
FACTS = {"cpu": "one", "threads": 2}


def lines(quick: bool) -> Iterator[Line]:
    """10,000 runs of few steps, then a few runs of a million: together they say what 10,000 of a million need."""
    if not sys.platform.startswith("linux"):
        yield Skipped(GROUP, "time and memory of a run", "memory is read from /proc")
        return
    many, few_steps = (40, 10) if quick else (10_000, 100)
    few, many_steps = (2, 1000) if quick else (4, 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        seconds, peak = judged(Path(folder) / "plan", many, few_steps)
        note = f"{many:,} runs of {few_steps} steps"
        yield figure(GROUP, "time of a run", [1000 * seconds / many], unit="ms", target=50, note=note)
        yield figure(GROUP, "memory, many runs", [peak / 2**20], unit="MiB", target=MOST_MIB, note=note)
    with tempfile.TemporaryDirectory() as folder:
        seconds, peak = judged(Path(folder) / "plan", few, many_steps)
        note = f"{few} runs of {many_steps:,} steps"
        yield figure(
            GROUP, "time of a million steps", [seconds / few * 1e6 / many_steps], unit="s", target=10, note=note
        )
        yield figure(GROUP, "memory, many steps", [peak / 2**20], unit="MiB", target=MOST_MIB, note=note)


def judged(folder: Path, runs: int, steps: int) -> tuple[float, int]:
    """Seconds, and bytes of memory that the command held at most."""
    make(folder, runs, steps)
    command = [sys.executable, "-m", "reprocheck", "collect", str(folder), "-qq"]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    peak = 0
    while process.poll() is None:
        peak = max(peak, held(process.pid))
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    assert process.returncode == 0, "the runs are equal"
    return seconds, peak


def held(pid: int) -> int:
    """Bytes of memory that a process has held at most since it was started (Linux); what is measured by its parent
    counts the parent's, too."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def make(folder: Path, runs: int, steps: int) -> None:
    """A plan with all its runs, equal."""
    folder.mkdir()
    planned = [(seed, repeat) for repeat in range(REPEATS) for seed in range(runs // REPEATS)]
    plan = Plan(
        id="",
        version=__version__,
        target=Target(text="train.py:train", kind=TargetKind.FILE_FUNCTION, path=Path("train.py"), function="train"),
        options={"seed": list(range(runs // REPEATS)), "repeats": REPEATS},
        runs=tuple(
            PlannedRun(number=number, id=f"s{seed}r{repeat}", seed=seed, repeat=repeat)
            for number, (seed, repeat) in enumerate(planned)
        ),
        folder="..",
        code={},
        data={},
        same_class=False,
    )
    content = encode_plan(plan)
    (folder / PLAN_FILE).write_text(json.dumps(content))
    first = make_run(folder / "first", "s0r0", steps=steps)
    whole = (folder / "first" / EVIDENCE_FILE).read_bytes().splitlines(keepends=True)
    for run in plan.runs:
        place = folder / run_folder(run.number)
        start = place / f"start-{run.number:016x}"
        own = start / run.id
        own.mkdir(parents=True)
        (place / ORDER_FILE).write_text(json.dumps({"plan": content["plan"], "run": run.number, "id": run.id}))
        for name in FILES:
            if name != EVIDENCE_FILE and (folder / "first" / name).exists():
                os.link(folder / "first" / name, own / name)
        (own / EVIDENCE_FILE).write_bytes(renamed(whole, run))
        digests = {**first.digests, **({} if run.number else seal(own))}
        digests[EVIDENCE_FILE] = seal_of(own / EVIDENCE_FILE)
        manifest = {"python": "3.12.0", **FACTS, "imported": ["torch"], "switches": {}, "numerical_class": FACTS}
        result = Result(
            run=run,
            outcome=replace(first, digests=digests),
            not_varied=(),
            manifest=manifest,
            started=float(10 * run.number),
            host="here",
        )
        (start / RESULT_FILE).write_text(encode_result(content["plan"], result))


def seal_of(path: Path) -> str:
    """As a seal has it."""
    state = digest_state()
    data = path.read_bytes()
    state.update(data)
    return f"{state.hexdigest()}-{len(data)}"


def renamed(whole: list[bytes], run: PlannedRun) -> bytes:
    """The evidence of another run with the same observations, closed so that it fits."""
    lines = [json.dumps({**json.loads(whole[0]), "run": run.id, "seed": run.seed}).encode() + b"\n", *whole[1:-1]]
    state = digest_state()
    state.update(b"".join(lines))
    end = json.loads(whole[-1])
    end["digests"][EVIDENCE_FILE] = state.hexdigest()
    return b"".join([*lines, json.dumps(end).encode() + b"\n"])
