"""The leaves of returned values: what differs is seen, what is equal has equal leaves, and nothing ends or hangs us."""

from __future__ import annotations

import array
import collections
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import logging
import random
import threading
import time
import types
import uuid
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from reprocheck.worker.fingerprint import leaves as leaves_module
from reprocheck.worker.fingerprint.leaf_objects import has_hidden_state
from reprocheck.worker.fingerprint.leaves import leaves_of

Make = Callable[[float], Any]


def seen(value: Any) -> list[tuple[Any, ...]]:
    """What a comparison sees of the leaves."""
    return [(leaf.name, leaf.kind, leaf.dtype, leaf.shape, leaf.digest) for leaf in leaves_of(value)]


def names(value: Any) -> list[str]:
    return [leaf.name for leaf in leaves_of(value)]


def unread(value: Any) -> dict[str, str]:
    return {leaf.name: leaf.kind for leaf in leaves_of(value) if not leaf.digest}


class Net(torch.nn.Module):
    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.fill_(0.5)
        self.__dict__.update(attributes)


class Extra(Net):
    def get_extra_state(self) -> Any:
        return {"calibrated": self.__dict__["calibrated"]}

    def set_extra_state(self, state: Any) -> None: ...


class Hooked(Net):
    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return {**super().state_dict(*args, **kwargs), "added": self.__dict__["added"]}


def with_layer(change: Callable[[Any], Any]) -> torch.nn.Module:
    model = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.BatchNorm1d(2))
    change(model)
    return model


def module_hook(e: float) -> torch.nn.Module:
    model = Net()
    model._register_state_dict_hook(lambda module, state, prefix, local: state.__setitem__("hooked", torch.tensor(e)))
    return model


class Text(str): ...


class Number(float): ...


class Whole(int): ...


class Table(dict[str, Any]): ...


class Row(list[Any]): ...


class Pair(NamedTuple):
    a: Any
    b: Any


class WiderPair(Pair):
    note: Any


class Rows(np.ndarray[Any, Any]): ...


class Marked(torch.Tensor): ...


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("__hidden", "a")

    def __init__(self, a: Any, hidden: Any = 0) -> None:
        self.a = a
        self.__hidden = hidden


class Half(Slotted):
    """Slots and a dict."""


@dataclasses.dataclass
class Result:
    accuracy: Any
    history: Any = None


class Wrapper(torch.Tensor):
    """A tensor around another, with a context."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor, context: Any) -> Any:
        made = torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
        made.inner, made.context = inner, context
        return made

    def __tensor_flatten__(self) -> Any:
        return ["inner"], self.context

    @classmethod
    def __torch_dispatch__(cls, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError


def with_attributes(value: Any, **attributes: Any) -> Any:
    value.__dict__.update(attributes)
    return value


def with_gradient(tensor: torch.Tensor, e: float) -> torch.Tensor:
    tensor.grad = torch.tensor([1.0, e])
    return tensor


def of_class(base: type, **attributes: Any) -> Any:
    """An object of a class made for it."""
    return type("Made", (base,), attributes)()


def closure(e: float) -> Callable[[], float]:
    return lambda: e


def cached(e: float, size: int | None) -> Callable[[int], Any]:
    @functools.lru_cache(maxsize=size)
    def features(key: int) -> Any:
        return torch.full((2,), results[key])

    results = [0.5, e]
    features(0), features(1)
    results.clear()
    return features


def default(e: float) -> Callable[[float], float]:
    def called(x: float = e) -> float:
        return x

    return called


def keyword(e: float) -> Callable[..., float]:
    def called(*, x: float = e) -> float:
        return x

    return called


def generator(e: float) -> torch.Generator:
    return torch.Generator().manual_seed(int(e))


def trained(e: float, **attributes: Any) -> torch.optim.Optimizer:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return with_attributes(optimizer, **attributes)


def with_state(key: Any, value: Any) -> torch.optim.Optimizer:
    optimizer = trained(0)
    optimizer.state[key] = value
    return optimizer


def scheduled(e: float) -> Any:
    scheduler = torch.optim.lr_scheduler.StepLR(trained(0), 1)
    scheduler.gamma = 0.1 + e
    return scheduler


def kind_of(value: int) -> enum.Enum:
    return enum.Enum("K", {"A": value}).A  # type: ignore[no-any-return, attr-defined]


def unregistered(e: float) -> Net:
    hidden = Net()
    with torch.no_grad():
        hidden.layer.weight.fill_(e)
    return Net(hidden=[hidden])


DIFFERENT: dict[str, Make] = {
    # keys and containers
    "key type": lambda e: {1: 0.5} if e else {"1": 0.5},
    "key types swapped": lambda e: {1: 0.1, "1": 0.2} if e else {1: 0.2, "1": 0.1},
    "key types in another order": lambda e: {"1": 0.1, 1: 0.2} if e else {"1": 0.2, 1: 0.1},
    "key True or 1": lambda e: {True: 0.5} if e else {1: 0.5},
    "key None or its name": lambda e: {None: 0.5} if e else {"None": 0.5},
    "key 1 or 1.0": lambda e: {1: 0.5} if e else {1.0: 0.5},
    "key of numpy": lambda e: {np.int64(1): 0.5} if e else {1: 0.5},
    "key tuple or its text": lambda e: {(1, 2): 0.5} if e else {"(1, 2)": 0.5},
    "key tuple of a text or a number": lambda e: {(1,): 0.5} if e else {("1",): 0.5},
    "key bytes or its text": lambda e: {b"a": 0.5} if e else {"b'a'": 0.5},
    "key enum": lambda e: {kind_of(1 + int(e)): 0.5},
    "key quoted": lambda e: {"'1'": 0.5} if e else {"1": 0.5},
    "deque": lambda e: collections.deque([1.0, e]),
    "deque of tensors": lambda e: collections.deque([torch.tensor(e)], maxlen=2),
    "defaultdict": lambda e: collections.defaultdict(list, {"a": [e]}),
    "Counter": lambda e: collections.Counter({"a": 1 + int(e)}),
    "OrderedDict": lambda e: collections.OrderedDict(a=e),
    "UserDict": lambda e: collections.UserDict({"a": e}),
    "UserList": lambda e: collections.UserList([e]),
    "ChainMap": lambda e: collections.ChainMap({"a": e}, {"b": 1}),
    "mappingproxy": lambda e: types.MappingProxyType({"a": e}),
    "dict views": lambda e: {"a": e}.values(),
    "range": lambda e: range(3 + int(e)),
    "array.array": lambda e: array.array("d", [e]),
    "memoryview": lambda e: memoryview(bytes([int(e)])),
    "ctypes array": lambda e: (ctypes.c_double * 2)(1.0, e),
    "ctypes number": lambda e: ctypes.c_int(int(e)),
    "bytearray": lambda e: bytearray([int(e)]),
    # texts and numbers
    "enum value": lambda e: kind_of(1 + int(e)),
    "enum of tensors": lambda e: kind_of(torch.tensor(e)),  # type: ignore[arg-type]
    "flag": lambda e: enum.Flag("F", "A B C")(3 + 2 * int(e)),
    "decimal": lambda e: decimal.Decimal(str(e)),
    "fraction": lambda e: fractions.Fraction(1, 2 + int(e)),
    "uuid": lambda e: uuid.UUID(int=int(e)),
    "timedelta": lambda e: datetime.timedelta(seconds=e),
    "complex": lambda e: complex(0, e),
    "negative zero": lambda e: -0.0 if e else 0.0,
    "large number": lambda e: 10**400 + int(e),
    "path": lambda e: Path(f"a{e}"),
    # attributes of subclasses
    "attribute of a str": lambda e: with_attributes(Text("a"), score=e),
    "attribute of a float": lambda e: with_attributes(Number(1), score=e),
    "attribute of an int": lambda e: with_attributes(Whole(1), score=e),
    "attribute of a dict": lambda e: with_attributes(Table(a=1), score=e),
    "attribute of a list": lambda e: with_attributes(Row([1]), score=e),
    "attribute of an array": lambda e: with_attributes(np.zeros(2).view(Rows), score=e),
    "attribute of a tensor's class": lambda e: with_attributes(torch.zeros(2).as_subclass(Marked), score=e),
    "attribute of a tensor": lambda e: with_attributes(torch.zeros(2), score=e),
    "attribute of a namedtuple": lambda e: with_attributes(WiderPair(1, 2), note=e),
    "namedtuple": lambda e: Pair(1, e),
    "dataclass": lambda e: Result(e),
    "attribute beside the fields": lambda e: with_attributes(Result(1), extra=e),
    "dataclass in a dataclass": lambda e: Result(1, Result(2, [e])),
    "object": lambda e: Plain(score=e),
    "object in an object": lambda e: Plain(inner=Plain(values=[torch.tensor(e)])),
    "object of another class": lambda e: Plain(a=1) if e else Slotted(1),
    "private attribute": lambda e: Plain(_score=e),
    "slots": lambda e: Slotted(e),
    "mangled slot": lambda e: Slotted(1, e),
    "slots of a base": lambda e: Half(e),
    "SimpleNamespace": lambda e: types.SimpleNamespace(score=e),
    "argparse.Namespace": lambda e: Namespace(score=e),
    "exception": lambda e: ValueError("a", e),
    "attribute of an exception": lambda e: with_attributes(ValueError("a"), score=e),
    "partial": lambda e: functools.partial(max, e),
    "partial keyword": lambda e: functools.partial(max, key=e),
    "closure": closure,
    "results in a cache": lambda e: cached(e, 8),
    "results in a cache without bounds": lambda e: cached(e, None),
    "values of a thread": lambda e: with_attributes(threading.local(), score=e),
    "default of a function": default,
    "keyword default of a function": keyword,
    "attribute of a function": lambda e: with_attributes(closure(1), score=e),
    "bound method": lambda e: Plain(score=e).__init__,
    "method of a list": lambda e: [1.0, e].append,
    "method of a dict": lambda e: {"score": e}.__getitem__,
    "another function": lambda e: min if e else max,
    "another class": lambda e: Plain if e else Result,
    # generators
    "random.Random": lambda e: random.Random(int(e)),
    "numpy generator": lambda e: np.random.default_rng(int(e)),
    "numpy random state": lambda e: np.random.RandomState(int(e)),
    "torch generator": generator,
    "generator in an object": lambda e: Plain(rng=np.random.default_rng(int(e))),
    # arrays
    "mask": lambda e: np.ma.array([1.0, 2.0], mask=[0, int(e)]),
    "fill value": lambda e: np.ma.array([1.0, 2.0], mask=[0, 1], fill_value=5 + e),
    "structured": lambda e: np.array([(1, e)], dtype=[("a", "i4"), ("b", "f8")]),
    "field name": lambda e: np.array([(1,)], dtype=[("b" if e else "a", "i4")]),
    "object array": lambda e: np.array([torch.tensor(e), None], dtype=object),
    "shape of an object array": lambda e: np.array([["a", None]] if e else [["a"], [None]], dtype=object),
    "structured with objects": lambda e: np.array([(1, e)], dtype=[("a", "i4"), ("b", object)]),
    "datetime64": lambda e: np.array([f"2020-01-0{1 + int(e)}"], dtype="datetime64[D]"),
    "unit of datetime64": lambda e: np.array([1], dtype="datetime64[s]" if e else "datetime64[D]"),
    "numpy text": lambda e: np.array([f"a{e}"]),
    "numpy scalar": lambda e: np.float32(e),
    "numpy dtype": lambda e: np.dtype("f4" if e else "f8"),
    # tensors
    "wrapper context": lambda e: Wrapper(torch.zeros(2), {"scale": e}),
    "wrapper context, an object": lambda e: Wrapper(torch.zeros(2), Plain(scale=e)),
    "wrapper context, a tensor": lambda e: Wrapper(torch.zeros(2), (torch.tensor(e),)),
    "wrapper attribute": lambda e: with_attributes(Wrapper(torch.zeros(2), None), scale=e),
    "sparse": lambda e: torch.eye(2).mul(1 + e).to_sparse(),
    "csr": lambda e: torch.eye(2).mul(1 + e).to_sparse_csr(),
    "quantized scale": lambda e: torch.quantize_per_tensor(torch.zeros(2), 0.1 + e, 0, torch.quint8),
    "nested": lambda e: torch.nested.nested_tensor([torch.zeros(2), torch.tensor([e])], layout=torch.jagged),
    "conjugate": lambda e: torch.tensor([complex(1, e)]).conj(),
    "dtype": lambda e: torch.float32 if e else torch.float64,
    # modules
    "tensor of a module": lambda e: Net(scale=torch.tensor(e)),
    "number of a module": lambda e: Net(temperature=e),
    "array of a module": lambda e: Net(table=np.array([e])),
    "text of a module": lambda e: Net(mode=f"mode {e}"),
    "list of a module": lambda e: Net(history=[torch.zeros(1), torch.tensor(e)]),
    "dict of a module": lambda e: Net(stats={"layer": {"mean": torch.tensor(e)}}),
    "deque of a module": lambda e: Net(memory=collections.deque([torch.tensor(e)])),
    "object of a module": lambda e: Net(config=Plain(rate=e)),
    "module in a list of a module": unregistered,
    "gradient of a module": lambda e: with_layer(
        lambda m: setattr(m[1].weight, "grad", torch.tensor([1.0, e]))
    ),
    "gradient of a tensor": lambda e: with_gradient(torch.zeros(2, requires_grad=True), e),
    "hook": lambda e: with_layer(lambda m: e and m.register_forward_hook(lambda module, given, out: out)),
    "closure of a hook": lambda e: with_layer(
        lambda m: m[0].register_forward_hook(lambda module, given, out: out + e)
    ),
    "partial as a hook": lambda e: with_layer(
        lambda m: m[0].register_forward_hook(functools.partial(closure(1.0), e))
    ),
    "forward of an object": lambda e: with_attributes(Net(), **({"forward": closure(1.0)} if e else {})),
    "frozen": lambda e: with_layer(lambda m: m[1].weight.requires_grad_(not e)),
    "attribute of the class of a module": lambda e: of_class(Net, scale=e),
    "attribute of the class of an object": lambda e: of_class(Plain, history=[e]),
    "attribute of a base class": lambda e: type("Derived", (type(of_class(Plain, kept=torch.tensor(e))),), {})(),
    "attribute of a class": lambda e: type(of_class(Plain, score=e)),
    "code of a function": lambda e: (lambda x: x + 1) if e else (lambda x: x + 2),
    "code inside a function": lambda e: (lambda x: [y + 1 for y in x]) if e else (lambda x: [y - 1 for y in x]),
    "factory of a defaultdict": lambda e: collections.defaultdict(closure(e)),
    "defaults of an optimizer": lambda e: with_attributes(trained(0), defaults={"lr": e}),
    "inner module": lambda e: torch.nn.Sequential(Net(scale=torch.tensor(e))),
    "non-persistent buffer": lambda e: with_layer(
        lambda m: m.register_buffer("extra", torch.tensor(e), persistent=False)
    ),
    "extra state": lambda e: Extra(calibrated=e),
    "extra state of a layer": lambda e: torch.nn.Sequential(Extra(calibrated=torch.tensor(e))),
    "added by state_dict": lambda e: Hooked(added=torch.tensor(e)),
    "added by a hook": module_hook,
    "rate of a layer": lambda e: with_layer(lambda m: setattr(m[0], "p", 0.1 + e / 10)),
    "momentum of a layer": lambda e: with_layer(lambda m: setattr(m[1], "momentum", 0.1 + e / 10)),
    "mode of a layer": lambda e: with_layer(lambda m: m[1].train(bool(e))),
    "tensor put on a layer": lambda e: with_layer(lambda m: setattr(m[0], "scale", torch.tensor(e))),
    "compiled": lambda e: torch.compile(Net(scale=torch.tensor(e))),
    "closure over a module": lambda e: closure(Net(scale=torch.tensor(e))),  # type: ignore[arg-type]
    "object with a module": lambda e: Plain(model=Net(scale=torch.tensor(e))),
    # optimizers
    "attribute of an optimizer": lambda e: trained(0, buffer=torch.tensor(e)),
    "array in a state": lambda e: with_state("a", {"m": np.array([e])}),
    "deque in a state": lambda e: with_state("a", collections.deque([torch.tensor(e)])),
    "object in a state": lambda e: with_state("a", Plain(m=torch.tensor(e))),
    "scheduler": scheduled,
}  # fmt: skip


DIFFERENT |= {
    "a buffer": lambda x: io.BytesIO(b"%d" % x),
    "a text buffer": lambda x: io.StringIO(f"acc {x}"),
    "a buffer in an object": lambda x: types.SimpleNamespace(saved=io.BytesIO(b"%d" % x)),
}


@pytest.mark.parametrize("make", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_seen_and_what_is_equal_is_not(make: Make) -> None:
    assert seen(make(0.0)) == seen(make(0.0))
    assert seen(make(0.0)) != seen(make(1.0))
    assert not unread(make(1.0))


def raising(name: str, error: type[BaseException] = ValueError) -> Any:
    def method(*args: Any, **kwargs: Any) -> Any:
        raise error("0x7f0000000000")

    return type("Raising", (), {name: method})()


class EndlessMapping(Mapping[int, int]):
    def __getitem__(self, key: int) -> int:
        return 1

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1


class EndlessList(list[int]):
    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1


class RaisingDict(dict[str, int]):
    def items(self) -> Any:
        raise ValueError

    def __len__(self) -> int:
        raise ValueError

    def __iter__(self) -> Any:
        raise ValueError

    def __getitem__(self, key: str) -> int:
        raise ValueError


class RaisingKey:
    def __repr__(self) -> str:
        raise ValueError

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise ValueError

    def __lt__(self, other: object) -> bool:
        raise ValueError


class Pretender:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise ValueError

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise ValueError

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


class BadPath:
    def __fspath__(self) -> str:
        raise ValueError


class BadState(Net):
    def get_extra_state(self) -> Any:
        raise RuntimeError

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        raise SystemExit(3)


class BadFlatten(Wrapper):
    def __tensor_flatten__(self) -> Any:
        raise ValueError


class Growing:
    """Every attribute is another one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Growing()


def cycle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def wide() -> list[Any]:
    made: list[Any] = [1]
    for _ in range(12):
        made = [made] * 10
    return made


def deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(5000):
        made = [made]
    return made


def self_cycle() -> Plain:
    made = Plain()
    made.me = [made]  # type: ignore[attr-defined]
    return made


BAD: dict[str, Callable[[], Any]] = {
    "repr": lambda: raising("__repr__"),
    "str": lambda: raising("__str__"),
    "len": lambda: raising("__len__"),
    "iter": lambda: raising("__iter__"),
    "eq": lambda: raising("__eq__"),
    "hash": lambda: raising("__hash__"),
    "bool": lambda: raising("__bool__"),
    "array": lambda: raising("__array__"),
    "getattribute": lambda: raising("__getattribute__"),
    "getattr": lambda: raising("__getattr__"),
    "exit": lambda: raising("__getattribute__", SystemExit),
    "recursion": lambda: raising("__getattribute__", RecursionError),
    "reduce": lambda: raising("__reduce_ex__"),
    "key": lambda: {RaisingKey(): 1},
    "keys": lambda: {RaisingKey(): 1, "a": 2},
    "set": lambda: {RaisingKey()},
    "dict": lambda: RaisingDict(a=1),
    "class": Pretender,
    "path": BadPath,
    "state": BadState,
    "flatten": lambda: BadFlatten(torch.zeros(2), None),
    "meta": lambda: torch.empty(2, device="meta"),
    "endless mapping": EndlessMapping,
    "endless list": lambda: EndlessList([1, 2]),
    "endless generator": lambda: iter(lambda: 1, 2),
    "cycle": cycle,
    "cycle of objects": self_cycle,
    "deep": deep,
    "growing": Growing,
    "unset slot": lambda: Slotted.__new__(Slotted),
    "empty cell": lambda: (lambda: undefined) if (undefined := None) else 1,
    "dead weak reference": lambda: __import__("weakref").proxy(Plain()),
    "mock": lambda: __import__("unittest.mock").mock.MagicMock(),
    "lazy parameter": lambda: torch.nn.LazyLinear(2),
    "lock": threading.Lock,
    "logger": lambda: logging.getLogger("a"),
    "frame": lambda: __import__("sys")._getframe(),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
@pytest.mark.parametrize(
    "place", [lambda v: v, lambda v: {"a": v}, lambda v: Plain(a=v)], ids=["bare", "dict", "object"]
)
def test_a_value_is_never_our_end(
    make: Callable[[], Any], place: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaves_module, "MAX_VALUES", 5000)
    monkeypatch.setattr(leaves_module, "MAX_LEAVES", 100)
    started = time.monotonic()
    for leaf in leaves_of(place(make())):
        assert "0x" not in leaf.reason + leaf.name + leaf.text
        assert leaf.digest or leaf.reason
    assert time.monotonic() - started < 20


def test_a_value_that_grows_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaves_module, "MAX_VALUES", 5000)
    monkeypatch.setattr(leaves_module, "MAX_LEAVES", 100)
    last = list(leaves_of(wide()))[-1]
    assert (last.kind, last.reason) == ("opaque", "more than 5000 values")


def test_leaves_beyond_the_list_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaves_module, "MAX_LEAVES", 100)
    many = [str(number) for number in range(300)]
    assert len(seen(many)) == 101
    assert seen(many) == seen(list(many))
    assert seen(many) != seen([*many[:-1], "other"])


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: (n for n in range(3)), {"": "opaque"}),
        (lambda: {"a": iter([1])}, {"a": "opaque"}),
        (lambda: Plain(rows=iter([1])), {"rows": "reference"}),
        (lambda: Plain(lock=threading.Lock(), log=logging.getLogger()), {"lock": "reference", "log": "reference"}),
        (lambda: Plain(began=time.time()), {"began": "reference"}),
        (lambda: Plain(began=int(time.time())), {"began": "reference"}),
        (lambda: Plain(began=time.time_ns()), {"began": "reference"}),
        (lambda: Plain(began=time.perf_counter()), {"began": "reference"}),
        (lambda: Plain(began=datetime.datetime.now()), {"began": "reference"}),
        (lambda: Plain(elapsed_seconds=0.25), {"elapsed_seconds": "reference"}),
        (lambda: Net(began=time.time()), {"began": "reference"}),
        (lambda: object(), {"": "opaque"}),
    ],
)
def test_what_is_not_looked_into_is_reported_by_its_path(make: Callable[[], Any], where: dict[str, str]) -> None:
    assert unread(make()) == where


def test_names_of_ordinary_values_are_as_they_were() -> None:
    value = {"loss": 0.5, "model": {"0.weight": torch.zeros(2)}, "epochs": [{"a": 1}, {"a": 2}], 3: "x", "e": {}}
    expected = ["3", "e", "epochs[0].a", "epochs[1].a", "epochs.length", "loss", "model.0.weight"]
    assert names(value) == expected
    state = names(trained(0))
    assert {"state.0.momentum_buffer", "param_groups[0].lr", "param_groups[0].params[0]"} <= set(state)
    assert names(Net()) == ["layer.weight", "layer.bias", "(settings)"]
    assert names({"a": (1, 2), "b": Pair(1, 2)}) == ["a[0]", "a[1]", "a.length", "b.a", "b.b"]
    twice = Net()
    assert names({"a": twice, "b": twice}).count("b.layer.weight") == 1


def test_layers_of_libraries_have_no_leaves_of_their_own() -> None:
    for model in (torch.nn.LSTM(2, 2), torch.nn.TransformerEncoderLayer(4, 2), torch.nn.MultiheadAttention(4, 2)):
        state = dict(model.named_parameters())
        assert names(model) == [*state, "(settings)"]


def test_an_attribute_that_is_an_item_as_well_is_reported_once() -> None:
    value = Table(a=torch.zeros(2))
    value.__dict__["a"] = value["a"]
    assert names(value) == ["a"]


def test_numbers_of_modules_are_no_metrics() -> None:
    leaves = {leaf.name: leaf for leaf in leaves_of(Net(temperature=0.5))}
    assert leaves["temperature"].text == ""
    assert leaves["temperature"].data is not None


def test_memory_of_an_extension_is_not_taken_for_attributes() -> None:
    import sqlite3
    import types

    class Plain:
        pass

    class Slotted:
        __slots__ = ("a", "b")

    class Both(Slotted):
        pass

    class Own(sqlite3.Connection):
        pass

    for kind in (Plain, Slotted, Both, types.SimpleNamespace):
        assert not has_hidden_state(kind), kind
    for kind in (sqlite3.Connection, Own):
        assert has_hidden_state(kind), kind
    assert [leaf.digest for leaf in leaves_of(sqlite3.connect(":memory:"))] == [""]
