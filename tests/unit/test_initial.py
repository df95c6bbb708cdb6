"""Initialisers recognised from values: what must be named, what must be told as equal, and what must not be claimed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from benchmarks import initialisers
from reprocheck.model.initializers import Answer, Confidence, Family, Place
from reprocheck.worker.initializers.recognise import recognise


def _answer(tensor: torch.Tensor, **place: object) -> Answer:
    eps = torch.finfo(tensor.dtype).eps if tensor.is_floating_point() else 0
    return recognise(tensor.detach().double().numpy(), Place(**place), eps)  # type: ignore[arg-type]


def _arguments(place: Place) -> dict[str, object]:
    return {name: getattr(place, name) for name in ("layer", "name", "fan_in", "hidden")}


def _filled(function: object, *shape: int, **options: object) -> torch.Tensor:
    torch.manual_seed(0)
    return function(torch.empty(*shape), **options)  # type: ignore[operator, no-any-return]


def test_the_labelled_set_is_recognised_and_never_wrong_with_high_confidence() -> None:
    right = large = 0
    for case in initialisers.cases((16, 256, 1_500), 1):
        answer = _answer(case.tensor, **_arguments(case.place))
        fits = case.truth.fits(answer, case.tensor.numel())
        assert fits or answer.confidence is not Confidence.HIGH, (case, answer)
        if case.tensor.numel() >= initialisers.ENOUGH:
            right, large = right + fits, large + 1
    assert large > 300
    assert right / large >= 0.98


def test_equal_distributions_are_reported_together() -> None:
    square = _answer(_filled(nn.init.xavier_uniform_, 64, 64), layer="Linear")
    equal = set(square.schemes[: square.equal])
    assert equal == {"xavier_uniform_()", "kaiming_uniform_(linear)", "kaiming_uniform_(fan_out, linear)"}
    oblong = _answer(_filled(nn.init.xavier_uniform_, 64, 128), layer="Linear")
    assert oblong.schemes == ("xavier_uniform_()",)
    assert oblong.confidence is Confidence.HIGH
    torch.manual_seed(0)
    default = _answer(nn.Linear(64, 96).weight, layer="Linear")
    assert set(default.schemes[: default.equal]) == {"default of Linear", "kaiming_uniform_(a=sqrt(5))"}
    assert default.shape == "uniform, -0.125 to 0.125"


@pytest.mark.parametrize("size", [4, 16, 48])
def test_few_values_are_never_reported_with_confidence(size: int) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        for tensor in (torch.randn(size), torch.rand(size), torch.randn(size // 4, 4)):
            assert _answer(tensor).confidence is not Confidence.HIGH


@pytest.mark.parametrize("scale", [0.011, 0.37, 0.69])
def test_a_scale_that_no_scheme_has_is_reported_as_the_gain_that_it_would_take(scale: float) -> None:
    answer = _answer(_filled(nn.init.normal_, 100, 300, std=scale), layer="Linear")
    assert answer.family is Family.NORMAL
    assert not answer.schemes
    assert answer.scale == pytest.approx(scale, rel=0.03)
    gain = float(answer.note.split()[3])
    assert gain == pytest.approx(scale / math.sqrt(2 / 400), rel=0.03)


def test_what_no_initialiser_draws_is_unknown() -> None:
    torch.manual_seed(0)
    laplace = torch.distributions.Laplace(0, 0.1).sample((100, 100))
    mixed = torch.where(torch.rand(10_000) < 0.5, torch.randn(10_000), 0.1 * torch.randn(10_000))
    position = torch.arange(128)[:, None] / 100 ** (torch.arange(64)[None] / 64)
    pruned = torch.randn(100, 100) * (torch.rand(100, 100) < 0.5)
    for tensor in (laplace, mixed, torch.sin(position), pruned, torch.randn(64).repeat(100, 1)):
        assert _answer(tensor).family is Family.UNKNOWN
    assert _answer(laplace).nearest


def test_patterns() -> None:
    assert _answer(torch.zeros(8)).family is Family.ZEROS
    assert _answer(torch.full((3, 3), 0.5)).schemes == ("constant_(0.5)",)
    assert _answer(nn.LayerNorm(8).weight, layer="LayerNorm").schemes == ("default of LayerNorm", "ones_")
    assert _answer(torch.arange(32)).family is Family.ARANGE
    assert _answer(_filled(nn.init.dirac_, 8, 4, 3, 3, groups=2)).schemes == ("dirac_(groups=2)",)
    almost = nn.init.eye_(torch.empty(8, 8))
    assert _answer(almost).family is Family.EYE
    almost[3, 3] = 0
    assert _answer(almost).family is not Family.EYE
    assert set(_answer(torch.ones(1, 1)).schemes) == {"ones_", "eye_"}
    gates = torch.zeros(32)
    gates[8:16] = 1
    assert _answer(gates, layer="LSTM", name="bias_ih_l0", hidden=8).shape == "a constant for each gate: 0, 1, 0, 0"


def test_orthogonal_and_its_near_miss() -> None:
    q = _filled(nn.init.orthogonal_, 32, 64, gain=math.sqrt(2))
    assert _answer(q).schemes == ("orthogonal_(gain=relu)",)
    assert _answer(q.bfloat16()).family is Family.ORTHOGONAL
    q[5] += 0.01 * q[6]
    assert _answer(q).family is not Family.ORTHOGONAL
    torch.manual_seed(0)
    assert _answer(torch.randn(64, 512).bfloat16()).family is Family.NORMAL
    by_gate = torch.cat([_filled(nn.init.orthogonal_, 16, 16), torch.linalg.qr(torch.randn(16, 16))[0]] * 2)
    assert _answer(by_gate, layer="LSTM", hidden=16).schemes == ("orthogonal_() for each gate",)


def test_sparse_is_not_an_embedding_with_padding() -> None:
    sparse = _answer(_filled(nn.init.sparse_, 100, 40, sparsity=0.3))
    assert sparse.schemes == ("sparse_(sparsity=0.3)",)
    torch.manual_seed(0)
    padded = _answer(nn.Embedding(100, 40, padding_idx=7).weight, layer="Embedding")
    assert padded.schemes[:1] == ("default of Embedding",)
    assert padded.note == "row 7 is zero (padding)"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_values_rounded_to_other_dtypes_name_no_wrong_scheme_with_high_confidence(dtype: torch.dtype) -> None:
    right = total = 0
    for case in initialisers.cases((8_000,), 1):
        if case.truth.text in ("constant_(0.3)",):  # 0.3 is no number of these dtypes
            continue
        answer = _answer(case.tensor.to(dtype), **_arguments(case.place))
        fits = case.truth.fits(answer, case.tensor.numel(), torch.finfo(dtype).eps)
        assert fits or answer.confidence is not Confidence.HIGH, (case, answer)
        right, total = right + fits, total + 1
    assert right / total >= 0.95
    torch.manual_seed(0)
    assert "kaiming_uniform_(relu)" in _answer(nn.init.kaiming_uniform_(torch.empty(500, 200, dtype=dtype))).schemes


def test_odd_values() -> None:
    assert _answer(torch.empty(0, 3)).shape == "no elements"
    assert _answer(torch.tensor([1.0, math.nan])).shape == "not all finite"
    assert _answer(torch.tensor(3.25)).confidence is Confidence.LOW
    assert _answer(torch.tensor([3, 1, 2])).family is Family.UNKNOWN
    assert _answer(torch.tensor([1e-45, 1e38])).confidence is Confidence.LOW
    assert _answer(torch.full((5,), 1e300, dtype=torch.float64)).shape == "values up to 1e+300"
    assert _answer(torch.tensor([[1e300, -1e300], [1.0, 2.0]], dtype=torch.float64)).confidence is Confidence.LOW
