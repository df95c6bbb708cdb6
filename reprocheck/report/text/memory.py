"""A failed allocation for a person: the figures, and what held the memory."""

from __future__ import annotations

from reprocheck.engine.console import Pen, aligned
from reprocheck.evidence.out_of_memory import advice
from reprocheck.model import OutOfMemory
from reprocheck.report.wording import shown_path, size

_INDENT = "  "


def out_of_memory(memory: OutOfMemory, pen: Pen) -> list[str]:
    """A few lines, indented."""
    on_a_gpu = memory.device.startswith("cuda")
    figures = {
        "requested": memory.requested,
        "allocated by tensors" if on_a_gpu else "in memory": memory.allocated,
        "reserved" if on_a_gpu else "written to": memory.reserved,
        "allowed": memory.allowed,
        f"total of {memory.device}" if on_a_gpu else "total of the machine": memory.total,
    }
    known = [f"{name} {size(amount)}" for name, amount in figures.items() if amount is not None]
    place = memory.location
    lines = [f"{_INDENT} = memory: {pen.text(', '.join(known))}"]
    if memory.module:
        lines.append(f"{_INDENT} = module: {pen.text(memory.module)}")
    if place is not None:
        lines.append(f"{_INDENT} = asked at: {pen.text(shown_path(place.path))}:{place.line}")
    if memory.tensors:
        rows = [
            [size(tensor.bytes), "x".join(map(str, tensor.shape)) or "scalar", pen.text(tensor.dtype), name]
            for tensor in memory.tensors
            for name in [pen.text(tensor.name) or "(no name)"]
        ]
        lines.append(f"{_INDENT} = largest live tensors:")
        lines += [f"{_INDENT}     {line}" for line in aligned(rows, right=range(1), colours={}, pen=pen)]
    return [*lines, *(f"{_INDENT} = help: {pen.text(hint)}" for hint in advice(memory))]
