"""Digests of tensors on a CUDA device, taken there: only 16 bytes a tensor come to the host, together, and later.

The bytes of a tensor are read as 64-bit integers, the last one filled up with zeros. Each is mixed with its place, and
two sums modulo 2^64 are taken over all of them. Integers add up to the same in any order, so the digest hangs neither
on the device nor on scheduling. `reference` computes the same on the CPU. Form and length belong to the header.

Nothing here waits for the device, but `Results.rows`. Runs inside the audited process, under `Unobserved`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch

from reprocheck.worker.fingerprint.nvrtc import load

if TYPE_CHECKING:
    import numpy as np

    Lanes = np.ndarray[tuple[int], np.dtype[np.uint64]]

PLACE = 0x9E3779B97F4A7C15
FIRST = 0xD6E8FEB86659FD93
SECOND = 0xA0761D6478BD642F
CHUNK = 8192
"""64-bit integers that a block of threads reads."""
THREADS = 256
SIZE = 16

SOURCE = f"""
typedef unsigned long long word;

__device__ __forceinline__ void mix(word data, word place, word &a, word &b) {{
    word x = data ^ ((place + 1) * {PLACE:#x}ULL);
    word r = (x * {FIRST:#x}ULL) ^ __umul64hi(x, {FIRST:#x}ULL);
    a += r;
    b += ((r ^ (r >> 32)) * {SECOND:#x}ULL) ^ x;
}}

extern "C" __global__ void __launch_bounds__({THREADS})
digest(const word *addresses, const word *sizes, const word *owners, const word *firsts, word *sums) {{
    const word tensor = owners[blockIdx.x], first = firsts[blockIdx.x];
    const unsigned char *bytes = (const unsigned char *)addresses[tensor];
    const word *lanes = (const word *)bytes;
    const word size = sizes[tensor], count = size >> 3;
    const word end = first + {CHUNK} < count ? first + {CHUNK} : count;
    word a = 0, b = 0;
    if (((word)bytes & 15) == 0 && end == first + {CHUNK}) {{
        const ulonglong2 *pairs = (const ulonglong2 *)(lanes + first);
        #pragma unroll 8
        for (int k = 0; k < {CHUNK // 2 // THREADS}; k++) {{
            const int at = k * {THREADS} + threadIdx.x;
            const ulonglong2 pair = pairs[at];
            mix(pair.x, first + 2 * at, a, b);
            mix(pair.y, first + 2 * at + 1, a, b);
        }}
    }} else {{
        for (word at = first + threadIdx.x; at < end; at += {THREADS}) mix(lanes[at], at, a, b);
        if (threadIdx.x == 0 && (size & 7) && count < first + {CHUNK}) {{
            word last = 0;
            for (int k = 0; k < (int)(size & 7); k++) last |= (word)bytes[8 * count + k] << (8 * k);
            mix(last, count, a, b);
        }}
    }}
    __shared__ word parts[2][{THREADS // 32}];
    for (int far = 16; far; far >>= 1) {{
        a += __shfl_down_sync(0xffffffffu, a, far);
        b += __shfl_down_sync(0xffffffffu, b, far);
    }}
    if ((threadIdx.x & 31) == 0) {{ parts[0][threadIdx.x >> 5] = a; parts[1][threadIdx.x >> 5] = b; }}
    __syncthreads();
    if (threadIdx.x < 2) {{
        word sum = 0;
        for (int k = 0; k < {THREADS // 32}; k++) sum += parts[threadIdx.x][k];
        atomicAdd(sums + 2 * tensor + threadIdx.x, sum);
    }}
}}
"""

Kernel = Callable[[int, int, int, Sequence[int]], None]


def reference(data: bytes) -> bytes:
    """The 16 bytes that the kernel computes, on the CPU."""
    import numpy as np

    lanes: Lanes = np.frombuffer(data + bytes(-len(data) % 8), dtype="<u8")
    if not len(lanes):
        return bytes(SIZE)
    x = lanes ^ (np.arange(1, len(lanes) + 1, dtype=np.uint64) * np.uint64(PLACE))
    r = (x * np.uint64(FIRST)) ^ _high(x, FIRST)
    second = ((r ^ (r >> np.uint64(32))) * np.uint64(SECOND)) ^ x
    return np.array([r.sum(dtype=np.uint64), second.sum(dtype=np.uint64)], dtype="<u8").tobytes()


def _high(x: Lanes, factor: int) -> Lanes:
    """The upper 64 bits of each product."""
    import numpy as np

    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    low, high = np.uint64(factor & 0xFFFFFFFF), np.uint64(factor >> 32)
    x_low, x_high = x & mask, x >> half
    middle = x_high * low + ((x_low * low) >> half)
    other = x_low * high + (middle & mask)
    product: Lanes = x_high * high + (middle >> half) + (other >> half)
    return product


class Results:
    """Of the tensors taken between two transfers."""

    def __init__(self) -> None:
        self._sums: dict[int, list[tuple[torch.Tensor, torch.cuda.Stream]]] = {}
        self._counts: dict[int, int] = {}
        self._copies: dict[int, tuple[torch.Tensor, torch.cuda.Event]] = {}
        self._rows: dict[int, bytes] = {}
        """Of devices that were waited for, all sums one after the other."""
        self.is_sent = False

    def count(self, device: int) -> int:
        """Number the next tensor of a device."""
        number = self._counts.get(device, 0)
        self._counts[device] = number + 1
        return number

    def add(self, device: int, sums: torch.Tensor, stream: torch.cuda.Stream) -> None:
        """Sums that a stream is about to compute."""
        self._sums.setdefault(device, []).append((sums, stream))

    def send(self) -> None:
        """Have all sums copied to the host, one copy a device, whenever the device comes to it."""
        self.is_sent = True
        for device, found in self._sums.items():
            with torch.cuda.device(device):
                here = torch.cuda.current_stream()
                for _, stream in found:
                    if stream != here:
                        here.wait_stream(stream)
                sums = torch.cat([one for one, _ in found])
                copy = torch.empty(sums.shape, dtype=sums.dtype, pin_memory=True)
                copy.copy_(sums, non_blocking=True)
                event = torch.cuda.Event()  # type: ignore[no-untyped-call]
                event.record(here)
            self._copies[device] = copy, event
        self._sums.clear()

    @property
    def is_here(self) -> bool:
        """Whether reading would not wait."""
        return self.is_sent and all(event.query() for _, event in self._copies.values())  # type: ignore[no-untyped-call]

    def row(self, device: int, number: int) -> bytes:
        """The sums of one tensor. Waits for the device; raises LookupError if they could not be computed."""
        rows = self._rows.get(device)
        if rows is None:
            copy, event = self._copies[device]
            event.synchronize()
            if len(copy) != self._counts[device]:
                raise LookupError("the device computed no digest")
            rows = self._rows[device] = copy.numpy().tobytes()
        return rows[SIZE * number : SIZE * (number + 1)]


class Slot(NamedTuple):
    """Where the digest of a tensor will be."""

    results: Results
    device: int
    number: int


class _Here(threading.local):
    def __init__(self) -> None:
        self.waiting: dict[int, list[torch.Tensor]] = {}
        """Tensors taken, by device, that no kernel reads yet."""
        self.results = Results()


here = _Here()
_kernels: dict[int, Kernel | None] = {}
problems: list[str] = []
"""Why digests are not taken on a device."""


def take(tensor: torch.Tensor) -> Slot | None:
    """Have a strided CUDA tensor read by the next launch; None where the host has to read it."""
    device = tensor.get_device()
    if _kernel(device) is None:
        return None
    if not tensor.is_contiguous():
        tensor = tensor.detach().contiguous()
    if tensor.data_ptr() % 8:
        tensor = tensor.detach().clone()
    here.waiting.setdefault(device, []).append(tensor)
    return Slot(here.results, device, here.results.count(device))


def launch() -> None:
    """Start the kernels that read what was taken, behind what the device has to do already."""
    waiting, here.waiting = here.waiting, {}
    for device, tensors in waiting.items():
        try:
            _launch(device, tensors)
        except Exception as error:
            _give_up(device, error)


def send() -> None:
    """The end of a step: what was taken since the last one comes to the host."""
    launch()
    results, here.results = here.results, Results()
    results.send()


def _launch(device: int, tensors: list[torch.Tensor]) -> None:
    kernel = _kernels[device]
    if kernel is None:
        return
    with torch.cuda.device(device):
        stream = torch.cuda.current_stream()
        for tensor in tensors:  # one made on another stream must not be used again before it is read here
            tensor.record_stream(stream)
        sizes, owners, firsts = _tables(device, stream.cuda_stream, tuple(tensor.nbytes for tensor in tensors))
        addresses = _sent([tensor.data_ptr() for tensor in tensors])
        sums = torch.zeros((len(tensors), 2), dtype=torch.int64, device="cuda")
        arguments = [table.data_ptr() for table in (addresses, sizes, owners, firsts, sums)]
        if len(owners):
            kernel(len(owners), THREADS, stream.cuda_stream, arguments)
        here.results.add(device, sums, stream)


def tables(sizes: tuple[int, ...]) -> tuple[Lanes, Lanes, Lanes]:
    """Of tensors of so many bytes: their sizes, and for each block of threads its tensor and its first word."""
    import numpy as np

    chunks = np.array([-(-size // (8 * CHUNK)) for size in sizes], dtype=np.int64)
    starts = np.cumsum(chunks) - chunks
    owners = np.repeat(np.arange(len(sizes), dtype=np.uint64), chunks)
    firsts = (np.arange(int(chunks.sum())) - np.repeat(starts, chunks)) * CHUNK
    return np.array(sizes, dtype=np.uint64), owners, firsts.astype(np.uint64)


@lru_cache(maxsize=256)
def _tables(device: int, stream: int, sizes: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same on the device: a training has tensors of the same sizes from step to step."""
    all_sizes, owners, firsts = (_sent(table.astype("int64")) for table in tables(sizes))
    return all_sizes, owners, firsts


def _sent(numbers: object) -> torch.Tensor:
    """On the current device, without waiting for it."""
    pinned = torch.as_tensor(numbers, dtype=torch.int64).pin_memory()
    return pinned.to("cuda", non_blocking=True)


def _kernel(device: int) -> Kernel | None:
    if device not in _kernels:
        try:
            with torch.cuda.device(device):
                _kernels[device] = load(SOURCE, "digest", torch.cuda.get_device_capability(device))
        except Exception as error:
            _give_up(device, error)
    return _kernels[device]


def _give_up(device: int, error: Exception) -> None:
    _kernels[device] = None
    problems.append(f"digests of cuda:{device} are taken on the host: {type(error).__name__}: {error}")
