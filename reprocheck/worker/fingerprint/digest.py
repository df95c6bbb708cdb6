"""Digests of what a run computes: 16 bytes per tensor, array or bytes. Runs inside the audited process.

A digest covers dtype, shape and the values in logical (row-major) order, so it is the same for equal values
under any strides, offset or device, and another one if any bit differs: NaN payloads and signs of zero count.

Reading must not show: nothing is recorded, drawn, dispatched to the target's modes or changed (`Unobserved`).
A contiguous CPU tensor is hashed where it lies, with no copy and no torch operation. What cannot be read
raises `Undigestible`, whose reason is the same text in every run.
"""

from __future__ import annotations

import builtins
import ctypes
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import is_lazy
from xxhash import xxh3_128, xxh3_128_digest

from reprocheck.worker.fingerprint import device_digest
from reprocheck.worker.fingerprint.native import Digest, Unavailable, helper, load
from reprocheck.worker.fingerprint.unobserved import Unobserved, here, is_seen, key_set

if TYPE_CHECKING:
    import numpy as np

    Buffer = ctypes.Array[ctypes.c_char] | bytes

_keys_of = torch._C._dispatch_keys

# NOTE: data_ptr() makes a copy-on-write tensor copy itself; const_data_ptr() (newer PyTorch) leaves it alone.
_address: Callable[[torch.Tensor], int] = getattr(torch.Tensor, "const_data_ptr", torch.Tensor.data_ptr)


_ORDINARY = ~key_set(("CPU", "ADInplaceOrView", "AutogradCPU", "AutocastCPU")).raw_repr()
"""Dispatch keys outside this mask make a tensor special: conjugate, sparse, quantized, fake, CUDA, ..."""

_ON_CUDA = ~key_set(("CUDA", "ADInplaceOrView", "AutogradCUDA", "AutocastCUDA")).raw_repr()
"""The same for tensors whose values lie on a CUDA device."""

Item = torch.Tensor | bytes | None
"""What `DigestBuilder.all` takes."""
_STRIDED = torch.strided
_ORDINARY_TYPES = frozenset({torch.Tensor, torch.nn.Parameter})


class UnsupportedTensor(Exception):
    """There are no bytes to read, or none with a meaning."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _tensor_digest(tensor: torch.Tensor) -> bytes:
    if is_seen():
        with Unobserved():
            return _tensor_digest(tensor)
    found = _ordinary(tensor)
    if found is None:
        with Unobserved():
            other = _special(tensor)
            if isinstance(other, bytes):
                return other
            tensor, found = other, _contents(other)
    header, data = found
    state = xxh3_128(header)
    state.update(data)
    return state.digest()


def _contents_digest(tensor: torch.Tensor) -> bytes:
    found = None if is_seen() else _ordinary(tensor)
    return xxh3_128_digest(raw_bytes(tensor) if found is None else found[1])


def _with_helper() -> tuple[Digest, Digest]:
    try:
        helper.feed, *digests = load(_tensor_digest, _contents_digest)
        return digests[0], digests[1]
    except Unavailable as error:
        helper.why_not = str(error)
        return _tensor_digest, _contents_digest


tensor_digest, contents_digest = _with_helper()
"""The digest of one tensor, and that of its logical bytes alone, without dtype and shape."""


def raw_bytes(tensor: torch.Tensor) -> memoryview:
    """The logical bytes of a dense tensor. Not a snapshot: it may show later writes to the tensor."""
    if not here.depth:
        with Unobserved():
            return raw_bytes(tensor)
    found = _ordinary(tensor)
    if found is None:
        with _readable(tensor):
            if is_repeated(tensor):
                raise UnsupportedTensor("it repeats values more often than is written out")
            tensor = _dense(tensor)
        found = _contents(tensor)
    _, data = found
    if not isinstance(data, bytes):
        data.owner = tensor  # type: ignore[attr-defined]  # an address alone keeps no tensor alive
    return memoryview(data).cast("B")


def dtype_name(tensor: torch.Tensor) -> str:
    """Such as `float32`."""
    with Unobserved():
        return _name(tensor.dtype)


def bytes_digest(data: bytes) -> bytes:
    """The digest of plain bytes."""
    return xxh3_128_digest(data)


class DeferredDigest:
    """A digest that a device has yet to do its part for."""

    __slots__ = ("_slots", "_stream")

    def __init__(self, stream: bytes, slots: list[device_digest.Slot]) -> None:
        self._stream = stream
        self._slots = slots

    @property
    def is_here(self) -> bool:
        """Whether `digest` would not wait for the device."""
        return all(slot.results.is_here for slot in self._slots)

    def digest(self) -> bytes:
        """Waits for the device; raises LookupError if it failed."""
        if not self._slots[-1].results.is_sent:
            with Unobserved():
                device_digest.send()
        return xxh3_128_digest(self._stream + b"".join(s.results.row(s.device, s.number) for s in self._slots))


class DigestBuilder:
    """One digest over many tensors and bytes, in order.

    Each contribution starts with a header that gives its length and form, so no other sequence of
    contributions makes the same stream. Tensors on a CUDA device are read there, unless `on_host`: the digest
    is another one then than that of equal tensors elsewhere.
    """

    __slots__ = ("_on_host", "_slots", "_state", "skipped")

    def __init__(self, on_host: bool = False) -> None:
        self._state = xxh3_128()
        self._slots: list[device_digest.Slot] = []
        self._on_host = on_host
        self.skipped = 0
        """Tensors that could not be read; only the reason went into the digest."""

    def digest(self) -> builtins.bytes:
        """The digest of all contributions so far. Waits for the device if a tensor lies on one."""
        deferred = self.deferred()
        return deferred if isinstance(deferred, builtins.bytes) else deferred.digest()

    def deferred(self) -> builtins.bytes | DeferredDigest:
        """The same, without waiting."""
        digest = self._state.digest()
        return DeferredDigest(digest, self._slots.copy()) if self._slots else digest

    def bytes(self, label: builtins.bytes) -> None:
        """Add plain bytes, such as a name or a generator's state."""
        self._state.update(_bytes_header(len(label)))
        self._state.update(label)

    def tensor(self, tensor: torch.Tensor) -> None:
        """Add a tensor."""
        if not here.depth:
            with Unobserved():
                return self.tensor(tensor)
        try:
            found = _ordinary(tensor)
            if found is None:
                found = self._on_device(tensor)
            if found is None:
                other = _special(tensor)  # kept until the end: an address alone keeps no tensor alive
                found = (_PARTS, other) if isinstance(other, builtins.bytes) else _contents(other)
            header, data = found
        except UnsupportedTensor as error:
            self.skipped += 1
            header, data = _header(f"undigestible {error.reason}"), b""
        self._state.update(header)
        self._state.update(data)

    def all(self, items: list[Item]) -> None:
        """Add tensors, plain bytes and `none` for None, in order: the same as one after the other."""
        if is_seen():
            with Unobserved():
                return self.all(items)
        at = 0 if helper.feed is None else helper.feed(self._state.update, items, 0)
        if at < len(items):
            with Unobserved():  # once for all, so that one launch reads all that lies on a device
                self._add_rest(items, at)

    def _add_rest(self, items: list[Item], at: int) -> None:
        feed, update = helper.feed, self._state.update
        while at < len(items):
            item = items[at]
            if isinstance(item, torch.Tensor):
                self.tensor(item)
                if item.is_cuda:
                    feed = None  # those that follow will lie there, too
            else:
                self.bytes(b"none" if item is None else item)
            at += 1
            if feed is not None:
                at = feed(update, items, at)

    def _on_device(self, tensor: torch.Tensor) -> tuple[builtins.bytes, Buffer] | None:
        if self._on_host or not tensor.is_cuda or type(tensor) not in _ORDINARY_TYPES:
            return None
        if _keys_of(tensor).raw_repr() & _ON_CUDA or not tensor.numel():
            return None
        try:
            _refuse_placeholder(tensor)
            _refuse_without_data(tensor)
            slot = device_digest.take(tensor)
        except UnsupportedTensor:
            raise
        except Exception as error:
            raise _unreadable(tensor, error) from error
        if slot is None:
            return None
        self._slots.append(slot)
        return _header_on_device(tensor.dtype, tensor.shape), b""


def array_digest(array: np.ndarray[Any, Any]) -> bytes:
    """The digest of a numpy array; byte order and memory order do not count, dtype and shape do."""
    state = xxh3_128()
    _feed_array(state.update, array)
    return state.digest()


def _header(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4, "little") + encoded


@lru_cache(maxsize=8192)
def _header_on_device(dtype: torch.dtype, shape: torch.Size) -> bytes:
    return _header(f"on device {_name(dtype)} {tuple(shape)}")


@lru_cache(maxsize=256)
def _bytes_header(size: int) -> bytes:
    return _header(f"bytes {size}")


LARGEST_REPEATED = 1 << 30
"""Bytes of a tensor that is written out though it repeats values."""
_PARTS = _header("parts")
"""Comes before the digest of a tensor that is not one block of values."""


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _ordinary(tensor: torch.Tensor) -> tuple[bytes, Buffer] | None:
    """Header and bytes of a tensor whose values are the bytes at its address; None for all others.

    Written out and asking for as little as will do: every call here costs as much as the hash of a small tensor. What
    stands for other tensors (functionalized, inside torch.func, zero) has no storage to ask for, or no address.
    """
    if type(tensor) not in _ORDINARY_TYPES or not tensor.is_cpu or tensor.layout is not _STRIDED:
        return None
    try:
        if tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or not tensor.is_contiguous():
            return None
        header, itemsize, size, buffer_at = _form(tensor.dtype, tensor.shape)
        if not size:
            return header, b""
        is_whole = tensor.storage_offset() * itemsize + size <= tensor.untyped_storage().nbytes()
        address = _address(tensor)
    except RuntimeError:
        return None
    return (header, buffer_at(address)) if address and is_whole else None


_NO_DATA = "there is no data behind it: a freed storage, or a wrapper around tensors it does not show"


@lru_cache(maxsize=8192)
def _form(dtype: torch.dtype, shape: torch.Size) -> tuple[bytes, int, int, Callable[[int], Buffer]]:
    """Header, item and whole size, and what makes a buffer at an address: dear to make, so made once."""
    size = shape.numel() * dtype.itemsize
    header = _header(f"dense {_name(dtype)} {tuple(shape)}")
    return header, dtype.itemsize, size, (ctypes.c_char * size).from_address


def _contents(tensor: torch.Tensor) -> tuple[bytes, Buffer]:
    """Header and bytes of a contiguous CPU tensor, which the caller must keep alive while it uses them."""
    header, itemsize, size, buffer_at = _form(tensor.dtype, tensor.shape)
    if not size:
        return header, b""
    # NOTE: a storage can be freed or shrunk under a tensor (FSDP does); reading on would crash the process.
    if tensor.storage_offset() * itemsize + size > tensor.untyped_storage().nbytes():
        raise UnsupportedTensor(_NO_DATA)
    return header, buffer_at(_address(tensor))


def _unreadable(tensor: torch.Tensor, error: Exception) -> UnsupportedTensor:
    """By type only: messages may hold addresses."""
    return UnsupportedTensor(f"{type(tensor).__name__} cannot be read: {type(error).__name__}")


@contextmanager
def _readable(tensor: torch.Tensor) -> Iterator[None]:
    """Turn whatever a special tensor raises into Undigestible."""
    try:
        yield
    except UnsupportedTensor:
        raise
    except Exception as error:
        raise _unreadable(tensor, error) from error


def _special(tensor: torch.Tensor) -> torch.Tensor | bytes:
    """The ordinary tensor with the same values, or the digest of what has no such form."""
    with _readable(tensor):
        return _resolve(tensor)


def _resolve(tensor: torch.Tensor) -> torch.Tensor | bytes:
    _refuse_placeholder(tensor)
    if hasattr(tensor, "trigger_wait"):  # the pending result of an asynchronous collective
        tensor = tensor.trigger_wait()
    if tensor.is_nested:
        return _digest_of_parts(f"nested {tensor.layout} {_name(tensor.dtype)}", _components(tensor))
    if hasattr(tensor, "__tensor_flatten__"):
        return _wrapper_digest(tensor)
    form = f"{_name(tensor.dtype)} {tuple(tensor.shape)}"
    if tensor.is_quantized:
        _refuse_without_data(tensor)
        return _quantized_digest(tensor.cpu(), form)
    if tensor.layout is torch.sparse_coo:
        _refuse_without_data(tensor._indices())
        _refuse_without_data(tensor._values())
        sparse = tensor.cpu().coalesce()
        return _digest_of_parts(f"{tensor.layout} {form}", (sparse._indices(), sparse._values()))
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        places = (tensor.crow_indices(), tensor.col_indices())
        return _digest_of_parts(f"{tensor.layout} {form}", (*places, tensor.values()))
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        places = (tensor.ccol_indices(), tensor.row_indices())
        return _digest_of_parts(f"{tensor.layout} {form}", (*places, tensor.values()))
    if is_repeated(tensor):
        _refuse_without_data(tensor)
        return _digest_of_parts(f"repeated {form}", (_once(tensor),))
    return _dense(tensor)


def _digest_of_parts(text: str, parts: Iterable[torch.Tensor]) -> bytes:
    digests = [tensor_digest(part) for part in parts]
    return xxh3_128_digest(_header(f"{text} {len(digests)}") + b"".join(digests))


def _refuse_placeholder(tensor: torch.Tensor) -> None:
    """Some tensors can be read, but not to find the values that they stand for, or not now."""
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        raise UnsupportedTensor("it stands for many values inside a torch.func transform")
    if is_lazy(tensor):
        raise UnsupportedTensor("it is not initialized yet")
    if tensor.is_cuda and _capturing():
        raise UnsupportedTensor("a CUDA graph is being captured")


def _capturing() -> bool:
    """Whether a copy from the GPU would end a capture with an error."""
    started: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return started and torch.cuda.is_current_stream_capturing()


def _components(tensor: torch.Tensor) -> Iterable[torch.Tensor]:
    """The tensors in a nested tensor, whatever lies between them in memory."""
    if tensor.layout is torch.strided:
        return tensor.unbind()
    values: torch.Tensor = tensor._values  # type: ignore[assignment]
    offsets: torch.Tensor = tensor._offsets  # type: ignore[attr-defined]
    lengths: torch.Tensor | None = tensor._lengths  # type: ignore[attr-defined]
    _refuse_without_data(offsets)
    starts = offsets.tolist()
    sizes = [end - start for start, end in pairwise(starts)]
    if lengths is not None:
        sizes = lengths.tolist()
    ragged = tensor._ragged_idx - 1  # type: ignore[attr-defined]
    return [values.narrow(ragged, start, size) for start, size in zip(starts, sizes, strict=False)]


def _wrapper_digest(tensor: torch.Tensor) -> bytes:
    """A subclass that holds its values in other tensors."""
    local = getattr(tensor, "_local_tensor", None)
    if isinstance(local, torch.Tensor):  # DTensor: this rank's part of it
        return _digest_of_parts(f"dtensor {tuple(tensor.shape)}", (local,))
    names, context = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    form = f"{_name(tensor.dtype)} {tuple(tensor.shape)}"
    text = f"{type(tensor).__qualname__} {form} {list(names)} {_stable_text(context)}"
    return _digest_of_parts(text, [getattr(tensor, name) for name in names])


def _stable_text(value: object) -> str:
    """The repr of plain data; of anything else its type and leaves, for a repr may hold an address."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, torch.dtype, Enum)):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_stable_text(item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{_stable_text(key)}: {_stable_text(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    from reprocheck.worker.fingerprint.leaves import leaves_of
    from reprocheck.worker.fingerprint.public import leaves_digest

    return f"{type(value).__qualname__} {leaves_digest(leaves_of(value))}"


def _quantized_digest(tensor: torch.Tensor, form: str) -> bytes:
    text = f"quantized {form}"
    integers = tensor.int_repr()
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return _digest_of_parts(f"{text} {tensor.q_scale()!r} {tensor.q_zero_point()}", (integers,))
    parts = (integers, tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points())
    return _digest_of_parts(f"{text} {tensor.q_per_channel_axis()}", parts)


_SAME_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    """An ordinary tensor with the same dtype, shape and values."""
    _refuse_placeholder(tensor)
    if tensor.layout is torch._mkldnn:  # type: ignore[attr-defined]
        tensor = tensor.to_dense()
    if tensor.layout is not torch.strided or tensor.is_nested or tensor.is_quantized:
        raise UnsupportedTensor("it is not a dense tensor")
    if tensor._is_zerotensor():
        tensor = tensor.clone()
    _refuse_without_data(tensor)
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if tensor.is_contiguous():
        return tensor.detach()  # of a subclass, the plain tensor
    # Copied as integers: not every dtype has a copy kernel, and integers keep every bit.
    same_size = _SAME_SIZE.get(tensor.dtype.itemsize)
    if same_size is None:
        return tensor.detach().contiguous()
    return tensor.view(same_size).contiguous().view(tensor.dtype)


def is_repeated(tensor: torch.Tensor) -> bool:
    """Whether it is large because it shows the same values again and again, as masks that were expanded do. Written out
    they may need more memory than there is."""
    if tensor.layout is not _STRIDED or tensor.is_nested or tensor.is_quantized:
        return False
    bytes_written_out: int = tensor.numel() * tensor.dtype.itemsize
    return bytes_written_out > LARGEST_REPEATED and repeats(tensor.shape, tensor.stride())


def repeats(shape: Iterable[int], strides: Iterable[int]) -> bool:
    """Whether something of this shape shows values more than once."""
    return any(size > 1 and not stride for size, stride in zip(shape, strides, strict=True))


def _once(tensor: torch.Tensor) -> torch.Tensor:
    """Without what is repeated."""
    for place, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if not stride and size > 1:
            tensor = tensor.narrow(place, 0, 1)
    return tensor


def _refuse_without_data(tensor: torch.Tensor) -> None:
    """Kernels do not check this: they would read at a null or freed address."""
    if not torch._C._has_storage(tensor):
        if tensor.device.type in ("cpu", "cuda", "meta"):
            raise UnsupportedTensor(f"{type(tensor).__name__} has no storage")
        return  # an XLA tensor and its like: values are to be had through the device only
    storage = tensor.untyped_storage()
    if storage.device.type == "meta":
        raise UnsupportedTensor("it is a meta or fake tensor, without data")
    if not tensor.numel():
        return
    if tensor.is_contiguous():
        last = tensor.storage_offset() + tensor.numel() - 1
    else:
        sizes_and_strides = zip(tensor.shape, tensor.stride(), strict=True)
        last = tensor.storage_offset() + sum((size - 1) * stride for size, stride in sizes_and_strides)
    if (last + 1) * tensor.dtype.itemsize > storage.nbytes() or not _address(tensor):
        raise UnsupportedTensor(_NO_DATA)


def _feed_array(update: Callable[[Any], None], array: np.ndarray[Any, Any]) -> None:
    import numpy as np

    if array.dtype.hasobject:
        raise UnsupportedTensor("it holds Python objects")
    dtype = array.dtype.newbyteorder("<")
    if dtype.names is not None:  # field by field, for what lies between fields is noise
        update(_header(f"record {array.shape} {len(dtype.names)}"))
        for name in dtype.names:
            update(_header(name))
            _feed_array(update, array[name])
        return
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(array, masked.MaskedArray):  # what lies under the mask is noise
        hidden = masked.getmaskarray(array)
        update(_header("masked"))
        _feed_array(update, hidden)
        _feed_array(update, masked.getdata(array)[~hidden])
        return
    if array.nbytes > LARGEST_REPEATED and repeats(array.shape, array.strides):
        update(_header(f"repeated {array.shape}"))
        array = array[tuple(slice(None) if stride else slice(1) for stride in array.strides)]
    update(_header(f"array {dtype.str} {dtype.name} {array.shape}"))
    flat = np.ascontiguousarray(array, dtype=dtype).reshape(-1)
    if not flat.nbytes:
        return
    data = flat.view(np.uint8)
    if dtype.char in "gG" and np.finfo(np.longdouble).nmant == 63:  # x87: 10 bytes of value, then noise
        data = np.ascontiguousarray(data.reshape(-1, np.dtype(np.longdouble).itemsize)[:, :10])
    update(data)
