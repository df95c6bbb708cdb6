"""A failed allocation as JSON."""

from __future__ import annotations

from reprocheck.evidence.out_of_memory import advice
from reprocheck.model import OutOfMemory
from reprocheck.report.json.difference import Plain, plain_location


def plain_out_of_memory(memory: OutOfMemory) -> Plain:
    """Sizes are bytes. Volatile: what a process holds is never twice the same."""
    place = memory.location
    return {
        "device": memory.device,
        "requested": memory.requested,
        "allocated": memory.allocated,
        "reserved": memory.reserved,
        "allowed": memory.allowed,
        "total": memory.total,
        "step": memory.step,
        "during": memory.during or None,
        "module": memory.module or None,
        "location": None if place is None else plain_location(place),
        "tensors": [
            {"name": one.name or None, "shape": one.shape, "dtype": one.dtype, "bytes": one.bytes}
            for one in memory.tensors
        ],
        "help": list(advice(memory)),
    }
