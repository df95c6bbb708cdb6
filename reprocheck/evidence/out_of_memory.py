"""A failed allocation as text, and what to try against it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reprocheck.model import OutOfMemory
from reprocheck.model.places import short_place

_DURING = {
    "forward": " in a forward pass",
    "backward": " in a backward pass",
    "optimizer step": " in an optimizer step",
    "evaluation": " in an evaluation",
}


def reason(memory: OutOfMemory) -> str:
    """One line: where and when."""
    place = f", {short_place(memory.location.path, memory.location.line)}" if memory.location is not None else ""
    steps = f"after {memory.step} optimizer step{'' if memory.step == 1 else 's'}"
    return f"out of memory on {memory.device}{_DURING.get(memory.during, '')}, {steps}{place}"


def advice(memory: OutOfMemory) -> Iterator[str]:
    """What to try, what is likeliest to help first."""
    if memory.allowed is not None and (memory.total is None or memory.allowed < memory.total):
        yield "the cap is reprocheck's own: raise --memory-limit or --memory-fraction to see how much it takes"
    if memory.during == "evaluation":
        yield "evaluate in smaller batches"
    else:
        yield "a smaller batch, with gradients accumulated over several (divide the loss by their number)"
    if memory.during in ("forward", "backward"):
        yield "torch.utils.checkpoint on the largest blocks, or lower precision (torch.autocast with bfloat16)"
    if memory.during == "optimizer step":
        yield "an optimizer with less state (SGD, Adafactor), or foreach=False, which needs no copies of all gradients"
    on_a_gpu = memory.device.startswith("cuda")
    kept = None if memory.reserved is None or memory.allocated is None else memory.reserved - memory.allocated
    if on_a_gpu and kept is not None and memory.requested is not None and kept > memory.requested:
        yield "memory is in pieces: PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"
    if memory.step > 1:
        yield "if it grows from step to step, `reprocheck doctor` shows by how much (keep loss.item(), not the loss)"
