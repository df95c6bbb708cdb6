"""Tensors as the trace sees them: digest, form, memory and bytes, at the least cost.

A dense CPU tensor is read where it lies, also when its dimensions are permuted: then the form records their order. All
others go the long way of `digest`.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from xxhash import xxh3_64_intdigest

from reprocheck.protocol.trace_format import LARGEST_VALUE, seed_of
from reprocheck.worker.fingerprint.digest import raw_bytes, tensor_digest
from reprocheck.worker.fingerprint.plain import (
    ORDINARY,
    ORDINARY_TYPES,
    UnsupportedTensor,
    address_of,
    is_repeated,
    keys_of,
)
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.trace.writer import TraceWriter

MOST_LAYOUTS = 50_000
FEWEST_STORAGES = 4096

_has_function_modes: Callable[[], int] = torch._C._len_torch_function_stack
_expired: Callable[[int], bool] = torch.Storage._expired  # type: ignore[attr-defined]
_forget: Callable[[int], None] = torch.Storage._free_weak_ref  # type: ignore[attr-defined]


Seen = tuple[int, int, int, int]
"""What a record says of a tensor: storage, digest, form, value."""


class Layout(NamedTuple):
    """How tensors of one dtype, shape and strides lie in memory."""

    form: int
    seed: int
    size: int
    itemsize: int
    buffer_at: Callable[[int], Any]


class Tensors:
    """Looks at tensors for one trace."""

    def __init__(self, writer: TraceWriter, with_memory: bool) -> None:
        self._writer = writer
        self._keeps = writer.keeps
        self._with_memory = with_memory
        """Number the memory of tensors: of use only where inputs are recorded, too."""
        self._layouts: dict[Any, Layout | None] = {}
        self._storages: dict[int, int] = {}
        self._serial = 0
        self._check_storages_at = FEWEST_STORAGES
        self._lock = threading.Lock()

    def look(self, tensor: torch.Tensor, fresh: bool = False) -> Seen:
        """A tensor as it is now; `fresh` of one that an operation has just made."""
        if _has_function_modes():  # even a question for its shape would go through them
            with Unobserved():
                return self._look(tensor, fresh)
        return self._look(tensor, fresh)

    def _look(self, tensor: torch.Tensor, fresh: bool) -> Seen:
        if type(tensor) not in ORDINARY_TYPES or keys_of(tensor).raw_repr() & ORDINARY:
            return self._special(tensor)
        key = (tensor.dtype, tensor.shape) if tensor.is_contiguous() else (tensor.dtype, tensor.shape, tensor.stride())
        try:
            layout = self._layouts[key]
        except KeyError:
            layout = self._layout_of(key)
        if layout is None:
            return self._special(tensor)
        form, seed, size, itemsize, buffer_at = layout
        if fresh and not self._with_memory:
            data = buffer_at(address_of(tensor)) if size else b""
            digest = xxh3_64_intdigest(data, seed) if size else seed
            return 0, digest, form, self._writer.keep(digest, memoryview(data)) if self._keeps else 0
        storage = tensor.untyped_storage()
        serial = self._storages.get(storage._cdata) or self._enter(storage)
        if not size:
            return serial, seed, form, 0
        if not fresh and tensor.storage_offset() * itemsize + size > storage.nbytes():
            return self._unread(tensor, "there is no data behind it", serial)
        data = buffer_at(address_of(tensor))
        digest = xxh3_64_intdigest(data, seed)
        return serial, digest, form, self._writer.keep(digest, memoryview(data)) if self._keeps else 0

    def memory_of(self, tensor: torch.Tensor) -> tuple[int, int]:
        """Number of the memory and form of a tensor that is not to be read."""
        with Unobserved():
            form = self._form(tensor, tuple(tensor.shape), None)
            try:
                storage = tensor.untyped_storage()
            except (NotImplementedError, RuntimeError):
                return 0, form
            return self._storages.get(storage._cdata) or self._enter(storage), form

    def viewed(self, args: tuple[Any, ...]) -> int:
        """Number of the memory that a view of the first argument looks into."""
        if not args or type(args[0]) not in ORDINARY_TYPES or _has_function_modes():
            return 0
        return self._serial_of(args[0])

    def _layout_of(self, key: Any) -> Layout | None:
        dtype, shape, *strides = key
        order: tuple[int, ...] | None = None
        stored = tuple(shape)
        if strides:
            order = _dense_order(stored, strides[0])
        layout = None
        if not strides or order is not None:
            if order is not None:
                stored = tuple(shape[dimension] for dimension in order)
            name = _name(dtype)
            size = math.prod(shape) * dtype.itemsize
            form = self._add_form(name, tuple(shape), order, "cpu", "", "")
            layout = Layout(form, seed_of(name, stored), size, dtype.itemsize, (ctypes.c_char * size).from_address)
        if len(self._layouts) >= MOST_LAYOUTS:
            self._layouts.clear()
        self._layouts[key] = layout
        return layout

    def _special(self, tensor: torch.Tensor) -> Seen:
        with Unobserved():
            try:
                serial = self._serial_of(tensor)
                if _is_strided(tensor) and not is_repeated(tensor):
                    shape = tuple(tensor.shape)
                    data = raw_bytes(tensor)
                    digest = xxh3_64_intdigest(data, seed_of(_name(tensor.dtype), shape))
                    form = self._form(tensor, shape, None)
                    value = self._writer.keep(digest, data) if data.nbytes <= LARGEST_VALUE else 0
                    return serial, digest, form, value
                digest = int.from_bytes(tensor_digest(tensor)[:8], "little")
                return serial, digest, self._form(tensor, tuple(tensor.shape), None), 0
            except UnsupportedTensor as error:
                return self._unread(tensor, error.reason, 0)
            except Exception as error:
                return self._unread(tensor, f"{type(tensor).__name__} cannot be read: {type(error).__name__}", 0)

    def _unread(self, tensor: torch.Tensor, reason: str, serial: int) -> Seen:
        try:
            name, shape = _name(tensor.dtype), tuple(int(size) for size in tensor.shape)
        except Exception:  # a shape of symbols
            name, shape = "", ()
        return serial, 0, self._add_form(name, shape, None, "", "", reason), 0

    def _form(self, tensor: torch.Tensor, shape: tuple[int, ...], order: tuple[int, ...] | None) -> int:
        layout = "" if _is_strided(tensor) else _kind_of(tensor)
        return self._add_form(_name(tensor.dtype), shape, order, tensor.device.type, layout, "")

    def _add_form(
        self, dtype: str, shape: tuple[int, ...], order: tuple[int, ...] | None, device: str, layout: str, reason: str
    ) -> int:
        key = (dtype, shape, order, device, layout, reason)
        forms = self._writer.forms
        return forms.numbers.get(key) or forms.add(
            key,
            lambda: {
                "dtype": dtype,
                "shape": shape,
                "order": order,
                "device": device,
                "layout": layout,
                "reason": reason,
            },
        )

    def _serial_of(self, tensor: torch.Tensor) -> int:
        try:
            storage = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            return 0
        return self._storages.get(storage._cdata) or self._enter(storage)

    def _enter(self, storage: torch.UntypedStorage) -> int:
        """Number a memory not met before. A weak reference keeps its identity from being used again."""
        with self._lock:
            known = self._storages.get(storage._cdata)
            if known is not None:
                return known
            if len(self._storages) >= self._check_storages_at:
                for cdata in [cdata for cdata in self._storages if _expired(cdata)]:
                    del self._storages[cdata]
                    _forget(cdata)
                self._check_storages_at = max(FEWEST_STORAGES, 2 * len(self._storages))
            self._serial = self._serial % 0xFFFFFFFF + 1
            reference: Any = storage._weak_ref()
            self._storages[reference] = self._serial
            return self._serial


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _is_strided(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_quantized and not tensor.is_nested and _is_plain(tensor)


def _is_plain(tensor: torch.Tensor) -> bool:
    """Not a subclass that holds its values in other tensors."""
    return type(tensor) in ORDINARY_TYPES or not hasattr(tensor, "__tensor_flatten__")


def _kind_of(tensor: torch.Tensor) -> str:
    if not _is_plain(tensor):
        return type(tensor).__name__
    if tensor.is_nested:
        return "nested"
    return "quantized" if tensor.is_quantized else _name(tensor.layout)  # type: ignore[arg-type]


def _dense_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...] | None:
    """The order of dimensions in which the elements lie one after the other; None when there is none."""
    order = sorted(range(len(shape)), key=lambda d: (-strides[d], -shape[d]))
    expected = 1
    for dimension in reversed(order):
        if shape[dimension] != 1:
            if strides[dimension] != expected:
                return None
            expected *= shape[dimension]
    return tuple(order)
