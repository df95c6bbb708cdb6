"""Digests of numpy arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_128

from reprocheck.worker.fingerprint.plain import LARGEST_REPEATED, UnsupportedTensor, header_of, repeats

if TYPE_CHECKING:
    import numpy as np


def array_digest(array: np.ndarray[Any, Any]) -> bytes:
    """The digest of a numpy array; byte order and memory order do not count, dtype and shape do."""
    state = xxh3_128()
    _feed_array(state.update, array)
    return state.digest()


def _feed_array(update: Callable[[Any], None], array: np.ndarray[Any, Any]) -> None:
    import numpy as np

    if array.dtype.hasobject:
        raise UnsupportedTensor("it holds Python objects")
    dtype = array.dtype.newbyteorder("<")
    if dtype.names is not None:  # field by field, for what lies between fields is noise
        update(header_of(f"record {array.shape} {len(dtype.names)}"))
        for name in dtype.names:
            update(header_of(name))
            _feed_array(update, array[name])
        return
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(array, masked.MaskedArray):  # what lies under the mask is noise
        hidden = masked.getmaskarray(array)
        update(header_of("masked"))
        _feed_array(update, hidden)
        _feed_array(update, masked.getdata(array)[~hidden])
        return
    if array.nbytes > LARGEST_REPEATED and repeats(array.shape, array.strides):
        update(header_of(f"repeated {array.shape}"))
        array = array[tuple(slice(None) if stride else slice(1) for stride in array.strides)]
    update(header_of(f"array {dtype.str} {dtype.name} {array.shape}"))
    flat = np.ascontiguousarray(array, dtype=dtype).reshape(-1)
    if not flat.nbytes:
        return
    data = flat.view(np.uint8)
    if dtype.char in "gG" and np.finfo(np.longdouble).nmant == 63:  # x87: 10 bytes of value, then noise
        data = np.ascontiguousarray(data.reshape(-1, np.dtype(np.longdouble).itemsize)[:, :10])
    update(data)
