"""The tensors in what a target hands over: arguments, outputs, losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from reprocheck.worker.observe.steps.optimizer_state import key_text


def tensors_in(value: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    """Tensors in arguments: nested tuples, lists and dicts, and objects with fields (model outputs, batches)."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth > 8:
        return
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item, depth + 1)
    elif isinstance(value, dict):
        yield from _by_key(value, depth)
    elif hasattr(value, "__dict__") and not isinstance(value, (type, torch.nn.Module)) and not callable(value):
        fields = {k: v for k, v in vars(value).items() if isinstance(v, (torch.Tensor, list, tuple, dict))}
        yield from _by_key(fields, depth)


def _by_key(items: dict[Any, Any], depth: int) -> Iterator[torch.Tensor]:
    for _, item in sorted(items.items(), key=key_text):
        yield from tensors_in(item, depth + 1)


def is_transforming() -> bool:
    """Whether a torch.func transform is under way: its tensors stand for others."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def unwrapped(tensor: torch.Tensor) -> torch.Tensor:
    """The values behind what stands for them inside a transform."""
    functorch: Any = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor


def storage_of(tensor: torch.Tensor) -> int | None:
    """Identity of the memory behind a tensor; None where it has none of its own."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return None
