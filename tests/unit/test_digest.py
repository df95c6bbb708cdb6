"""Digests: same for equal values, another one for every change, no trace in the target, no crash."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from reprocheck.worker.fingerprint import digest
from reprocheck.worker.fingerprint.arrays import array_digest
from reprocheck.worker.fingerprint.digest import DigestBuilder, bytes_digest, dtype_name, raw_bytes, tensor_digest
from reprocheck.worker.fingerprint.leaves import leaves_of
from reprocheck.worker.fingerprint.native import helper
from reprocheck.worker.fingerprint.plain import UnsupportedTensor
from reprocheck.worker.fingerprint.unobserved import Unobserved

QUANTIZED = {torch.qint8, torch.quint8, torch.qint32, torch.quint4x2, torch.quint2x4}
DENSE = sorted({d for d in vars(torch).values() if isinstance(d, torch.dtype)} - QUANTIZED, key=str)


def seeded(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def of_dtype(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    """Any bits: a bool takes only 0 and 1."""
    top = 2 if dtype is torch.bool else 256
    shape = (*shape[:-1], shape[-1] * dtype.itemsize)
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, top, shape, dtype=torch.uint8, generator=generator).view(dtype)


HELPED = tensor_digest, helper.feed


@pytest.fixture(autouse=True, params=["compiled helper", "Python"], scope="module")
def _both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """All of it with the helper, and without it."""
    global tensor_digest
    if request.param == "Python":
        tensor_digest, helper.feed = digest._tensor_digest, None
    elif helper.feed is None:
        pytest.skip(helper.why_not)
    yield
    tensor_digest, helper.feed = HELPED


@pytest.fixture(autouse=True)
def _quiet_prototypes() -> Iterator[None]:
    """PyTorch calls several layouts and dtypes experimental; that is not this suite's concern."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\.|tests\.|test_digest")
        yield


class Subclass(torch.Tensor):
    """With data of its own."""


class DispatchSubclass(torch.Tensor):
    """With data of its own, and a handler that must never run for us."""

    @classmethod
    def __torch_dispatch__(cls, *_: Any) -> Any:
        raise AssertionError("the target's code ran")


class Wrapper(torch.Tensor):
    """With its values in other tensors."""

    parts: tuple[str, ...] = ("first", "second")

    @staticmethod
    def __new__(cls, *inner: torch.Tensor, context: object = None) -> Wrapper:
        return torch.Tensor._make_wrapper_subclass(cls, inner[0].shape, dtype=inner[0].dtype)  # type: ignore[return-value]

    def __init__(self, *inner: torch.Tensor, context: object = None) -> None:
        self.first, self.second = inner
        self.context = context

    def __tensor_flatten__(self) -> tuple[list[str], object]:
        return ["first", "second"], self.context

    @classmethod
    def __torch_dispatch__(cls, *_: Any) -> Any:
        raise AssertionError("the target's code ran")


class OtherWrapper(Wrapper):
    """One that reads the same tensors in another way."""


class Opaque(torch.Tensor):
    """A wrapper that does not say what it holds."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Opaque:
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)  # type: ignore[return-value]

    @classmethod
    def __torch_dispatch__(cls, *_: Any) -> Any:
        raise AssertionError("the target's code ran")


# Equal values, equal digests


def test_digest_is_stable() -> None:
    """Baselines on disk depend on these very bytes: a change of format is a break of compatibility."""
    assert tensor_digest(torch.arange(6.0).reshape(2, 3)).hex() == "2d71fdd55b57991ebdde19f321e24977"
    assert array_digest(np.arange(6.0).reshape(2, 3)).hex() == "2d5e07ffccd7559c98259e8f13e0c9ee"
    assert bytes_digest(b"abc").hex() == "06b05ab6733a618578af5f94892f3950"
    builder = DigestBuilder()
    builder.bytes(b"name")
    builder.tensor(torch.arange(6.0))
    builder.tensor(torch.empty(1, device="meta"))
    assert builder.digest().hex() == "7dcac5c39628bfbc452f54de8b194a28"


SAME: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "clone": torch.clone,
    "twice transposed copy": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "offset": lambda x: torch.cat([torch.zeros(1, *x.shape[1:]), x])[1:],
    "steps": lambda x: x.repeat_interleave(2, dim=3)[..., ::2],
    "flipped": lambda x: x.flip(1).flip(1),
    "parameter": torch.nn.Parameter,
    "buffer": torch.nn.Buffer,
    "requires grad": lambda x: x.clone().requires_grad_(),
    "result of autograd": lambda x: x.clone().requires_grad_() * 1,
    "subclass": lambda x: x.as_subclass(Subclass),
    "strided subclass": lambda x: x.transpose(0, 1).contiguous().as_subclass(Subclass).transpose(0, 1),
    "dispatch subclass": lambda x: torch.Tensor._make_subclass(DispatchSubclass, x),
    "negative bit": lambda x: torch._neg_view(-x),
    "mkldnn": lambda x: x.to_mkldnn(),
    "shared": lambda x: x.clone().share_memory_(),
    "copy on write": torch._lazy_clone,
    "numpy memory": lambda x: torch.from_numpy(x.numpy().copy()),
}


@pytest.mark.parametrize("make", SAME.values(), ids=SAME.keys())
def test_same_values_same_digest(make: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = seeded(2, 3, 4, 6)
    assert tensor_digest(make(x)) == tensor_digest(x)
    assert builder(make(x)) == builder(x)
    assert tensor_digest(make(x + 1)) != tensor_digest(x)
    if not make(x).is_mkldnn:
        assert bytes(raw_bytes(make(x))) == x.numpy().tobytes()


def test_inference_tensor() -> None:
    with torch.inference_mode():
        x = torch.ones(3, 4)
        inside = tensor_digest(x), tensor_digest(x.t().contiguous().t())
    assert inside == (tensor_digest(torch.ones(3, 4)),) * 2
    assert tensor_digest(x.t()) == tensor_digest(torch.ones(4, 3))


def test_what_repeats_values_beyond_memory_is_read_once() -> None:
    row = torch.arange(3.0)
    shape = (2**40, 3)
    digest = tensor_digest(row.expand(shape))
    assert digest == tensor_digest(torch.stack([row] * 2)[:1].expand(shape))
    assert len({digest, tensor_digest(row.expand(2**41, 3)), tensor_digest((row + 1).expand(shape))}) == 3
    with pytest.raises(UnsupportedTensor, match="repeats values"):
        raw_bytes(row.expand(shape))
    several = torch.arange(6.0).reshape(2, 1, 3, 1).expand(2, 2**20, 3, 2**20)
    assert tensor_digest(several) != tensor_digest((several[:1]).expand(2, 2**20, 3, 2**20))
    assert array_digest(np.broadcast_to(row.numpy(), shape)) == array_digest(np.broadcast_to(row.numpy() + 0, shape))
    assert array_digest(np.broadcast_to(row.numpy(), shape)) != array_digest(np.broadcast_to(row.numpy() + 1, shape))
    [leaf] = leaves_of(np.broadcast_to(row.numpy(), shape))
    assert (leaf.shape, leaf.data) == (shape, None)


def test_tied_and_expanded() -> None:
    x = torch.ones(1)
    assert tensor_digest(x.expand(5)) == tensor_digest(torch.ones(5))
    assert tensor_digest(x.expand(3, 5)) == tensor_digest(torch.ones(3, 5))
    assert bytes(raw_bytes(x.expand(5))) == torch.ones(5).numpy().tobytes()
    overlapping = torch.arange(6.0).as_strided((3, 2), (1, 1))
    assert tensor_digest(overlapping) == tensor_digest(torch.tensor([[0.0, 1], [1, 2], [2, 3]]))


def test_scalar_and_empty_shapes() -> None:
    digests = [
        tensor_digest(x)
        for x in (
            torch.tensor(1.0),
            torch.tensor([1.0]),
            torch.tensor([[1.0]]),
            torch.empty(0),
            torch.empty(0, 3),
            torch.empty(3, 0),
            torch.empty(0, dtype=torch.int32),
        )
    ]
    assert len(set(digests)) == len(digests)
    assert tensor_digest(torch.empty(3, 0)) == tensor_digest(torch.empty(0, 3).t())
    assert bytes(raw_bytes(torch.empty(0, 3))) == b""


def test_conjugate_and_negative_views() -> None:
    x = torch.view_as_complex(seeded(5, 3, 2))
    for view in (x.conj(), x.conj().imag, x.conj().t(), x.conj().imag.t()):
        assert view.is_conj() or view.is_neg()
        plain = view.resolve_conj().resolve_neg().contiguous()
        assert tensor_digest(view) == tensor_digest(plain)
        assert bytes(raw_bytes(view)) == plain.numpy().tobytes()
        assert tensor_digest(view) != tensor_digest(x if view.is_complex() else x.imag)


def test_zero_tensor() -> None:
    assert tensor_digest(torch._efficientzerotensor(3)) == tensor_digest(torch.zeros(3))


@pytest.mark.parametrize("dtype", DENSE, ids=str)
def test_every_dtype(dtype: torch.dtype) -> None:
    x = of_dtype(dtype, 4, 6)
    data = x.view(torch.uint8).numpy().tobytes()
    digest = tensor_digest(x)
    assert bytes(raw_bytes(x)) == data
    assert dtype_name(x) == str(dtype)[6:]
    strided = of_dtype(dtype, 6, 4).t()
    rows = strided.shape[0] * strided.shape[1]
    as_bytes = of_dtype(dtype, 6, 4).view(torch.uint8).reshape(6, 4, dtype.itemsize)
    expected = as_bytes.transpose(0, 1).contiguous().reshape(4, -1).view(dtype)
    assert tensor_digest(strided) == tensor_digest(expected)
    assert len(raw_bytes(strided)) == rows * dtype.itemsize
    for place in (0, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        other = torch.frombuffer(changed, dtype=torch.uint8).reshape(4, -1).view(dtype)
        assert tensor_digest(other) != digest


def test_same_bits_of_other_dtypes_differ() -> None:
    bits = torch.zeros(4, 16, dtype=torch.uint8)
    for size in (1, 2, 4, 8, 16):
        digests = [tensor_digest(bits.view(dtype)) for dtype in DENSE if dtype.itemsize == size]
        assert len(set(digests)) == len(digests)


@given(
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    data=st.data(),
    dtype=st.sampled_from([torch.uint8, torch.bfloat16, torch.int32, torch.float64, torch.complex128]),
)
def test_strides_never_count(sizes: list[int], data: st.DataObject, dtype: torch.dtype) -> None:
    base = of_dtype(dtype, *(size + 1 for size in sizes))
    index = tuple(slice(data.draw(st.integers(0, 1)), None, data.draw(st.integers(1, 2))) for _ in range(len(sizes)))
    order = data.draw(st.permutations(range(len(sizes))))
    view = base[index].permute(order)
    plain = view.clone(memory_format=torch.contiguous_format)
    assert tensor_digest(view) == tensor_digest(plain)
    assert bytes(raw_bytes(view)) == bytes(raw_bytes(plain))
    one, other = DigestBuilder(), DigestBuilder()
    one.tensor(view)
    other.tensor(plain)
    assert one.digest() == other.digest()


# Every change counts


def changed(change: Callable[[torch.Tensor], torch.Tensor | None]) -> Callable[[torch.Tensor], torch.Tensor]:
    def apply(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        result = change(x)
        return x if result is None else result

    return apply


def flip(bits: int, *places: int) -> Callable[[torch.Tensor], torch.Tensor]:
    @changed
    def change(x: torch.Tensor) -> None:
        for place in places:
            x.view(torch.int32)[place] ^= bits

    return change


def put(**values: float) -> Callable[[torch.Tensor], torch.Tensor]:
    @changed
    def change(x: torch.Tensor) -> None:
        for place, value in values.items():
            x[int(place[1:])] = value

    return change


def swap(i: int, j: int, size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    @changed
    def change(x: torch.Tensor) -> None:
        kept = x[i : i + size].clone()
        x[i : i + size] = x[j : j + size]
        x[j : j + size] = kept

    return change


SIGN = -(2**31)
CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "swap neighbours": swap(0, 1, 1),
    "swap 64-bit words": swap(100, 900, 2),
    "swap blocks": swap(0, 4096, 4096),
    "one ulp": flip(1, 1234),
    "one ulp of a small value": flip(1, 30),
    "one sign": flip(SIGN, 1234),
    "two signs": flip(SIGN, 1, 777),
    "0.0 to -0.0": put(_4=-0.0),
    "NaN payload": flip(0x123, 6),
    "NaN sign": flip(SIGN, 6),
    "same xor in two elements": flip(0x5A5, 10, 20),
    "same sum": put(_8=1.5, _9=0.5),
    "append zeros": lambda x: torch.cat([x, torch.zeros(64)]),
    "drop the last": lambda x: x[:-1],
    "reshape": lambda x: x.view(-1, 2),
    "add a dimension": lambda x: x[None],
    "reinterpret": lambda x: x.view(torch.int32),
    "reinterpret in halves": lambda x: x.view(torch.float16),
    "cast to float64": torch.Tensor.double,
    "make complex": lambda x: x.view(torch.complex64),
    "sparse": torch.Tensor.to_sparse,
    "reverse": lambda x: x.flip(0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_no_change_is_missed(change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = seeded(3 * 4096 + 10)
    x[4], x[8], x[9], x[30] = 0.0, 1.0, 1.0, 1e-6
    x.view(torch.int32)[6] = 0x7FC00000
    assert tensor_digest(change(x)) != tensor_digest(x)
    assert builder(change(x)) != builder(x)


def test_few_flipped_bits_never_collide() -> None:
    x = torch.zeros(64, dtype=torch.uint8)
    digests = {tensor_digest(x)}
    for i in range(512):
        for j in range(i, min(512, i + 12)):
            y = bytearray(64)
            y[i // 8] ^= 1 << i % 8
            if j != i:
                y[j // 8] ^= 1 << j % 8
            digests.add(tensor_digest(torch.frombuffer(y, dtype=torch.uint8)))
    assert len(digests) == 1 + sum(min(512, i + 12) - i for i in range(512))


@given(a=st.binary(max_size=40), b=st.binary(max_size=40))
def test_equal_only_if_the_bytes_are(a: bytes, b: bytes) -> None:
    x, y = (torch.tensor(list(data), dtype=torch.uint8) for data in (a, b))
    assert (tensor_digest(x) == tensor_digest(y)) == (a == b)
    assert (builder(x) == builder(y)) == (a == b)


# Tensors that are not one block of values


def coo(indices: list[list[int]], values: list[float], size: tuple[int, ...]) -> torch.Tensor:
    return torch.sparse_coo_tensor(indices, values, size, check_invariants=True)


def test_sparse_coo() -> None:
    loose = coo([[2, 0, 2]], [1.0, 2.0, 3.0], (4,))
    digest = tensor_digest(loose)
    assert not loose.is_coalesced()
    assert loose._nnz() == 3
    assert digest == tensor_digest(coo([[0, 2]], [2.0, 4.0], (4,)))
    others = [
        coo([[0, 2]], [2.0, 5.0], (4,)),
        coo([[0, 3]], [2.0, 4.0], (4,)),
        coo([[0, 2]], [2.0, 4.0], (5,)),
        loose.to_dense(),
        loose.double(),
        coo([[0, 2]], [2.0, 4.0], (4,)).unsqueeze(0),
    ]
    assert len({digest, *map(tensor_digest, others)}) == 1 + len(others)


def test_sparse_gradient() -> None:
    table = torch.nn.Embedding(5, 3, sparse=True)
    table(torch.tensor([1, 1, 4])).sum().backward()
    gradient = table.weight.grad
    assert gradient is not None
    digest = tensor_digest(gradient)
    assert not gradient.is_coalesced()
    assert digest == tensor_digest(gradient.coalesce())


COMPRESSED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "csr": torch.Tensor.to_sparse_csr,
    "csc": torch.Tensor.to_sparse_csc,
    "bsr": lambda x: x.to_sparse_bsr((2, 2)),
    "bsc": lambda x: x.to_sparse_bsc((2, 2)),
}


def test_sparse_compressed() -> None:
    x = seeded(4, 6).clamp(min=0)
    x[:2, :2] = 0
    seen = {tensor_digest(x)}
    for make in COMPRESSED.values():
        assert tensor_digest(make(x)) == tensor_digest(make(x.clone()))
        moved = x.roll(1, 0)
        seen |= {tensor_digest(make(x)), tensor_digest(make(x * 2)), tensor_digest(make(moved))}
    assert len(seen) == 1 + 3 * len(COMPRESSED)


def test_quantized() -> None:
    x = torch.linspace(-1, 1, 24).reshape(4, 6)

    def per_tensor(x: torch.Tensor, scale: float, zero: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.quantize_per_tensor(x, scale, zero, dtype)

    def per_channel(x: torch.Tensor, scale: float, zero: int, axis: int) -> torch.Tensor:
        n = x.shape[axis]
        return torch.quantize_per_channel(x, torch.full((n,), scale), torch.full((n,), zero), axis, torch.qint8)

    made = [
        per_tensor(x, 0.1, 3, torch.qint8),
        per_tensor(x, 0.1, 3, torch.quint8),
        per_tensor(x, 0.1, 3, torch.qint32),
        per_tensor(x, 0.1, 4, torch.qint8),
        per_tensor(x, 0.125, 3, torch.qint8),
        per_tensor(x.flip(0), 0.1, 3, torch.qint8),
        per_channel(x, 0.1, 3, 0),
        per_channel(x, 0.1, 3, 1),
        per_channel(x, 0.1, 2, 0),
        per_channel(x, 0.2, 3, 0),
        per_tensor(x, 0.1, 3, torch.qint8).int_repr(),
    ]
    assert len(set(map(tensor_digest, made))) == len(made)
    strided = per_tensor(x.t().contiguous(), 0.1, 3, torch.qint8).t()
    assert not strided.is_contiguous()
    assert tensor_digest(strided) == tensor_digest(made[0])
    # The same integers with other parameters mean other values.
    integers = torch.arange(4, dtype=torch.int8).reshape(2, 2)
    ones, zeros = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
    made_of_integers = [
        torch._make_per_tensor_quantized_tensor(integers, 1.0, 0),
        torch._make_per_tensor_quantized_tensor(integers, 2.0, 0),
        torch._make_per_tensor_quantized_tensor(integers, 1.0, 1),
        torch._make_per_channel_quantized_tensor(integers, ones, zeros, 0),
        torch._make_per_channel_quantized_tensor(integers, ones, zeros, 1),
        torch._make_per_channel_quantized_tensor(integers, ones + 1, zeros, 0),
        torch._make_per_channel_quantized_tensor(integers, ones, zeros + 1, 0),
    ]
    assert len(set(map(tensor_digest, made_of_integers))) == len(made_of_integers)
    with pytest.raises(UnsupportedTensor, match="not a dense tensor"):
        raw_bytes(made[0])


def nested(layout: torch.layout, *parts: torch.Tensor) -> torch.Tensor:
    return torch.nested.nested_tensor(list(parts), layout=layout)


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged], ids=str)
def test_nested(layout: torch.layout) -> None:
    a, b = seeded(2, 3), seeded(4, 3)
    x = nested(layout, a, b)
    assert tensor_digest(x) == tensor_digest(nested(layout, a.clone(), b.clone()))
    others = [
        nested(layout, a, b + 1),
        nested(layout, b, a),
        nested(layout, torch.cat([a, b[:1]]), b[1:]),
        nested(layout, a.double(), b.double()),
        torch.cat([a, b]),
    ]
    assert len({tensor_digest(x), *map(tensor_digest, others)}) == 1 + len(others)


def test_jagged_holes_and_caches_do_not_count() -> None:
    base = torch.arange(12.0).reshape(2, 6)
    starts, lengths = torch.tensor([0, 1]), torch.tensor([3, 2])
    x = torch.nested.narrow(base, 1, starts, lengths, layout=torch.jagged)
    digest = tensor_digest(x)
    x._get_max_seqlen()  # type: ignore[attr-defined]
    assert tensor_digest(x) == digest
    base[0, 5] = 99.0
    assert tensor_digest(x) == digest
    base[1, 1] = 99.0
    assert tensor_digest(x) != digest


def test_jagged_transposed() -> None:
    x = nested(torch.jagged, seeded(2, 3), seeded(4, 3)).transpose(1, 2)
    parts = [part.contiguous() for part in x.unbind()]
    changed = nested(torch.jagged, seeded(2, 3), seeded(4, 3) * 2).transpose(1, 2)
    assert [part.shape for part in parts] == [(3, 2), (3, 4)]
    assert tensor_digest(x) == tensor_digest(x.clone())
    assert tensor_digest(x) != tensor_digest(changed)


def test_wrapper_subclass() -> None:
    a, b = seeded(3), seeded(3) + 1
    digest = tensor_digest(Wrapper(a, b))
    assert digest == tensor_digest(Wrapper(a.clone(), b.clone()))
    others = [
        Wrapper(b, a),
        Wrapper(a, a),
        Wrapper(a, b, context=(1, "x")),
        Wrapper(a, b, context=(2, "x")),
        OtherWrapper(a, b),
        a,
    ]
    assert len({digest, *map(tensor_digest, others)}) == 1 + len(others)
    with pytest.raises(UnsupportedTensor, match="no data"):
        raw_bytes(Wrapper(a, b))


def test_context_of_a_wrapper_counts_only_what_is_stable() -> None:
    a = seeded(3)
    same = [Wrapper(a, a, context={"k": [object(), 1.5]}) for _ in range(2)]
    assert tensor_digest(same[0]) == tensor_digest(same[1])
    assert tensor_digest(same[0]) != tensor_digest(Wrapper(a, a, context={"k": [object(), 2.5]}))


def test_dtensor() -> None:
    distributed = pytest.importorskip("torch.distributed")
    tensors = pytest.importorskip("torch.distributed.tensor")
    if not distributed.is_available():
        pytest.skip("this build of PyTorch has no torch.distributed")
    distributed.init_process_group("gloo", rank=0, world_size=1, store=distributed.HashStore())
    try:
        mesh = tensors.init_device_mesh("cpu", (1,))
        x = seeded(4, 3)
        make = lambda data: tensors.distribute_tensor(data, mesh, [tensors.Shard(0)])  # noqa: E731
        digest = tensor_digest(make(x))
        assert digest == tensor_digest(make(x.clone().requires_grad_()))
        assert digest != tensor_digest(make(x + 1))
        waiting = distributed._functional_collectives.all_reduce(x, "sum", mesh)
        assert tensor_digest(waiting) == tensor_digest(x)
    finally:
        distributed.destroy_process_group()


# What cannot be read


def fake(**options: Any) -> torch.Tensor:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        return torch.empty(3, 4, **options)


def freed(view: Callable[[torch.Tensor], torch.Tensor], size: int = 0) -> torch.Tensor:
    """A view whose storage was shrunk under it."""
    x = torch.ones(1 << 20)
    view_of_x = view(x)
    x.untyped_storage().resize_(size)
    return view_of_x


def emptied(tensor: torch.Tensor, size: int = 0) -> torch.Tensor:
    tensor.untyped_storage().resize_(size)
    return tensor


def shrunk_sparse(part: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    indices = torch.arange(1 << 20).remainder(1 << 10)[None]
    tensor = torch.sparse_coo_tensor(indices, torch.ones(1 << 20), (1 << 10,), check_invariants=True)
    emptied(part(tensor), 4096)
    return tensor


UNREADABLE: dict[str, Callable[[], torch.Tensor]] = {
    "meta": lambda: torch.empty(3, device="meta"),
    "meta strided": lambda: torch.empty(3, 4, device="meta").t(),
    "meta sparse": lambda: coo([[0]], [1.0], (3,)).to("meta"),
    "fake": fake,
    "fake cuda": lambda: fake(device="cuda"),
    "fake parameter": lambda: torch.nn.Parameter(fake()),
    "functional": lambda: torch._to_functional_tensor(torch.ones(3)),
    "uninitialized parameter": torch.nn.UninitializedParameter,
    "wrapper that hides": lambda: Opaque(torch.ones(3)),
    "freed": lambda: freed(lambda x: x),
    "freed with offset": lambda: freed(lambda x: x[100:]),
    "freed strided": lambda: freed(lambda x: x[5:].as_strided((1000, 1000), (1, 1000))),
    "freed expanded": lambda: freed(lambda x: x[0].expand(7)),
    "shrunk": lambda: freed(lambda x: x, 4096),
    "shrunk strided": lambda: freed(lambda x: x.view(1024, 1024).t(), 4096),
    "freed quantized": lambda: emptied(torch.quantize_per_tensor(torch.ones(1 << 20), 0.1, 3, torch.qint8)),
    "shrunk sparse values": lambda: shrunk_sparse(torch.Tensor._values),
    "shrunk sparse indices": lambda: shrunk_sparse(torch.Tensor._indices),
    "wrapper of meta": lambda: Wrapper(torch.ones(3), torch.empty(3, device="meta")),
}


@pytest.mark.parametrize("make", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_unreadable(make: Callable[[], torch.Tensor]) -> None:
    reasons = set()
    for _ in range(2):
        tensor = make()
        with pytest.raises(UnsupportedTensor) as caught:
            tensor_digest(tensor)
        reasons.add(caught.value.reason)
        with pytest.raises(UnsupportedTensor):
            raw_bytes(tensor)
    (reason,) = reasons
    assert "0x" not in reason
    assert "Error" not in reason, "only by way of a failure inside PyTorch"


def test_empty_views_of_freed_storage_are_readable() -> None:
    assert tensor_digest(freed(lambda x: x[:0])) == tensor_digest(torch.empty(0))


@pytest.mark.parametrize("transform", [torch.vmap, lambda f: torch.func.grad(lambda x: f(x).sum())])
def test_inside_transforms(transform: Callable[..., Any]) -> None:
    outside = seeded(4, 3)
    strided = outside.t()
    seen = []

    def function(x: torch.Tensor) -> torch.Tensor:
        with pytest.raises(UnsupportedTensor, match=r"torch\.func"):
            tensor_digest(x)
        with pytest.raises(UnsupportedTensor, match=r"torch\.func"):
            raw_bytes(x.t() if x.dim() == 2 else x)
        seen.extend([tensor_digest(outside), tensor_digest(strided)])
        return x * 2

    transform(function)(seeded(4, 3))
    assert seen == [tensor_digest(outside), tensor_digest(strided)]


# Invisible


class SeenByDispatch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


class SeenByFunction(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def every_kind() -> list[torch.Tensor]:
    """Tensors that take each way through the code."""
    x = seeded(4, 6)
    leaf = x.clone().requires_grad_()
    return [
        x,
        x.t(),
        leaf,
        leaf.t(),
        torch.nn.Parameter(x),
        x.as_subclass(Subclass),
        x.t().as_subclass(Subclass),
        torch.Tensor._make_subclass(DispatchSubclass, x.t()),
        Wrapper(x, x.t()),
        torch.view_as_complex(seeded(3, 2, 2)).conj().t(),
        coo([[2, 0, 2]], [1.0, 2.0, 3.0], (4,)),
        x.to_sparse_csr(),
        torch.quantize_per_tensor(x, 0.1, 3, torch.qint8).t(),
        nested(torch.strided, x, x[:2]),
        nested(torch.jagged, x, x[:2]),
        x.to_mkldnn(),
        x.expand(3, 4, 6),
        torch.view_as_complex(seeded(3, 2, 2)).requires_grad_().conj(),
        coo([[2, 0, 2]], [1.0, 2.0, 3.0], (4,)).requires_grad_(),
        x.double().requires_grad_().to(torch.complex128).t(),
    ]


def builder(*tensors: torch.Tensor) -> bytes:
    whole, single = DigestBuilder(), DigestBuilder()
    whole.all([*tensors])
    for tensor in tensors:
        single.tensor(tensor)
    assert whole.digest() == single.digest()
    assert whole.skipped == single.skipped
    return whole.digest()


def read_all(tensors: list[torch.Tensor]) -> list[object]:
    """Everything that the module offers, on each tensor."""
    with Unobserved():
        inside = [tensor_digest(x) for x in tensors]
    alone = [tensor_digest(x) for x in tensors]
    raw = [bytes(raw_bytes(x)) for x in tensors[:6]]
    return [*inside, *alone, *raw, *(dtype_name(x) for x in tensors), builder(*tensors)]


def test_inside_functionalize() -> None:
    tensors = every_kind()
    expected = read_all(tensors)
    seen: list[object] = []

    def function(x: torch.Tensor) -> torch.Tensor:
        with pytest.raises(UnsupportedTensor):
            tensor_digest(x)
        seen.extend(read_all(tensors))
        return x * 2

    torch.func.functionalize(function)(torch.ones(2))
    assert seen == expected
    torch._enable_functionalization(reapply_views=True)
    try:
        assert read_all(tensors) == expected
    finally:
        torch._disable_functionalization()


@contextmanager
def fake_mode() -> Iterator[None]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


CONTEXTS: dict[str, Callable[[], Any]] = {
    "fake mode": fake_mode,
    "deterministic": deterministic,
    "inference mode": torch.inference_mode,
    "no grad": torch.no_grad,
    "anomaly": torch.autograd.detect_anomaly,
    "autocast": lambda: torch.autocast("cpu"),
    "device": lambda: torch.device("meta"),
    "saved tensors hooks": torch.autograd.graph.save_on_cpu,
}


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS.keys())
def test_digests_do_not_depend_on_the_context(context: Callable[[], Any]) -> None:
    tensors = every_kind()
    expected = read_all(tensors)
    with context():
        assert read_all(tensors) == expected


def test_modes_see_nothing() -> None:
    tensors = every_kind()
    expected = read_all(tensors)
    with SeenByDispatch() as dispatch, SeenByFunction() as function:
        torch.ones(2) + 1
        before = len(dispatch.seen), len(function.seen)
        assert min(before) >= 2
        assert read_all(tensors) == expected
        assert (len(dispatch.seen), len(function.seen)) == before
        torch.ones(2) + 1
        assert (len(dispatch.seen), len(function.seen)) == (2 * before[0], 2 * before[1])


def test_python_kernels_see_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dispatch.python import enable_python_dispatcher

    seen: list[torch.Tensor] = []
    clone = torch.ops.aten.clone.default
    key = torch._C.DispatchKey.CPU

    def kernel(x: torch.Tensor, **_: Any) -> torch.Tensor:
        seen.append(x)
        return x

    x = seeded(4, 6).t()
    expected = tensor_digest(x)
    monkeypatch.setitem(clone.py_kernels, key, kernel)
    clone._dispatch_cache.clear()
    try:
        with enable_python_dispatcher():
            assert tensor_digest(x) == expected
            assert seen == []
            x.clone()
            assert len(seen) == 1
    finally:
        clone._dispatch_cache.clear()


def test_observation_is_put_back_after_an_error() -> None:
    meta = torch.empty(1, device="meta")
    with SeenByDispatch() as dispatch, SeenByFunction() as function:
        with pytest.raises(UnsupportedTensor):
            tensor_digest(meta)
        with pytest.raises(ZeroDivisionError), Unobserved(), Unobserved():
            raise ZeroDivisionError
        torch.ones(2)
        assert len(dispatch.seen) == 1
        assert len(function.seen) == 1
    assert (torch.ones(2, requires_grad=True) * 2).grad_fn is not None


def test_unobserved_nests() -> None:
    with SeenByDispatch() as dispatch:
        with Unobserved():
            with Unobserved():
                torch.ones(1)
            torch.ones(1)
            tensor_digest(torch.ones(2, 3).t())
            torch.ones(1)
        again = Unobserved()
        with again, again:
            torch.ones(1)
        assert dispatch.seen == []
        torch.ones(1)
        assert len(dispatch.seen) == 1


def test_unobserved_is_of_one_thread() -> None:
    seen: list[str] = []

    def work() -> None:
        with SeenByDispatch() as dispatch:
            torch.ones(1)
            tensor_digest(torch.ones(2, 3).t())
        seen.extend(dispatch.seen)

    with Unobserved():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [name for name in seen if "ones" not in name and "t.default" not in name] == []
    assert any("ones" in name for name in seen)


def test_threads_agree() -> None:
    tensors = every_kind()
    expected = read_all(tensors)
    results: list[list[object]] = []
    threads = [threading.Thread(target=lambda: results.append(read_all(tensors))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


@pytest.mark.filterwarnings("ignore:.torch.jit.trace:DeprecationWarning")
def test_tracing_sees_nothing() -> None:
    inside: list[bytes] = []
    outside = seeded(3, 4)

    def plain(x: torch.Tensor) -> torch.Tensor:
        return x.t() * 2

    def read(x: torch.Tensor) -> torch.Tensor:
        inside.extend([tensor_digest(x), tensor_digest(x.t()), tensor_digest(outside.t())])
        return plain(x)

    x = seeded(3, 4)
    graph = torch.jit.trace(read, x, check_trace=False).graph
    assert inside == [tensor_digest(x), tensor_digest(x.t()), tensor_digest(x.t())]
    operations = [node.kind() for node in graph.nodes()]
    assert operations == [node.kind() for node in torch.jit.trace(plain, x).graph.nodes()]
    assert not torch._C._get_tracing_state()


@pytest.mark.parametrize("pre_dispatch", [False, True])
def test_proxy_tracing_sees_nothing(pre_dispatch: bool) -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    outside = seeded(3, 4).t()

    def read(x: torch.Tensor) -> torch.Tensor:
        tensor_digest(x)
        tensor_digest(outside)
        return x * 2

    graph = make_fx(read, pre_dispatch=pre_dispatch)(torch.ones(2)).graph
    assert [str(node.target) for node in graph.nodes if node.op == "call_function"] == ["aten.mul.Tensor"]


def test_profiler_sees_nothing() -> None:
    tensors = every_kind()
    with torch.autograd.profiler.profile() as profile:
        torch.ones(3)
        with Unobserved():
            for tensor in tensors:
                tensor_digest(tensor)
        torch.zeros(3)
    names = {event.name for event in profile.function_events}
    assert {"aten::ones", "aten::zeros"} <= names
    assert not names & {"aten::contiguous", "aten::clone", "aten::copy_", "aten::coalesce", "aten::view"}


def test_autograd_and_random_state_are_untouched() -> None:
    tensors = every_kind()
    versions = [x._version for x in tensors[:5]]
    functions = [x.grad_fn for x in tensors[:5]]
    state = torch.get_rng_state()
    packed: list[torch.Tensor] = []
    sequence = torch._C._autograd._get_sequence_nr()  # counts every node of a graph that is made
    with torch.autograd.graph.saved_tensors_hooks(packed.append, lambda x: x):
        read_all(tensors)
    assert packed == []
    assert [x._version for x in tensors[:5]] == versions
    assert [x.grad_fn for x in tensors[:5]] == functions
    assert torch.equal(torch.get_rng_state(), state)
    assert torch._C._autograd._get_sequence_nr() == sequence


def test_copy_on_write_tensors_stay_lazy() -> None:
    x = torch.ones(10)
    lazy = torch._lazy_clone(x)
    tensor_digest(lazy)
    tensor_digest(lazy.view(2, 5).t())
    builder(lazy)
    raw_bytes(lazy)
    assert torch._C._is_cow_tensor(lazy)


def test_no_operation_for_contiguous_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that the modes cannot see: it would cost more than the digest."""
    tensors = [seeded(4, 6), torch.nn.Parameter(seeded(3)), of_dtype(torch.bfloat16, 4), torch.empty(0)]
    strided = seeded(4, 6).t()

    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError("an operation was called")

    for name in ("contiguous", "clone", "detach", "cpu", "view", "numpy", "resolve_conj"):
        monkeypatch.setattr(torch.Tensor, name, fail)
    read_all(tensors)
    with pytest.raises(UnsupportedTensor, match="AssertionError"):
        tensor_digest(strided)


# Lifetime


def test_temporaries_live_until_the_digest_exists() -> None:
    """Freed memory of this size goes back to the system: a late read would be a crash or another digest."""
    x = torch.arange(2 * 1024 * 1024, dtype=torch.float32).reshape(1024, 2048)
    expected = tensor_digest(x.t().contiguous())
    part = tensor_digest(x.t().contiguous()[:, ::2].contiguous())
    for _ in range(12):
        assert tensor_digest(x.t()) == expected
        assert tensor_digest(x.t()[:, ::2]) == part


def test_raw_bytes_keep_their_tensor() -> None:
    x = seeded(512, 1024)
    expected = x.t().contiguous().numpy().tobytes()
    kept = [raw_bytes(x.t()) for _ in range(8)]
    noise = [torch.full((512, 1024), 7.0) for _ in range(8)]
    assert all(data == expected for data in kept)
    data = raw_bytes(x.clone())
    del noise
    torch.full((512, 1024), 7.0)
    assert data == x.numpy().tobytes()


# Many in one


def test_builder_counts_order_and_boundaries() -> None:
    x, y = seeded(3), seeded(3) + 1
    assert builder(x, y) == builder(x.clone(), y.clone())
    seen = [
        builder(),
        builder(x),
        builder(x, y),
        builder(y, x),
        builder(torch.cat([x, y])),
        builder(x, x),
        builder(torch.empty(0), x),
        builder(x, torch.empty(0)),
        builder(torch.view_as_complex(seeded(3, 2)).conj()),
        builder(coo([[0]], [1.0], (3,))),
        builder(coo([[1]], [1.0], (3,))),
    ]
    assert len(set(seen)) == len(seen)


@given(
    a=st.lists(st.tuples(st.booleans(), st.binary(max_size=12)), max_size=4),
    b=st.lists(st.tuples(st.booleans(), st.binary(max_size=12)), max_size=4),
)
def test_builder_is_unambiguous(a: list[tuple[bool, bytes]], b: list[tuple[bool, bytes]]) -> None:
    def total(items: list[tuple[bool, bytes]]) -> bytes:
        whole = DigestBuilder()
        for as_tensor, data in items:
            if as_tensor:
                whole.tensor(torch.tensor(list(data), dtype=torch.uint8))
            else:
                whole.bytes(data)
        return whole.digest()

    assert (total(a) == total(b)) == (a == b)


def test_builder_goes_on_after_digest() -> None:
    whole = DigestBuilder()
    whole.tensor(seeded(3))
    first = whole.digest()
    assert first == builder(seeded(3))
    assert len(first) == 16
    whole.tensor(seeded(3))
    assert whole.digest() == builder(seeded(3), seeded(3))


def test_builder_counts_what_it_skips() -> None:
    x, meta = seeded(3), torch.empty(3, device="meta")
    whole = DigestBuilder()
    for tensor in (x, meta, x, meta):
        whole.tensor(tensor)
    assert whole.skipped == 2
    assert whole.digest() == builder(x, meta, x, torch.empty(3, device="meta"))
    seen = {whole.digest(), builder(x, x), builder(x, meta, meta, x), builder(x, meta, x)}
    assert len(seen) == 4
    assert builder(meta) != builder(Opaque(x))


def test_forms_are_not_kept_without_bound() -> None:
    """Sequence lengths vary without end in some trainings."""
    from reprocheck.worker.fingerprint import plain

    limit = plain.form_of.cache_info().maxsize
    assert limit is not None
    assert limit <= 10_000


# Arrays

ARRAYS: dict[str, np.ndarray] = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "float64": np.arange(6.0).reshape(2, 3),
    "shape": np.arange(6.0).reshape(3, 2),
    "flat": np.arange(6.0),
    "0-d": np.array(0.0),
    "1-d": np.array([0.0]),
    "negative zero": np.array([-0.0]),
    "nan": np.array([np.nan]),
    "int64": np.arange(6).reshape(2, 3),
    "bool": np.array([True, False]),
    "uint8": np.array([1, 0], np.uint8),
    "complex": np.array([1 + 2j]),
    "conjugate": np.array([1 - 2j]),
    "datetime": np.array(["2020-01-01"], "M8[s]"),
    "datetime, other unit": np.array(["2020-01-01"], "M8[D]"),
    "timedelta": np.array([1], "m8[s]"),
    "unicode": np.array(["ab", "c"]),
    "unicode, longer": np.array(["ab", "c"], "<U3"),
    "bytes": np.array([b"ab", b"c"]),
    "void": np.array([b"ab"], "V2"),
    "record": np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    "record, other names": np.array([(1, 2.0)], [("a", "i4"), ("c", "f8")]),
    "record, other value": np.array([(1, 3.0)], [("a", "i4"), ("b", "f8")]),
    "record with array": np.array([(1, [2.0, 3.0])], [("a", "i4"), ("b", "f8", (2,))]),
    "empty": np.empty((0, 3)),
    "empty, other shape": np.empty((3, 0)),
    "long double": np.array([1, 2], np.longdouble),
    "long complex": np.array([1, 2], np.clongdouble),
    "float16": np.array([1], np.float16),
    "masked": np.ma.MaskedArray([1.0, 2.0], mask=[False, True]),
    "masked elsewhere": np.ma.MaskedArray([1.0, 2.0], mask=[True, False]),
    "not masked": np.array([1.0, 2.0]),
}


def test_arrays_that_differ() -> None:
    digests = {name: array_digest(array) for name, array in ARRAYS.items()}
    assert len(set(digests.values())) == len(digests)


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_arrays_that_are_equal(array: np.ndarray) -> None:
    digest = array_digest(array)
    assert array_digest(array.copy()) == digest
    assert array_digest(array.copy(order="F")) == digest
    assert array_digest(array.astype(array.dtype.newbyteorder(">"))) == digest
    if array.ndim:
        assert array_digest(np.repeat(array, 2, axis=0)[::2]) == digest
    if type(array) is np.ndarray:
        read_only = array.copy()
        read_only.flags.writeable = False
        assert array_digest(read_only) == digest


def test_noise_in_arrays_does_not_count() -> None:
    aligned = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    # Not copied: a copy of a structured array leaves the bytes between the fields as they come.
    clean, dirty = (np.frombuffer(bytearray(2 * aligned.itemsize * byte), aligned) for byte in (b"\0", b"\xff"))
    dirty["a"], dirty["b"] = 0, 0
    assert clean.tobytes() != dirty.tobytes()
    assert array_digest(clean) == array_digest(dirty)
    masked = [np.ma.MaskedArray([1.0, hidden], mask=[False, True]) for hidden in (5.0, 6.0)]
    assert array_digest(masked[0]) == array_digest(masked[1])


@pytest.mark.skipif(np.finfo(np.longdouble).nmant != 63, reason="long double has no padding here")
def test_padding_of_long_double_does_not_count() -> None:
    clean = np.array([1.5], np.longdouble)
    data = bytearray(clean.tobytes())
    data[12] ^= 0xFF
    assert array_digest(np.frombuffer(bytes(data), np.longdouble)) == array_digest(clean)
    data[0] ^= 1
    assert array_digest(np.frombuffer(bytes(data), np.longdouble)) != array_digest(clean)


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.array([(1, "x")], [("a", "i4"), ("b", object)]),
        np.array(["x"], np.dtypes.StringDType()),
    ],
    ids=["object", "record", "string"],
)
def test_arrays_of_objects(array: np.ndarray) -> None:
    with pytest.raises(UnsupportedTensor, match="Python objects"):
        array_digest(array)


@given(data=st.binary(min_size=1, max_size=64), place=st.integers(0, 63), bit=st.integers(0, 7))
def test_one_bit_of_an_array(data: bytes, place: int, bit: int) -> None:
    array = np.frombuffer(data, np.uint8)
    other = array.copy()
    other[place % array.size] ^= 1 << bit
    assert array_digest(other) != array_digest(array)
    assert array_digest(other.copy()[::-1][::-1]) == array_digest(other)


# Devices


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_tensors_have_the_digest_of_their_values() -> None:
    for tensor in every_kind()[:6]:
        assert tensor_digest(tensor.detach().cuda()) == tensor_digest(tensor)
    assert bytes(raw_bytes(seeded(3).cuda())) == bytes(raw_bytes(seeded(3)))
