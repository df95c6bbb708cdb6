"""Names from the tree of modules, for models that were not called yet or are called part by part (an agent's actor and
critic). Only for commands that look at one run: all live objects are gone through.
"""

from __future__ import annotations

import gc
from typing import Any

import torch

MOST_TOPS = 16
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
        places = self.places(tensors)
        return {number: (owner, type(top).__name__, path) for number, (owner, top, path) in places.items()}

    def places(self, tensors: list[torch.Tensor]) -> dict[int, tuple[torch.nn.Module, torch.nn.Module, str]]:
        """By identity of a parameter: the module that has it itself, the largest that holds it, and its path there.

        It depends on nothing but the models: of several places the one in the module with most parameters counts.
        """
        if self._looks >= MOST_LOOKS:
            return {}
        self._looks += 1
        gc.collect()  # an old wrapper in a reference cycle may be there or not
        found = _places(tensors)
        sizes = {id(top): sum(1 for _ in top.parameters()) for places in found.values() for _, top, _ in places}
        return {
            number: min(places, key=lambda place: (-sizes[id(place[1])], type(place[1]).__name__, place[2]))
            for number, places in found.items()
        }


Place = tuple[torch.nn.Module, torch.nn.Module, str]


def _places(tensors: list[torch.Tensor]) -> dict[int, list[Place]]:
    wanted = {id(tensor) for tensor in tensors}
    modules = _modules()
    above: dict[int, list[tuple[torch.nn.Module, str]]] = {}
    for module in modules:
        for name, child in list(module._modules.items()):
            if child is not None:
                above.setdefault(id(child), []).append((module, name))
    found: dict[int, list[Place]] = {}
    for module in modules:
        for name, parameter in list(module._parameters.items()):
            if id(parameter) in wanted:
                found.setdefault(id(parameter), []).extend(
                    (module, top, ".".join([*path, name])) for top, path in _tops(module, above)
                )
    return found


def _tops(
    module: torch.nn.Module, above: dict[int, list[tuple[torch.nn.Module, str]]]
) -> list[tuple[torch.nn.Module, list[str]]]:
    """All modules that hold this one and are held by none, with the way to it."""
    tops: list[tuple[torch.nn.Module, list[str]]] = []
    todo: list[tuple[torch.nn.Module, list[str], frozenset[int]]] = [(module, [], frozenset({id(module)}))]
    while todo and len(tops) < MOST_TOPS:
        one, path, met = todo.pop()
        parents = [(parent, name) for parent, name in above.get(id(one), ()) if id(parent) not in met]
        if not parents:
            tops.append((one, path))
        for parent, name in parents:
            is_compiled = name == "_orig_mod" and not above.get(id(parent))
            if is_compiled:  # torch.compile's own wrapper is no model
                tops.append((one, path))
            else:
                own = [] if name == "_orig_mod" else [name]
                todo.append((parent, [*own, *path], met | {id(parent)}))
    return tops


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
