"""Arguments of the target function that are on or off. Read from its source: nothing is imported."""

from __future__ import annotations

import ast

from reprocheck.model import Target
from reprocheck.protocol.reading import read_source


def flags_of(target: Target) -> tuple[tuple[str, bool], ...]:
    """Name and default of each; nothing where the source cannot be read."""
    if target.path is None or target.function is None:
        return ()
    try:
        tree = ast.parse(read_source(target.path))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == target.function:
            return tuple(_flags(node.args))
    return ()


def _flags(arguments: ast.arguments) -> list[tuple[str, bool]]:
    places = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(places) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(places, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return [
        (place.arg, default.value)
        for place, default in pairs
        if isinstance(default, ast.Constant) and isinstance(default.value, bool)
    ]
