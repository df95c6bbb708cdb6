"""A walk through a set that a run made → what the source says there, and the line that would give it an order."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Protocol

from reprocheck.diagnosis.source.edit import replace, text_of, wrap
from reprocheck.diagnosis.source.order import accumulates
from reprocheck.diagnosis.source.parse import Source, last_name
from reprocheck.model import Edit
from reprocheck.model.explanation import SourceHit

ADDRESSES = "addresses"
"""What the order depends on, as the ledger says it; else it is hashes that the hash seed changes."""


class Place(Protocol):
    """Where on a line a call was made."""

    @property
    def line(self) -> int: ...
    @property
    def position(self) -> tuple[int, ...]: ...


def walked(source: Source, place: Place, by: str, *, of_text: bool) -> SourceHit | None:
    """The walk at a place; None where the source does not show it. `of_text`: through a set of nothing but str."""
    node = _walked_at(source, place)
    if node is None:
        return None
    if by == ADDRESSES:
        return source.hit("address-set", node, _without_set(source, node))
    summed = _is_summed(source, node)
    outer = source.parent(node)
    form = "sorted({})" if of_text else "sorted({}, key=str)"
    edit = wrap(source, node, form)
    if isinstance(outer, ast.Call) and last_name(outer) == "list" and text_of(source, node):
        edit = replace(source, outer, form.format(text_of(source, node))) or edit
    if isinstance(outer, ast.Attribute):  # pop() takes out of the set itself
        edit = None
    return source.hit("set-sum" if summed else "set-iteration", node, edit)


def _walked_at(source: Source, place: Place) -> ast.expr | None:
    if len(place.position) == 4:
        for node in source.nodes:
            if isinstance(node, ast.expr):
                at = (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
                if at == place.position[:4]:
                    return node
        return None
    found = [node.iter for node in source.nodes if isinstance(node, (ast.For, ast.comprehension))]
    here = [node for node in found if node.lineno == place.line]
    return here[0] if len(here) == 1 else None


def _is_summed(source: Source, node: ast.expr) -> bool:
    above = source.parent(node)
    if isinstance(above, ast.For):
        return accumulates(above)
    if isinstance(above, ast.comprehension):
        outer = source.parent(above)
        above = source.parent(outer) if outer is not None else None
    return isinstance(above, ast.Call) and last_name(above) == "sum"


def _without_set(source: Source, node: ast.expr) -> Edit | None:
    """A set of objects that are hashed by their address: walk through what it was made from."""
    if isinstance(node, ast.Call) and last_name(node) in ("set", "frozenset") and len(node.args) == 1:
        text = text_of(source, node.args[0])
        return replace(source, node, f"dict.fromkeys({text})") if text else None
    if isinstance(node, ast.SetComp):
        text = text_of(source, node)
        return replace(source, node, f"dict.fromkeys([{text[1:-1]}])") if text else None
    given = _waited_for(source, node)
    if given:
        return replace(source, node, given)
    values = source.bound(node)
    if len(values) == 1 and values[0].lineno != 0:
        return _without_set(source, values[0]) if isinstance(values[0], (ast.Call, ast.SetComp)) else None
    return None


def _waited_for(source: Source, node: ast.expr) -> str:
    """`done, pending = wait(futures)`: the name of the futures."""
    waits: Sequence[ast.expr] = ()
    if (isinstance(node, ast.Attribute) and node.attr == "done") or isinstance(node, ast.Subscript):
        waits = (node.value, *source.bound(node.value))
    elif isinstance(node, ast.Name):
        waits = source.unpacked(node)
    for wait in waits:
        call = wait.value if isinstance(wait, ast.Await) else wait
        if isinstance(call, ast.Call) and last_name(call) == "wait" and call.args:
            futures = call.args[0]
            if isinstance(futures, ast.Name) and not any(keyword.arg == "return_when" for keyword in call.keywords):
                return futures.id
    return ""
