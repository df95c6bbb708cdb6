"""What `torch.save` wrote, and distributed checkpoints, which hold many of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reprocheck.commands.diff.checkpoints import pickled
from reprocheck.commands.diff.checkpoints.archive import Archive, map_file
from reprocheck.commands.diff.checkpoints.arrays import bytes_of, elements, size_of
from reprocheck.commands.diff.checkpoints.model import Checkpoint, Tensor, Unreadable
from reprocheck.commands.diff.checkpoints.pickled import Opaque, PickledTensor
from reprocheck.protocol.reading import read_whole

METADATA = ".metadata"
"""In the folder of a distributed checkpoint."""
_MOST_PICKLE = 512 * 2**20
_MOST_METADATA = 256 * 2**20


def read_pytorch(name: str, path: str) -> Checkpoint:
    """A file of torch.save. Raises Unreadable or OSError."""
    return read_archive(name, map_file(path))


def read_archive(name: str, data: memoryview) -> Checkpoint:
    """The same, of bytes."""
    archive = Archive(data)
    inner = next((member for member in archive.names if member == "data.pkl" or member.endswith("/data.pkl")), None)
    if inner is None:
        raise Unreadable("it is a zip archive, and none of PyTorch's or NumPy's")
    prefix = inner.removesuffix("data.pkl")
    if f"{prefix}byteorder" in archive.names and bytes(archive.member(f"{prefix}byteorder")) != b"little":
        raise Unreadable("its values are big-endian")
    content = archive.member(inner)
    if content.nbytes > _MOST_PICKLE:
        raise Unreadable("its pickle is too large")
    tensors: dict[str, Tensor] = {}
    values: dict[str, str] = {}
    unread: list[str] = []
    for leaf_name, leaf in pickled.leaves(pickled.load(bytes(content))):
        if isinstance(leaf, PickledTensor):
            tensors[leaf_name] = _tensor(leaf_name, leaf, archive, f"{prefix}data/")
        elif isinstance(leaf, (bool, int, float, complex, str, bytes, type(None))):
            values[leaf_name] = _text(leaf)
        else:
            kind = leaf.kind if isinstance(leaf, Opaque) else type(leaf).__name__
            unread.append(f"{leaf_name or 'the whole'} ({kind})")
    return Checkpoint(name=name, kind="pytorch", tensors=tensors, values=values, unread=tuple(unread))


def _text(leaf: object) -> str:
    try:
        return repr(leaf)
    except ValueError:  # an integer of thousands of digits
        return hex(leaf) if isinstance(leaf, int) else ""


def _tensor(name: str, tensor: PickledTensor, archive: Archive, folder: str) -> Tensor:
    def read() -> memoryview:
        data = archive.member(folder + tensor.storage.key)
        return elements(data, tensor.dtype, tensor.offset, tensor.shape, tensor.strides)

    return Tensor(name=name, dtype=tensor.dtype, shape=tensor.shape, elements=read)


def read_distributed(name: str, folder: Path) -> Checkpoint:
    """A folder of torch.distributed.checkpoint: shards are put together. Raises Unreadable or OSError."""
    metadata = pickled.load(read_whole(folder / METADATA, _MOST_METADATA, follow=True))
    state = _state(metadata)
    kept, places = state.get("state_dict_metadata"), state.get("storage_data")
    if not isinstance(kept, Mapping) or not isinstance(places, Mapping):
        raise Unreadable(f"{METADATA} is not that of a distributed checkpoint")
    where: dict[str, list[tuple[tuple[int, ...], Any]]] = {}
    for index, place in places.items():
        own = _state(index)
        offset = own.get("offset")
        where.setdefault(str(own.get("fqn")), []).append((tuple(offset or ()), _state(place)))
    tensors: dict[str, Tensor] = {}
    values: dict[str, str] = {}
    unread: list[str] = []
    for key, entry in kept.items():
        own = _state(entry)
        if "chunks" in own and "size" in own:
            tensors[key] = _sharded(key, own, where.get(key, []), folder)
        else:
            _add_value(key, where.get(key, []), folder, values, tensors, unread)
    return Checkpoint(name=name, kind="distributed", tensors=tensors, values=values, unread=tuple(unread))


def _sharded(key: str, own: Mapping[str, Any], places: list[tuple[tuple[int, ...], Any]], folder: Path) -> Tensor:
    shape = tuple(own["size"])
    dtype = next((part.name for part in _parts(own.get("properties")) if isinstance(part, pickled.Dtype)), "")
    if not all(type(extent) is int and 0 <= extent < 2**48 for extent in shape):
        raise Unreadable(f"{key} has an impossible shape")

    def read() -> memoryview:
        import numpy as np

        size = size_of(dtype)
        whole = np.zeros(shape, f"V{size}")
        covered = 0
        for offset, place in places:
            shard = next(iter(_stored(place, folder).tensors.values()), None)
            if shard is None or shard.dtype != dtype or len(shard.shape) != len(shape):
                raise Unreadable(f"a shard of {key} is not one tensor of {dtype}")
            offset = offset or (0,) * len(shape)
            ends = [start + extent for start, extent in zip(offset, shard.shape, strict=True)]
            if any(end > extent for end, extent in zip(ends, shape, strict=True)):
                raise Unreadable(f"a shard of {key} lies outside of it")
            part = np.frombuffer(shard.read(), f"V{size}").reshape(shard.shape)
            whole[tuple(slice(start, end) for start, end in zip(offset, ends, strict=True))] = part
            covered += math.prod(shard.shape)
        if covered < math.prod(shape):
            raise Unreadable(f"shards of {key} are missing")
        return bytes_of(whole)

    return Tensor(name=key, dtype=dtype, shape=shape, elements=read)


def _add_value(
    key: str,
    places: list[tuple[tuple[int, ...], Any]],
    folder: Path,
    values: dict[str, str],
    tensors: dict[str, Tensor],
    unread: list[str],
) -> None:
    for _, place in places[:1]:
        inner = _stored(place, folder)
        values.update({f"{key}.{name}" if name else key: value for name, value in inner.values.items()})
        tensors.update({f"{key}.{name}" if name else key: tensor for name, tensor in inner.tensors.items()})
        unread += [f"{key}: {what}" for what in inner.unread]


def _stored(place: Mapping[str, Any], folder: Path) -> Checkpoint:
    """One piece of a shard's file, which is a file of torch.save."""
    name, offset, length = (place.get(key) for key in ("relative_path", "offset", "length"))
    if not isinstance(name, str) or Path(name).name != name:
        raise Unreadable("a shard that lies outside of its folder")
    if type(offset) is not int or type(length) is not int or offset < 0 or length < 0:
        raise Unreadable(f"a piece of {name} at an impossible place")
    data = map_file(str(folder / name))
    if offset + length > data.nbytes:
        raise Unreadable(f"{name} is cut short")
    return read_archive(name, data[offset : offset + length])


def _state(value: Any) -> Mapping[str, Any]:
    """The attributes of an object whose class is not loaded."""
    if not isinstance(value, Opaque):
        return {}
    state = value.__dict__["state"]
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], Mapping):  # of a class with slots
        state = {**(state[0] or {}), **state[1]}
    return state if isinstance(state, Mapping) else {}


def _parts(value: Any) -> Iterator[Any]:
    for _, leaf in pickled.leaves(value):
        yield leaf
