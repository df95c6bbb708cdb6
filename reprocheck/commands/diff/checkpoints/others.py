"""Files of safetensors and NumPy."""

from __future__ import annotations

import io
import math
from typing import Any

from reprocheck.commands.diff.checkpoints.archive import Archive, map_file
from reprocheck.commands.diff.checkpoints.arrays import bytes_of, contiguous, elements, size_of
from reprocheck.commands.diff.checkpoints.model import Checkpoint, Tensor, Unreadable
from reprocheck.protocol.reading import parse_json

_LARGEST_HEADER = 100 * 2**20
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
    size = int.from_bytes(data[:8], "little")
    if data.nbytes < 8 or size > min(_LARGEST_HEADER, data.nbytes - 8):
        raise Unreadable("its header is damaged or cut short")
    try:
        header = parse_json(bytes(data[8 : 8 + size]))
    except ValueError as error:
        raise Unreadable(f"its header is damaged: {error}") from error
    if not isinstance(header, dict):
        raise Unreadable("its header is damaged")
    about = header.pop("__metadata__", None)
    values = {f"__metadata__.{key}": repr(value) for key, value in about.items()} if isinstance(about, dict) else {}
    body = data[8 + size :]
    tensors = {key: _described(key, entry, body) for key, entry in header.items()}
    return Checkpoint(name=name, kind="safetensors", tensors=tensors, values=values)


def _described(key: str, entry: Any, body: memoryview) -> Tensor:
    try:
        dtype, shape, (start, end) = _DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, start, end))
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"its header is damaged at {key!r}: {error}") from error
    if not whole or end > body.nbytes or end - start != math.prod(shape) * size_of(dtype):
        raise Unreadable(f"its header is damaged at {key!r}, or the file is cut short")
    return Tensor(name=key, dtype=dtype, shape=shape, elements=lambda: body[start:end])


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
