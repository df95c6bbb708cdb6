"""The digest that is taken on a GPU: what it distinguishes, and that the device computes what the host would."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from benchmarks.fingerprint import changes
from reprocheck.compare.runs import ELSEWHERE, compare
from reprocheck.model import Request, Target, TargetKind
from reprocheck.protocol import EVIDENCE_FILE, FLAG_DEVICE, RECORD_SIZE, STEP_HEADER, STEPS_FILE, records
from reprocheck.worker.fingerprint import device_digest
from reprocheck.worker.fingerprint.device_digest import CHUNK, FIRST, PLACE, SECOND, Results, Slot, reference
from reprocheck.worker.fingerprint.digest import DeferredDigest, DigestBuilder, raw_bytes
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.observe.steps.records import MOST_WAITING, StepRecords
from reprocheck.worker.recorder import Recorder
from tests.support.baselines import evidence

WORD = 2**64
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def by_the_book(data: bytes) -> bytes:
    a = b = 0
    data += bytes(-len(data) % 8)
    for place in range(len(data) // 8):
        x = int.from_bytes(data[8 * place : 8 * place + 8], "little") ^ ((place + 1) * PLACE % WORD)
        r = (x * FIRST % WORD) ^ (x * FIRST // WORD)
        a += r
        b += ((r ^ (r >> 32)) * SECOND % WORD) ^ x
    return (a % WORD).to_bytes(8, "little") + (b % WORD).to_bytes(8, "little")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 64, 1000, 4099])
def test_the_reference_is_the_formula(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert reference(data) == by_the_book(data)


def test_sparse_changes_never_collide_not_even_in_half_of_the_digest() -> None:
    argv = np.random.default_rng(0).integers(0, 2**64, 64, dtype=np.uint64)
    argv[32:] = 0
    seen = {reference(argv.tobytes())}
    halves = [set(), set()]
    count = 1
    bits = [(place, bit) for place in (0, 1, 31, 32, 33, 63) for bit in range(64)]
    for one in bits:
        for other in bits:
            if one < other:
                changed = argv.copy()
                for place, bit in (one, other):
                    changed[place] ^= np.uint64(1 << bit)
                digest = reference(changed.tobytes())
                seen.add(digest)
                halves[0].add(digest[:8])
                halves[1].add(digest[8:])
                count += 1
    assert len(seen) == count
    assert [len(half) for half in halves] == [count - 1, count - 1]


def test_every_order_of_a_few_values_has_its_own() -> None:
    generator = np.random.default_rng(0)
    base = np.arange(512, dtype=np.float32)
    digests = {reference(generator.permutation(base).tobytes()) for _ in range(2000)}
    assert len(digests) == 2000


@pytest.mark.parametrize("name", [name for name in changes() if "dtype" not in name and "shape" not in name])
def test_no_change_of_bytes_is_missed(name: str) -> None:
    one, other = changes()[name]
    if name == "zeros appended":  # up to a word they are one: the header holds the length
        other = torch.zeros(66)
    assert reference(bytes(raw_bytes(one))) != reference(bytes(raw_bytes(other)))


HOST = """
#include <thread>
#include <vector>
#include <barrier>
struct Place { unsigned x; };
struct alignas(16) ulonglong2 { unsigned long long x, y; };
static thread_local Place threadIdx, blockIdx;
static std::barrier<> *all;
static unsigned long long lanes[THREADS];
static unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
static void __syncthreads() { all->arrive_and_wait(); }
static unsigned long long __shfl_down_sync(unsigned, unsigned long long value, int far) {
    lanes[threadIdx.x] = value;
    all->arrive_and_wait();
    unsigned long long found = (threadIdx.x & 31) + far < 32 ? lanes[threadIdx.x + far] : value;
    all->arrive_and_wait();
    return found;
}
static void atomicAdd(unsigned long long *at, unsigned long long value) { __atomic_fetch_add(at, value, 0); }
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(n)
#define __shared__ static
%s
extern "C" void start(unsigned blocks, const word *a, const word *b, const word *c, const word *d, word *sums) {
    for (unsigned block = 0; block < blocks; block++) {
        std::barrier<> barrier(THREADS);
        all = &barrier;
        std::vector<std::thread> threads;
        for (unsigned thread = 0; thread < THREADS; thread++)
            threads.emplace_back([=] { threadIdx.x = thread; blockIdx.x = block; digest(a, b, c, d, sums); });
        for (auto &thread : threads) thread.join();
    }
}
"""


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_the_source_of_the_kernel_computes_the_reference_where_threads_of_the_host_run_it(tmp_path: Path) -> None:
    source = (HOST % device_digest.SOURCE).replace("THREADS", str(device_digest.THREADS))
    (tmp_path / "host.cpp").write_text(source)
    argv = ("g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", "-o", "host.so", "host.cpp")
    built = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    sizes = [1, 8, 1000, 8 * CHUNK, 8 * CHUNK + 1, 8 * CHUNK - 5, 16 * CHUNK + 12, 0, 77]
    held = [torch.randint(0, 256, (size + 8,), dtype=torch.uint8) for size in sizes]
    tensors = [
        one[8:] if number == 6 else one[:size] for number, (one, size) in enumerate(zip(held, sizes, strict=True))
    ]
    tables = [torch.from_numpy(table) for table in device_digest.tables(tuple(tensor.nbytes for tensor in tensors))]
    addresses = torch.tensor([tensor.data_ptr() for tensor in tensors])
    sums = torch.zeros((len(tensors), 2), dtype=torch.int64)
    arguments = [ctypes.c_void_p(table.data_ptr()) for table in (addresses, *tables, sums)]
    ctypes.CDLL(str(tmp_path / "host.so")).start(ctypes.c_uint(len(tables[1])), *arguments)
    wanted = [reference(bytes(raw_bytes(tensor))) for tensor in tensors]
    assert [row.numpy().tobytes() for row in sums] == wanted


class Event:
    def __init__(self) -> None:
        self.waited = 0

    def synchronize(self) -> None:
        self.waited += 1


def test_sums_are_waited_for_and_read_once_for_all_tensors_of_a_device() -> None:
    results, event = Results(), Event()
    data = [np.random.default_rng(number).bytes(100 * number) for number in range(5)]
    expected = [reference(one) for one in data]
    for number in range(5):
        assert results.count(0) == number
    sums = torch.from_numpy(np.frombuffer(b"".join(expected), dtype="<i8").reshape(5, 2).copy())
    results._copies[0] = sums, event  # type: ignore[assignment]
    assert [results.row(0, number) for number in (4, 0, 1, 2, 3)] == [expected[number] for number in (4, 0, 1, 2, 3)]
    assert event.waited == 1
    results.count(1)
    results._copies[1] = sums, event  # type: ignore[assignment]
    with pytest.raises(LookupError):
        results.row(1, 0)


class FromAfar:
    """What a device is to send; it comes when `arrive` is called, or when somebody waits."""

    def __init__(self, fails: bool = False) -> None:
        self.is_sent = True
        self.is_here = False
        self.waited = 0
        self.fails = fails

    def row(self, device: int, number: int) -> bytes:
        self.waited += not self.is_here
        if self.fails:
            raise LookupError
        return bytes([number]) * 16


def writer_in(folder: Path) -> tuple[StepRecords, Recorder]:
    folder.mkdir()
    recorder = Recorder(folder)
    return StepRecords(recorder, lambda count: None), recorder


def steps_on_disk(folder: Path, recorder: Recorder) -> list[int]:
    recorder.flush()
    return [STEP_HEADER.unpack_from(record)[0] for record in records((folder / STEPS_FILE).read_bytes())]


def kinds(results: FromAfar, number: int) -> dict[str, Any]:
    return {
        "loss": DeferredDigest(b"before", [Slot(cast("Results", results), 0, number)]),
        "batch": bytes([number]) * 16,
    }


def test_records_wait_for_the_device_in_their_order_and_nobody_waits_for_it(tmp_path: Path) -> None:
    writer, recorder = writer_in(tmp_path / "late")
    afar = [FromAfar() for _ in range(3)]
    for number, results in enumerate(afar):
        writer.write(kinds(results, number), 0, 0)
    assert steps_on_disk(tmp_path / "late", recorder) == []
    afar[1].is_here = True
    writer.write_waiting(wait=False)
    assert steps_on_disk(tmp_path / "late", recorder) == []
    afar[0].is_here = True
    writer.write_waiting(wait=False)
    assert steps_on_disk(tmp_path / "late", recorder) == [0, 1]
    assert [results.waited for results in afar] == [0, 0, 0]
    writer.write_waiting(wait=True)
    assert steps_on_disk(tmp_path / "late", recorder) == [0, 1, 2]
    assert afar[2].waited == 1
    late = (tmp_path / "late" / STEPS_FILE).read_bytes()
    assert all(STEP_HEADER.unpack_from(record)[2] & FLAG_DEVICE for record in records(late))
    at_once, recorder = writer_in(tmp_path / "timed")
    at_once.waits = True
    for number in range(3):
        at_once.write(kinds(FromAfar(), number), 0, 0)
        assert steps_on_disk(tmp_path / "timed", recorder)[-1] == number
    assert (tmp_path / "timed" / STEPS_FILE).read_bytes() == late


def test_never_more_than_a_few_records_wait(tmp_path: Path) -> None:
    writer, recorder = writer_in(tmp_path / "run")
    for number in range(MOST_WAITING + 3):
        writer.write(kinds(FromAfar(), number % 256), 0, 0)
    assert steps_on_disk(tmp_path / "run", recorder) == [0, 1, 2]


def test_a_device_that_fails_leaves_no_verdict_instead_of_a_difference(tmp_path: Path, capfd: Any) -> None:
    writer, recorder = writer_in(tmp_path / "run")
    writer.write(kinds(FromAfar(fails=True), 0), 0, 0)
    writer.write_waiting(wait=True)
    recorder.end(status="finished")
    assert '"end"' not in (tmp_path / "run" / EVIDENCE_FILE).read_text()
    assert "could not compute the digests" in capfd.readouterr().err


def test_steps_that_were_read_elsewhere_are_not_compared_and_prove_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    one = replace(evidence(), stdout=tmp_path / "out", outputs=(), has_output=False)
    flagged = bytearray(bytes(one.steps))
    for start in range(0, len(flagged), RECORD_SIZE):
        number, optimizer, flags, zero = STEP_HEADER.unpack_from(flagged, start)
        STEP_HEADER.pack_into(flagged, start, number, optimizer, flags | FLAG_DEVICE, zero)
        flagged[start + RECORD_SIZE - 1] ^= 1  # another chain
        flagged[start + STEP_HEADER.size] ^= 1  # another digest of the first kind
    request = Request(target=Target(text="t.py", kind=TargetKind.SCRIPT))
    seen = compare(one, replace(one, steps=bytes(flagged)), request)
    assert seen.divergence is None
    assert seen.compared == ()
    assert [item.reason for item in seen.not_compared if item.what == "steps"] == [ELSEWHERE]
    both = replace(one, steps=bytes(flagged))
    apart = bytearray(flagged)
    apart[-1] ^= 2
    assert compare(both, replace(one, steps=bytes(apart)), request).divergence is not None


def on_device(tensors: list[torch.Tensor]) -> list[bytes]:
    with Unobserved():
        slots = [device_digest.take(tensor) for tensor in tensors]
        assert not device_digest.problems, device_digest.problems
        device_digest.send()
    return [slot.results.row(slot.device, slot.number) for slot in slots if slot is not None]


@needs_gpu
def test_the_device_computes_the_reference() -> None:
    torch.manual_seed(0)
    sizes = [1, 3, 8, 1000, 8 * CHUNK, 8 * CHUNK + 1, 8 * CHUNK - 5, 3_000_001]
    tensors = [torch.randint(0, 256, (size,), dtype=torch.uint8) for size in sizes]
    tensors += [torch.randn(300, 700), torch.randn(7, 9).double(), torch.randn(99).bfloat16(), torch.rand(9) > 0.5]
    there = [tensor.cuda() for tensor in tensors]
    shifted = torch.randn(1001).half().cuda()[1:]  # not at a multiple of 8 bytes
    strided = torch.randn(64, 48).cuda().t()
    digests = on_device([*there, shifted, strided])
    wanted = [reference(bytes(raw_bytes(tensor))) for tensor in [*tensors, shifted, strided]]
    assert digests == wanted


@needs_gpu
def test_a_later_write_does_not_count_and_nothing_waits() -> None:
    tensor = torch.randn(1 << 20, device="cuda")
    wanted = reference(bytes(raw_bytes(tensor)))
    torch.cuda._sleep(200_000_000)
    builder = DigestBuilder()
    with Unobserved():
        builder.tensor(tensor)
        plain = device_digest.here.results
    tensor.zero_()
    deferred = builder.deferred()
    assert isinstance(deferred, DeferredDigest)
    with Unobserved():
        device_digest.send()
    assert not deferred.is_here  # the device sleeps still: nobody waited for it
    assert plain.row(0, 0) == wanted


@needs_gpu
@pytest.mark.parametrize("name", list(changes()))
def test_no_change_is_missed_on_a_device(name: str) -> None:
    digests = []
    for tensor in changes()[name]:
        builder = DigestBuilder()
        builder.tensor(tensor.cuda())
        digests.append(builder.digest())
    assert digests[0] != digests[1]


@needs_gpu
def test_equal_values_under_other_strides_are_equal() -> None:
    digests = []
    for tensor in (torch.arange(12.0).view(3, 4).cuda(), torch.arange(12.0).view(3, 4).t().contiguous().t().cuda()):
        builder = DigestBuilder()
        builder.tensor(tensor)
        digests.append(builder.digest())
    assert digests[0] == digests[1]
