"""Names from the tree of modules, for models that were not called yet or are called part by part (an agent's actor and
critic). Only for commands that look at one run: all live objects are gone through.
"""

from __future__ import annotations

import gc
from typing import Any

import torch

MOST_LOOKS = 50
"""Times that all objects are gone through: a target may make models by the thousand."""


class ModuleTree:
    """Where modules and parameters stand in the largest module that holds them."""

    def __init__(self) -> None:
        self._looks = 0
        self._labels: dict[str, int] = {}

    def label(self, module: torch.nn.Module, label: str) -> str:
        """`Agent.critic` for a part of another module, else the label that it has."""
        if self._looks >= MOST_LOOKS:
            return label
        self._looks += 1
        top, path = _path(getattr(module, "_orig_mod", module), _parents(_modules()))
        if not path:
            return label
        name = f"{type(top).__name__}.{'.'.join(path)}"
        count = self._labels[name] = self._labels.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"

    def owners(self, tensors: list[torch.Tensor]) -> dict[int, tuple[torch.nn.Module, str, str]]:
        """By identity of a parameter: the module that has it itself, and its name and path in the largest one."""
        if self._looks >= MOST_LOOKS:
            return {}
        self._looks += 1
        wanted = {id(tensor) for tensor in tensors}
        modules = _modules()
        parents = _parents(modules)
        found: dict[int, tuple[torch.nn.Module, str, str]] = {}
        for module in modules:
            for name, parameter in list(module._parameters.items()):
                if id(parameter) in wanted and id(parameter) not in found:
                    top, path = _path(module, parents)
                    found[id(parameter)] = module, type(top).__name__, ".".join([*path, name])
        return found


def _modules() -> list[torch.nn.Module]:
    # NOTE: by type(): isinstance asks proxies for their class, and runs their code.
    found: list[Any] = [one for one in gc.get_objects() if issubclass(type(one), torch.nn.Module)]
    return [one for one in found if "_modules" in vars(one) and "_parameters" in vars(one)]


def _parents(modules: list[torch.nn.Module]) -> dict[int, tuple[torch.nn.Module, str]]:
    parents: dict[int, tuple[torch.nn.Module, str]] = {}
    for module in modules:
        for name, child in list(module._modules.items()):
            if child is not None:
                parents.setdefault(id(child), (module, name))
    return parents


def _path(
    module: torch.nn.Module, parents: dict[int, tuple[torch.nn.Module, str]]
) -> tuple[torch.nn.Module, list[str]]:
    path: list[str] = []
    met = {id(module)}
    while id(module) in parents:
        module, name = parents[id(module)]
        if id(module) in met:
            break
        met.add(id(module))
        if name != "_orig_mod":
            path.insert(0, name)
    return module, path
