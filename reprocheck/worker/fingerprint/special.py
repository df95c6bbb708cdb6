"""Tensors of all other forms: the plain tensor with the same values, or the parts that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import torch

from reprocheck.worker.fingerprint.plain import (
    UnsupportedTensor,
    is_repeated,
    name_of,
    refuse_placeholder,
    refuse_without_data,
)

_SAME_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, slots=True)
class Parts:
    """A tensor that is not one block of values."""

    text: str
    """Its form, and what of it no part shows."""
    tensors: Sequence[torch.Tensor]


def unreadable(tensor: torch.Tensor, error: Exception) -> UnsupportedTensor:
    """By type only: messages may hold addresses."""
    return UnsupportedTensor(f"{type(tensor).__name__} cannot be read: {type(error).__name__}")


@contextmanager
def readable(tensor: torch.Tensor) -> Iterator[None]:
    """Turn whatever a special tensor raises into `UnsupportedTensor`."""
    try:
        yield
    except UnsupportedTensor:
        raise
    except Exception as error:
        raise unreadable(tensor, error) from error


def plain_or_parts(tensor: torch.Tensor) -> torch.Tensor | Parts:
    """The plain tensor with the same dtype, shape and values, or the parts of one that has no such form."""
    refuse_placeholder(tensor)
    if hasattr(tensor, "trigger_wait"):  # the pending result of an asynchronous collective
        tensor = tensor.trigger_wait()
    if tensor.is_nested:
        return Parts(f"nested {tensor.layout} {name_of(tensor.dtype)}", _components(tensor))
    if hasattr(tensor, "__tensor_flatten__"):
        return _wrapper_parts(tensor)
    form = f"{name_of(tensor.dtype)} {tuple(tensor.shape)}"
    if tensor.is_quantized:
        refuse_without_data(tensor)
        return _quantized_parts(tensor.cpu(), form)
    if tensor.layout is torch.sparse_coo:
        refuse_without_data(tensor._indices())
        refuse_without_data(tensor._values())
        sparse = tensor.cpu().coalesce()
        return Parts(f"{tensor.layout} {form}", (sparse._indices(), sparse._values()))
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        places = (tensor.crow_indices(), tensor.col_indices())
        return Parts(f"{tensor.layout} {form}", (*places, tensor.values()))
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        places = (tensor.ccol_indices(), tensor.row_indices())
        return Parts(f"{tensor.layout} {form}", (*places, tensor.values()))
    if is_repeated(tensor):
        refuse_without_data(tensor)
        return Parts(f"repeated {form}", (_once(tensor),))
    return dense(tensor)


def _components(tensor: torch.Tensor) -> Sequence[torch.Tensor]:
    """The tensors in a nested tensor, whatever lies between them in memory."""
    if tensor.layout is torch.strided:
        return tensor.unbind()
    values: torch.Tensor = tensor._values  # type: ignore[assignment]
    offsets: torch.Tensor = tensor._offsets  # type: ignore[attr-defined]
    lengths: torch.Tensor | None = tensor._lengths  # type: ignore[attr-defined]
    refuse_without_data(offsets)
    starts = offsets.tolist()
    sizes = [end - start for start, end in pairwise(starts)]
    if lengths is not None:
        sizes = lengths.tolist()
    ragged = tensor._ragged_idx - 1  # type: ignore[attr-defined]
    return [values.narrow(ragged, start, size) for start, size in zip(starts, sizes, strict=False)]


def _wrapper_parts(tensor: torch.Tensor) -> Parts:
    """A subclass that holds its values in other tensors."""
    local = getattr(tensor, "_local_tensor", None)
    if isinstance(local, torch.Tensor):  # DTensor: this rank's part of it
        return Parts(f"dtensor {tuple(tensor.shape)}", (local,))
    names, context = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    form = f"{name_of(tensor.dtype)} {tuple(tensor.shape)}"
    text = f"{type(tensor).__qualname__} {form} {list(names)} {_stable_text(context)}"
    return Parts(text, [getattr(tensor, name) for name in names])


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


def _quantized_parts(tensor: torch.Tensor, form: str) -> Parts:
    text = f"quantized {form}"
    integers = tensor.int_repr()
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return Parts(f"{text} {tensor.q_scale()!r} {tensor.q_zero_point()}", (integers,))
    parts = (integers, tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points())
    return Parts(f"{text} {tensor.q_per_channel_axis()}", parts)


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """An ordinary tensor with the same dtype, shape and values."""
    refuse_placeholder(tensor)
    if tensor.layout is torch._mkldnn:  # type: ignore[attr-defined]
        tensor = tensor.to_dense()
    if tensor.layout is not torch.strided or tensor.is_nested or tensor.is_quantized:
        raise UnsupportedTensor("it is not a dense tensor")
    if tensor._is_zerotensor():
        tensor = tensor.clone()
    refuse_without_data(tensor)
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if tensor.is_contiguous():
        return tensor.detach()  # of a subclass, the plain tensor
    # Copied as integers: not every dtype has a copy kernel, and integers keep every bit.
    same_size = _SAME_SIZE.get(tensor.dtype.itemsize)
    if same_size is None:
        return tensor.detach().contiguous()
    return tensor.view(same_size).contiguous().view(tensor.dtype)


def _once(tensor: torch.Tensor) -> torch.Tensor:
    """Without what is repeated."""
    for place, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if not stride and size > 1:
            tensor = tensor.narrow(place, 0, 1)
    return tensor
