"""Digests of what a run computes: 16 bytes per tensor, array or bytes. Runs inside the audited process.

A digest covers dtype, shape and the values in logical (row-major) order, so it is the same for equal values
under any strides, offset or device, and another one if any bit differs: NaN payloads and signs of zero count.

Reading must not show: nothing is recorded, drawn, dispatched to the target's modes or changed (`Unobserved`).
A contiguous CPU tensor is hashed where it lies, with no copy and no torch operation. What cannot be read
raises `UnsupportedTensor`, whose reason is the same text in every run.
"""

from __future__ import annotations

import builtins
from functools import lru_cache

import torch
from xxhash import xxh3_128, xxh3_128_digest

from reprocheck.worker.fingerprint import device_digest
from reprocheck.worker.fingerprint.native import Digest, Unavailable, helper, load
from reprocheck.worker.fingerprint.plain import (
    ON_CUDA,
    ORDINARY_TYPES,
    Buffer,
    UnsupportedTensor,
    contents_of,
    header_of,
    is_repeated,
    keys_of,
    name_of,
    ordinary,
    refuse_placeholder,
    refuse_without_data,
)
from reprocheck.worker.fingerprint.special import Parts, dense, plain_or_parts, readable, unreadable
from reprocheck.worker.fingerprint.unobserved import Unobserved, here, is_seen

Item = torch.Tensor | bytes | None
"""What `DigestBuilder.all` takes."""

_PARTS = header_of("parts")
"""Comes before the digest of a tensor that is not one block of values."""


def _tensor_digest(tensor: torch.Tensor) -> bytes:
    if is_seen():
        with Unobserved():
            return _tensor_digest(tensor)
    found = ordinary(tensor)
    if found is None:
        with Unobserved():
            other = _special(tensor)
            if isinstance(other, bytes):
                return other
            tensor, found = other, contents_of(other)
    header, data = found
    state = xxh3_128(header)
    state.update(data)
    return state.digest()


def _contents_digest(tensor: torch.Tensor) -> bytes:
    found = None if is_seen() else ordinary(tensor)
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
    found = ordinary(tensor)
    if found is None:
        with readable(tensor):
            if is_repeated(tensor):
                raise UnsupportedTensor("it repeats values more often than is written out")
            tensor = dense(tensor)
        found = contents_of(tensor)
    _, data = found
    if not isinstance(data, bytes):
        data.owner = tensor  # type: ignore[attr-defined]  # an address alone keeps no tensor alive
    return memoryview(data).cast("B")


def dtype_name(tensor: torch.Tensor) -> str:
    """Such as `float32`."""
    with Unobserved():
        return name_of(tensor.dtype)


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
            found = ordinary(tensor)
            if found is None:
                found = self._on_device(tensor)
            if found is None:
                other = _special(tensor)  # kept until the end: an address alone keeps no tensor alive
                found = (_PARTS, other) if isinstance(other, builtins.bytes) else contents_of(other)
            header, data = found
        except UnsupportedTensor as error:
            self.skipped += 1
            header, data = header_of(f"undigestible {error.reason}"), b""
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
        if self._on_host or not tensor.is_cuda or type(tensor) not in ORDINARY_TYPES:
            return None
        if keys_of(tensor).raw_repr() & ON_CUDA or not tensor.numel():
            return None
        try:
            refuse_placeholder(tensor)
            refuse_without_data(tensor)
            slot = device_digest.take(tensor)
        except UnsupportedTensor:
            raise
        except Exception as error:
            raise unreadable(tensor, error) from error
        if slot is None:
            return None
        self._slots.append(slot)
        return _header_on_device(tensor.dtype, tensor.shape), b""


@lru_cache(maxsize=8192)
def _header_on_device(dtype: torch.dtype, shape: torch.Size) -> bytes:
    return header_of(f"on device {name_of(dtype)} {tuple(shape)}")


@lru_cache(maxsize=256)
def _bytes_header(size: int) -> bytes:
    return header_of(f"bytes {size}")


def _special(tensor: torch.Tensor) -> torch.Tensor | bytes:
    """The ordinary tensor with the same values, or the digest of what has no such form."""
    with readable(tensor):
        found = plain_or_parts(tensor)
        return found if isinstance(found, torch.Tensor) else _digest_of_parts(found)


def _digest_of_parts(parts: Parts) -> bytes:
    digests = [tensor_digest(part) for part in parts.tensors]
    return xxh3_128_digest(header_of(f"{parts.text} {len(digests)}") + b"".join(digests))
