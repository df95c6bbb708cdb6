"""The trace files of a run → Trace. Nothing in them is executed, and nothing in them is trusted to be well formed.

A trace may be larger than memory: what is large is mapped from a copy of its own. The trace of a run that was
ended early has no end; what is there counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprocheck.evidence.run import EvidenceUnreadable, readable
from reprocheck.protocol import TRACE_FILE, TRACE_TABLE_FILE, TRACE_VALUES_FILE
from reprocheck.protocol.reading import (
    MOST_LINES,
    items,
    parse_json,
    read_records,
    read_some,
    read_whole,
    table,
    text,
    whole,
)
from reprocheck.protocol.trace_format import (
    LARGEST_VALUE,
    RECORD,
    RECORD_FIELDS,
    RING_BYTES,
    TEXT_HEADER,
    TRACE_VERSION,
    UNIT,
    digest_of,
)

if TYPE_CHECKING:
    import numpy as np

    Records = np.ndarray[Any, np.dtype[Any]]

MOST_DIMENSIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An operation at one place in the code, or something else that records describe."""

    op: str
    kind: str = ""
    """Empty for an operation; module, compiled or step."""
    thread: str = ""
    phase: str = ""
    model: str = ""
    module: str = ""
    frames: tuple[tuple[str, int, str], ...] = ()
    """Path, line and function, innermost first."""
    columns: tuple[tuple[int, ...], ...] = field(default=(), compare=False)
    """Of each frame: where in its line the expression is, in bytes; empty where that is not known."""
    arguments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is known of a tensor besides its values."""

    dtype: str = ""
    shape: tuple[int, ...] = ()
    order: tuple[int, ...] | None = None
    """The dimensions as they lie in memory, outermost first; None: as they are."""
    device: str = ""
    layout: str = ""
    """Empty for a dense tensor."""
    reason: str = ""
    """Why it was not read."""

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape in memory."""
        return self.shape if self.order is None else tuple(self.shape[dimension] for dimension in self.order)

    @property
    def text(self) -> str:
        """Such as `float32[2, 3]`."""
        return f"{self.layout + ' ' if self.layout else ''}{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One run's trace."""

    folder: Path
    records: Records
    events: Mapping[int, Event]
    forms: Mapping[int, Form]
    first: int
    """The step that the window begins with."""
    inputs: bool
    """What went into operations is recorded, too."""
    complete: bool
    """The run reached the end of its trace."""

    def value(self, place: int, digest: int, form: Form) -> bytes | None:
        """The bytes of a tensor as they lay in memory, if they were kept and are still there."""
        import numpy as np

        try:
            size = math.prod(form.shape) * np.dtype(_PLAIN.get(form.dtype, form.dtype)).itemsize
        except TypeError:
            return None
        data = self._bytes(place, size)
        return data if data is not None and digest_of(data, form.dtype, form.stored) == digest else None

    def text(self, place: int, digest: int) -> str:
        """What arguments with this digest read like; empty when that was not kept."""
        head = self._bytes(place, TEXT_HEADER.size)
        if head is None:
            return ""
        found, length = TEXT_HEADER.unpack(head)
        data = self._bytes(place, TEXT_HEADER.size + min(length, 1 << 16))
        return "" if data is None or found != digest else data[TEXT_HEADER.size :].decode("utf-8", "replace")

    def _bytes(self, place: int, size: int) -> bytes | None:
        if not place or size > LARGEST_VALUE:
            return None
        try:
            data = read_some(self.folder / TRACE_VALUES_FILE, size, (place - 1) * UNIT % RING_BYTES)
        except OSError:
            return None
        return data if len(data) == size else None


_PLAIN = {
    "bfloat16": "uint16",
    "complex32": "uint32",
    "float8_e4m3fn": "uint8",
    "float8_e5m2": "uint8",
    "float8_e4m3fnuz": "uint8",
    "float8_e5m2fnuz": "uint8",
    "float8_e8m0fnu": "uint8",
}
"""dtypes that numpy lacks: as large as these."""


def load_trace(folder: Path) -> Trace:
    """The trace in a run folder. Raises EvidenceUnreadable."""
    with readable(folder, "trace"):
        return _load(folder)


def _load(folder: Path) -> Trace:
    # The records first: what they point into is on disk before them.
    records = map_records(folder / TRACE_FILE)
    tables = Tables()
    tables.read_from(read_whole(folder / TRACE_TABLE_FILE, MOST_LINES))
    if tables.end is not None and tables.end > len(records):
        raise ValueError("records are missing")
    if tables.end is None and not tables.started:
        raise EvidenceUnreadable(f"the trace in {folder} is empty: the run ended before what was to be traced")
    if len(records):
        for name, table in (("event", tables.events), ("form", tables.forms)):
            if int(records[name].max()) > len(table):
                raise ValueError(f"records of an unknown {name}")
    return Trace(
        folder=folder,
        records=records,
        events={0: Event(op="unknown"), **tables.events},
        forms={0: Form(), **tables.forms},
        first=tables.first,
        inputs=tables.inputs,
        complete=tables.end is not None,
    )


def map_records(path: Path, start: int = 0) -> Records:
    """The whole records in a file from number `start` on."""
    import numpy as np

    data = read_records(path, start * RECORD.size)
    return np.frombuffer(data, np.dtype(RECORD_FIELDS), len(data) // RECORD.size)


@dataclass
class Tables:
    """The lines of trace.jsonl, read as they come."""

    events: dict[int, Event] = field(default_factory=dict)
    forms: dict[int, Form] = field(default_factory=dict)
    first: int = 0
    inputs: bool = False
    started: bool = False
    end: int | None = None
    consumed: int = 0
    """Bytes of whole lines read so far."""

    def read_from(self, data: bytes) -> None:
        """Take in what follows the bytes that were consumed; a last line without its end is left for later."""
        length = data.rfind(b"\n") + 1
        for line in data[:length].splitlines():
            self._take(parse_json(line))
        self.consumed += length

    def _take(self, plain: Any) -> None:
        line = table(plain)
        if "event" in line:
            self._number(line["event"], self.events)
            self.events[line["event"]] = _event(line)
        elif "form" in line:
            self._number(line["form"], self.forms)
            self.forms[line["form"]] = _form(line)
        elif "trace" in line:
            if line["trace"] != TRACE_VERSION:
                raise ValueError(f"it is of version {line['trace']}")
            self.started, self.first, self.inputs = True, whole(line["first"]), bool(line["inputs"])
        elif "end" in line:
            self.end = whole(line["end"])

    @staticmethod
    def _number(number: Any, table: Mapping[int, Any]) -> None:
        if number != len(table) + 1:
            raise ValueError("its tables are not in order")


def _event(plain: Mapping[str, Any]) -> Event:
    model, module = items(plain["module"])
    return Event(
        op=text(plain["op"]),
        kind=text(plain.get("kind", "")),
        thread=text(plain["thread"]),
        phase=text(plain["phase"]),
        model=text(model),
        module=text(module),
        frames=tuple(
            (text(frame["path"]), whole(frame["line"]), text(frame["function"]))
            for frame in map(table, items(plain["frames"]))
        ),
        columns=tuple(
            tuple(map(whole, items(frame.get("columns", [])))) for frame in map(table, items(plain["frames"]))
        ),
        arguments=tuple(map(text, items(plain["arguments"]))),
        tags=tuple(map(text, items(plain["tags"]))),
    )


def _form(line: Mapping[str, Any]) -> Form:
    shape = tuple(map(whole, items(line["shape"])))
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError("a shape of too many dimensions")
    order = line["order"]
    if order is not None:
        order = tuple(map(whole, items(order)))
        if sorted(order) != list(range(len(shape))):
            raise ValueError("an order of dimensions that is none")
    return Form(
        dtype=text(line["dtype"]),
        shape=shape,
        order=order,
        device=text(line["device"]),
        layout=text(line["layout"]),
        reason=text(line["reason"]),
    )
