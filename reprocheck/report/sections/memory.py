"""A failed allocation for a person: the figures, and what held the memory."""

from __future__ import annotations

from reprocheck.engine.console import clip
from reprocheck.evidence.out_of_memory import advice
from reprocheck.model import OutOfMemory
from reprocheck.model.places import place_text
from reprocheck.report.document import Block, Indented, Note, Table
from reprocheck.report.wording import shown_path, size


def out_of_memory(memory: OutOfMemory) -> list[Block]:
    """A few notes."""
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
    blocks: list[Block] = [Note("memory", clip(", ".join(known)))]
    if memory.module:
        blocks.append(Note("module", clip(memory.module)))
    if place is not None:
        blocks.append(Note("asked at", place_text(clip(shown_path(place.path)), place.line)))
    if memory.tensors:
        rows = tuple(
            (
                size(tensor.bytes),
                "x".join(map(str, tensor.shape)) or "scalar",
                clip(tensor.dtype),
                clip(tensor.name) or "(no name)",
            )
            for tensor in memory.tensors
        )
        blocks += [Note("largest live tensors", ""), Indented((Table(rows, right=(0,)),), by=7)]
    return [*blocks, *(Note("help", clip(hint)) for hint in advice(memory))]
