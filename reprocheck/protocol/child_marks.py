"""Marks of child processes that use torch, in the folder of their run: who leaves them, and in which form."""

from __future__ import annotations

import json
import os
from contextlib import suppress

CHILDREN_FILE = "children.jsonl"
FOLLOWED, CALLED, TRAINED, MAPPED = "followed", "called", "trained", "mapped"
"""Marks: a child that tells of itself; that called a model; that trained; a program that has torch."""


def mark(path: str, pid: int, how: str) -> None:
    """One line, whole or not at all, through a file that nobody else has open."""
    with suppress(OSError):
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            os.write(number, json.dumps({"pid": pid, "how": how}).encode() + b"\n")
        finally:
            os.close(number)
