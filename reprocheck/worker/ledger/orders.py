"""Where the user's code walks through a set: known by type at run time, whatever the source calls it.

Modules of the user's are compiled with each walked expression handed through a function that looks at its type. Line
numbers, places and values stay as they are, and torch.compile is sent past it. Sets of numbers have one order; sets of
strings have that of the hash seed, sets of other objects mostly that of their addresses.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import sys
from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice
from typing import Any
from weakref import WeakSet

from reprocheck.worker.ledger.ledger import Ledger

NAME = "__reprocheck_walked__"
STRINGS, ADDRESSES, OTHER, NUMBERS = "string hashes", "addresses", "hashes", "numbers"
MOST_ELEMENTS = 1_000
"""Elements of a set that are looked at."""
MOST_LOOKS = 200_000
"""Elements looked at in all, in sets whose order means nothing."""
_DEEPEST = 4
_SIMPLE = frozenset({list, tuple, dict, str, range, int, bytes, float, type(None), zip, enumerate, map, filter})
_NUMBER = (int, float, complex, fractions.Fraction, decimal.Decimal)
_STRING = (str, bytes, pathlib.PurePath, datetime.date, datetime.time, datetime.timedelta)

WALKS = frozenset(
    """list tuple enumerate iter zip map filter sum chain cycle islice fromkeys join array asarray fromiter deque Series
    DataFrame Index extend from_iterable OrderedDict ModuleList ParameterList Sequential tensor as_tensor stack cat
    vstack hstack concatenate concat parameters_to_vector reduce product permutations combinations accumulate choice
    choices sample DataLoader Subset ConcatDataset writelines imap imap_unordered starmap StringIO next""".split()  # noqa: SIM905
)
"""Functions that walk through what they are given, by the last part of their name."""
_ORDERED = frozenset("range enumerate zip sorted list tuple dict str map filter reversed len iter".split())  # noqa: SIM905
_NEVER = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr,
          ast.Lambda, ast.Compare, ast.Starred)  # fmt: skip


def install(ledger: Ledger) -> None:
    """From now on, walks through sets are taken down."""
    source = ledger.source(kind="order", name="set")
    looks = 0

    def identity(value: Any) -> Any:
        return value

    def walked(value: Any) -> Any:
        nonlocal looks
        kind = type(value)
        if kind in _SIMPLE or looks > MOST_LOOKS or not isinstance(value, (set, frozenset, WeakSet)):
            return value
        try:
            if len(value) > 1:
                elements = list(islice(value, MOST_ELEMENTS))
                by = order_of(elements)
                if by == NUMBERS:
                    looks += len(elements)
                else:
                    ledger.see(source, sys._getframe(1), lambda: _digest_or_none(elements, by), by)
        except Exception:  # an element whose own code raises: not worth the target's life
            looks += 1
        return value

    walked._torchdynamo_inline = identity  # type: ignore[attr-defined]
    # Who pickles the target's functions by what they use (dill, for a cache) finds it by its name, as any built-in.
    walked.__module__, walked.__name__, walked.__qualname__ = builtins.__name__, NAME, NAME
    setattr(builtins, NAME, walked)


def order_of(elements: Iterable[Any]) -> str:
    """What the order of a set of these depends on."""
    found = {_hashed_by(element, 0) for element in elements}
    return next((by for by in (ADDRESSES, OTHER, STRINGS) if by in found), NUMBERS)


def _hashed_by(value: Any, depth: int) -> str:
    kind = type(value)
    hashed: Any = kind.__hash__
    if isinstance(value, enum.Enum) and hashed is enum.Enum.__hash__:
        return STRINGS
    if isinstance(value, _STRING):
        return STRINGS
    if isinstance(value, _NUMBER) or kind.__module__ == "numpy":
        return NUMBERS
    if isinstance(value, (tuple, frozenset)) and depth < _DEEPEST:
        inner = {_hashed_by(item, depth + 1) for item in islice(value, MOST_ELEMENTS)}
        return next((by for by in (ADDRESSES, OTHER, STRINGS) if by in inner), NUMBERS)
    if value is None:
        return ADDRESSES if sys.version_info < (3, 12) else NUMBERS
    if hashed is object.__hash__ or _is_tensor(kind):
        return ADDRESSES
    if dataclasses.is_dataclass(value) and depth < _DEEPEST:
        return _hashed_by(tuple(getattr(value, field.name, 0) for field in dataclasses.fields(value)), depth + 1)
    return OTHER


def _is_tensor(kind: type) -> bool:
    torch: Any = sys.modules.get("torch")
    tensor = getattr(torch, "Tensor", None)
    return isinstance(tensor, type) and issubclass(kind, tensor)


def _digest(elements: list[Any], by: str) -> str:
    """The order as a text that differs where the order does; empty where the elements have no name."""
    if by != STRINGS:
        return ""
    text = "\n".join(_text(element, 0) for element in elements)
    sortable = "" if all(type(element) is str for element in elements) else " of others"
    return "order " + blake2b(text.encode("utf-8", "backslashreplace"), digest_size=6).hexdigest() + sortable


def _digest_or_none(elements: list[Any], by: str) -> str:
    try:
        return _digest(elements, by)
    except Exception:  # an element that has no name, or whose own code raises
        return ""


def _text(value: Any, depth: int) -> str:
    """Of what is hashed by its strings. Raises TypeError."""
    if isinstance(value, enum.Enum):
        return str(value.name)
    if isinstance(value, (*_STRING, *_NUMBER)):
        return repr(value)
    if depth < _DEEPEST and isinstance(value, tuple):
        return "(" + ",".join(_text(item, depth + 1) for item in value) + ")"
    if depth < _DEEPEST and dataclasses.is_dataclass(value):
        return _text(tuple(getattr(value, field.name, 0) for field in dataclasses.fields(value)), depth + 1)
    raise TypeError(type(value))


def rewritten(tree: ast.Module) -> ast.Module:
    """A source whose walks are looked at."""
    found: ast.Module = _Walks().visit(tree)
    return found


class _Walks(ast.NodeTransformer):
    """Hands what is walked through to the function above."""

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        node.iter = _handed(node.iter)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if not node.is_async:
            node.iter = _handed(node.iter)
        return node

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            node.value = _handed(node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        if any(isinstance(target, (ast.Tuple, ast.List)) for target in node.targets):
            node.value = _handed(node.value)
        return node

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.AST:
        self.generic_visit(node)
        node.value = _handed(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in WALKS:
            node.args = [_handed(arg) for arg in node.args]
        elif name == "pop" and isinstance(function, ast.Attribute) and not node.args and not node.keywords:
            function.value = _handed(function.value)
        return node


def _handed(node: ast.expr) -> ast.expr:
    if isinstance(node, _NEVER):
        return node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {*_ORDERED, NAME}:
        return node
    function = ast.copy_location(ast.Name(id=NAME, ctx=ast.Load()), node)
    return ast.copy_location(ast.Call(func=function, args=[node], keywords=[]), node)
