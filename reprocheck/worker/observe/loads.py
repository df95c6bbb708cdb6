"""Which tensors of models load_state_dict gave their values: nobody drew these here."""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import Any

import torch

from reprocheck.worker.fingerprint.tensor_refs import TensorRef


class Loads:
    """Watches all modules from now on."""

    def __init__(self) -> None:
        self._loaded: dict[int, TensorRef] = {}
        module_class: Any = torch.nn.Module
        load = module_class._load_from_state_dict

        @functools.wraps(load)
        def watched(module: Any, state_dict: Any, prefix: str, *args: Any, **kwargs: Any) -> Any:
            result = load(module, state_dict, prefix, *args, **kwargs)
            with suppress(Exception):  # to watch must not end the target
                for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                    if tensor is not None and prefix + name in state_dict:
                        self._loaded[id(tensor)] = TensorRef(tensor)
            return result

        module_class._load_from_state_dict = watched

    def has(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor was loaded."""
        known = self._loaded.get(id(tensor))
        return known is not None and known() is tensor
