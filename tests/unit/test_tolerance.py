"""What `--tolerance` allows: its words, margins of metrics, and tensors beside torch.testing's own answer."""

from __future__ import annotations

import math

import pytest
import torch

from reprocheck.compare.values_near import count_beyond, number_is_near
from reprocheck.model.tolerance import CLOSE, Margin, Measure, Tolerance, close_margin, parse

BIT_EXACT = Tolerance()
NEAR = parse(["close"])


def beyond(a: torch.Tensor, b: torch.Tensor, tolerance: Tolerance) -> int:
    data = [memoryview(x.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()) for x in (a, b)]
    return count_beyond(data[0], data[1], str(a.dtype).removeprefix("torch."), tuple(a.shape), tolerance)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Tolerance()),
        (["bitwise"], Tolerance(measure=Measure.BITWISE)),
        (["ulp=4"], Tolerance(measure=Measure.ULP, ulp=4)),
        (["close"], Tolerance(measure=Measure.CLOSE)),
        (["loss=1e-4"], Tolerance(metrics=(("loss", Margin(absolute=1e-4)),))),
        (["loss=1%"], Tolerance(metrics=(("loss", Margin(relative=0.01)),))),
        (["a=b=0"], Tolerance(metrics=(("a=b", Margin()),))),
        (["close", "eval.*=1"], Tolerance(measure=Measure.CLOSE, metrics=(("eval.*", Margin(absolute=1.0)),))),
    ],
)
def test_arguments_and_back(arguments: list[str], expected: Tolerance) -> None:
    assert parse(arguments) == expected
    assert parse(expected.options) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        [""],
        ["near"],
        ["loss"],
        ["=1"],
        ["loss="],
        ["loss=x"],
        ["loss=-1"],
        ["loss=nan"],
        ["loss=inf%"],
        ["ulp="],
        ["ulp=0"],
        ["ulp=1.5"],
        ["ulp=-1"],
        ["ulp=" + "9" * 5000],
        ["ulp=²"],
        ["close", "bitwise"],
        ["ulp=1", "ulp=2"],
        ["loss=1", "loss=2"],
    ],
)
def test_arguments_that_are_none(arguments: list[str]) -> None:
    with pytest.raises(ValueError, match="must"):
        parse(arguments)


def test_what_is_stated_later_counts_and_the_rest_stays() -> None:
    written = parse(["close", "loss=1", "accuracy=2%"])
    assert parse(["loss=3"]).over(written) == parse(["close", "loss=3", "accuracy=2%"])
    assert parse(["bitwise"]).over(written).is_exact
    assert parse(["ulp=2"]).over(written).options[0] == "ulp=2"
    assert not Tolerance().over(written).is_exact


def test_a_margin_is_found_by_name_or_glob() -> None:
    tolerance = parse(["loss[0]=1", "eval.*=2", "*=3"])
    assert tolerance.margin_of("loss[0]") == Margin(absolute=1.0)
    assert tolerance.margin_of("eval.loss") == Margin(absolute=2.0)
    assert tolerance.margin_of("other") == Margin(absolute=3.0)
    assert parse(["a=1"]).margin_of("b") is None


@pytest.mark.parametrize(
    ("margin", "value", "reference", "allowed"),
    [
        (Margin(absolute=0.1), 1.05, 1.0, True),
        (Margin(absolute=0.1), 1.2, 1.0, False),
        (Margin(relative=0.01), 100.9, 100.0, True),
        (Margin(relative=0.01), 98.9, 100.0, False),
        (Margin(), 0.0, -0.0, True),
        (Margin(absolute=1.0), math.nan, math.nan, True),
        (Margin(absolute=1.0), math.nan, 1.0, False),
        (Margin(absolute=1.0), 1.0, math.nan, False),
        (Margin(absolute=1.0), math.inf, math.inf, True),
        (Margin(absolute=1.0), math.inf, -math.inf, False),
        (Margin(relative=1.0), 1.0, math.inf, False),
    ],
)
def test_margins(margin: Margin, value: float, reference: float, allowed: bool) -> None:
    assert margin.allows(value, reference) is allowed


def test_close_is_what_torch_testing_says() -> None:
    from torch.testing._comparison import default_tolerances

    for dtype in (
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
        *(torch.complex32, torch.complex64, torch.complex128),
    ):
        assert CLOSE[str(dtype).removeprefix("torch.")] == default_tolerances(dtype)
    for dtype in (torch.int64, torch.bool, torch.uint8, torch.float8_e4m3fn):
        assert default_tolerances(dtype) == (0.0, 0.0)
        assert close_margin(str(dtype).removeprefix("torch.")) == Margin()
    assert close_margin("<f4") == close_margin("float32") != Margin()


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128]
)
def test_close_agrees_with_torch_testing(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    for scale in (0.0, 1e-9, 1e-6, 1e-5, 1e-3, 1.0):
        a = torch.randn(64, dtype=dtype, generator=generator)
        b = a + scale * torch.randn(64, dtype=dtype, generator=generator)
        one_by_one = [torch.isclose(y, x, *defaults(dtype)) for x, y in zip(a, b, strict=True)]
        assert beyond(a, b, NEAR) == sum(not near for near in one_by_one)


def defaults(dtype: torch.dtype) -> tuple[float, float]:
    return CLOSE[str(dtype).removeprefix("torch.")]


def test_what_is_not_finite() -> None:
    a = torch.tensor([math.nan, math.inf, math.inf, 1.0, math.nan])
    b = torch.tensor([-math.nan, math.inf, -math.inf, math.inf, 1.0])
    assert beyond(a, b, NEAR) == 3
    assert beyond(a, b, parse(["ulp=4"])) == 3
    assert beyond(a, b, BIT_EXACT) == 4  # NaN of another sign bit is not the same bits


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_ulp_counts_representable_values(dtype: torch.dtype) -> None:
    a = torch.tensor([1.0, -1.0, 0.0, 100.0], dtype=dtype)
    b = a.clone()
    for _ in range(3):
        b = torch.nextafter(b, torch.tensor(math.inf, dtype=dtype)) if dtype not in _NO_NEXT else _next(b)
    assert beyond(a, b, parse(["ulp=3"])) == 0
    assert beyond(a, b, parse(["ulp=2"])) == 4


_NO_NEXT = (torch.float16,)


def _next(x: torch.Tensor) -> torch.Tensor:
    bits = x.view(torch.int16)
    return torch.where(bits < 0, bits - 1, bits + 1).view(x.dtype)


def test_a_complex_number_has_two_parts_for_ulp() -> None:
    a = torch.tensor([1 + 1j])
    b = torch.complex(a.real, torch.nextafter(a.imag, torch.tensor([2.0])))
    assert beyond(a, b, parse(["ulp=1"])) == 0
    assert beyond(a, b, BIT_EXACT) == 1


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8])
def test_integers_are_never_near_another(dtype: torch.dtype) -> None:
    a, b = torch.tensor([0, 1], dtype=dtype), torch.tensor([0, 0], dtype=dtype)
    for arguments in (["close"], ["ulp=100"]):
        assert beyond(a, b, parse(arguments)) == 1


def test_many_elements_in_blocks() -> None:
    a = torch.ones(600_000)
    b = a.clone()
    b[[0, 300_000, -1]] = 2.0
    assert beyond(a, b, NEAR) == 3
    assert beyond(torch.ones(0, 3), torch.ones(0, 3), NEAR) == 0


def test_bytes_that_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="cannot"):
        count_beyond(memoryview(b"1234"), memoryview(b"12345678"), "float32", (1,), NEAR)
    with pytest.raises(ValueError, match="cannot"):
        count_beyond(memoryview(b"12345678"), memoryview(b"12345678"), "float32", (1,), NEAR)


@pytest.mark.parametrize(
    ("value", "dtype", "arguments", "near"),
    [
        (1.0 + 2**-52, "float64", ["ulp=1"], True),
        (1.0 + 2**-51, "float64", ["ulp=1"], False),
        (1.0 + 2**-23, "float32", ["ulp=1"], True),
        (1.0 + 2**-23, "<f4", ["ulp=1"], True),
        (1.0 + 2**-7, "bfloat16", ["ulp=1"], True),
        (1.0 + 1e-6, "float32", ["close"], True),
        (1.0 + 1e-6, "float64", ["close"], False),
        (1.0 + 1e-6, "float64", ["close", "m=1%"], True),
        (2.0, "int", ["close"], False),
        (2.0, "int", ["m=1"], True),
        (1.0, "int", [], True),
        (1.0 + 1e-15, "float64", [], False),
    ],
)
def test_numbers(value: float, dtype: str, arguments: list[str], near: bool) -> None:
    assert number_is_near(value, 1.0, "m", dtype, parse(arguments)) is near
