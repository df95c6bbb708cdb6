"""Files of safetensors and NumPy."""

from __future__ import annotations

import io
import math

from reprocheck.commands.diff.checkpoints.archive import Archive, map_file
from reprocheck.commands.diff.checkpoints.arrays import bytes_of, contiguous, elements, size_of
from reprocheck.commands.diff.checkpoints.model import Checkpoint, Tensor, Unreadable
from reprocheck.protocol.safetensors import StoredTensor, read_header

_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "I64": "int64",
    "U64": "uint64",
    "F64": "float64",
    "C64": "complex64",
}


def read_safetensors(name: str, path: str) -> Checkpoint:
    """Raises Unreadable or OSError."""
    data = map_file(path)
    try:
        header = read_header(lambda start, size: bytes(data[start : start + size]))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    body = data[header.size :]
    values = {f"__metadata__.{key}": repr(value) for key, value in (header.metadata or {}).items()}
    tensors = {key: _described(key, stored, body) for key, stored in header.tensors.items()}
    return Checkpoint(name=name, kind="safetensors", tensors=tensors, values=values)


def _described(key: str, stored: StoredTensor, body: memoryview) -> Tensor:
    dtype, shape = _DTYPES.get(stored.dtype), tuple(stored.shape)
    if dtype is None:
        raise Unreadable(f"its header is damaged at {key!r}: there is no type {stored.dtype!r}")
    if stored.end > body.nbytes or stored.end - stored.start != math.prod(shape) * size_of(dtype):
        raise Unreadable(f"its header is damaged at {key!r}, or the file is cut short")
    return Tensor(name=key, dtype=dtype, shape=shape, elements=lambda: body[stored.start : stored.end])


def read_npz(name: str, path: str) -> Checkpoint:
    """NumPy's archive. Raises Unreadable or OSError."""
    archive = Archive(map_file(path))
    tensors, unread = {}, []
    for member in archive.names:
        key = member.removesuffix(".npy")
        try:
            tensors[key] = _array(key, archive.member(member))
        except Unreadable as error:
            unread.append(f"{key}: {error}")
    return Checkpoint(name=name, kind="numpy", tensors=tensors, values={}, unread=tuple(unread))


def read_npy(name: str, path: str) -> Checkpoint:
    """NumPy's file of one array. Raises Unreadable or OSError."""
    return Checkpoint(name=name, kind="numpy", tensors={"": _array("", map_file(path))}, values={})


def _array(key: str, data: memoryview) -> Tensor:
    import numpy as np

    header = io.BytesIO(bytes(data[: 1 << 16]))
    try:
        version = np.lib.format.read_magic(header)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(header)
    except Exception as error:
        raise Unreadable(f"its header is damaged: {error}") from error
    if dtype.hasobject or dtype.names or dtype.kind not in "biufc":
        raise Unreadable(f"an array of {dtype} is not read")
    body = data[header.tell() :]
    little = dtype.newbyteorder("<")
    strides = contiguous(shape)
    if fortran:
        strides = tuple(reversed(contiguous(tuple(reversed(shape)))))

    def elements_of() -> memoryview:
        words = elements(body, dtype.name, 0, shape, strides)
        if dtype == little:
            return words
        return bytes_of(np.frombuffer(words, dtype).astype(little))

    size_of(dtype.name)
    return Tensor(name=key, dtype=dtype.name, shape=shape, elements=elements_of)
