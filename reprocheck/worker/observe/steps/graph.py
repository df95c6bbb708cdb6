"""The leaves of an autograd graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from reprocheck.worker.observe.steps.parameters import Named

GRAPH_NODES = 10_000
"""Nodes of an autograd graph looked at to find its leaves."""


def graph_leaves(outputs: Iterable[torch.Tensor]) -> Named:
    """Leaf tensors that a backward from `outputs` reaches, in the order of the graph."""
    found: dict[int, torch.Tensor] = {}
    todo: list[Any] = [output.grad_fn for output in outputs if output.grad_fn is not None]
    met: set[Any] = set(todo)
    while todo and len(met) < GRAPH_NODES:
        node = todo.pop(0)
        variable = getattr(node, "variable", None)
        if isinstance(variable, torch.Tensor):
            found.setdefault(id(variable), variable)
        for following, _ in node.next_functions:
            if following is not None and following not in met:
                met.add(following)
                todo.append(following)
    return [(f"leaf{index}", leaf) for index, leaf in enumerate(found.values())]
