"""Where the evidence of each rank of a run lies: `ranks/RANK-START/` in the folder of the run, with the names of a run
folder. START counts the processes that were this rank, one after the other: a fold of a cross-validation may start all
ranks again.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from reprocheck.protocol.names import EVIDENCE_FILE
from reprocheck.protocol.reading import read_last_line

RANKS_FOLDER = "ranks"
FOLDER_VARIABLE = "REPROCHECK_RUN_FOLDER"
"""Set in a run for its children: the folder of its evidence."""
RANK_VARIABLE = "REPROCHECK_RANK"
"""Set in a rank for itself and its children: which process it is, and the folder of its evidence."""
RANK_RECORD = "rank"
"""A line of a rank's evidence: which rank it is."""
MOST_RANKS = 4096
MOST_STARTS = 1000
_MOST_END = 1 << 20
_NAME = re.compile(r"(\d{1,7})-(\d{1,4})")
_LAUNCHED = ("ACCELERATE_USE_CPU", "ACCELERATE_MIXED_PRECISION", "ACCELERATE_DYNAMO_BACKEND", "ACCELERATE_DYNAMO_MODE")
"""What `accelerate launch` sets for the program that it starts. Without several GPUs that is one process, which gets no
rank (whatever `--num_processes` says), or one of mpirun, which gives it one."""
_BY_MPI = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "PMIX_RANK")
_IDENTITY = ("RANK", "LOCAL_RANK", "WORLD_SIZE", *_LAUNCHED, *_BY_MPI)


def rank_by_launcher(environment: Mapping[str, str]) -> int | None:
    """The rank that a launcher gave to a process that is to be one; None where it is none."""
    if "WORLD_SIZE" not in environment:
        if not all(name in environment for name in _LAUNCHED):
            return None
        with suppress(ValueError):
            return int(next((environment[name] for name in _BY_MPI if name in environment), "0"))
        return None
    with suppress(ValueError):
        if "RANK" in environment:
            return int(environment["RANK"])
        if environment.get("NODE_RANK", "0") == "0":
            return int(environment["LOCAL_RANK"]) if "LOCAL_RANK" in environment else None
    return None


def same_identity(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two environments name the same rank: a child has that of its parent."""
    return all(one.get(name) == other.get(name) for name in _IDENTITY)


def claim(run: Path, rank: int) -> tuple[Path, bool]:
    """A new folder for a process that is this rank, and whether an earlier one has not closed its evidence: it is still
    at work, or was killed. Raises OSError."""
    if not 0 <= rank < 10**7:
        raise OSError(f"{rank} is no rank")
    above = run / RANKS_FOLDER
    with suppress(FileExistsError):
        above.mkdir(0o700)
    left_open = False
    for start in range(MOST_STARTS):
        folder = above / f"{rank}-{start}"
        try:
            folder.mkdir(0o700)
        except FileExistsError:
            left_open = left_open or not is_closed(folder)
        else:
            return folder, left_open
    raise OSError("too many processes were this rank")


def folder_of_rank(run: Path, rank: int) -> Path:
    """Of the first process that was this rank."""
    return run / RANKS_FOLDER / f"{rank}-0"


def is_closed(folder: Path, status: str = "") -> bool:
    """Whether the evidence there has its closing record, with this status if one is given."""
    try:
        line = read_last_line(folder / EVIDENCE_FILE, _MOST_END)
    except (OSError, ValueError):
        return False
    return line.startswith(b'{"record": "end"') and (not status or f'"status": "{status}"'.encode() in line)


def rank_folders(run: Path) -> Iterator[tuple[int, int, Path]]:
    """Rank, start and folder of all that there are, in order. Anything else in the place is passed over."""
    found = []
    with suppress(OSError):
        if not stat.S_ISDIR(os.lstat(run / RANKS_FOLDER).st_mode):
            return
        for name in os.listdir(run / RANKS_FOLDER):
            match = _NAME.fullmatch(name)
            folder = run / RANKS_FOLDER / name
            if match is not None and stat.S_ISDIR(os.lstat(folder).st_mode):
                found.append((int(match[1]), int(match[2]), folder))
    yield from sorted(found)[:MOST_RANKS]


def all_stopped(run: Path) -> bool:
    """Whether there are ranks, and each was ended after the steps that were asked for."""
    folders = [folder for _, _, folder in rank_folders(run)]
    return bool(folders) and all(is_closed(folder, "stopped") for folder in folders)


def all_over(run: Path) -> bool:
    """Whether every rank of the run has come to its end."""
    folders = [folder for _, _, folder in rank_folders(run)]
    return bool(folders) and all(is_closed(folder, "finished") or is_closed(folder, "stopped") for folder in folders)
