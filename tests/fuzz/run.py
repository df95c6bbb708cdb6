"""So many damaged inputs, each given to its reader; what came of it as counts."""

from __future__ import annotations

import resource
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from reprocheck.errors import ReprocheckError
from tests.fuzz.readers import Reader, make_readers

HANG_SECONDS = 2.0
MOST_MEMORY = 512 * 2**20
"""Bytes by which the whole may grow."""


@dataclass
class Report:
    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    tracebacks: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    false_same: list[str] = field(default_factory=list)
    grown: int = 0

    @property
    def is_clean(self) -> bool:
        return not (self.tracebacks or self.hangs or self.false_same) and self.grown < MOST_MEMORY

    def lines(self) -> Iterator[str]:
        for name in sorted(self.tried):
            yield f"{name:24} tried {self.tried[name]:7,}  refused {self.refused[name]:7,}"
        yield (
            f"tried {sum(self.tried.values()):,}, tracebacks {len(self.tracebacks)}, hangs {len(self.hangs)}, "
            f"false same {len(self.false_same)}, memory grown by {self.grown / 2**20:.0f} MiB"
        )
        yield from (self.tracebacks + self.hangs + self.false_same)[:20]


def fuzz(folder: Path, count: int, seed: int = 0, only: str = "") -> Report:
    """Damage and read. Every input comes from `seed` and its number alone."""
    readers = [reader for reader in make_readers(folder) if only in reader.name]
    report = Report()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        _try(readers[number % len(readers)], seed, number, report)
    report.grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return report


def _try(reader: Reader, seed: int, number: int, report: Report) -> None:
    random = Random(f"{seed} {number}")
    whole = reader.path.read_bytes()
    changed = random.choice(reader.changes)(whole, random)
    name = f"{reader.name} (input {number} of seed {seed})"
    report.tried[reader.name] += 1
    reader.path.write_bytes(changed)
    started = time.process_time()
    try:
        reader.read()
        if reader.never and changed != whole:
            report.false_same.append(name)
    except (ReprocheckError, *reader.refuses):
        report.refused[reader.name] += 1
    except Exception:
        report.tracebacks.append(f"{name}:\n{traceback.format_exc()}")
    finally:
        reader.path.write_bytes(whole)
    if time.process_time() - started > HANG_SECONDS:
        report.hangs.append(name)
