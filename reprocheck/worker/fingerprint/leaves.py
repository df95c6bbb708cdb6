"""Take a returned value apart: every tensor, array, number and text in it, by path.

What its own code raises makes a value opaque, and what never ends is cut off: a value can be anything.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import itertools
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from xxhash import xxh3_128, xxh3_128_hexdigest

from reprocheck.worker.fingerprint.leaf_forms import (
    OPAQUE,
    REFERENCE,
    Leaf,
    below,
    leaf_key,
    line_of,
    opaque_leaf,
    packed_numbers,
    simple_leaf,
    text_leaf,
    type_name,
)
from reprocheck.worker.fingerprint.leaf_keys import key_name, named_items
from reprocheck.worker.fingerprint.leaf_libraries import OF_MASKED_ARRAY, generator_state, parts_of_table
from reprocheck.worker.fingerprint.leaf_objects import (
    attributes_of,
    cached_in,
    code_key,
    contents_of,
    has_hidden_state,
    is_data,
    is_library,
    is_of_library,
    is_surrounding,
    may_hold_anything,
    reference_leaf,
    surrounding_leaf,
)
from reprocheck.worker.fingerprint.leaf_torch import (
    OF_MODULE,
    OF_OPTIMIZER,
    gradient_of,
    hooks_of,
    inner_tensors,
    is_plain,
    is_tensor,
    module_state,
    optimizer_members,
)

__all__ = [
    "OF_OPTIMIZER",
    "OPAQUE",
    "REFERENCE",
    "Leaf",
    "key_name",
    "leaf_key",
    "leaves_of",
    "line_of",
    "member_leaves",
    "optimizer_members",
]

MAX_LEAVES = 100_000
"""Leaves that are listed; further ones share one."""
MAX_VALUES = 500_000
"""Values that are looked at."""
MAX_DEPTH = 50

REST = "(further leaves)"
SETTINGS = "(settings)"
"""The leaf of a module for what its layers were made with: sizes, rates, modes."""
ATTRIBUTES = "__dict__"
"""Between a container and the attributes that its subclass gave it."""
CLASS = "__class__"
"""Between an object and what its class holds for all objects."""


class _TooLarge(Exception):
    """There are more values than can be looked at."""


def leaves_of(value: Any, hide: str = "", *, state_only: bool = False) -> Iterator[Leaf]:
    """Every leaf of `value`, in the order of its paths. `hide` is a folder that texts may name: it is masked.

    `state_only`: of a module no more than its `state_dict` has.
    """
    return _bounded(_Walk(hide, state_only).visit("", value, 0))


def member_leaves(members: Mapping[str, Any], skip: Callable[[Any], bool]) -> Iterator[Leaf]:
    """The leaves of an object's attributes. `skip` says of a value that it is known otherwise."""
    return _bounded(_Walk("", False, skip).members("", members, 0))


def variable_leaves(name: str, value: Any, skip: Callable[[Any], bool], most: int) -> Iterator[Leaf]:
    """The leaves of a variable; after so many values one that says that there are more."""
    walk = _Walk("", False, skip)
    walk.most = most
    walk.keeps_texts = True
    try:
        yield from walk.members("", {name: value}, 0)
    except _TooLarge:
        yield Leaf(name, OPAQUE, reason=f"more than {most} values")


def _bounded(leaves: Iterator[Leaf]) -> Iterator[Leaf]:
    try:
        yield from itertools.islice(leaves, MAX_LEAVES)
        rest, count = xxh3_128(), 0
        for leaf in leaves:
            rest.update(leaf_key(leaf).encode("utf-8", "surrogatepass"))
            count += 1
        if count:
            yield Leaf(REST, "leaves", "leaves", (count,), rest.hexdigest())
    except _TooLarge:
        yield Leaf("", OPAQUE, reason=f"more than {MAX_VALUES} values")


class _Walk:
    def __init__(self, hide: str, state_only: bool, skip: Callable[[Any], bool] | None = None) -> None:
        self.most = MAX_VALUES
        self.keeps_texts = False
        """Texts of numbers that are no metrics, too."""
        self._hide = hide
        self._state_only = state_only
        self._skip = skip
        self._inside: set[int] = set()
        self._known: dict[int, tuple[str, Any]] = {}
        """Objects met so far: each is looked into once."""
        self._count = 0
        self._objects = 0
        """How many objects of the target's own classes the walk is inside of."""
        self._classes: set[int] = set()
        """Classes whose own attributes were looked at."""

    def visit(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        self._count += 1
        if self._count > self.most:
            raise _TooLarge
        if self._skip is not None and self._skip(value):
            return
        try:
            leaf = simple_leaf(path, value, self._hide)
            if leaf is not None:
                yield leaf
                if type(value) in _WHOLE:
                    return
            known = self._known.get(id(value)) if self._objects else None
            if known is not None:
                yield text_leaf(path, "constant", f"the same object as {known[0] or 'the whole'}")
                return
            if id(value) in self._inside or depth > MAX_DEPTH:
                yield Leaf(path, OPAQUE, reason="it contains itself or is nested too deeply")
                return
            self._inside.add(id(value))
            try:
                if leaf is None:
                    yield from self._container(path, value, depth)
                else:
                    yield from self._beyond(path, value, depth)
            finally:
                self._inside.discard(id(value))
        except _TooLarge:
            raise
        except (Exception, SystemExit) as error:
            yield Leaf(path, OPAQUE, reason=f"its own code raises {_safe_name(error)}")

    def _beyond(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        """What a value holds that is a text, a number or a tensor by itself, but of a class of its own."""
        kind = type(value)
        if issubclass(kind, enum.Enum):
            yield from self._quiet(self.visit(below(path, "value"), value._value_, depth + 1))
            return
        torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
        if is_tensor(value) and not self._state_only:
            gradient = gradient_of(value)
            if gradient is not None:
                for leaf in self.visit(below(path, "grad"), gradient, depth + 1):
                    yield dataclasses.replace(leaf, text="", data=None)
        found = attributes_of(value)
        if not found:
            return
        if torch is not None and issubclass(kind, torch.Tensor):
            found = {name: item for name, item in found.items() if not name.startswith("_") or not is_library(kind)}
            for name in inner_tensors(value):
                found.pop(name, None)
        elif numpy is not None and issubclass(kind, numpy.ndarray):
            masked = found.get("_fill_value")
            found = {} if is_library(kind) else {n: item for n, item in found.items() if n not in OF_MASKED_ARRAY}
            if masked is not None:
                found["fill_value"] = masked
        yield from self.members(below(path, ATTRIBUTES) if found else path, found, depth)

    def _container(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        kind = type(value)
        torch: Any = sys.modules.get("torch")
        if hasattr(torch, "nn") and issubclass(kind, torch.nn.Module):
            yield from self._module(path, value, depth)
        elif hasattr(torch, "optim") and issubclass(kind, torch.optim.Optimizer):
            yield from self._optimizer(path, value, depth)
        elif issubclass(kind, Mapping):
            yield from self._mapping(path, value, depth)
        elif issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
            yield from self._items(path, zip(value._fields, tuple.__iter__(value), strict=False), depth)
            yield from self._of_subclass(path, value, depth, ())
        elif issubclass(kind, (list, tuple, collections.deque)) or kind in _VIEWS:
            yield from self._sequence(path, value, depth)
        elif issubclass(kind, (set, frozenset)):
            base = set if issubclass(kind, set) else frozenset
            yield self._unordered(path, base.__iter__(value), depth)
            yield from self._of_subclass(path, value, depth, ())
        elif dataclasses.is_dataclass(kind):
            names = [field.name for field in dataclasses.fields(value)]
            own = attributes_of(value)
            fields = [(name, own[name] if name in own else getattr(value, name, None)) for name in names]
            extra = sorted((name, own[name]) for name in own.keys() - set(names))
            self._known[id(value)] = path, value
            yield from self._items(path, fields, depth)
            if extra:
                yield from self.members(path, dict(extra), depth)
        elif issubclass(kind, type):
            yield text_leaf(path, "constant", type_name(value))
            yield from self._class_attributes(path, value, (), depth)
        elif kind is _CACHING:
            yield from self.visit(path, value.__wrapped__, depth + 1)
            if not is_of_library(value.__module__):
                yield from self.members(path, {"cache": cached_in(value)}, depth)
        elif issubclass(kind, _FUNCTIONS):
            yield from self._function(path, value, depth)
        elif is_surrounding(kind):
            contents = contents_of(value)
            if contents is None:
                yield reference_leaf(path, value)
            else:
                yield from self.visit(below(path, "contents"), contents, depth + 1)
        else:
            yield from self._object(path, value, depth)

    def _mapping(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        kind = type(value)
        items = dict.items(value) if issubclass(kind, dict) else value.items()
        pairs = list(itertools.islice(items, MAX_VALUES if issubclass(kind, dict) else MAX_LEAVES))
        if len(pairs) == MAX_LEAVES and not issubclass(kind, dict):
            yield opaque_leaf(path, value, f"it has {MAX_LEAVES} items or more, or never ends")
            return
        yield from self._items(path, named_items(pairs), depth)
        if issubclass(kind, collections.defaultdict) and type(value.default_factory) in (
            types.FunctionType,
            functools.partial,
        ):
            yield from self.visit(below(path, "default_factory"), value.default_factory, depth + 1)
        yield from self._of_subclass(path, value, depth, [item for _, item in pairs])

    def _sequence(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        kind = type(value)
        base = next((base for base in (list, tuple, collections.deque) if issubclass(kind, base)), None)
        plain = list(value) if base is None else list(base.__iter__(value))
        packed = packed_numbers(path, plain)
        if packed is not None:
            yield packed
        else:
            for index, item in enumerate(plain):
                yield from self.visit(f"{path}[{index}]", item, depth + 1)
            yield text_leaf(below(path, "length"), "constant", str(len(plain)))
        if base is not None:
            yield from self._of_subclass(path, value, depth, ())

    def _of_subclass(self, path: str, value: Any, depth: int, items: Iterable[Any]) -> Iterator[Leaf]:
        """The attributes of a container of a class of its own; those that are its items as well are known."""
        found = attributes_of(value) if type(value).__flags__ & (1 << 9) else {}
        if found and not is_library(type(value)):
            ids = {id(item) for item in items}
            found = {name: item for name, item in found.items() if id(item) not in ids}
            if found:
                yield from self.members(below(path, ATTRIBUTES), found, depth)

    def _items(self, path: str, items: Any, depth: int) -> Iterator[Leaf]:
        empty = True
        for name, item in items:
            empty = False
            yield from self.visit(f"{path}.{name}" if path else str(name), item, depth + 1)
        if empty:
            yield text_leaf(path, "constant", "{}")

    def _unordered(self, path: str, items: Iterable[Any], depth: int) -> Leaf:
        parts = []
        for item in items:
            leaves = list(self.visit("", item, depth + 1))
            if any(not leaf.digest for leaf in leaves):
                return Leaf(path, OPAQUE, reason="a set of opaque values")
            parts.append("|".join(f"{leaf.name}:{leaf.dtype}:{leaf.digest}" for leaf in leaves))
        data = "\n".join(sorted(parts)).encode("utf-8", "surrogatepass")
        return Leaf(path, "set", "set", (len(parts),), xxh3_128_hexdigest(data))

    def members(self, path: str, found: Mapping[str, Any], depth: int) -> Iterator[Leaf]:
        """The attributes of an object, without what only describes the environment."""
        self._objects += 1
        try:
            for name in sorted(found):
                item = found[name]
                if type(item) in _NOTHING:
                    continue
                where = below(path, name)
                leaf = surrounding_leaf(where, name, item)
                if leaf is not None:
                    yield leaf
                else:
                    yield from self.visit(where, item, depth + 1)
        finally:
            self._objects -= 1

    def _function(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        """Its name, and what it carries along: the values of a closure, the object of a method."""
        if type(value) is types.MethodType:
            yield from self.visit(path, value.__func__, depth + 1)
            if not isinstance(value.__self__, type):
                yield from self.visit(below(path, "__self__"), value.__self__, depth + 1)
            return
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
        leaf = text_leaf(path, "constant", f"{getattr(value, '__module__', '')}.{name}")
        if type(value) is not types.FunctionType or is_of_library(value.__module__) or self._state_only:
            yield leaf
            owner = getattr(value, "__self__", None)
            if type(owner) in _HAS_METHODS_IN_C:
                yield from self.visit(below(path, "__self__"), owner, depth + 1)
        else:
            yield dataclasses.replace(
                leaf, digest=xxh3_128_hexdigest(f"{leaf.digest} {code_key(value.__code__)}".encode())
            )
            self._known[id(value)] = path, value
            carried: dict[str, Any] = {}
            for free, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
                try:
                    carried[free] = cell.cell_contents
                except ValueError:  # an empty cell
                    continue
            carried.update((f"default {n}", item) for n, item in enumerate(value.__defaults__ or ()))
            carried.update(value.__kwdefaults__ or {})
            carried.update(vars(value))
            yield from self.members(path, carried, depth)

    def _object(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        kind = type(value)
        if self._objects and may_hold_anything(kind):
            yield reference_leaf(path, value)
            return
        special = generator_state(value)
        if special is not None:
            yield from self.visit(below(path, "state"), special, depth + 1)
            return
        if hasattr(kind, "__next__") or kind is object:
            yield reference_leaf(path, value) if self._objects else opaque_leaf(path, value)
            return
        self._known[id(value)] = path, value
        frame = parts_of_table(value)
        if frame is not None:
            yield from self._items(path, frame, depth)
            return
        found = attributes_of(value)
        if issubclass(kind, BaseException):
            found = {**found, "args": BaseException.args.__get__(value)}  # type: ignore[attr-defined]
        elif issubclass(kind, functools.partial):
            found = {**found, "func": value.func, "args": value.args, "keywords": value.keywords}
        read_whole = issubclass(kind, (BaseException, functools.partial))
        hidden = not self._objects and not read_whole and has_hidden_state(kind)
        if not found and (hidden or is_library(kind)):
            yield opaque_leaf(path, value)
            return
        if hidden:
            yield opaque_leaf(below(path, "inner state"), value)
        yield text_leaf(path, "constant", type_name(kind))
        yield from self.members(path, found, depth)
        yield from self._class_attributes(path, kind, found, depth)

    def _class_attributes(self, path: str, kind: type, shadowed: Collection[str], depth: int) -> Iterator[Leaf]:
        """What a class of the target holds for all its objects: numbers, tensors, containers."""
        if self._state_only:
            return
        found: dict[str, Any] = {}
        for base in reversed(type.mro(kind) if kind is not type else ()):
            if id(base) in self._classes or is_library(base):
                continue
            self._classes.add(id(base))
            found.update((name, item) for name, item in vars(base).items() if is_data(name, item))
        found = {name: item for name, item in found.items() if name not in shadowed}
        if found:
            yield from self._quiet(self.members(below(path, CLASS), found, depth))

    def _module(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        self._known[id(value)] = path, value
        parts = [(name.replace("_orig_mod.", "").replace("_orig_mod", ""), m) for name, m in value.named_modules()]
        for leaf in self._items(path, module_state(value, parts).items(), depth):
            yield dataclasses.replace(leaf, text="")
        if self._state_only:
            return
        settings = xxh3_128()
        for name, part in parts:
            self._known.setdefault(id(part), (below(path, name) if name else path, part))
            if type(part).__module__.startswith("torch._"):  # the shell around a compiled module
                continue
            of_library = is_library(type(part))
            settings.update(f"{name} {type_name(type(part))} {part.training}\n".encode())
            found = attributes_of(part)
            frozen = sorted(key for key, p in part._parameters.items() if p is not None and not p.requires_grad)
            settings.update(f"frozen {frozen}\n".encode() if frozen else b"")
            where = below(path, name) if name else path
            yield from self._quiet(self.members(where, hooks_of(found), depth))
            yield from self._class_attributes(where, type(part), found, depth)
            for key in OF_MODULE & found.keys():
                del found[key]
            for key in [key for key, item in found.items() if of_library and not is_plain(item)]:
                item = found.pop(key)
                if is_tensor(item):
                    yield from self._quiet(self.visit(below(path, below(name, key)), item, depth + 1))
            leaves = self.members(where, found, depth)
            for leaf in self._quiet(leaves):
                if of_library:
                    settings.update(leaf_key(leaf).encode("utf-8", "surrogatepass"))
                else:
                    yield leaf
        yield Leaf(below(path, SETTINGS), "settings", "settings", (), settings.hexdigest())

    def _quiet(self, leaves: Iterator[Leaf]) -> Iterator[Leaf]:
        """An attribute of a module is no metric."""
        for leaf in leaves:
            hidden = not self.keeps_texts and leaf.kind in ("number", "tensor", "array")
            yield dataclasses.replace(leaf, text="") if hidden else leaf

    def _optimizer(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        self._known[id(value)] = path, value
        for leaf in self._items(path, value.state_dict().items(), depth):
            yield dataclasses.replace(leaf, text="")  # a step counter or a learning rate is no metric
        if not self._state_only:
            members = {**optimizer_members(value), "defaults": value.defaults}
            yield from self._quiet(self.members(path, members, depth))


_WHOLE = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray, range, slice})
"""Types of leaves that cannot hold anything else."""
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
)
_HAS_METHODS_IN_C = frozenset(
    {list, dict, set, frozenset, tuple, bytearray, collections.deque, collections.OrderedDict}
)
"""Whose methods, as `scores.append`, carry them along."""
_CACHING = type(functools.lru_cache(len))
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_NOTHING = (types.ModuleType, staticmethod, classmethod, property)


def _safe_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if isinstance(kind.__name__, str) else "an error"
