"""Names of initial tensors: what is seen later in a run never changes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprocheck.compare.baseline.compare import INIT, compare_snapshots
from reprocheck.compare.checkpoints import ended_before
from reprocheck.evidence.records import initial_tensors
from reprocheck.model import CheckpointRecord, TensorRecord
from reprocheck.model.baseline import Snapshot, State, Steps
from reprocheck.model.tolerance import Tolerance
from reprocheck.protocol import ROW_GROWTH, SINGLE_CALLS, THREAD_MARK


def line(root: str, step: int = 0, name: str = "weight") -> dict[str, Any]:
    return {"root": root, "step": step, "tensors": [{"name": name, "kind": "parameter", "digest": "0" * 32}]}


def names(*lines: dict[str, Any]) -> list[str]:
    return [record.name for record in initial_tensors(list(lines))]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("Net")], ["weight"]),
        ([line("Net"), line("Net#2", 12)], ["weight", "Net#2.weight"]),
        ([line("Net", 12)], ["weight"]),
        ([line("D"), line("G")], ["D.weight", "G.weight"]),
        ([line("", 0, "optimizer.p"), line("Net", 3), line("Late", 4)], ["optimizer.p", "weight", "Late.weight"]),
        ([line(f"Net{THREAD_MARK}")], [f"Net{THREAD_MARK}.weight"]),
        ([line(f"Net{THREAD_MARK}"), line("Net", 2)], [f"Net{THREAD_MARK}.weight", "weight"]),
    ],
)
def test_names(lines: list[dict[str, Any]], expected: list[str]) -> None:
    assert names(*lines) == expected


@given(
    st.lists(st.tuples(st.sampled_from(["", "A", "B", "B#2", f"A{THREAD_MARK}"]), st.integers(0, 6)), max_size=6),
    st.integers(1, 7),
)
def test_a_shorter_run_has_the_same_names(models: list[tuple[str, int]], steps: int) -> None:
    lines = [line(root, step) for root, step in models]
    shown = [record.name for record in initial_tensors(lines) if record.step < steps]
    assert shown == names(*(one for one in lines if one["step"] < steps))


def test_the_end_of_a_run_cuts_off_its_last_row_of_calls() -> None:
    def row(call: int, calls: int, step: int | None) -> CheckpointRecord:
        return CheckpointRecord(name="x", call=call, calls=calls, step=step, digest="", before="", tensors=(), unread=0)

    assert ended_before(row(SINGLE_CALLS - 1, 1, 4), 5)
    assert not ended_before(row(0, 1, 5), 5)
    assert not ended_before(row(0, 1, None), 5)
    assert ended_before(row(SINGLE_CALLS, SINGLE_CALLS // ROW_GROWTH, 4), 5)
    assert not ended_before(row(SINGLE_CALLS, 3, 4), 5)


def snapshot(*records: TensorRecord) -> Snapshot:
    steps = Steps(observed=False)
    return Snapshot(init=records, init_digest="", steps=steps, outputs=(), output_digest="", metrics={})


def record(name: str, digest: str, model: str = "") -> TensorRecord:
    return TensorRecord(name=name, kind="parameter", dtype="float32", shape=(2,), digest=digest, model=model)


@pytest.mark.parametrize(
    ("old", "state"),
    [
        ([record("Net.weight", "a"), record("Net#2.weight", "b")], State.SAME),
        ([record("weight", "a"), record("Net#2.weight", "b")], State.SAME),
        ([record("Net.weight", "b"), record("Net#2.weight", "b")], State.DIFFERENT),
        ([record("Net.weight", "a"), record("Other.weight", "b")], State.DIFFERENT),
    ],
)
def test_a_baseline_with_the_names_of_earlier_versions(old: list[TensorRecord], state: State) -> None:
    new = snapshot(record("weight", "a", "Net"), record("Net#2.weight", "b", "Net#2"))
    answer = compare_snapshots(0, snapshot(*old), new, Tolerance())
    assert [part.state for part in answer.parts if part.what == INIT] == [state]
