"""Digests of the files that a run left: taken when it ends, kept in the record of the audit, looked at when it is read.

They show what was changed after a run, by a later run or by anybody who does not also change the record. They are
no signature: docs/trust.md says what they cannot show.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reprocheck.protocol import (
    EVIDENCE_FILE,
    FILES_FILE,
    LEDGER_FILE,
    SPEC_FILE,
    STATES_FILE,
    STDERR_FILE,
    STDOUT_FILE,
    STEPS_FILE,
    TIMES_FILE,
    VALUES_FILE,
)
from reprocheck.protocol.child_marks import CHILDREN_FILE
from reprocheck.protocol.rank_folders import RANKS_FOLDER, rank_folders
from reprocheck.protocol.reading import BLOCK, open_regular

FILES = (
    *(SPEC_FILE, EVIDENCE_FILE, STEPS_FILE, VALUES_FILE, STDOUT_FILE, STDERR_FILE),
    *(FILES_FILE, LEDGER_FILE, STATES_FILE, TIMES_FILE, CHILDREN_FILE),
)
"""Traces are not among them: no verdict rests on them, and they may be as large as a disk."""
MOST_BYTES = 2**30
"""Of a larger file its start and its size count."""


def seal(folder: Path) -> dict[str, str]:
    """File → digest, for those that are there, of its ranks too; empty for one that cannot be read."""
    found = {name: _digest(folder / name) for name in FILES if os.path.lexists(folder / name)}
    for _, _, of_rank in rank_folders(folder):
        names = [name for name in FILES if os.path.lexists(of_rank / name)]
        found.update({f"{RANKS_FOLDER}/{of_rank.name}/{name}": _digest(of_rank / name) for name in names})
    return found


def check(folder: Path, digests: Mapping[str, str], names: Iterable[str]) -> None:
    """Raises ValueError for a file that is not as it was when its run ended. Without digests there is nothing to check.

    A file that is gone is no business of this check: whoever needs it does not find it.
    """
    for name in names:
        if not fits(folder, digests, name):
            raise ValueError(f"{name} is not as it was when the run ended")


def fits(folder: Path, digests: Mapping[str, str], name: str) -> bool:
    """Whether a file is as it was, or is gone, or nobody knows."""
    if not digests or not os.path.lexists(folder / name):
        return True
    return _digest(folder / name) == digests.get(name)


def check_own(folder: Path, digests: Mapping[str, Any], steps: memoryview) -> None:
    """What the worker says it wrote against what is there. Raises ValueError."""
    from xxhash import xxh3_128_hexdigest

    if digests.get(STEPS_FILE) != xxh3_128_hexdigest(steps):
        raise ValueError(f"{STEPS_FILE} holds something else than was written")
    if os.path.lexists(folder / VALUES_FILE) and digests.get(VALUES_FILE) != _plain_digest(folder / VALUES_FILE):
        raise ValueError(f"{VALUES_FILE} holds something else than was written")


def digest_state() -> Any:
    """The hash that the worker makes these digests with."""
    from xxhash import xxh3_128

    return xxh3_128()


def _digest(path: Path) -> str:
    try:
        return f"{_plain_digest(path)}-{os.lstat(path).st_size}"
    except OSError:
        return ""


def _plain_digest(path: Path) -> str:
    state, left = digest_state(), MOST_BYTES
    with open_regular(path) as file:
        while left and (block := file.read(min(BLOCK, left))):
            state.update(block)
            left -= len(block)
    return str(state.hexdigest())
