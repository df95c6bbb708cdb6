"""Where two traces diverge: traces made by hand, written and read as real ones are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from reprocheck.diagnosis.localization.localize import locate
from reprocheck.diagnosis.localization.watch import ENOUGH, TraceWatch
from reprocheck.evidence.run import EvidenceUnreadable
from reprocheck.evidence.trace_file import load_trace
from reprocheck.model.explanation import Origin
from reprocheck.protocol import TRACE_FILE, TRACE_TABLE_FILE, TRACE_VALUES_FILE
from reprocheck.protocol.trace_format import (
    BLANK,
    GENERATOR,
    INPUT,
    MODULE_CALL,
    OUTPUT,
    ROLE_SHIFT,
    SCALARS,
    START,
    STEP,
    WRITTEN,
    argument_index,
    digest_of,
)
from reprocheck.worker.trace.writer import TraceWriter

RUNS = ("s0r0", "s0r1")
SHAPE = (2, 2)


class Run:
    """Writes a trace: every operation says what it reads and gives, as memory and contents."""

    def __init__(self, folder: Path, first: int = 0, values: bool = True) -> None:
        folder.mkdir()
        self.folder = folder
        self.writer = TraceWriter(folder, first, True, values)
        self.steps = first

    def form(self, shape: Sequence[int] = SHAPE, order: tuple[int, ...] | None = None) -> int:
        key = (tuple(shape), order)
        return self.writer.forms.numbers.get(key) or self.writer.forms.add(
            key,
            lambda: {
                "dtype": "uint8",
                "shape": list(shape),
                "order": order,
                "device": "cpu",
                "layout": "",
                "reason": "",
            },
        )

    def event(self, name: str, line: int, phase: str, thread: str, kind: str) -> int:
        key = (name, line, phase, thread, kind)
        return self.writer.events.numbers.get(key) or self.writer.events.add(
            key,
            lambda: {
                "kind": kind,
                "op": name,
                "thread": thread,
                "phase": phase,
                "module": ["Net", "layer"],
                "frames": [{"path": "/work/train.py", "line": line, "function": "train"}],
                "arguments": ["self", "other"],
                "tags": [],
            },
        )

    def op(
        self,
        name: str,
        reads: Iterable[tuple[int, str]] = (),
        gives: Iterable[tuple[int, str]] = (),
        *,
        writes: Iterable[tuple[int, str]] = (),
        scalars: str = "",
        generator: str = "",
        blank: int = 0,
        line: int = 1,
        phase: str = "forward",
        thread: str = "0",
        kind: str = "",
    ) -> None:
        event = self.event(name, line, phase, thread, kind)
        start = START

        def record(role: int, place: int, digest: int, memory: int = 0, form: int = 0, value: int = 0) -> None:
            nonlocal start
            self.writer.record(event, memory, digest, form, role << ROLE_SHIFT | start | place, value)
            start = 0

        if generator:
            record(GENERATOR, 0, hash_of(generator))
        if scalars:
            record(SCALARS, 0, hash_of(scalars), value=self.writer.keep_text(hash_of(scalars), lambda: scalars))
        for role, tensors in ((INPUT, reads), (OUTPUT, gives), (WRITTEN, writes)):
            for number, (memory, text) in enumerate(tensors):
                data = text.encode().ljust(4, b"\0")
                shape = SHAPE if len(data) == 4 else (len(data),)
                digest = digest_of(data, "uint8", shape)
                place = number if role == OUTPUT else argument_index(number, 0)
                record(role, place, digest, memory, self.form(shape), self.writer.keep(digest, memoryview(data)))
        if blank:
            record(BLANK, 0, 0, blank, self.form())

    def step(self) -> None:
        event = self.event("step::end", 99, "forward", "0", "step")
        self.writer.record(event, 0, self.steps, 0, STEP << ROLE_SHIFT | START, 0)
        self.steps += 1

    def fill(self, count: int, text: str = "") -> None:
        """Operations that have nothing to do with the rest."""
        for number in range(count):
            self.op(f"aten::fill{number % 7}", [(900, f"{number % 100}")], [(901, f"{text}{number % 100}")])


def hash_of(text: str) -> int:
    return digest_of(text.encode(), "text", ())


class Pair:
    """Two runs that are told the same unless one is told alone."""

    def __init__(self, folder: Path) -> None:
        self.runs = Run(folder / "a"), Run(folder / "b")
        self.a, self.b = self.runs

    def op(self, *argv: object, **settings: object) -> None:
        """`a|b` in a text stands for a in the first run and b in the second."""
        for index, run in enumerate(self.runs):
            run.op(*_chosen(argv, index), **_chosen(settings, index))

    def fill(self, count: int = 5) -> None:
        for run in self.runs:
            run.fill(count)

    def step(self) -> None:
        for run in self.runs:
            run.step()

    def locate(self) -> Origin | None:
        for run in self.runs:
            run.writer.close()
        return locate(self.a.folder, self.b.folder, RUNS)


def _chosen(value, index):  # type: ignore[no-untyped-def]
    if isinstance(value, str):
        return value.split("|")[index] if "|" in value else value
    if isinstance(value, dict):
        return {key: _chosen(item, index) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_chosen(item, index) for item in value)
    return value


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_equal(pair: Pair) -> None:
    pair.fill(2000)
    assert pair.locate() is None


def test_another_result_of_equal_inputs(pair: Pair) -> None:
    pair.fill(9)
    pair.step()
    pair.op("aten::mm", [(1, "in"), (2, "w")], [(3, "abcd|abce")], line=7)
    pair.op("aten::relu", [(3, "abcd|abce")], [(4, "x|y")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.op, origin.call.step) == ("op", "aten::mm", 1)
    assert (origin.call.phase, origin.call.module, origin.call.thread) == ("forward", "layer", 0)
    assert origin.call.frames[0].location.line == 7
    assert (origin.dtype, origin.shape, origin.compared_ops, origin.runs) == ("uint8", SHAPE, 9, RUNS)
    assert origin.values is not None
    assert origin.values.samples == (((1, 1), "100", "101"),)


def test_a_difference_without_effect_is_none(pair: Pair) -> None:
    pair.op("aten::mm", [(1, "in")], [(3, "p|q")])
    pair.op("aten::relu", [(3, "p|q")], [(4, "same")])
    pair.fill()
    assert pair.locate() is None


def test_a_workspace_that_nothing_reads_is_none(pair: Pair) -> None:
    for _ in range(3):
        pair.op("aten::unknown", [(1, "in")], [(3, "out"), (4, "p|q")])
        pair.op("aten::relu", [(3, "out")], [(5, "r")])
    assert pair.locate() is None


def test_a_workspace_that_is_read_without_effect_hides_nothing(pair: Pair) -> None:
    pair.op("aten::unknown", [(1, "in")], [(3, "out"), (4, "p|q")])
    pair.op("aten::mul", [(3, "out")], [(5, "r|s")], line=3)
    pair.op("aten::unknown_backward", [(5, "r|s"), (4, "p|q")], [(6, "t|u")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.call.op, origin.call.frames[0].location.line) == ("aten::mul", 3)


def test_memory_that_nobody_filled(pair: Pair) -> None:
    pair.op("aten::empty", blank=3, line=4)
    pair.fill()
    pair.op("aten::sigmoid", [(3, "p|q")], [(4, "r|s")], line=8)
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.op, origin.call.frames[0].location.line) == ("op", "aten::empty", 4)
    assert "train.py:8" in origin.note
    assert "as it was found" in origin.deterministic_note


def test_memory_that_is_filled_before_it_is_read_is_none(pair: Pair) -> None:
    pair.op("aten::empty", blank=3)
    pair.op("aten::index_copy_", [(3, "p---|q---"), (1, "in")], writes=[(3, "pin-|qin-")])
    pair.op("aten::index_copy_", [(3, "pin-|qin-"), (1, "in")], writes=[(3, "inin")])
    pair.op("aten::mm", [(3, "inin")], [(4, "r")])
    assert pair.locate() is None


def test_a_parameter_filled_by_another_draw_is_no_unfilled_memory(pair: Pair) -> None:
    pair.op("aten::empty", blank=3)
    pair.op("aten::uniform_", generator="g1|g2", writes=[(3, "p|q")], line=6)
    pair.op("aten::mm", [(3, "p|q")], [(4, "r|s")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.op, origin.argument) == (
        "generator",
        "aten::uniform_",
        "PyTorch's default generator",
    )


@pytest.mark.parametrize("fills", ["uniform_", "fill_"])
def test_an_optimizer_takes_in_what_memory_was_filled_with(pair: Pair, fills: str) -> None:
    pair.op("aten::empty", blank=3)
    if fills == "fill_":
        pair.op("aten::fill_", scalars="value = 1|value = 2", writes=[(3, "p|q")], line=6)
    else:
        pair.op("aten::uniform_", generator="g1|g2", writes=[(3, "p|q")], line=6)
    pair.fill()
    pair.op("aten::add_", [(3, "p|q"), (9, "gradient")], writes=[(3, "r|s")], phase="optimizer", line=8)
    origin = pair.locate()
    assert origin is not None
    assert (origin.call.op, origin.call.frames[0].location.line) == (f"aten::{fills}", 6)


def test_an_optimizer_does_not_take_in_memory_that_nobody_filled(pair: Pair) -> None:
    pair.op("aten::empty", blank=3)
    pair.op("aten::add_", [(3, "p|q"), (9, "in")], writes=[(3, "r|s")], line=8)
    assert pair.locate() is None


def test_a_draw_from_an_equal_generator_is_the_operation(pair: Pair) -> None:
    pair.op("aten::rand", generator="g", gives=[(3, "p|q")])
    origin = pair.locate()
    assert origin is not None
    assert origin.kind == "op"


def test_a_draw_that_fills_a_tensor_of_another_form_fills_another_tensor(pair: Pair) -> None:
    pair.op("aten::normal_", generator="g", writes=[(3, "abcdef|abcdefgh")], line=6)
    pair.op("aten::mm", [(3, "abcdef|abcdefgh")], [(4, "r|s")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.frames[0].location.line, origin.argument) == ("another", 6, "argument 0 (self)")
    assert origin.other_form == "uint8[8]"


def test_a_tensor_never_seen_before_comes_from_outside(pair: Pair) -> None:
    pair.op("aten::mm", [(1, "in"), (2, "w|v")], [(3, "r|s")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.argument, origin.is_batch) == ("outside", "argument 1 (other)", False)


def test_memory_that_is_taken_over_comes_from_outside(pair: Pair) -> None:
    pair.op("aten::set_", [(3, "blank")], writes=[(3, "abcd|abce")])
    pair.op("aten::relu", [(3, "abcd|abce")], [(4, "x|y")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.argument) == ("outside", "argument 1 (source)")
    assert origin.values is not None


def test_what_a_collective_brings_comes_from_another_process(pair: Pair) -> None:
    pair.op("c10d::allreduce_", [(3, "g")], writes=[(3, "s|t")], line=9)
    pair.op("aten::relu", [(3, "s|t")], [(4, "x|y")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.op) == ("outside", "c10d::allreduce_")
    assert origin.argument == "what other processes gave to this collective"
    assert "it arrived from another process" in origin.note


def test_a_collective_that_fills_its_tensor_after_it_returned_is_where_it_comes_from(pair: Pair) -> None:
    pair.op("aten::mul", [(1, "a")], [(3, "g")], line=7)
    pair.op("c10d::allreduce_", [(3, "g")], writes=[(3, "g")], line=9)
    pair.op("aten::add_", [(2, "w"), (3, "s|t")], writes=[(2, "x|y")], line=12)
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.op) == ("outside", "c10d::allreduce_")
    assert origin.call.frames[0].location.line == 9
    assert "it arrived from another process" in origin.note


def test_a_buffer_to_receive_into_and_the_dummy_of_a_barrier_are_no_origin(pair: Pair) -> None:
    pair.op("aten::empty", blank=3)
    pair.op("c10d::barrier", [(3, "a|b")], writes=[(3, "c|d")])
    pair.op("c10d::recv_", [(3, "c|d")], writes=[(3, "s|t")], line=9)
    pair.op("aten::relu", [(3, "s|t")], [(4, "x|y")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.op) == ("outside", "c10d::recv_")


def test_batches_that_arrive_in_another_order_are_no_difference(pair: Pair) -> None:
    pair.op("aten::set_", [(1, "blank")], writes=[(1, "b0|b1")], line=85)
    pair.op("aten::set_", [(2, "blank")], writes=[(2, "b1|b0")], line=85)
    pair.op("aten::set_", [(3, "blank")], writes=[(3, "b2|b3")], line=85)  # fetched ahead, never used
    for run, memory in zip(pair.runs, (1, 2), strict=True):
        run.op("aten::mm", [(memory, "b0"), (9, "w")], [(4, "r")], line=7)
    pair.op("aten::relu", [(4, "r")], [(5, "p|q")], line=12)
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.frames[0].location.line) == ("op", 12)


def test_what_goes_into_a_model_is_its_batch(pair: Pair) -> None:
    pair.op("module::Net", [(1, "x|y")], kind=MODULE_CALL, line=5)
    pair.op("aten::mm", [(1, "x|y")], [(3, "r|s")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.argument, origin.is_batch) == ("outside", "input 0", True)
    assert origin.call.frames[0].location.line == 5


def test_a_tensor_that_was_equal_before_was_written(pair: Pair) -> None:
    pair.op("aten::mm", [(2, "w")], [(3, "r")])
    pair.op("aten::mm", [(2, "w|v")], [(4, "s|t")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.compared_ops) == ("written", 1)


def test_a_part_that_was_seen_says_nothing_of_the_whole(pair: Pair) -> None:
    pair.op("aten::mm", [(2, "w")], [(3, "r")])
    pair.op("aten::mm", [(2, "w-------|v-------")], [(4, "s|t")])
    origin = pair.locate()
    assert origin is not None
    assert origin.kind == "outside"


def test_an_argument_that_is_no_tensor(pair: Pair) -> None:
    pair.op("aten::add", [(1, "in")], [(3, "p|q")], scalars="2 (alpha) = 1.0|2 (alpha) = 2.0")
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.argument) == ("outside", "argument 2 (alpha)")
    assert "1.0 and 2.0" in origin.values_reason


def test_what_python_reads_has_an_effect(pair: Pair) -> None:
    pair.op("aten::sum", [(1, "in")], [(3, "p|q")], line=2)
    pair.op("aten::_local_scalar_dense", [(3, "p|q")])
    pair.op("aten::add", [(1, "in")], [(4, "r|s")], scalars="1 (other) = 1|1 (other) = 2", line=3)
    origin = pair.locate()
    assert origin is not None
    assert (origin.call.op, origin.call.frames[0].location.line) == ("aten::sum", 2)


def test_an_operation_of_one_run_only(pair: Pair) -> None:
    pair.fill(20)
    pair.b.op("aten::rand", generator="g", gives=[(7, "r")], line=11)
    pair.op("aten::rand", generator="g|h", gives=[(8, "p|q")])
    pair.fill(20)
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.only_in, origin.call.op) == ("extra", RUNS[1], "aten::rand")
    assert origin.call.frames[0].location.line == 11
    assert origin.other is not None
    assert origin.other.frames[0].location.line == 1
    assert origin.compared_ops == 20


def test_operations_that_only_the_second_run_did_are_reported_though_the_first_did_none(pair: Pair) -> None:
    pair.b.op("aten::lerp_", [(1, "in")], writes=[(7, "r")], line=11)
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.op, origin.call.thread) == ("extra", "aten::lerp_", 0)


def test_an_extra_operation_without_effect_is_reported_only_for_want_of_another(pair: Pair) -> None:
    pair.fill(20)
    pair.b.op("aten::sum", [(1, "in")], [(7, "r")], line=11)
    pair.fill(20)
    pair.op("aten::mm", [(1, "in")], [(3, "p|q")], line=12)
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.frames[0].location.line) == ("op", 12)


def test_a_rewriting_that_gives_the_same_is_not_blamed_for_a_later_one(pair: Pair) -> None:
    pair.fill(20)
    for run, q, memory, between in ((pair.a, "qs", 11, "att"), (pair.b, "q", 12, "raw")):
        if run is pair.a:
            run.op("aten::mul", [(1, "q")], [(10, "qs")], line=62)
        run.op("aten::bmm", [(10, q), (2, "k")], [(11, between)], line=62)
        if run is pair.b:
            run.op("aten::mul", [(11, "raw")], [(12, "att")], line=62)
        run.op("aten::softmax", [(memory, "att")], [(13, "soft")], line=63)
    pair.fill(20)
    pair.a.op("aten::mul", [(4, "x")], [(14, "xx")], line=27)
    pair.a.op("aten::mul", [(14, "xx")], [(15, "xxx")], line=27)
    pair.b.op("aten::pow", [(4, "x")], [(15, "x^3")], line=27)
    pair.op("aten::tanh", [(15, "xxx|x^3")], [(16, "u|v")], line=28)
    pair.op("aten::bmm_backward", [(16, "u|v"), (10, "qs|q")], [(17, "s|t")], line=62, phase="backward")
    pair.op("aten::add_", [(17, "s|t")], writes=[(18, "w|z")], phase="optimizer")
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.frames[0].location.line) == ("extra", 27)


def test_streams_that_never_meet_again(pair: Pair) -> None:
    pair.fill(10)
    for number in range(1000):
        pair.op(f"aten::left{number}|aten::right{number}", [(1, "in")], [(2, "r")])
    origin = pair.locate()
    assert origin is not None
    assert (origin.kind, origin.call.op) == ("extra", "aten::left0")
    assert origin.other is not None
    assert origin.other.op == "aten::right0"


def test_threads_may_come_in_any_order(pair: Pair) -> None:
    for number in range(50):
        pair.a.op("aten::mm", [(1, f"{number}")], [(2, "r")], thread="0.0")
        pair.b.op("aten::add", [(3, f"{number}")], [(4, "s")], thread="0.1")
    for number in range(50):
        pair.b.op("aten::mm", [(1, f"{number}")], [(2, "r")], thread="0.0")
        pair.a.op("aten::add", [(3, f"{number}")], [(4, "s")], thread="0.1")
    pair.op("aten::sub", [(5, "in")], [(6, "p|q")], thread="0.1")
    origin = pair.locate()
    assert origin is not None
    assert (origin.call.op, origin.call.thread, origin.compared_ops) == ("aten::sub", 1, 100)


def test_of_threads_without_an_order_nothing_is_claimed(pair: Pair) -> None:
    pair.op("aten::sub", [(5, "in")], [(6, "p|q")], thread="?")
    assert pair.locate() is None


def test_a_run_that_was_ended_early_is_compared_as_far_as_it_goes(pair: Pair) -> None:
    pair.fill(50)
    pair.a.fill(50)
    pair.a.writer.close()
    pair.b.writer.flush()
    assert locate(pair.a.folder, pair.b.folder, RUNS) is None


def test_values_of_permuted_tensors(pair: Pair) -> None:
    for run, data in zip(pair.runs, (b"abcdef", b"abcdeg"), strict=True):
        form = run.form((2, 3), (1, 0))
        event = run.event("aten::mm", 1, "forward", "0", "")
        digest = digest_of(data, "uint8", (3, 2))
        place = run.writer.keep(digest, memoryview(data))
        run.writer.record(event, 1, digest, form, OUTPUT << ROLE_SHIFT | START, place)
    origin = pair.locate()
    assert origin is not None
    assert origin.values is not None
    assert origin.values.samples == (((1, 2), "102", "103"),)


def test_values_that_were_overwritten_are_not_invented(pair: Pair) -> None:
    pair.op("aten::mm", [(1, "in")], [(3, "abcd|abce")])
    for run in pair.runs:
        run.writer.close()
        (run.folder / TRACE_VALUES_FILE).write_bytes(b"\0" * 100)
    origin = locate(pair.a.folder, pair.b.folder, RUNS)
    assert origin is not None
    assert origin.values is None
    assert origin.values_reason


def test_a_batch_that_differs_is_found_though_all_that_came_of_it_is_equal(pair: Pair) -> None:
    pair.op("aten::lift_fresh", [(1, "x|y")], [(1, "x|y")], line=3)
    pair.op("module::Net", [(1, "x|y")], kind=MODULE_CALL, line=5)
    pair.op("aten::tanh", [(1, "x|y")], [(2, "one")], line=6)  # it saturates
    pair.op("aten::sum", [(2, "one")], [(3, "sum")], line=7)
    origin = pair.locate()
    assert origin is not None
    assert origin.call.frames[0].location.line == 3


def test_a_watch_waits_until_it_is_certain(pair: Pair) -> None:
    watch = TraceWatch(pair.a.folder, pair.b.folder)
    assert not watch.has_diverged()

    def flush() -> None:
        for run in pair.runs:
            run.writer.flush()

    pair.fill(100)
    flush()
    assert not watch.has_diverged()
    pair.op("aten::mm", [(1, "in")], [(3, "p|q")])
    flush()
    assert not watch.has_diverged()
    pair.fill(ENOUGH)
    flush()
    assert watch.has_diverged()


def test_a_watch_is_content_with_the_end_of_a_step(pair: Pair) -> None:
    watch = TraceWatch(pair.a.folder, pair.b.folder)
    pair.op("aten::mm", [(1, "in")], [(3, "p|q")])
    for run in pair.runs:
        run.writer.flush()
    assert not watch.has_diverged()
    pair.step()
    pair.a.writer.flush()
    assert not watch.has_diverged()
    pair.b.writer.flush()
    assert watch.has_diverged()


def test_a_watch_is_not_taken_in_by_noise(pair: Pair) -> None:
    watch = TraceWatch(pair.a.folder, pair.b.folder)
    pair.op("aten::unknown", [(1, "in")], [(3, "out"), (4, "p|q")])
    for run in pair.runs:
        run.writer.flush()
    assert not watch.has_diverged()
    pair.fill(ENOUGH)
    for run in pair.runs:
        run.writer.flush()
    assert not watch.has_diverged()


DAMAGES = {
    "no table": lambda folder: (folder / TRACE_TABLE_FILE).unlink(),
    "an empty table": lambda folder: (folder / TRACE_TABLE_FILE).write_bytes(b""),
    "no records": lambda folder: (folder / TRACE_FILE).unlink(),
    "missing records": lambda folder: (folder / TRACE_FILE).write_bytes(b""),
    "no JSON": lambda folder: (folder / TRACE_TABLE_FILE).write_bytes(b"{not json}\n"),
    "no object": lambda folder: (folder / TRACE_TABLE_FILE).write_bytes(b"[1]\n17\n"),
    "deep JSON": lambda folder: (folder / TRACE_TABLE_FILE).write_bytes(b"[" * 100_000 + b"\n"),
    "unknown events": lambda folder: (folder / TRACE_FILE).write_bytes(b"\xff" * 2400),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_traces_are_refused(pair: Pair, damage: str) -> None:
    pair.fill(5)
    assert pair.locate() is None
    DAMAGES[damage](pair.b.folder)
    with pytest.raises(EvidenceUnreadable):
        locate(pair.a.folder, pair.b.folder, RUNS)


@pytest.mark.parametrize(
    "change",
    [{"shape": [1] * 1000}, {"order": [0, 0]}, {"order": [7, 8]}, {"shape": "xy"}, {"form": 7}, {"shape": [10**400]}],
)
def test_forms_that_cannot_be_are_refused(pair: Pair, change: dict[str, object]) -> None:
    pair.fill(1)
    assert pair.locate() is None
    path = pair.b.folder / TRACE_TABLE_FILE
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [{**line, **change} if "form" in line else line for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    try:
        load_trace(pair.b.folder)
    except EvidenceUnreadable:
        return
    locate(pair.a.folder, pair.b.folder, RUNS)  # if it is taken, it does no harm
