"""The parameters that are trained: who holds them, their names, their forms."""

from __future__ import annotations

from collections.abc import Callable

import torch

from reprocheck.worker.fingerprint.tensor_refs import TensorRef
from reprocheck.worker.observe.top_models import is_uninitialized

Named = list[tuple[str, torch.Tensor]]
Trained = tuple[str, torch.Tensor, torch.Tensor | None]
"""Name, parameter and gradient of what a step trained."""


class Owned:
    """Parameters that an optimizer which took a step holds."""

    def __init__(self, on_gone: Callable[[int], None]) -> None:
        """`on_gone`: hears the number of each that is no more."""
        self._held: dict[int, TensorRef] = {}
        self._on_gone = on_gone

    def __len__(self) -> int:
        return len(self._held)

    def has(self, tensor: torch.Tensor) -> bool:
        """Whether it is one of them."""
        held = self._held.get(id(tensor))
        return held is not None and held() is tensor

    def add(self, parameter: torch.Tensor) -> None:
        """It is held from now on."""
        number = id(parameter)

        def gone(reference: TensorRef) -> None:
            if self._held.get(number) is reference:
                del self._held[number]
                self._on_gone(number)

        if not self.has(parameter):
            self._held[number] = TensorRef(parameter, gone)


def form_of(tensor: torch.Tensor) -> tuple[int, int, int]:
    """Changes when it is written to or replaced, except through `.data`. Never compared with another run's."""
    try:
        return id(tensor), tensor.data_ptr(), tensor._version
    except RuntimeError:  # of an inference tensor, or a placeholder
        return id(tensor), 0, 0


def shape_of(tensor: torch.Tensor) -> tuple[int, ...]:
    return () if is_uninitialized(tensor) else tuple(tensor.shape)
