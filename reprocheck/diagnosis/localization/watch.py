"""Two traces compared while they are written, so that runs whose end is far need not be waited for.

A pair that is traced around one step ends by itself right after that step, and serves as control: it needs no watch.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprocheck.diagnosis.localization.describe import UNSURE
from reprocheck.diagnosis.localization.localize import locate
from reprocheck.diagnosis.localization.pairs import Keys
from reprocheck.evidence.run import EvidenceUnreadable
from reprocheck.evidence.trace_file import Tables, map_records
from reprocheck.model import RunSpec
from reprocheck.protocol import TRACE_FILE, TRACE_TABLE_FILE
from reprocheck.protocol.reading import MOST_LINES, read_some
from reprocheck.protocol.trace_format import ROLE_SHIFT, STEP

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[Any]]

ENOUGH = 4000
"""Records after the first difference by which it is mostly clear whether it matters."""


class TraceWatch:
    """Watches two traces while they are written, or one against another that is whole."""

    reason = "ended at the first difference of the traces"

    def __init__(self, a: Path, b: Path) -> None:
        self._folders = a, b
        self._keys = Keys()
        self._halves = _Half(a, self._keys), _Half(b, self._keys)
        self._differs = False
        self._marks = ((0, 0), (0, 0))
        """Records and steps of each at the last look."""
        self._looks = 0
        """Times that an origin was looked for in vain."""

    def started(self, spec: RunSpec) -> None:
        """Nothing has to be known of a run but its folder."""

    def has_diverged(self) -> bool:
        """Whether the runs certainly diverged, and enough is written that both can be ended. Reads only what is new."""
        try:
            for half in self._halves:
                half.read()
            if not self._differs:
                self._differs = self._compare()
                self._marks = self._now()
            if not self._differs or not self._is_enough():
                return False
            self._marks = self._now()
            self._looks += 1
            return locate(*self._folders, ("a", "b")) is not None
        except (EvidenceUnreadable, OSError, ValueError, KeyError, TypeError, IndexError):  # not yet written, mostly
            return False

    def _now(self) -> tuple[tuple[int, int], tuple[int, int]]:
        a, b = self._halves
        return (a.count, a.steps), (b.count, b.steps)

    def _is_enough(self) -> bool:
        """Of both, some thousand records or the end of a step; after a look in vain, as many again as there were."""
        for half, (count, steps) in zip(self._halves, self._marks, strict=True):
            wanted = max(ENOUGH, count) if self._looks else ENOUGH
            stepped = half.steps > steps and not self._looks
            if not (half.ended or stepped or half.count - count >= wanted):
                return False
        return True

    def _compare(self) -> bool:
        a, b = (half.pending for half in self._halves)
        for thread in a.keys() & b.keys():
            x, y = a[thread], b[thread]
            common = min(len(x), len(y))
            if (x[:common] != y[:common]).any():
                return True
            a[thread], b[thread] = x[common:], y[common:]
        return False


class _Half:
    """One trace, read as it grows."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder = folder
        self._keys = keys
        self._tables = Tables()
        self._numbers: dict[str, list[int]] = {"event": [keys.number(None)], "form": [keys.number(None)]}
        self.count = 0
        self.steps = 0
        self.pending: dict[str, Numbers] = {}
        """By thread: what the other run has not answered yet. Event, role, form, digest."""

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self._tables.end is not None

    def read(self) -> None:
        """Take in what is new."""
        import numpy as np

        new = map_records(self._folder / TRACE_FILE, self.count)
        self._tables.read_from(read_some(self._folder / TRACE_TABLE_FILE, MOST_LINES, self._tables.consumed))
        if not len(new):
            return
        events, forms = self._tables.events, self._tables.forms
        known = self._numbers
        known["event"] += [self._keys.of_event(events[n]) for n in range(len(known["event"]), len(events) + 1)]
        known["form"] += [self._keys.of_form(forms[n]) for n in range(len(known["form"]), len(forms) + 1)]
        rows = np.empty((len(new), 4), np.uint64)
        rows[:, 0] = np.array(known["event"], np.uint64)[new["event"]]
        rows[:, 1] = new["role"]
        rows[:, 2] = np.array(known["form"], np.uint64)[new["form"]]
        rows[:, 3] = new["digest"]
        self.count += len(new)
        self.steps += int(np.count_nonzero(new["role"] >> ROLE_SHIFT == STEP))
        by_thread: defaultdict[str, list[int]] = defaultdict(list)
        for number in np.unique(new["event"]).tolist():
            by_thread[events[number].thread if number else ""].append(number)
        for thread, numbers in by_thread.items():
            if UNSURE in thread:
                continue
            own = rows[np.isin(new["event"], numbers)]
            before = self.pending.get(thread)
            self.pending[thread] = own if before is None else np.concatenate((before, own))
