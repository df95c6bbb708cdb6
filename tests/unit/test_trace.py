"""What the trace sees of tensors and operations, and how it is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from reprocheck.evidence import trace_file
from reprocheck.evidence.trace_file import Trace, load_trace
from reprocheck.worker.inputs.sites import columns_of
from reprocheck.worker.trace import writer as trace_writer
from reprocheck.worker.trace.ops import draws, plan_of, scalar_bytes, scalar_text, scalars_of
from reprocheck.worker.trace.tensors import Tensors
from reprocheck.worker.trace.threads import UNSURE, Streams
from reprocheck.worker.trace.writer import Table, TraceWriter

aten = torch.ops.aten


@pytest.fixture
def writer(tmp_path: Path) -> TraceWriter:
    return TraceWriter(tmp_path, 0, True, True)


@pytest.fixture
def tensors(writer: TraceWriter) -> Tensors:
    return Tensors(writer, True)


def read(writer: TraceWriter, folder: Path) -> Trace:
    writer.close()
    return load_trace(folder)


def test_a_site_knows_the_columns_of_its_expression() -> None:
    code = compile("x = 1\ny = print('\u6570') or here()\n", "/home/me/train.py", "exec")
    found: list[list[int]] = []
    exec(code, {"here": lambda: found.append(columns_of(sys._getframe(1).f_code, sys._getframe(1).f_lasti))})
    assert found == [[20, 26] if sys.version_info >= (3, 11) else []]
    assert columns_of(code, -1) == []


def test_a_form_is_written_as_everywhere() -> None:
    assert trace_file.Form(dtype="float32", shape=(2, 3)).text == "float32[2, 3]"
    assert trace_file.Form(dtype="int64", shape=(), layout="sparse_coo").text == "sparse_coo int64[]"


def many_kinds() -> Iterator[torch.Tensor]:
    base = torch.arange(24.0).reshape(2, 3, 4)
    yield base
    yield base.permute(2, 0, 1)
    yield base[:, ::2]
    yield base[1]
    yield base[:, :1].expand(2, 5, 4)
    yield base.bfloat16()
    yield torch.view_as_complex(torch.randn(3, 2)).conj()
    yield torch.tensor(3)
    yield torch.empty(0, 3)
    yield torch.randn(4, 3, 8, 8).to(memory_format=torch.channels_last)
    yield torch.nn.Parameter(torch.ones(2))
    yield torch.tensor([True, False])


@pytest.mark.parametrize("number", range(12))
def test_equal_values_look_alike_and_another_bit_does_not(tensors: Tensors, number: int) -> None:
    tensor = list(many_kinds())[number].detach()
    copy = tensor.clone(memory_format=torch.preserve_format)
    one, two = tensors.look(tensor), tensors.look(copy)
    if copy.stride() == tensor.stride():
        assert one[1:] == two[1:]
    assert one[0] != two[0]
    if copy.numel():
        flat = copy.view(-1) if copy.is_contiguous() else copy.select(0, 0)
        flat.logical_not_() if copy.dtype is torch.bool else flat.add_(1)
        assert tensors.look(copy)[1] != two[1]


@pytest.mark.parametrize("number", range(12))
def test_kept_bytes_read_back(tensors: Tensors, writer: TraceWriter, tmp_path: Path, number: int) -> None:
    tensor = list(many_kinds())[number].detach()
    _, digest, form, place = tensors.look(tensor)
    trace = read(writer, tmp_path)
    known = trace.forms[form]
    assert known.shape == tuple(tensor.shape)
    if not tensor.numel():
        assert place == 0
        return
    data = trace.value(place, digest, known)
    assert data is not None
    stored = tensor if known.order is None else tensor.permute(known.order)
    arguments = stored.resolve_conj().contiguous().view(torch.uint8 if tensor.dim() else tensor.dtype)
    assert data == arguments.numpy().tobytes()


def test_a_transposed_weight_costs_no_further_bytes(tensors: Tensors) -> None:
    weight = torch.randn(5, 7)
    _, digest, form, place = tensors.look(weight)
    _, again, other_form, same_place = tensors.look(weight.t())
    assert (again, same_place) == (digest, place)
    assert other_form != form


def test_memory_is_known_by_its_identity(tensors: Tensors) -> None:
    tensor = torch.ones(4)
    assert tensors.look(tensor)[0] == tensors.look(tensor[1:])[0] == tensors.look(tensor.detach())[0]
    serials = {tensors.look(torch.ones(4))[0] for _ in range(10_000)}  # the allocator gives the same address again
    assert len(serials) == 10_000
    assert len(tensors._storages) < 10_000


@pytest.mark.parametrize(
    ("make", "layout"),
    [
        (lambda: torch.eye(3).to_sparse(), "sparse_coo"),
        (lambda: torch.eye(3).to_sparse_csr(), "sparse_csr"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "quantized"),
    ],
)
def test_other_layouts_have_a_digest_but_no_bytes(
    tensors: Tensors, writer: TraceWriter, tmp_path: Path, make: Any, layout: str
) -> None:
    _, digest, form, place = tensors.look(make())
    assert digest == tensors.look(make())[1] != 0
    assert place == 0
    assert read(writer, tmp_path).forms[form].layout == layout


def test_what_cannot_be_read_says_why(tensors: Tensors, writer: TraceWriter, tmp_path: Path) -> None:
    freed = torch.ones(1000)
    freed.untyped_storage().resize_(0)
    looks = [tensors.look(torch.empty(3, device="meta")), tensors.look(freed)]
    trace = read(writer, tmp_path)
    for _, digest, form, place in looks:
        assert (digest, place) == (0, 0)
        assert trace.forms[form].reason


class Counting(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


def test_looking_passes_by_function_modes(tensors: Tensors) -> None:
    kinds = list(many_kinds())
    with Counting() as mode:
        for tensor in kinds:
            tensors.look(tensor)
    assert mode.calls == 0


def test_a_table_has_an_end() -> None:
    lines: list[str] = []
    table = Table("event", 2, lines)
    assert [table.add(key, dict) for key in "abcab"] == [1, 2, 0, 1, 2]
    assert len(lines) == 2


def test_the_ring_forgets_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (trace_writer, trace_file):
        monkeypatch.setattr(module, "RING_BYTES", 1 << 16)
    writer = TraceWriter(tmp_path, 0, True, True)
    tensors = Tensors(writer, True)
    looks = [tensors.look(torch.full((1000,), float(number))) for number in range(100)]
    first = torch.full((1000,), 0.0)
    assert tensors.look(first)[3] != looks[0][3], "bytes that were overwritten are kept anew"
    trace = read(writer, tmp_path)
    values = [trace.value(place, digest, trace.forms[form]) for _, digest, form, place in looks]
    assert values[-2] == torch.full((1000,), 98.0).numpy().tobytes()
    assert values[1] is None
    assert (tmp_path / "trace-values.bin").stat().st_size <= 1 << 16


def test_plans() -> None:
    mm = plan_of(aten.mm.default)
    assert mm is not None
    assert [name for _, name in mm.read] == ["self", "mat2"]
    copy = plan_of(aten.copy_.default)
    assert copy is not None
    assert [name for _, name in copy.read] == ["src"]
    assert [name for _, name in copy.written] == ["self"]
    out = plan_of(aten.mm.out)
    assert out is not None
    assert [name for _, name in out.read] == ["self", "mat2"]
    norm = plan_of(aten.native_batch_norm.default)
    assert norm is not None
    assert [name for _, name in norm.written] == ["running_mean", "running_var"]
    for operation in (aten.empty.memory_format, aten.empty_like.default, aten.new_empty_strided.default):
        plan = plan_of(operation)
        assert plan is not None
        assert plan.is_blank
        assert not plan.read
    view = plan_of(aten.slice.Tensor)
    assert view is not None
    assert not view.read
    assert not view.gives
    assert plan_of(torch.ops.profiler._record_function_enter_new.default) is None


@pytest.mark.parametrize(
    ("operation", "args", "kwargs", "expected"),
    [
        (aten.native_dropout.default, (None, 0.5, True), {}, True),
        (aten.native_dropout.default, (None, 0.0, True), {}, False),
        (aten.native_dropout.default, (None, 0.5, False), {}, False),
        (aten.bernoulli_.float, (None,), {}, True),
        (aten._scaled_dot_product_flash_attention_for_cpu.default, (None, None, None), {}, False),
        (aten._scaled_dot_product_flash_attention_for_cpu.default, (None, None, None, 0.1), {}, True),
        (aten.rrelu_with_noise.default, (None, None), {"training": False}, False),
    ],
)
def test_draws(operation: Any, args: Any, kwargs: Any, expected: bool) -> None:
    plan = plan_of(operation)
    assert plan is not None
    assert plan.is_random
    assert draws(plan, args, kwargs) is expected


def test_arguments_that_are_no_tensors() -> None:
    plan = plan_of(aten.add.Tensor)
    assert plan is not None
    places, values = scalars_of(plan, (torch.ones(2), 2.5), {"alpha": 3})
    assert scalar_text(places, values) == "2 (alpha) = 3\n1 (other) = 2.5"
    assert scalar_bytes(values) == scalar_bytes([3, 2.5])
    assert scalar_bytes([0.0]) != scalar_bytes([-0.0])
    to = plan_of(aten._to_copy.default)
    assert to is not None
    places, values = scalars_of(to, (torch.ones(2),), {"dtype": torch.float16, "layout": torch.strided})
    assert scalar_bytes(values) == scalar_bytes(list(values))
    assert "torch.float16" in scalar_text(places, values)


def test_the_name_of_a_thread_that_nobody_started_is_not_sure() -> None:
    import threading

    names = []
    thread = threading.Thread(target=lambda: names.append(Streams().here.name))
    thread.start()
    thread.join()
    assert Streams().here.name == "0"
    assert UNSURE in names[0]
