"""The collectives of a traced run → Collective, in the order in which they began. Nothing in the file is trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprocheck.evidence.run import readable
from reprocheck.protocol import reading
from reprocheck.protocol.collective_format import BEGUN, COLLECTIVES_FILE, DONE, UNREAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective:
    """One collective, as one rank saw it."""

    op: str
    group: str
    sequence: int
    size: int
    """Ranks of the group."""
    step: int
    inputs: tuple[str, ...] | None
    """Type, shape and digest of each tensor; None where one was not read."""
    forms: tuple[str, ...]
    """Type and shape of what went in, for a person."""
    path: str
    line: int
    outputs: tuple[str, ...] | None = None
    """None: it was not seen to be done, or means nothing in this rank."""

    @property
    def key(self) -> tuple[str, int, str]:
        """The same in every rank of the group, and in another run."""
        return self.group, self.sequence, self.op


def load_collectives(folder: Path) -> tuple[Collective, ...]:
    """Of a rank. Raises EvidenceUnreadable; a run that was ended on the way has a last line that is cut."""
    path = folder / COLLECTIVES_FILE
    with readable(folder, "collectives"):
        if not path.exists():
            return ()
        found: list[Collective] = []
        for line in reading.read_lines(path, cut=True):
            if BEGUN in line:
                if reading.whole(line[BEGUN]) != len(found) + 1:
                    raise ValueError("they are not in order")
                found.append(_collective(line))
            else:
                number = reading.whole(line[DONE], least=1, most=len(found))
                found[number - 1] = replace(found[number - 1], outputs=_digests(line["outputs"]))
        return tuple(found)


def _collective(line: dict[str, Any]) -> Collective:
    return Collective(
        op=reading.text(line["op"]),
        group=reading.text(line["group"]),
        sequence=reading.whole(line["sequence"]),
        size=reading.whole(line["size"]),
        step=reading.whole(line["step"]),
        inputs=_digests(line["inputs"]),
        forms=tuple(_form(tensor) for tensor in map(reading.table, reading.items(line["inputs"]))),
        path=reading.text(line["path"]),
        line=reading.whole(line["line"]),
    )


def _digests(plain: Any) -> tuple[str, ...] | None:
    """None where one of them was not read."""
    tensors = [reading.table(tensor) for tensor in reading.items(plain)]
    if any(reading.text(tensor["digest"]) == UNREAD for tensor in tensors):
        return None
    return tuple(f"{_form(tensor)} {reading.text(tensor['digest'])}" for tensor in tensors)


def _form(tensor: dict[str, Any]) -> str:
    return f"{reading.text(tensor['dtype'])}{[reading.whole(size) for size in reading.items(tensor['shape'])]}"
