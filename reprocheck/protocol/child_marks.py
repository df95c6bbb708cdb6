"""Marks of child processes that use torch, in the folder of their run: who leaves them, and in which form."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

CHILDREN_FILE = "children.jsonl"
FOLLOWED, CALLED, TRAINED, MAPPED = "followed", "called", "trained", "mapped"
"""Marks: a child that registered itself; that called a model; that trained; a program that has torch."""
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")
"""Where a launcher says which rank a process is, the likeliest first."""
STARTED, WROTE = "started", "wrote"
"""A Python program that the target started; a forked child that wrote a file outside of the folder."""
LATE, AGAIN, LATE_FILE = "late", "again", "late file"
"""The run itself trained after its end, in an exit handler; it trained, and then started itself again; after its end it
opened a file outside of the folder for writing."""


def mark(path: str, pid: int, how: str, rank: int | None = None) -> None:
    """One line, whole or not at all, through a file that nobody else has open. `rank`: of a distributed training."""
    line = {"pid": pid, "how": how} | ({} if rank is None else {"rank": rank})
    with suppress(OSError):
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            os.write(number, json.dumps(line).encode() + b"\n")
        finally:
            os.close(number)


def rank_in(environment: Mapping[str, str]) -> int | None:
    """The rank that an environment names."""
    for name in RANK_VARIABLES:
        with suppress(ValueError, KeyError):
            return int(environment[name])
    return None
