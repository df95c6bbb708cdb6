"""Checkpoints compared by name and value, whatever the container; hostile ones run nothing and end in one message."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reprocheck.commands.diff.checkpoints.compare import compare_checkpoints
from reprocheck.commands.diff.checkpoints.document import checkpoints_document
from reprocheck.commands.diff.checkpoints.json import render_checkpoints_json
from reprocheck.commands.diff.checkpoints.model import CheckpointDiff
from reprocheck.commands.diff.checkpoints.reading import is_checkpoint, read_checkpoint
from reprocheck.commands.diff.command import are_checkpoints, diff_checkpoints
from reprocheck.engine.console import Style
from reprocheck.errors import ExitCode, UsageError
from reprocheck.model.tolerance import Margin, Measure, Tolerance
from reprocheck.report.writers.text import write_text

_CODES = {torch.float32: "F32", torch.int64: "I64", torch.bfloat16: "BF16"}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def save_safetensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    header, body = {}, b""
    for name, tensor in tensors.items():
        data = tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.dim() else tensor.numpy().tobytes()
        place = [len(body), len(body) + len(data)]
        header[name] = {"dtype": _CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": place}
        body += data
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def diff(a: Path, b: Path) -> CheckpointDiff:
    found = compare_checkpoints(read_checkpoint(str(a)), read_checkpoint(str(b)))
    json.loads(render_checkpoints_json(found, Style()))
    assert found.summary in write_text(checkpoints_document(found), Style())
    return found


def diff_or_message(a: Path, b: Path) -> CheckpointDiff | None:
    """The answer, or None where there is a message; anything else fails."""
    with suppress(UsageError):
        return diff(a, b)
    return None


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


SAME_VALUES: dict[str, tuple[Callable[[Path, dict[str, torch.Tensor]], None], str]] = {
    "the same": (lambda path, state: torch.save(state, path), ""),
    "transposed in memory": (
        lambda path, state: torch.save({k: v.T.contiguous().T if v.dim() == 2 else v for k, v in state.items()}, path),
        "",
    ),
    "safetensors": (save_safetensors, "containers: pytorch -> safetensors"),
    "npz": (
        lambda path, state: np.savez(path.open("wb"), **{k: v.numpy() for k, v in state.items()}),
        "containers: pytorch -> numpy",
    ),
    "compressed npz": (
        lambda path, state: np.savez_compressed(path.open("wb"), **{k: v.numpy() for k, v in state.items()}),
        "containers: pytorch -> numpy",
    ),
    "float64": (
        lambda path, state: torch.save({k: v.double() if v.dim() else v for k, v in state.items()}, path),
        "dtypes of 8 tensors: 0.weight float32 -> float64",
    ),
    "a prefix": (
        lambda path, state: torch.save({"model": state}, path),
        "names of 9 tensors: with the prefix model.",
    ),
    "the other order": (
        lambda path, state: torch.save(dict(reversed(state.items())), path),
        "the order of the tensors",
    ),
    "a tied copy": (
        lambda path, state: torch.save({**state, "tied": state["0.weight"]}, path),
        "1 copy: tied",
    ),
}


@pytest.mark.parametrize("name", SAME_VALUES)
def test_the_same_values_are_the_same_however_they_are_arranged(tmp_path: Path, name: str) -> None:
    write, layout = SAME_VALUES[name]
    state = model().state_dict()
    a, b = saved(tmp_path / "a.pt", state), tmp_path / "b"
    write(b, state)
    found = diff(a, b)
    assert found.exit_code is ExitCode.OK
    assert found.differences == ()
    assert layout in " ".join(found.layout)
    assert bool(found.layout) == bool(layout)
    assert diff(b, a).exit_code is ExitCode.OK


def test_one_ulp_of_one_element_is_found_with_its_size(tmp_path: Path) -> None:
    state = model().state_dict()
    a = saved(tmp_path / "a.pt", state)
    with torch.no_grad():
        weight = state["0.weight"]
        weight[1, 2] = torch.nextafter(weight[1, 2], torch.tensor(9.0))
    for path in (saved(tmp_path / "b.pt", state), tmp_path / "b.safetensors"):
        save_safetensors(path, state) if path.suffix == ".safetensors" else None
        found = diff(a, path)
        assert found.exit_code is ExitCode.DIFFERENT
        [one] = found.differences
        assert one.name == "0.weight"
        assert one.values is not None
        assert (one.values.different, one.values.total, one.values.max_ulp) == (1, 32, 1)
        assert one.values.index == (1, 2)


def test_a_tolerance_is_kept_and_named(tmp_path: Path) -> None:
    a = saved(tmp_path / "a.pt", {"x": torch.ones(3), "y": torch.ones(1)})
    b = saved(tmp_path / "b.pt", {"x": torch.ones(3).nextafter(torch.tensor(2.0)), "y": torch.full((1,), 2.0)})
    found = diff_checkpoints(str(a), str(b), Tolerance(measure=Measure.ULP, ulp=1))
    assert [one.name for one in found.differences] == ["y"]
    assert "1 tensor within the tolerance, not equal: x" in found.layout
    assert len(diff(a, b).differences) == 2
    with pytest.raises(UsageError, match="for metrics"):
        diff_checkpoints(str(a), str(b), Tolerance(metrics=(("loss", Margin(absolute=1.0)),)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int8, torch.bool, torch.complex64])
def test_every_dtype_is_read(tmp_path: Path, dtype: torch.dtype) -> None:
    one = torch.arange(6).reshape(2, 3).to(dtype)
    other = one.clone()
    other[1, 1] = 0
    found = diff(saved(tmp_path / "a.pt", {"x": one}), saved(tmp_path / "b.pt", {"x": other}))
    assert found.differences[0].values is not None
    assert found.differences[0].values.different == 1
    assert diff(tmp_path / "a.pt", tmp_path / "a.pt").exit_code is ExitCode.OK


def test_optimizers_values_and_unknown_classes(tmp_path: Path) -> None:
    net = model()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(3, 8)).sum().backward()
    optimizer.step()
    whole = {
        "opt": optimizer.state_dict(),
        "net": net,
        "epoch": 3,
        "shape": torch.Size([2]),
        "rng": torch.get_rng_state(),
    }
    a = saved(tmp_path / "a.pt", whole)
    assert diff(a, a).exit_code is ExitCode.OK
    changed = {**whole, "epoch": 4}
    changed["opt"]["param_groups"][0]["lr"] = 0.5
    names = {one.name: (one.a, one.b) for one in diff(a, saved(tmp_path / "b.pt", changed)).differences}
    assert names == {"epoch": ("3", "4"), "opt.param_groups[0].lr": ("0.001", "0.5")}


def test_a_name_that_one_side_alone_has_differs(tmp_path: Path) -> None:
    state = model().state_dict()
    less = {name: tensor for name, tensor in state.items() if name != "2.bias"}
    found = diff(saved(tmp_path / "a.pt", state), saved(tmp_path / "b.pt", less))
    assert [(one.name, one.a, one.b) for one in found.differences] == [("2.bias", "float32[2]", "")]


def test_shapes_and_dtypes_that_differ_are_said(tmp_path: Path) -> None:
    a = saved(tmp_path / "a.pt", {"x": torch.ones(2, 3), "y": torch.tensor([0.1])})
    b = saved(tmp_path / "b.pt", {"x": torch.ones(3, 2), "y": torch.tensor([0.1], dtype=torch.float64)})
    assert [one.reason for one in diff(a, b).differences] == ["the shapes differ", "dtypes and values differ"]


def test_numpy_arrays_in_any_order(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "a.npy", array)
    np.save(tmp_path / "b.npy", np.asfortranarray(array))
    np.save(tmp_path / "c.npy", array.astype(">f8"))
    assert diff(tmp_path / "a.npy", tmp_path / "b.npy").exit_code is ExitCode.OK
    assert diff(tmp_path / "a.npy", tmp_path / "c.npy").exit_code is ExitCode.OK
    np.save(tmp_path / "d.npy", array + 1)
    assert diff(tmp_path / "a.npy", tmp_path / "d.npy").exit_code is ExitCode.DIFFERENT


def test_a_distributed_checkpoint_and_shards_in_a_folder(tmp_path: Path) -> None:
    import torch.distributed.checkpoint as dcp

    state = model().state_dict()
    a = saved(tmp_path / "a.pt", {"model": state, "epoch": 3})
    dcp.save({"model": state, "epoch": 3}, checkpoint_id=tmp_path / "dcp", no_dist=True)
    assert diff(a, tmp_path / "dcp").exit_code is ExitCode.OK
    folder = tmp_path / "shards"
    folder.mkdir()
    half = len(state) // 2
    for number, names in enumerate((list(state)[:half], list(state)[half:])):
        save_safetensors(folder / f"model-{number}.safetensors", {name: state[name] for name in names})
    (folder / "config.json").write_text("{}")
    found = diff(saved(tmp_path / "b.pt", state), folder)
    assert found.exit_code is ExitCode.OK
    assert found.b.unread == ("config.json (no checkpoint)",)


class Runs:
    """What a hostile pickle does when it is loaded."""

    def __reduce__(self) -> Any:
        return os.system, ("touch ran",)


def archive(path: Path, data: bytes, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x/data.pkl", data)
        for name, content in members.items():
            file.writestr(f"x/data/{name}", content)
    return path


def test_nothing_in_a_pickle_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in (2, 4):
        path = archive(tmp_path / "a.pt", pickle.dumps({"a": Runs(), "b": 3}, protocol=protocol))
        found = diff(path, path)
        assert found.same == 0
        assert not (tmp_path / "ran").exists()


def laughs(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value] * 10
    return value


def tensor_pickle(offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """As torch.save writes it, for one tensor `x` in storage 0."""
    names = "".join(f"I{number}\n" for number in shape), "".join(f"I{number}\n" for number in strides)
    return (
        b"(dVx\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4\ntQ"
        + f"I{offset}\n({names[0]}t({names[1]}tI00\nNtRs.".encode()
    )


def test_views_beyond_their_storage_are_refused(tmp_path: Path) -> None:
    content = struct.pack("<4f", 1, 2, 3, 4)
    fine = archive(tmp_path / "fine.pt", tensor_pickle(0, (2, 2), (1, 2)), **{"0": content})
    assert read_checkpoint(str(fine)).tensors["x"].read().tobytes() == struct.pack("<4f", 1, 3, 2, 4)
    for place, (offset, shape, strides) in enumerate(
        [(1, (4,), (1,)), (0, (2,), (4,)), (0, (10**9, 10**9), (0, 0)), (2**40, (1,), (1,))]
    ):
        path = archive(tmp_path / f"{place}.pt", tensor_pickle(offset, shape, strides), **{"0": content})
        found = diff(path, path)
        assert found.exit_code is ExitCode.DIFFERENT
        assert "not compared" in found.differences[0].reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04",
        b"junk",
        pickle.dumps(laughs(12)),
        b"\x80\x02]r\xff\xff\xff\xff.",  # a memo with four billion entries
        b"\x80\x02c__builtin__\neval\nX\x04\x00\x00\x001/0\n\x85R.",
        b"(dVx\nctorch._utils\n_rebuild_tensor_v2\n(I1\nI2\ntRs.",
        b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
        pickle.dumps({"n": 10**9000}),
    ],
    ids=["empty", "cut", "junk", "laughs", "memo", "eval", "no storage", "deep", "huge"],
)
def test_hostile_pickles_end_in_a_message_or_an_answer(tmp_path: Path, data: bytes) -> None:
    path = archive(tmp_path / "a.pt", data)
    found = diff_or_message(path, path)
    assert found is None or found.same == 0


def test_damaged_files_end_in_a_message_or_an_answer(tmp_path: Path) -> None:
    state = {"w": torch.arange(64.0), "n": 3}
    whole = io.BytesIO()
    torch.save(state, whole)
    safe = tmp_path / "s.safetensors"
    save_safetensors(safe, {"w": torch.arange(64.0)})
    numbers = io.BytesIO()
    np.savez_compressed(numbers, w=np.arange(64.0))
    random = np.random.default_rng(0)
    tried = 0
    for name, data in (("a.pt", whole.getvalue()), ("a.safetensors", safe.read_bytes()), ("a.npz", numbers.getvalue())):
        good = tmp_path / f"good-{name}"
        good.write_bytes(data)
        for _ in range(300):
            damaged = bytearray(data)
            for place in random.integers(0, len(damaged), int(random.integers(1, 6))):
                damaged[place] = int(random.integers(0, 256))
            cut = len(damaged) if random.random() < 0.6 else int(random.integers(0, len(damaged)))
            path = tmp_path / name
            path.write_bytes(bytes(damaged[:cut]))
            tried += 1
            diff_or_message(good, path)
    assert tried == 900


def test_what_is_no_checkpoint_stays_with_audits(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text("{}")
    (tmp_path / "folder").mkdir()
    checkpoint = saved(tmp_path / "a.pt", {"x": torch.ones(2)})
    for name in ("audit.json", "folder", "gone.pt", "nul\0"):
        assert not is_checkpoint(str(tmp_path / name))
    os.mkfifo(tmp_path / "pipe.pt")
    assert not is_checkpoint(str(tmp_path / "pipe.pt"))
    (tmp_path / "damaged.zip").write_bytes(b"PK\x03\x04 and nothing more")
    assert not is_checkpoint(str(tmp_path / "damaged.zip"))
    assert not are_checkpoints("latest", "latest~1")
    with pytest.raises(UsageError, match="is no checkpoint"):
        are_checkpoints(str(checkpoint), str(tmp_path / "audit.json"))
    old = tmp_path / "old.pt"
    torch.save({"x": torch.ones(2)}, old, _use_new_zipfile_serialization=False)
    with pytest.raises(UsageError, match="without executing anything"):
        read_checkpoint(str(old))


def test_nothing_to_compare_is_no_verdict(tmp_path: Path) -> None:
    found = diff(saved(tmp_path / "a.pt", {}), tmp_path / "a.pt")
    assert found.exit_code is ExitCode.NO_VERDICT
    assert math.isclose(found.same, 0)
