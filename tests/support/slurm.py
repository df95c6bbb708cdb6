"""A Slurm of one machine: `sbatch`, `srun`, `sacct` and `scancel` as far as submitit calls them. Started under one of
these names it is that command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

JOB = 4000
LOST = "FAKE_SLURM_LOST"
"""Variable: the number of a task whose node fails."""


def install(folder: Path) -> str:
    """The commands in a folder of their own; a PATH that begins with it."""
    own = folder / "slurm"
    own.mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel"):
        (own / name).write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} {name} {own} "$@"\n')
        (own / name).chmod(0o755)
    return f"{own}{os.pathsep}{os.environ['PATH']}"


def sbatch(own: Path, script: str) -> None:
    text = Path(script).read_text()
    (own / "submitted.sh").write_text(text)
    found = re.search(r"^#SBATCH --array=0-(\d+)", text, re.MULTILINE)
    for task in range(int(found[1]) + 1 if found else 1):
        place = own / f"task-{task}"
        place.mkdir()
        if os.environ.get(LOST) == str(task):
            (place / "state").write_text("NODE_FAIL")
            continue
        variables = {
            "SLURM_JOB_ID": str(JOB + 1 + task),
            "SLURM_ARRAY_JOB_ID": str(JOB),
            "SLURM_ARRAY_TASK_ID": str(task),
            "SLURM_NTASKS": "1",
            "SLURM_JOB_NUM_NODES": "1",
            "SLURM_NODEID": "0",
            "SLURM_PROCID": "0",
            "SLURM_LOCALID": "0",
            "OMP_NUM_THREADS": "1",  # as some sites do
        }
        end = f"code=$?; [ $code = 0 ] && s=COMPLETED || s=FAILED; [ -e {place}/state ] || echo $s > {place}/state"
        process = subprocess.Popen(
            ["bash", "-c", f"trap : TERM; bash {script}; {end}"],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        (place / "pid").write_text(str(process.pid))
    print(f"Submitted batch job {JOB}")


def srun(own: Path, *words: str) -> None:
    """The command that follows the options, with its output in their files."""
    rest = list(words)
    names = {"%A": str(JOB), "%a": os.environ["SLURM_ARRAY_TASK_ID"], "%t": "0"}
    while rest[0].startswith("--"):
        option = rest.pop(0)
        if option in ("--output", "--error"):
            path = re.sub("%[Aat]", lambda found: names[found[0]], rest.pop(0))
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(number, 1 if option == "--output" else 2)
    os.execvp(rest[0], rest)


def sacct(own: Path, *words: str) -> None:
    print("JobID|State|NodeList")
    for place in sorted(own.glob("task-*")):
        state = (place / "state").read_text().strip() if (place / "state").exists() else "RUNNING"
        print(f"{JOB}_{place.name.removeprefix('task-')}|{state}|node")


def scancel(own: Path, job: str, *words: str) -> None:
    """All processes of the task are told, as those of a step are."""
    place = own / f"task-{job.partition('_')[2]}"
    (place / "state").write_text("CANCELLED")
    with suppress(OSError):
        os.killpg(int((place / "pid").read_text()), signal.SIGTERM)


if __name__ == "__main__":
    {"sbatch": sbatch, "srun": srun, "sacct": sacct, "scancel": scancel}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
