"""Fingerprints of tensors on the CPU, beside one plain read of the same memory and beside other digests."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator

import torch
from xxhash import xxh3_128_digest

from benchmarks.figures import Line, against, figure
from benchmarks.workloads import small_tensors
from reprocheck.worker.fingerprint.digest import tensor_digest

GROUP = "fingerprint on the CPU"


def lines(quick: bool) -> Iterator[Line]:
    """Large tensors, small ones, very many; changes that must not be missed."""
    torch.set_num_threads(1)
    rounds = 1 if quick else 15
    large = torch.randn((1 if quick else 64) * 2**20 // 4)
    whole = large.view(torch.int64)
    ratios = against(
        lambda: whole.sum(),
        {
            "ours": lambda: tensor_digest(large),
            "sha256": lambda: hashlib.sha256(memoryview(large.numpy()).cast("B")).digest(),
            "hash_tensor": lambda: torch.hash_tensor(large),
        },
        rounds,
    )
    yield figure(GROUP, "64 MB against one plain read of it", ratios["ours"], target=1.2)
    yield figure(GROUP, "SHA-256 of the same", ratios["sha256"])
    yield figure(GROUP, "torch.hash_tensor of the same (blind to order)", ratios["hash_tensor"])
    page = [torch.randn(1024) for _ in range(50 if quick else 1000)]
    micro = [1e6 * wall(lambda: [tensor_digest(one) for one in page]) / len(page) for _ in range(rounds)]
    yield figure(GROUP, "4 KB with dtype and shape", micro, unit="µs", target=0.6)
    pages = [memoryview(one.numpy()) for one in page]
    micro = [1e6 * wall(lambda: [xxh3_128_digest(one) for one in pages]) / len(page) for _ in range(rounds)]
    yield figure(GROUP, "the bytes of 4 KB through XXH3 alone (the floor)", micro, unit="µs")
    many = small_tensors(1000 if quick else 100_000)
    walls = [wall(lambda: [tensor_digest(one) for one in many]) for _ in range(rounds)]
    yield figure(GROUP, "100,000 tensors of 64 bytes", walls, unit="s", target=0.06)
    missed = [name for name, (one, other) in changes().items() if tensor_digest(one) == tensor_digest(other)]
    yield figure(GROUP, "of 15 changes missed", [float(len(missed))], unit="", target=0, note=", ".join(missed))
    strided = torch.randn(64, 64)
    equal = tensor_digest(strided.t().contiguous().t()) == tensor_digest(strided)
    yield figure(GROUP, "equal values in other strides told apart", [float(not equal)], unit="", target=0)


def wall(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def changes() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Pairs that differ in one small thing each."""
    base = torch.linspace(1e-6, 1, 4096)

    def but(change: Callable[[torch.Tensor], object], of: torch.Tensor = base) -> tuple[torch.Tensor, torch.Tensor]:
        other = of.clone()
        change(other)
        return of, other

    def swap(t: torch.Tensor, a: slice, b: slice) -> None:
        kept = t[a].clone()
        t[a] = t[b]
        t[b] = kept

    def flip(t: torch.Tensor, *places: int) -> None:
        t.view(torch.int32)[list(places)] ^= 1

    zeros, nan = torch.zeros(64), torch.full((4,), float("nan"))
    flags = torch.tensor([True, False, True, True])
    return {
        "two elements swapped": but(lambda t: swap(t, slice(3, 4), slice(9, 10))),
        "two blocks swapped": but(lambda t: swap(t, slice(0, 64), slice(128, 192))),
        "1 ULP of a small value": but(lambda t: flip(t, 0)),
        "a sign": but(lambda t: t[7].neg_()),
        "two signs": but(lambda t: t[7:9].neg_()),
        "0.0 and -0.0": but(lambda t: t[5].neg_(), zeros),
        "the payload of a NaN": but(lambda t: flip(t, 2), nan),
        "one bit of two elements": but(lambda t: flip(t, 11, 12)),
        "zeros appended": (zeros, torch.zeros(65)),
        "another shape": (base, base.reshape(64, 64)),
        "another dtype of the same bytes": (base, base.view(torch.int32)),
        "another dtype of the same values": (base, base.double()),
        "two booleans swapped": but(lambda t: swap(t, slice(0, 1), slice(1, 2)), flags),
        "reversed": (base, base.flip(0)),
        "transposed": (base.reshape(64, 64), base.reshape(64, 64).t()),
    }
