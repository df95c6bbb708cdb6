"""Take a returned value apart: every tensor, array, number and text in it, by path.

What its own code raises makes a value opaque, and what never ends is cut off: a value can be anything.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import itertools
import random
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from xxhash import xxh3_128, xxh3_128_hexdigest

from reprocheck.worker.fingerprint.leaf_forms import (
    LONGEST_TEXT,
    OPAQUE,
    REFERENCE,
    Leaf,
    opaque_leaf,
    packed_numbers,
    simple_leaf,
    text_leaf,
    type_name,
)
from reprocheck.worker.fingerprint.leaf_objects import (
    attributes_of,
    cached_in,
    contents_of,
    has_hidden_state,
    is_library,
    is_of_library,
    is_surrounding,
    may_hold_anything,
    reference_leaf,
    surrounding_leaf,
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


def line_of(leaf: Leaf, keep: Callable[[memoryview], int | None]) -> dict[str, Any]:
    """The leaf as evidence. `keep` takes bytes worth keeping, and says where they start."""
    line: dict[str, Any] = {
        "name": leaf.name,
        "kind": leaf.kind,
        "dtype": leaf.dtype,
        "shape": list(leaf.shape),
        "digest": leaf.digest,
        "text": leaf.text,
        "reason": leaf.reason,
    }
    if leaf.data is not None:
        line["offset"], line["size"] = keep(leaf.data), leaf.data.nbytes
    return line


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


def leaf_key(leaf: Leaf) -> str:
    """All that counts of a leaf, as one line."""
    return f"{leaf.name}\0{leaf.kind}\0{leaf.dtype}\0{leaf.shape}\0{leaf.digest or leaf.reason}"


class _Walk:
    def __init__(self, hide: str, state_only: bool, skip: Callable[[Any], bool] | None = None) -> None:
        self.most = MAX_VALUES
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
            yield from self._quiet(self.visit(_below(path, "value"), value._value_, depth + 1))
            return
        torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
        if _is_tensor(value) and not self._state_only:
            gradient = _gradient_of(value)
            if gradient is not None:
                for leaf in self.visit(_below(path, "grad"), gradient, depth + 1):
                    yield dataclasses.replace(leaf, text="", data=None)
        found = attributes_of(value)
        if not found:
            return
        if torch is not None and issubclass(kind, torch.Tensor):
            found = {name: item for name, item in found.items() if not name.startswith("_") or not is_library(kind)}
            for name in _flattened(value):
                found.pop(name, None)
        elif numpy is not None and issubclass(kind, numpy.ndarray):
            masked = found.get("_fill_value")
            found = {} if is_library(kind) else {n: item for n, item in found.items() if n not in _OF_MASKED}
            if masked is not None:
                found["fill_value"] = masked
        yield from self.members(_below(path, ATTRIBUTES) if found else path, found, depth)

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
                yield from self.visit(_below(path, "contents"), contents, depth + 1)
        else:
            yield from self._object(path, value, depth)

    def _mapping(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        kind = type(value)
        items = dict.items(value) if issubclass(kind, dict) else value.items()
        pairs = list(itertools.islice(items, MAX_VALUES if issubclass(kind, dict) else MAX_LEAVES))
        if len(pairs) == MAX_LEAVES and not issubclass(kind, dict):
            yield opaque_leaf(path, value, f"it has {MAX_LEAVES} items or more, or never ends")
            return
        yield from self._items(path, _named(pairs), depth)
        if issubclass(kind, collections.defaultdict) and type(value.default_factory) in (
            types.FunctionType,
            functools.partial,
        ):
            yield from self.visit(_below(path, "default_factory"), value.default_factory, depth + 1)
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
            yield text_leaf(_below(path, "length"), "constant", str(len(plain)))
        if base is not None:
            yield from self._of_subclass(path, value, depth, ())

    def _of_subclass(self, path: str, value: Any, depth: int, items: Iterable[Any]) -> Iterator[Leaf]:
        """The attributes of a container of a class of its own; those that are its items as well are known."""
        found = attributes_of(value) if type(value).__flags__ & (1 << 9) else {}
        if found and not is_library(type(value)):
            ids = {id(item) for item in items}
            found = {name: item for name, item in found.items() if id(item) not in ids}
            if found:
                yield from self.members(_below(path, ATTRIBUTES), found, depth)

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
                where = _below(path, name)
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
                yield from self.visit(_below(path, "__self__"), value.__self__, depth + 1)
            return
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
        leaf = text_leaf(path, "constant", f"{getattr(value, '__module__', '')}.{name}")
        if type(value) is not types.FunctionType or is_of_library(value.__module__) or self._state_only:
            yield leaf
        else:
            yield dataclasses.replace(
                leaf, digest=xxh3_128_hexdigest(f"{leaf.digest} {_code_key(value.__code__)}".encode())
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
        special = _state_of(value)
        if special is not None:
            yield from self.visit(_below(path, "state"), special, depth + 1)
            return
        if hasattr(kind, "__next__") or kind is object:
            yield reference_leaf(path, value) if self._objects else opaque_leaf(path, value)
            return
        self._known[id(value)] = path, value
        frame = _frame_of(value)
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
            yield opaque_leaf(_below(path, "inner state"), value)
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
            found.update((name, item) for name, item in vars(base).items() if _is_data(name, item))
        found = {name: item for name, item in found.items() if name not in shadowed}
        if found:
            yield from self._quiet(self.members(_below(path, CLASS), found, depth))

    def _module(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        self._known[id(value)] = path, value
        parts = [(name.replace("_orig_mod.", "").replace("_orig_mod", ""), m) for name, m in value.named_modules()]
        for leaf in self._items(path, _module_state(value, parts).items(), depth):
            yield dataclasses.replace(leaf, text="")
        if self._state_only:
            return
        settings = xxh3_128()
        for name, part in parts:
            self._known.setdefault(id(part), (_below(path, name) if name else path, part))
            if type(part).__module__.startswith("torch._"):  # the shell around a compiled module
                continue
            of_library = is_library(type(part))
            settings.update(f"{name} {type_name(type(part))} {part.training}\n".encode())
            found = attributes_of(part)
            frozen = sorted(key for key, p in part._parameters.items() if p is not None and not p.requires_grad)
            settings.update(f"frozen {frozen}\n".encode() if frozen else b"")
            where = _below(path, name) if name else path
            yield from self._quiet(self.members(where, _hooks_of(found), depth))
            yield from self._class_attributes(where, type(part), found, depth)
            for key in _OF_MODULE & found.keys():
                del found[key]
            for key in [key for key, item in found.items() if of_library and not _is_plain(item)]:
                item = found.pop(key)
                if _is_tensor(item):
                    yield from self._quiet(self.visit(_below(path, _below(name, key)), item, depth + 1))
            leaves = self.members(where, found, depth)
            for leaf in self._quiet(leaves):
                if of_library:
                    settings.update(leaf_key(leaf).encode("utf-8", "surrogatepass"))
                else:
                    yield leaf
        yield Leaf(_below(path, SETTINGS), "settings", "settings", (), settings.hexdigest())

    def _quiet(self, leaves: Iterator[Leaf]) -> Iterator[Leaf]:
        """An attribute of a module is no metric."""
        for leaf in leaves:
            yield dataclasses.replace(leaf, text="") if leaf.kind in ("number", "tensor", "array") else leaf

    def _optimizer(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        self._known[id(value)] = path, value
        for leaf in self._items(path, value.state_dict().items(), depth):
            yield dataclasses.replace(leaf, text="")  # a step counter or a learning rate is no metric
        if not self._state_only:
            members = {**optimizer_members(value), "defaults": value.defaults}
            yield from self._quiet(self.members(path, members, depth))


def optimizer_members(optimizer: Any) -> dict[str, Any]:
    """Attributes of an optimizer that torch does not give to every one."""
    return {
        name: item
        for name, item in attributes_of(optimizer).items()
        if name not in OF_OPTIMIZER and not name.startswith("_optimizer_")
    }


OF_OPTIMIZER = frozenset(
    {
        "_need_device_dtype_check_for_fused",
        "_numel_cache",
        "_opt_called",
        "_params",
        "_step_supports_amp_scaling",
        "_warned_capturable_if_run_uncaptured",
        "_zero_grad_profile_name",
        "defaults",
        "found_inf",
        "grad_scale",
        "param_groups",
        "state",
        "step",
    }
)

_OF_MODULE = frozenset(
    {
        "_backward_hooks",
        "_backward_pre_hooks",
        "_buffers",
        "_compiled_call_impl",
        "_flat_weight_refs",
        "_flat_weights",
        "_forward_hooks",
        "_forward_hooks_always_called",
        "_forward_hooks_with_kwargs",
        "_forward_pre_hooks",
        "_forward_pre_hooks_with_kwargs",
        "_is_full_backward_hook",
        "_load_state_dict_post_hooks",
        "_load_state_dict_pre_hooks",
        "_modules",
        "_non_persistent_buffers_set",
        "_parameters",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "forward",
        "training",
    }
)

_HOOKS = ("_backward_hooks", "_backward_pre_hooks", "_forward_hooks", "_forward_pre_hooks")

_OF_MASKED = frozenset(
    {"_mask", "_fill_value", "_basedict", "_optinfo", "_hardmask", "_sharedmask", "_isfield", "_baseclass"}
)

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
_CACHING = type(functools.lru_cache(len))
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_NOTHING = (types.ModuleType, staticmethod, classmethod, property)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _safe_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if isinstance(kind.__name__, str) else "an error"


def _is_plain(value: Any) -> bool:
    """A number, a text, or a small container of them: what a layer is made with."""
    kind = type(value)
    if kind in (list, tuple):
        return len(value) <= 64 and all(_is_plain(item) for item in value)
    if kind is dict:
        return len(value) <= 64 and all(type(key) is str and _is_plain(item) for key, item in value.items())
    return value is None or kind in (bool, int, float, complex, str)


def _is_tensor(value: Any) -> bool:
    torch: Any = sys.modules.get("torch")
    return hasattr(torch, "Tensor") and issubclass(type(value), torch.Tensor)


def _gradient_of(tensor: Any) -> Any:
    """What backward passes left in a leaf of the graph; None for anything else."""
    torch: Any = sys.modules["torch"]
    try:
        with torch._C.DisableTorchFunctionSubclass():
            return tensor.grad if tensor.is_leaf else None
    except Exception:  # a wrapper that has none
        return None


def _hooks_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The target's functions among the attributes of a module: they change what it computes."""
    hooks: dict[str, Any] = {key: list(found[key].values()) for key in _HOOKS if found.get(key)}
    if callable(found.get("forward")):
        hooks["forward"] = found["forward"]
    return hooks


def _is_data(name: str, item: Any) -> bool:
    """Whether an attribute of a class is no method, nothing computed, and nothing that Python put there."""
    kind = type(item)
    dunder = name.startswith("__") and name.endswith("__")
    return not (dunder or name == "_abc_impl" or issubclass(kind, type) or hasattr(kind, "__get__"))


def _code_key(code: types.CodeType) -> str:
    """What a function does, wherever it stands."""
    constants = [_code_key(item) if type(item) is types.CodeType else key_name(item) for item in code.co_consts]
    names = code.co_names, code.co_varnames, code.co_freevars
    return xxh3_128_hexdigest(code.co_code + repr((names, constants)).encode("utf-8", "surrogatepass"))


def _flattened(value: Any) -> list[str]:
    """Names of the inner tensors of a wrapper: they are in its digest."""
    if not hasattr(type(value), "__tensor_flatten__"):
        return []
    return list(value.__tensor_flatten__()[0])


def _module_state(value: Any, parts: list[tuple[str, Any]]) -> Mapping[str, Any]:
    """All that `state_dict` gives, and the buffers that it leaves out."""
    torch: Any = sys.modules["torch"]
    base = torch.nn.Module
    named: dict[str, Any] = dict(value.named_parameters(remove_duplicate=False))
    named.update(value.named_buffers(remove_duplicate=False))
    named = {name.removeprefix("_orig_mod."): tensor for name, tensor in named.items()}
    for name, part in parts:
        if type(part).get_extra_state is not base.get_extra_state:
            named[_below(name, "_extra_state")] = part.get_extra_state()
    own = type(value).state_dict is not base.state_dict or any(
        part._state_dict_hooks or type(part)._save_to_state_dict is not base._save_to_state_dict for _, part in parts
    )
    if own and not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        for name, item in value.state_dict().items():
            named.setdefault(name.removeprefix("_orig_mod."), item)
    return named


def _state_of(value: Any) -> Any:
    """The state of a generator; None for anything else."""
    torch: Any = sys.modules.get("torch")
    numpy: Any = sys.modules.get("numpy")
    kind = type(value)
    if torch is not None and issubclass(kind, torch.Generator):
        return value.get_state()
    if issubclass(kind, random.Random):
        return random.Random.getstate(value)
    if numpy is not None and hasattr(numpy, "random"):
        if issubclass(kind, numpy.random.RandomState):
            return value.get_state(legacy=False)
        if issubclass(kind, numpy.random.Generator):
            return value.bit_generator.state
        if issubclass(kind, numpy.random.BitGenerator):
            return value.state
    return None


def _frame_of(value: Any) -> Iterable[tuple[str, Any]] | None:
    """The parts of an array or a table of some library; None for anything else."""
    numpy: Any = sys.modules.get("numpy")
    kind = type(value)
    if numpy is None or not hasattr(numpy, "asarray"):
        return None
    if issubclass(kind, numpy.ndarray):  # of Python objects
        return [("shape", str(value.shape)), ("items", value.ravel().tolist())]
    if hasattr(kind, "iloc") and hasattr(kind, "columns"):
        columns = [(f"[{n}]", value.iloc[:, n].to_numpy()) for n in range(value.shape[1])]
        return [("columns", list(value.columns)), ("index", value.index.to_numpy()), *columns]
    if hasattr(kind, "iloc"):
        return [("name", value.name), ("index", value.index.to_numpy()), ("values", value.to_numpy())]
    if is_library(kind) and (hasattr(kind, "__array__") or hasattr(kind, "__array_interface__")):
        return [("values", numpy.asarray(value))]
    return None


def _named(items: Iterable[tuple[Any, Any]]) -> list[tuple[str, Any]]:
    found = [(key_name(key), _safe_type(key), item) for key, item in items]
    found.sort(key=lambda one: one[:2])
    return [(name, item) for name, _, item in found]


def _safe_type(key: Any) -> str:
    return type_name(type(key))


def key_name(key: Any) -> str:
    """A name for a key that is the same in every run: no address, no order of a set. No other key has it."""
    kind = type(key)
    if issubclass(kind, str):
        text = str.__str__(key)
        return repr(text) if _reads_as_another(text) else text
    try:
        return _other_name(key, kind)
    except (Exception, SystemExit):
        return type_name(kind)


def _other_name(key: Any, kind: type) -> str:
    if issubclass(kind, (set, frozenset)):
        return "{" + ", ".join(sorted(key_name(item) for item in key)) + "}"
    if issubclass(kind, tuple):
        return "(" + ", ".join(key_name(item) for item in tuple.__iter__(key)) + ")"
    if callable(key) and hasattr(key, "__qualname__"):
        return f"{key.__module__}.{key.__qualname__}"
    text = repr(key)
    if type(text) is not str or " at 0x" in text:
        return type_name(kind)
    if kind.__module__ == "numpy" and not text.startswith("np."):
        text = f"np.{kind.__name__}({text})"
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + xxh3_128_hexdigest(text.encode())


_NAMES_OF_OTHERS = frozenset({"True", "False", "None"})


def _reads_as_another(text: str) -> bool:
    """Whether a text looks as the name of a key that is no text."""
    if text in _NAMES_OF_OTHERS:
        return True
    first = text[:1]
    if not first:
        return False
    if first in "'\"({<[" or text[:2] in ("b'", 'b"'):
        return True
    if first not in "0123456789-+.nNiI":
        return False
    for read in (float, complex):
        try:
            read(text)
        except ValueError:
            continue
        return True
    return False
