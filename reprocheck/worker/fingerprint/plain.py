"""Tensors whose values are the bytes at their address, and what has no bytes to read.

Asking must not show: see `digest.py`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from functools import lru_cache

import torch
from torch.nn.parameter import is_lazy

from reprocheck.worker.fingerprint.unobserved import key_set

Buffer = ctypes.Array[ctypes.c_char] | bytes

keys_of = torch._C._dispatch_keys

# NOTE: data_ptr() makes a copy-on-write tensor copy itself; const_data_ptr() (newer PyTorch) leaves it alone.
address_of: Callable[[torch.Tensor], int] = getattr(torch.Tensor, "const_data_ptr", torch.Tensor.data_ptr)

ORDINARY = ~key_set(("CPU", "ADInplaceOrView", "AutogradCPU", "AutocastCPU")).raw_repr()
"""Dispatch keys outside this mask make a tensor special: conjugate, sparse, quantized, fake, CUDA, ..."""

ON_CUDA = ~key_set(("CUDA", "ADInplaceOrView", "AutogradCUDA", "AutocastCUDA")).raw_repr()
"""The same for tensors whose values lie on a CUDA device."""

STRIDED = torch.strided
ORDINARY_TYPES = frozenset({torch.Tensor, torch.nn.Parameter})
LARGEST_REPEATED = 1 << 30
"""Bytes of a tensor that is written out though it repeats values."""
_NO_DATA = "there is no data behind it: a freed storage, or a wrapper around tensors it does not show"


class UnsupportedTensor(Exception):
    """There are no bytes to read, or none with a meaning."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def name_of(dtype: torch.dtype) -> str:
    """Such as `float32`."""
    return str(dtype).removeprefix("torch.")


def header_of(text: str) -> bytes:
    """What comes before bytes in a digest, so that no other sequence makes the same stream."""
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4, "little") + encoded


def ordinary(tensor: torch.Tensor) -> tuple[bytes, Buffer] | None:
    """Header and bytes of a tensor whose values are the bytes at its address; None for all others.

    Written out and asking for as little as will do: every call here costs as much as the hash of a small tensor. What
    stands for other tensors (functionalized, inside torch.func, zero) has no storage to ask for, or no address.
    """
    if type(tensor) not in ORDINARY_TYPES or not tensor.is_cpu or tensor.layout is not STRIDED:
        return None
    try:
        if tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or not tensor.is_contiguous():
            return None
        header, itemsize, size, buffer_at = form_of(tensor.dtype, tensor.shape)
        if not size:
            return header, b""
        is_whole = tensor.storage_offset() * itemsize + size <= tensor.untyped_storage().nbytes()
        address = address_of(tensor)
    except RuntimeError:
        return None
    return (header, buffer_at(address)) if address and is_whole else None


@lru_cache(maxsize=8192)
def form_of(dtype: torch.dtype, shape: torch.Size) -> tuple[bytes, int, int, Callable[[int], Buffer]]:
    """Header, item and whole size, and what makes a buffer at an address: dear to make, so made once."""
    size = shape.numel() * dtype.itemsize
    header = header_of(f"dense {name_of(dtype)} {tuple(shape)}")
    return header, dtype.itemsize, size, (ctypes.c_char * size).from_address


def contents_of(tensor: torch.Tensor) -> tuple[bytes, Buffer]:
    """Header and bytes of a contiguous CPU tensor, which the caller must keep alive while it uses them."""
    header, itemsize, size, buffer_at = form_of(tensor.dtype, tensor.shape)
    if not size:
        return header, b""
    # NOTE: a storage can be freed or shrunk under a tensor (FSDP does); reading on would crash the process.
    if tensor.storage_offset() * itemsize + size > tensor.untyped_storage().nbytes():
        raise UnsupportedTensor(_NO_DATA)
    return header, buffer_at(address_of(tensor))


def refuse_placeholder(tensor: torch.Tensor) -> None:
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


def refuse_without_data(tensor: torch.Tensor) -> None:
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
    if (last + 1) * tensor.dtype.itemsize > storage.nbytes() or not address_of(tensor):
        raise UnsupportedTensor(_NO_DATA)


def is_repeated(tensor: torch.Tensor) -> bool:
    """Whether it is large because it shows the same values again and again, as masks that were expanded do. Written out
    they may need more memory than there is."""
    if tensor.layout is not STRIDED or tensor.is_nested or tensor.is_quantized:
        return False
    bytes_written_out: int = tensor.numel() * tensor.dtype.itemsize
    return bytes_written_out > LARGEST_REPEATED and repeats(tensor.shape, tensor.stride())


def repeats(shape: Iterable[int], strides: Iterable[int]) -> bool:
    """Whether something of this shape shows values more than once."""
    return any(size > 1 and not stride for size, stride in zip(shape, strides, strict=True))
