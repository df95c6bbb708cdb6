"""What there was when an allocation failed: who asked, for how much, and what held the memory.

Seen from the error alone, whose traceback keeps the frames, and so the tensors, of the moment. A run that does not
fail pays nothing.
"""

from __future__ import annotations

import gc
import os
import re
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from types import FrameType
from typing import Any

import torch

from reprocheck.model import LiveTensor, Location, OutOfMemory, RunSpec
from reprocheck.worker.bootstrap import memory_limit
from reprocheck.worker.fingerprint.digest import dtype_name
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe.observe import Observer

MOST_TENSORS = 6
LONGEST_NAME = 100
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ON_CUDA = re.compile(r"Tried to allocate ([0-9.]+) (bytes|KiB|MiB|GiB)")
_ON_CPU = re.compile(r"[Yy]ou tried to allocate ([0-9]+) bytes")
_DEVICE = re.compile(r"\bGPU ([0-9]+)\b")
_MESSAGES = ("can't allocate memory", "not enough memory", "out of memory")


def memory_error(error: BaseException | None) -> BaseException | None:
    """The failed allocation that an error is, or that it was raised from; None where there is none."""
    met: set[int] = set()
    while error is not None and id(error) not in met:
        met.add(id(error))
        if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
            return error
        if isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES):
            return error
        error = error.__cause__ or error.__context__
    return None


def describe(error: BaseException, spec: RunSpec, observer: Observer | None, sites: Sites) -> dict[str, Any]:
    """An OutOfMemory as it is written into the evidence."""
    text = str(error)
    device = _device_of(error, text)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    names = _Names(frames, observer, sites)
    if device is None:
        allocated, reserved = memory_limit.resident(), memory_limit.written_to()
    else:
        allocated, reserved = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    return asdict(
        OutOfMemory(
            device="cpu" if device is None else f"cuda:{device}",
            requested=_requested(text),
            allocated=allocated,
            reserved=reserved,
            allowed=memory_limit.allowed_on(spec.settings, device),
            total=memory_limit.total_of(device),
            step=0 if observer is None else observer.steps.count,
            during=_during(frames, observer),
            module=_module(frames, observer),
            location=_line(error, sites),
            tensors=tuple(_largest("cpu" if device is None else "cuda", device, names)),
        )
    )


def _device_of(error: BaseException, text: str) -> int | None:
    cuda: Any = torch.cuda
    if isinstance(error, MemoryError) or _ON_CPU.search(text) or not cuda.is_initialized():
        return None
    found = _DEVICE.search(text)
    return int(found[1]) if found else torch.cuda.current_device()


def _requested(text: str) -> int | None:
    if found := _ON_CUDA.search(text):
        return int(float(found[1]) * _UNITS[found[2]])
    return int(found[1]) if (found := _ON_CPU.search(text)) else None


def _during(frames: list[FrameType], observer: Observer | None) -> str:
    files = [frame.f_code.co_filename.replace(os.sep, "/") for frame in frames]
    if any(file.endswith("torch/autograd/graph.py") or file.endswith("torch/autograd/__init__.py") for file in files):
        return "backward"
    if any("/torch/optim/" in file for file in files):
        return "optimizer step"
    if any(file.endswith("torch/nn/modules/module.py") for file in files):
        return "evaluation" if observer is not None and observer.is_evaluating else "forward"
    return ""


def _module(frames: list[FrameType], observer: Observer | None) -> str:
    """The innermost module at work, by its path from the model."""
    at_work: list[torch.nn.Module] = []
    for frame in frames:
        own = frame.f_locals.get("self")
        if isinstance(own, torch.nn.Module) and (not at_work or at_work[-1] is not own):
            at_work.append(own)
    if not at_work:
        return ""
    kind = type(at_work[-1]).__name__
    for root in at_work:
        known = None if observer is None else observer.top_models.find(root)
        if known is not None:
            path = next((name for name, part in root.named_modules() if part is at_work[-1]), "")
            return f"{known.label}.{path} ({kind})" if path else known.label
    return kind


def _line(error: BaseException, sites: Sites) -> Location | None:
    """The innermost line of the user's own code."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if sites.is_user_file(frame.f_code.co_filename):
            return Location(path=os.path.abspath(frame.f_code.co_filename), line=line)
    return None


class _Names:
    """What the tensors that are alive are called."""

    def __init__(self, frames: Iterable[FrameType], observer: Observer | None, sites: Sites) -> None:
        self._names: dict[int, str] = {}
        for root in () if observer is None else observer.top_models:
            module = root.module()
            for kind in ("parameters", "buffers"):
                for name, tensor in getattr(module, f"named_{kind}")() if module is not None else ():
                    self._put(tensor, f"{root.label}.{name.replace('_orig_mod.', '')}")
                    if tensor.grad is not None:
                        self._put(tensor.grad, f"gradient of {root.label}.{name}")
        for optimizer in _optimizers():
            for parameter, state in list(optimizer.state.items()):
                held = self._names.get(id(parameter), "a parameter")
                for key, value in state.items() if isinstance(state, dict) else ():
                    if isinstance(value, torch.Tensor):
                        self._put(value, f"{key} of {held} ({type(optimizer).__name__})")
        for frame in reversed(list(frames)):
            if sites.is_user_file(frame.f_code.co_filename):
                for name, value in list(frame.f_locals.items()):
                    where = f"{os.path.basename(frame.f_code.co_filename)}, {frame.f_code.co_name}"
                    if isinstance(value, torch.Tensor):
                        self._put(value, f"`{name}` in {where}")
                    elif isinstance(value, (list, tuple)):
                        for item in value[:1000]:
                            if isinstance(item, torch.Tensor):
                                self._put(item, f"in `{name}` in {where}")

    def _put(self, tensor: torch.Tensor, name: str) -> None:
        self._names.setdefault(id(tensor), name[:LONGEST_NAME])

    def of(self, tensor: torch.Tensor) -> str:
        return self._names.get(id(tensor), "")


def _optimizers() -> Iterator[torch.optim.Optimizer]:
    return (one for one in gc.get_objects() if issubclass(type(one), torch.optim.Optimizer))


def _largest(kind: str, device: int | None, names: _Names) -> Iterator[LiveTensor]:
    """One for each storage; one with a name where several share it."""
    found: dict[int, tuple[int, torch.Tensor]] = {}
    for one in gc.get_objects():
        # NOTE: type(), not isinstance(): that may ask a proxy of the target, which may do anything.
        if not issubclass(type(one), torch.Tensor):
            continue
        try:
            if one.device.type != kind or (device is not None and one.device.index != device):
                continue
            storage = one.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
        except (RuntimeError, NotImplementedError, AttributeError):
            continue
        if key not in found or (not names.of(found[key][1]) and names.of(one)):
            found[key] = size, one
    largest = sorted(found.values(), key=lambda pair: pair[0], reverse=True)[:MOST_TENSORS]
    for size, tensor in largest:
        yield LiveTensor(name=names.of(tensor), shape=tuple(tensor.shape), dtype=dtype_name(tensor), bytes=size)
