"""What PyTorch itself said, in its deterministic mode, of operations without a deterministic implementation."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reprocheck.model import Evidence
from reprocheck.protocol.reading import read_some

MOST_BYTES = 4 * 2**20
"""Of a run's standard error."""
_WARNING = re.compile(r"Warning: ((\S+) does not have a deterministic implementation[^\n]*)")


def nondeterministic(runs: Iterable[Evidence]) -> tuple[str, ...]:
    """The warnings on the standard error of these runs, one for each operation."""
    found: dict[str, str] = {}
    for run in runs:
        try:
            text = read_some(run.stderr, MOST_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        for match in _WARNING.finditer(text):
            found.setdefault(match[2], match[1])
    return tuple(found.values())
