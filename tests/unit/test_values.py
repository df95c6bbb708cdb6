"""Comparison of values from raw bytes: own decoding against torch's, distances, samples, memory."""

from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reprocheck.model import values
from reprocheck.model.values import ValueDifference, compare_values
from reprocheck.worker.fingerprint.digest import dtype_name, raw_bytes

FLOAT8 = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]
BITS = {
    **dict.fromkeys(FLOAT8, np.uint8),
    "bfloat16": np.uint16,
    "float16": np.uint16,
    "float32": np.uint32,
    "float64": np.uint64,
}
DTYPES = [*BITS, "complex32", "complex64", "complex128", "bool", "int8", "uint8", "int16", "uint16", "int32"]
DTYPES += [
    "uint32",
    "int64",
    "uint64",
    "bits16",
    "some_new_dtype",
    "<f4",
    ">f4",
    ">i2",
    "<M8[ns]",
    "<U1",
    "|S3",
]


def view(array: np.ndarray) -> memoryview:
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def compare_bits(a: list[int], b: list[int], dtype: str) -> ValueDifference | None:
    """Compare one-dimensional tensors given as bit patterns."""
    left, right = (np.array(codes, dtype=BITS[dtype]) for codes in (a, b))
    return compare_values(view(left), view(right), dtype, (len(a),))


def compare_tensors(a: torch.Tensor, b: torch.Tensor) -> ValueDifference | None:
    return compare_values(raw_bytes(a), raw_bytes(b), dtype_name(a), tuple(a.shape))


def numbers_of(dtype: str) -> list[float]:
    """Every value of a small dtype, as torch decodes it."""
    codes = np.arange(np.iinfo(BITS[dtype]).max + 1, dtype=BITS[dtype])
    return torch.from_numpy(codes).view(getattr(torch, dtype)).to(torch.float64).tolist()


# Decoding


@pytest.mark.parametrize("dtype", [*FLOAT8, "bfloat16", "float16"])
def test_decode_agrees_with_torch_for_every_bit_pattern(dtype: str) -> None:
    expected = np.array(numbers_of(dtype))
    form = values._native_float(dtype) if dtype == "float16" else values._SMALL_FLOATS[dtype]()
    with np.errstate(invalid="ignore"):  # signalling NaNs
        got = form.decode(np.arange(expected.size, dtype=BITS[dtype])).astype(np.float64)
    assert np.array_equal(got, expected, equal_nan=True)
    numbers = ~np.isnan(expected)
    assert np.array_equal(np.signbit(got)[numbers], np.signbit(expected)[numbers])


@pytest.mark.parametrize("dtype", [*FLOAT8, "bfloat16", "float16"])
def test_ranks_are_those_of_sorted_values(dtype: str) -> None:
    """Neighbours by value are one step apart, through zero too, for every bit pattern that is a number."""
    numbers = numbers_of(dtype)
    codes = [code for code, number in enumerate(numbers) if not math.isnan(number)]
    codes.sort(key=lambda code: (numbers[code], math.copysign(1.0, numbers[code])))
    one_step = compare_bits(codes[:-1], codes[1:], dtype)
    assert one_step is not None
    assert one_step.different == len(codes) - 1
    assert one_step.max_ulp == 1
    far = compare_bits(codes[:1], codes[-1:], dtype)
    assert far is not None
    assert far.max_ulp == len(codes) - 1


@pytest.mark.parametrize("dtype", [*FLOAT8, "bfloat16"])
def test_text_reads_back_as_the_same_value(dtype: str) -> None:
    form = values.format_of(dtype, BITS[dtype]().itemsize)
    numbers = numbers_of(dtype)
    codes = range(0, len(numbers), max(1, len(numbers) // 512) | 1)
    texts = [form.text(np.array([code], dtype=BITS[dtype])) for code in codes]
    # float64 to e8m0 is truncated by torch: that dtype is read by its exact powers instead.
    if dtype == "float8_e8m0fnu":
        finite = np.array(numbers[:255])
        back = [float(finite[np.abs(finite - float(text)).argmin()]) for text in texts[:255]]
    else:
        dtype_of_torch = getattr(torch, dtype)
        back = torch.tensor([float(text) for text in texts]).to(dtype_of_torch).to(torch.float64).tolist()
    for code, text, number in zip(codes, texts, back, strict=False):
        wanted = numbers[code]
        assert (number == wanted and math.copysign(1, number) == math.copysign(1, wanted)) or (
            math.isnan(number) and math.isnan(wanted)
        ), (code, text)


def test_text_is_short() -> None:
    x = torch.tensor([0.1, 1e-7, 3.0], dtype=torch.bfloat16)
    found = compare_tensors(x, torch.zeros_like(x))
    assert found is not None
    assert [sample[1] for sample in found.samples] == ["0.1", "1e-07", "3.0"]
    found = compare_tensors(x.float(), torch.zeros(3))
    assert found is not None
    assert found.samples[0][1] == "0.100097656"


# Distances


def test_one_element() -> None:
    a = torch.arange(12.0).reshape(3, 4)
    b = a.clone()
    b[1, 2] = 6.5
    assert compare_tensors(a, b) == ValueDifference(
        different=1,
        total=12,
        max_abs=0.5,
        max_ulp=1 << 20,
        index=(1, 2),
        samples=(((1, 2), "6.0", "6.5"),),
    )


@pytest.mark.parametrize(
    ("dtype", "a", "b", "steps"),
    [
        ("float32", 0.0, -0.0, 1),
        ("float32", 1.0, 1.0000001192092896, 1),
        ("float32", -1.0, -1.0000001192092896, 1),
        ("float32", 1e-45, -1e-45, 3),
        ("float32", 3.4028234663852886e38, math.inf, 1),
        ("float64", math.inf, -math.inf, 2 * 0x7FF0000000000000 + 1),
        ("float64", 1.0, math.nextafter(1.0, 2.0), 1),
        ("float64", 0.0, -0.0, 1),
        ("bfloat16", 1.0, 1.0078125, 1),
        ("float16", 1.0, 1.0009765625, 1),
        ("float8_e4m3fnuz", 2**-10, -(2**-10), 2),
    ],
)
def test_ulp(dtype: str, a: float, b: float, steps: int) -> None:
    left, right = (torch.tensor([x], dtype=torch.float64).to(getattr(torch, dtype)) for x in (a, b))
    for pair in ((left, right), (right, left)):
        found = compare_tensors(*pair)
        assert found is not None
        assert found.max_ulp == steps


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64", "float8_e5m2"])
def test_nan_payloads_differ_but_have_no_distance(dtype: str) -> None:
    quiet = {"bfloat16": 0x7FC0, "float16": 0x7E00, "float32": 0x7FC00000, "float8_e5m2": 0x7E}
    code = quiet.get(dtype, 0x7FF8000000000000)
    found = compare_bits([code, 0], [code + 1, 0], dtype)
    assert found is not None
    assert (found.different, found.max_abs, found.max_ulp, found.index) == (1, None, None, (0,))
    _, left, right = found.samples[0]
    assert left != right
    assert left.startswith("nan (0x7")


def test_signalling_nan_is_quiet() -> None:
    """Warnings are errors in this suite: widening a signalling NaN must not raise one."""
    found = compare_bits([0x7F800001, 0x3F800000], [0, 0], "float32")
    assert found is not None
    assert (found.max_abs, found.index) == (1.0, (1,))


def test_not_finite_pairs_leave_the_others_measured() -> None:
    a = torch.tensor([math.nan, 1.0, math.inf, 5.0])
    found = compare_tensors(a, torch.tensor([0.0, 1.5, 1.0, 5.25]))
    assert found is not None
    assert (found.different, found.max_abs, found.index) == (4, 0.5, (1,))


def test_only_infinite_pairs() -> None:
    found = compare_tensors(torch.tensor([1.0, math.inf]), torch.tensor([1.0, -math.inf]))
    assert found is not None
    assert (found.max_abs, found.index, found.max_ulp) == (None, (1,), 2 * 0x7F800000 + 1)


def test_overflowing_difference_stays_finite() -> None:
    big = torch.tensor([sys.float_info.max], dtype=torch.float64)
    found = compare_tensors(big, -big)
    assert found is not None
    assert found.max_abs == sys.float_info.max


@pytest.mark.parametrize("part", [torch.float16, torch.float32, torch.float64])
def test_complex_by_parts(part: torch.dtype) -> None:
    dtype = {2: torch.complex32, 4: torch.complex64, 8: torch.complex128}[part.itemsize]
    a, b = (torch.tensor([1, 2, 3, last], dtype=part).view(dtype) for last in (4, -4))
    found = compare_tensors(a, b)
    assert found is not None
    assert (found.different, found.total, found.max_abs, found.index) == (1, 2, 8.0, (1,))
    assert found.samples == (((1,), "3.0+4.0j", "3.0-4.0j"),)
    assert found.max_ulp is not None
    assert found.max_ulp > 1


def test_complex_with_nan_in_the_part_that_differs() -> None:
    a = torch.tensor([complex(1.0, math.nan)])
    found = compare_tensors(a, torch.tensor([complex(1.0, 2.0)]))
    assert found is not None
    assert (found.different, found.max_abs, found.max_ulp) == (1, None, None)


@pytest.mark.parametrize(
    ("dtype", "a", "b", "gap"),
    [
        ("int64", -(2**63), 2**63 - 1, float(2**64 - 1)),
        ("uint64", 0, 2**64 - 1, float(2**64 - 1)),
        ("int8", -128, 127, 255.0),
        ("uint8", 255, 0, 255.0),
        ("uint16", 1, 65535, 65534.0),
        ("int32", -5, -8, 3.0),
        (">i4", -5, 8, 13.0),
        ("bool", True, False, 1.0),
    ],
)
def test_integers(dtype: str, a: int, b: int, gap: float) -> None:
    left, right = (view(np.array([0, x], dtype=dtype)) for x in (a, b))
    for x, y in ((left, right), (right, left)):
        found = compare_values(x, y, dtype, (2,))
        assert found is not None
        assert (found.max_abs, found.max_ulp, found.index) == (gap, None, (1,))
        assert {found.samples[0][1], found.samples[0][2]} == {str(a), str(b)}


def test_bytes_of_bool_that_are_neither_0_nor_1() -> None:
    found = compare_values(memoryview(b"\1"), memoryview(b"\2"), "bool", ())
    assert found is not None
    assert (found.different, found.max_abs, found.index) == (1, 0.0, ())
    assert found.samples == (((), "True (0x01)", "True (0x02)"),)


# Other dtypes


def test_unknown_dtype_is_counted() -> None:
    a, b = memoryview(bytes(12)), memoryview(bytes(5) + b"\1" + bytes(6))
    found = compare_values(a, b, "float24", (2, 2))
    assert found == ValueDifference(
        different=1,
        total=4,
        max_abs=None,
        max_ulp=None,
        index=(0, 1),
        samples=(((0, 1), "0x00_00_00", "0x00_00_01"),),
    )


@pytest.mark.parametrize(
    ("a", "b", "texts"),
    [
        (np.array(["abc", "d"]), np.array(["abc", "e"]), ("'d'", "'e'")),
        (np.array([b"a", b"b"]), np.array([b"a", b"c"]), ("b'b'", "b'c'")),
        (
            np.array(["2020-01-01", "2020-01-02"], "M8[D]"),
            np.array(["2020-01-01", "NaT"], "M8[D]"),
            ("2020-01-02", "NaT"),
        ),
        (np.array([1, 2], ">f8"), np.array([1, 2.5], ">f8"), ("2.0", "2.5")),
        (np.array([1, 2], ">c8"), np.array([1, 2.5], ">c8"), ("2.0+0.0j", "2.5+0.0j")),
    ],
)
def test_arrays(a: np.ndarray, b: np.ndarray, texts: tuple[str, str]) -> None:
    found = compare_values(view(a), view(b), a.dtype.str, a.shape)
    assert found is not None
    assert (found.different, found.index, found.samples) == (1, (1,), (((1,), *texts),))


def test_long_texts_are_cut() -> None:
    a, b = np.array(["x" * 500]), np.array(["y" * 500])
    found = compare_values(view(a), view(b), a.dtype.str, a.shape)
    assert found is not None
    assert len(found.samples[0][1]) < 60


@pytest.mark.parametrize("dtype", ["float32", "unknown"])
def test_sizes_that_do_not_fit(dtype: str) -> None:
    with pytest.raises(ValueError, match="bytes cannot"):
        compare_values(memoryview(bytes(8)), memoryview(bytes(12)), dtype, (2,))
    with pytest.raises(ValueError, match="bytes cannot be"):
        compare_values(memoryview(bytes(7)), memoryview(bytes(7)), dtype, (2,))


def test_empty_and_zero_dimensions() -> None:
    assert compare_values(memoryview(b""), memoryview(b""), "float32", (0, 3)) is None
    found = compare_tensors(torch.tensor(1.0), torch.tensor(2.0))
    assert found is not None
    assert (found.index, found.total) == ((), 1)


# Blocks


def test_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks tell the same as one block."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(37, 11, generator=generator)
    b = torch.where(torch.rand(37, 11, generator=generator) < 0.1, a + torch.randn(37, 11, generator=generator), a)
    whole = compare_tensors(a, b)
    assert whole is not None
    gaps = (a.double() - b.double()).abs()
    assert whole.max_abs == gaps.max().item()
    assert gaps[whole.index] == gaps.max()
    assert whole.different == (a != b).sum().item()
    assert [sample[0] for sample in whole.samples] == [tuple(i) for i in (a != b).nonzero()[:4].tolist()]
    monkeypatch.setattr(values, "BLOCK", 7)
    assert compare_tensors(a, b) == whole


def test_first_of_equal_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "BLOCK", 4)
    a = torch.zeros(20)
    b = a.clone()
    b[3], b[6], b[7], b[19] = 1.0, 2.0, -2.0, 2.0
    found = compare_tensors(a, b)
    assert found is not None
    assert (found.max_abs, found.index) == (2.0, (6,))


def test_memory_is_bounded() -> None:
    a = np.zeros(1 << 24, dtype=np.float32)
    b = np.ones_like(a)
    tracemalloc.start()
    try:
        found = compare_values(view(a), view(b), "float32", a.shape)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert found.different == a.size
    assert peak < 50_000_000


def test_memory_is_bounded_for_wide_elements() -> None:
    a, b = bytearray(1 << 24), bytearray(b"\1" * (1 << 24))
    tracemalloc.start()
    try:
        found = compare_values(memoryview(a), memoryview(b), "record", (1 << 10,))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert found.different == 1 << 10
    assert peak < 10_000_000


# Properties

PAIRS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(st.just(n), st.binary(min_size=n * 16, max_size=n * 16), st.data())
)


def element_size(dtype: str) -> int:
    sizes = {"complex32": 4, "some_new_dtype": 3, "bits16": 2}
    return sizes.get(dtype) or (BITS[dtype]().itemsize if dtype in BITS else np.dtype(dtype).itemsize)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "<U1"])
@given(pair=PAIRS)
def test_symmetric_and_reflexive(dtype: str, pair: tuple[int, bytes, st.DataObject]) -> None:
    count, data, more = pair
    size = count * element_size(dtype)
    a = bytearray(data[:size])
    b = bytearray(a)
    flips = more.draw(st.lists(st.tuples(st.integers(0, size - 1), st.integers(1, 255)), max_size=6))
    for place, bits in flips:
        b[place] ^= bits
    shape = (count,)
    assert compare_values(memoryview(a), memoryview(bytes(a)), dtype, shape) is None
    forth = compare_values(memoryview(a), memoryview(b), dtype, shape)
    back = compare_values(memoryview(b), memoryview(a), dtype, shape)
    width = element_size(dtype)
    unequal = [i for i in range(count) if a[i * width : i * width + width] != b[i * width : i * width + width]]
    if not unequal:
        assert forth is None
        assert back is None
        return
    assert forth is not None
    assert back is not None
    assert forth.different == len(unequal)
    assert forth.max_ulp is None or forth.max_ulp >= 1
    assert forth.max_abs is None or 0 <= forth.max_abs < math.inf
    assert forth.index[0] in unequal
    assert [sample[0][0] for sample in forth.samples] == unequal[:4]
    assert all(left != right for _, left, right in forth.samples)
    assert [(place, right, left) for place, left, right in forth.samples] == list(back.samples)
    numbers = (forth.different, forth.total, forth.max_abs, forth.max_ulp, forth.index)
    assert numbers == (back.different, back.total, back.max_abs, back.max_ulp, back.index)


def test_the_parent_needs_neither_torch_nor_numpy_to_start() -> None:
    code = "import sys, reprocheck.model.values; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
