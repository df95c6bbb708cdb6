"""The baseline file: what is written comes back, in an order that people can review; nothing hostile gets through."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.compare.baseline.compare import compare_snapshots
from reprocheck.compare.baseline.file import MARK, read_baseline, render_baseline
from reprocheck.compare.baseline.numerical import class_differences, class_name, nearest_class
from reprocheck.errors import UsageError
from reprocheck.model.baseline import Baseline, Entry, State
from reprocheck.model.tolerance import Tolerance, parse
from tests.support.baselines import CLASS, checkpoint, metric, snapshot, tensor

OUTPUTS = (
    metric("loss", 0.1 + 0.2),
    metric("worst", math.inf),
    metric("none", math.nan),
    metric("tiny", 5e-324),
    tensor("done", kind="constant", dtype="", shape=(), text="True"),
    tensor('s p a\u2028c"e\\\n', kind="text", dtype="", shape=(), text="secret"),
    tensor("lone \udcff", kind="array", dtype="[('a', '<f4')]", shape=(0, 3)),
    tensor("sparse", kind="tensor", digest="", reason="sparse", shape=(2,)),
)


def entry(**changes: Any) -> Entry:
    init = (tensor("weight"), tensor("late", step=7), tensor("late"))
    one = snapshot(outputs=OUTPUTS, init=init, checkpoints=(checkpoint("batch"),))
    given = {"numerical_class": CLASS, "python": "3.11", "packages": {"torch": "2.13.0"}, "seeds": {10: one, 9: one}}
    return Entry(**{**given, **changes})


def baseline(**changes: Any) -> Baseline:
    given = {
        "target": {"target": "train.py:train", "argv": ["--x", "{seed}"], "arguments": {"lr": "0.1"}},
        "settings": {"seeding": "all"},
        "tolerance": parse(["close", "loss=1%"]),
        "entries": {class_name(CLASS): entry()},
    }
    return Baseline(**{**given, **changes})


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "b.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(render_baseline(baseline())), **changes})


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    text = render_baseline(baseline())
    found = read_baseline(written(tmp_path, text))
    assert (found.target, found.settings, found.tolerance) == (
        baseline().target,
        baseline().settings,
        baseline().tolerance,
    )
    (name,) = found.entries
    assert found.entries[name].numerical_class == CLASS
    assert sorted(found.entries[name].seeds) == [9, 10]
    parts = compare_snapshots(9, found.entries[name].seeds[9], entry().seeds[9], Tolerance()).parts
    assert {part.what: part.state for part in parts} == dict.fromkeys(
        ("initial parameters", "steps", "checkpoints", "outputs", "metrics"), State.SAME
    )
    assert render_baseline(found) == text


def test_a_fact_has_a_line_and_the_order_is_fixed() -> None:
    text = render_baseline(baseline())
    assert text.isascii()
    assert text.endswith("}\n")
    lines = text.splitlines()
    assert all(len(line) < 160 for line in lines)
    assert sum('"weight": "parameter float32[3x4] ' in line for line in lines) == 2
    assert '            "loss": 0.30000000000000004,' in lines
    assert '            "done": "constant [3' not in text
    assert any(line.strip().startswith('"done": "constant [] ') and line.endswith('= True",') for line in lines)
    assert lines.index('        "9": {') < lines.index('        "10": {')
    assert "secret" not in text
    entries = {"b": entry(), "a": entry()}
    assert render_baseline(baseline(entries=entries)) == render_baseline(
        baseline(entries=dict(sorted(entries.items())))
    )


def test_a_change_of_one_tensor_changes_one_line() -> None:
    other = snapshot(outputs=(*OUTPUTS[:-1], tensor("sparse", "x", kind="tensor", shape=(2,))))
    one = snapshot(outputs=OUTPUTS)
    texts = [render_baseline(baseline(entries={"a": entry(seeds={0: which})})).splitlines() for which in (one, other)]
    assert sum(a != b for a, b in zip(*texts, strict=True)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("{", "b.json:1: not valid JSON"),
        ("[1, 2]", "no baseline of reprocheck"),
        ("{}", "no baseline of reprocheck"),
        ('{"schema_version": 1}', "no baseline of reprocheck"),
        (b"{\n\xff}", "b.json:2: not UTF-8"),
        ("[" * 1_000_000, "nested too deeply"),
        ('{"a":' * 1_000_000, "nested too deeply"),
        ('{"a": ' + "9" * 10_000 + "}", "b.json: "),
        ('{"a": 1, "a": 2}', "`a` is given twice"),
        ("<<<<<<< HEAD\n{}\n", "not valid JSON"),
        (changed(**{MARK: 4}), "a newer reprocheck (version 4"),
        (changed(**{MARK: 2}), "an older reprocheck (version 2"),
        (changed(**{MARK: True}), "whole number"),
        (changed(**{MARK: "1"}), "whole number"),
        (changed(**{MARK: 1e400}), "not a finite number"),
        (changed(classes=[]), "classes must be a table"),
        (changed(classes={"a": 1}), "a must be a table"),
        (changed(classes={"a": {"seeds": {}}}), "numerical_class must be a table"),
        (changed(classes={"a": {"seeds": {"x": {}}}}), "`x` is no seed"),
        (changed(classes={"a": {"seeds": {"²": {}}}}), "is no seed"),
        (changed(tolerance="close"), "tolerance must be a list"),
        (changed(tolerance=["near"]), "tolerance must be bitwise"),
        (changed(settings=None), "settings must be a table"),
    ],
)
def test_a_file_that_is_no_baseline(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_baseline(written(tmp_path, text))
    assert says in caught.value.message
    assert "b.json" in caught.value.message
    assert len(caught.value.message) < 400 + len(str(tmp_path))


def corrupted(part: str, name: str, value: Any) -> str:
    content = json.loads(render_baseline(baseline(entries={"a": entry(seeds={0: snapshot()})})))
    content["classes"]["a"]["seeds"]["0"][part][name] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("init", "weight", 5),
        ("init", "weight", ""),
        ("init", "weight", "parameter float32[3x4]"),
        ("init", "weight", "parameter float32[3x4] zz"),
        ("init", "weight", "parameter float32[" + "9" * 5000 + "] " + "0" * 32),
        ("init", "weight", "parameter float32[-1] " + "0" * 32),
        ("steps", "count", -1),
        ("steps", "count", 2**70),
        ("steps", "count", True),
        ("steps", "all", "0" * 31),
        ("steps", "after 3", None),
        ("metrics", "loss", "0.5"),
        ("metrics", "loss", None),
        ("metrics", "loss", True),
        ("metrics", "loss", int("9" * 400)),
    ],
)
def test_a_fact_of_another_form(tmp_path: Path, part: str, name: str, value: Any) -> None:
    with pytest.raises(UsageError, match="class `a`, seed 0"):
        read_baseline(written(tmp_path, corrupted(part, name, value)))


def test_a_huge_number_of_steps_is_compared_not_walked(tmp_path: Path) -> None:
    text = corrupted("steps", "count", 10**18).replace('"after 0"', '"after 999999999999999999"')
    (one,) = read_baseline(written(tmp_path, text)).entries.values()
    found = compare_snapshots(0, one.seeds[0], snapshot(), Tolerance())
    assert found.first is not None
    assert "1000000000000000000 steps against 30" in found.first.note


def test_things_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        read_baseline(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        read_baseline(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="cannot read baseline"):
        read_baseline(tmp_path / "loop")
    with pytest.raises(UsageError, match="cannot read baseline"):
        read_baseline(tmp_path / "a\0b")
    with pytest.raises(UsageError, match="no regular file"):
        read_baseline(Path("/dev/zero"))


def test_a_link_to_a_baseline_is_read(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(written(tmp_path, render_baseline(baseline())))
    assert read_baseline(tmp_path / "link").entries


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    with path.open("wb") as file:
        file.truncate(65 * 2**20)  # sparse
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        read_baseline(path)


def test_a_class_has_a_name_that_identifies_it() -> None:
    assert class_name(CLASS).startswith("torch 2.13.0, A, AVX2, 2 threads, ")
    assert class_name({**CLASS, "threads": 1}).split(", ")[3] == "1 thread"
    others = [{**CLASS, key: "other"} for key in (*CLASS, "mkl", "cudnn")]
    assert len({class_name(one) for one in [CLASS, *others]}) == 1 + len(others)
    assert class_name(dict(reversed(CLASS.items()))) == class_name(CLASS)
    assert class_name({**CLASS, "gpus": ["H100", "H100"]}).count("H100") == 2


def test_the_class_with_most_in_common_is_nearest() -> None:
    near, far = {**CLASS, "cpu": "B"}, {**CLASS, "cpu": "B", "torch": "2.6"}
    entries = {"far": replace(entry(), numerical_class=far), "near": replace(entry(), numerical_class=near)}
    assert nearest_class(CLASS, entries) == "near"
    assert nearest_class(CLASS, {}) == ""
    assert class_differences(near, CLASS) == (("cpu", "B", "A"),)
    assert class_differences({"x": [1]}, {}) == (("x", "[1]", "-"),)
