"""Which files a run wrote, what is in them, and how those of two runs compare."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy
import pytest
import torch

from reprocheck.compare.files import compare_files
from reprocheck.engine.file_contents import contents
from reprocheck.engine.folders import Folders, scan
from reprocheck.model import (
    Compare,
    EnvironmentFactors,
    Evidence,
    FileRecord,
    Instruments,
    Interventions,
    Request,
    RunSpec,
    Settings,
    Target,
    TargetKind,
)
from reprocheck.model.run_spec import PLAIN, UNCHANGED
from reprocheck.protocol import EVIDENCE_FILE, FILES_FILE
from reprocheck.worker.inputs.files import WrittenFiles
from reprocheck.worker.observe.children import Children

TARGET = Target(text="t.py", kind=TargetKind.SCRIPT, path=Path("/w/t.py"))
REQUEST = Request(target=TARGET, compare=(Compare.FILES,))


# What is in a file


def _archive(path: Path, names: list[str], top: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(f"{top}/{name}", (2000 + len(top), 1, 1, 0, 0, 0)), name)


def _database(path: Path, *rows: str, size: int = 4096) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size = {size}")
    connection.execute("CREATE TABLE t (a)")
    connection.executemany("INSERT INTO t VALUES (?)", [(row,) for row in rows])
    connection.commit()
    connection.close()


def _safetensors(path: Path, order: list[str], value: bytes = b"\0\0\0\0") -> None:
    header = {name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i, name in enumerate(order)}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + value * len(order))


def _gzip(path: Path, data: bytes, mtime: int) -> None:
    path.write_bytes(gzip.compress(data, mtime=mtime))


Write = Callable[[Path], object]


@pytest.mark.parametrize(
    ("name", "one", "same", "other"),
    [
        (
            "m.pt",
            lambda p: torch.save({"w": torch.ones(3)}, p),
            lambda p: (torch.save({"w": torch.ones(3)}, p.parent / "another.pt"), (p.parent / "another.pt").rename(p)),
            lambda p: torch.save({"w": torch.zeros(3)}, p),
        ),
        (
            "x.npz",
            lambda p: numpy.savez(p, a=numpy.ones(3), b=numpy.ones(2)),
            lambda p: numpy.savez_compressed(p, b=numpy.ones(2), a=numpy.ones(3)),
            lambda p: numpy.savez(p, a=numpy.ones(3), b=numpy.zeros(2)),
        ),
        (
            "x.zip",
            lambda p: _archive(p, ["a", "b"], "top"),
            lambda p: _archive(p, ["b", "a"], "other"),
            lambda p: _archive(p, ["a", "c"], "top"),
        ),
        (
            "m.json",
            lambda p: p.write_text('{"a": 1, "b": [0.1, NaN]}'),
            lambda p: p.write_text('{ "b": [0.10, NaN],\n "a": 1}'),
            lambda p: p.write_text('{"a": 1.0, "b": [0.1, NaN]}'),
        ),
        (
            "m.jsonl",
            lambda p: p.write_text('{"a": 1, "b": 2}\n'),
            lambda p: p.write_text('{"b": 2, "a": 1}'),
            lambda p: p.write_text('{"a": 1, "b": 3}\n'),
        ),
        (
            "m.csv",
            lambda p: p.write_bytes(b"a,b\n1,2\n"),
            lambda p: p.write_bytes(b'"a",b\r\n1,"2"\r\n'),
            lambda p: p.write_bytes(b"a,b\n2,1\n"),
        ),
        (
            "timed.jsonl",
            lambda p: p.write_text('{"loss": 1, "_timestamp": 1.5, "time": {"loss": 2}}'),
            lambda p: p.write_text('{"loss": 1, "_timestamp": 2.5, "time": {"loss": 2}}'),
            lambda p: p.write_text('{"loss": 1, "_timestamp": 1.5, "time": {"loss": 3}}'),
        ),
        (
            "timed.json",
            lambda p: p.write_text('{"steps": [3], "epoch_times": [1, 2], "tokens_per_sec": 3}'),
            lambda p: p.write_text('{"steps": [3], "epoch_times": [2, 3], "tokens_per_sec": 4}'),
            lambda p: p.write_text('{"steps": [4], "epoch_times": [1, 2], "tokens_per_sec": 3}'),
        ),
        (
            "timed.csv",
            lambda p: p.write_text("step,time,loss\n1,0.5,2\n2,0.6,1\n"),
            lambda p: p.write_text("step,time,loss\n1,0.7,2\n2,0.9,1\n"),
            lambda p: p.write_text("step,time,loss\n1,0.5,2\n2,0.6,3\n"),
        ),
        (
            "timed.tsv",
            lambda p: p.write_text("step\ttime (s)\tloss\n1\t0.5\t2\n"),
            lambda p: p.write_text("step\ttime (s)\tloss\n1\t0.6\t2\n"),
            lambda p: p.write_text("step\ttime (s)\tloss\n1\t0.5\t3\n"),
        ),
        (
            "m.db",
            lambda p: _database(p, "x", "y"),
            lambda p: _database(p, "x", "y", size=8192),
            lambda p: _database(p, "y", "x"),
        ),
        (
            "m.safetensors",
            lambda p: _safetensors(p, ["a", "b"]),
            lambda p: _safetensors(p, ["b", "a"]),
            lambda p: _safetensors(p, ["a", "b"], b"\0\0\0\1"),
        ),
        (
            "events.out.tfevents.1.vm.2.0",
            lambda p: _events(p, 1.5, 0.5, 100.0),
            lambda p: _events(p, 2.5, 0.5, 200.0),
            lambda p: _events(p, 1.5, 0.6, 100.0),
        ),
        (
            "m.gz",
            lambda p: _gzip(p, b"x", 1),
            lambda p: _gzip(p, b"x", 2),
            lambda p: _gzip(p, b"y", 1),
        ),
    ],
)
def test_formats_are_read_by_value(tmp_path: Path, name: str, one: Write, same: Write, other: Write) -> None:
    read = []
    for place, write in (("one", one), ("same", same), ("other", other)):
        (tmp_path / place).mkdir()
        write(tmp_path / place / name)
        before = sorted(os.listdir(tmp_path / place))
        read.append(contents(str(tmp_path / place / name)))
        assert sorted(os.listdir(tmp_path / place)) == before
    assert read[0]
    assert read[0] == read[1]
    assert read[0] != read[2]


def test_rows_that_still_lie_in_the_log_of_a_database_count(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    read = contents(str(path))
    connection.execute("INSERT INTO t VALUES (1)")
    connection.commit()
    assert contents(str(path)) != read
    connection.close()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.pt", b"PK\x03\x04 no archive"),
        ("m.json", b"{"),
        ("m.json", b"1e999"),
        ("m.txt", b"x"),
        ("m.db", b"SQLite"),
        ("a.tfevents.1", b"x" * 50),
    ],
)
def test_what_cannot_be_read_by_value_has_its_bytes_alone(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert contents(str(tmp_path / name)) == ""


# Which files a run wrote


def test_folders_of_tools_are_not_looked_into(tmp_path: Path) -> None:
    for name in (".git/x", "env/pyvenv.cfg", "env/lib/y", "a/__pycache__/z", "ours/w", "out/kept.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert set(scan(tmp_path, [tmp_path / "ours"]).states) == {"out/kept.txt", "link"}


def test_too_many_files_are_reported(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / str(number)).write_text("x")
    assert scan(tmp_path, most=3).is_cut
    assert not scan(tmp_path, most=5).reason


class World:
    """Runs without processes, in one folder."""

    def __init__(self, tmp_path: Path, decides: bool = True) -> None:
        self.cwd = tmp_path / "work"
        self.cwd.mkdir()
        self.audit = tmp_path / "evidence" / "audits" / "one"
        self.folders = Folders()
        self.decides = decides

    def spec(self, name: str, instruments: Instruments = PLAIN, interventions: Interventions = UNCHANGED) -> RunSpec:
        directory = self.audit / name
        directory.mkdir(parents=True)
        return RunSpec(
            id=name, seed=0, repeat=0, target=TARGET, settings=Settings(), ambient=EnvironmentFactors(), environment={},
            cwd=self.cwd, directory=directory, read_checkpoints=self.decides,
            instruments=instruments, interventions=interventions,
        )  # fmt: skip

    def begin(self, name: str) -> RunSpec:
        spec = self.spec(name)
        self.folders.before(spec)
        return spec

    def end(self, spec: RunSpec, *received: str, reads: tuple[str, ...] = ()) -> Evidence:
        files = []
        for path in received:
            seen = os.stat(self.cwd / path)
            state = [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino]
            digest = (self.cwd / path).read_text()
            files.append({"path": path, "size": seen.st_size, "digest": digest, "contents": [], "state": state})
        line = json.dumps({"record": "files", "files": files}) + "\n"
        (spec.directory / EVIDENCE_FILE).write_text(line)
        self.folders.after(spec, True)
        plain = json.loads((spec.directory / FILES_FILE).read_text())
        records = tuple(FileRecord(**{**file, "contents": tuple(file.get("contents", ()))}) for file in plain["files"])
        reads = tuple(str(self.cwd / path) for path in reads)
        self.missing = plain["not_compared"]
        return cast(Evidence, SimpleNamespace(spec=spec, files=records, reads=reads, pid=4000 + int(spec.id[-1])))

    def run(self, name: str, act: Callable[[Path], Any], reads: tuple[str, ...] = ()) -> Evidence:
        spec = self.begin(name)
        act(self.cwd)
        return self.end(spec, reads=reads)


def test_what_is_written_is_found_whoever_wrote_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.cwd / "old").write_text("x")
    a = world.run("s0r0", lambda cwd: (cwd / "new").write_text("1"))
    b = world.run("s0r1", lambda cwd: (cwd / "new").write_text("2"))
    informational, missing = compare_files(a, b, REQUEST)
    assert [file.path for file in a.files] == ["new"]
    assert (informational.same, informational.decides, informational.detail, missing) == (
        False,
        True,
        "new differs",
        [],
    )
    c = world.run("s0r2", lambda cwd: (cwd / "new").write_text("1"))
    assert compare_files(a, c, REQUEST)[0].detail == "1 file written, equal"


def test_a_file_of_the_first_run_that_the_second_looks_at_and_leaves_is_not_compared(tmp_path: Path) -> None:
    world = World(tmp_path)
    a = world.run("s0r0", lambda cwd: (cwd / "cache").write_text("1"))
    b = world.run("s0r1", lambda cwd: None, reads=("cache",))
    informational, (missing,) = compare_files(a, b, REQUEST)
    assert (informational.same, missing.what, missing.is_result) == (True, "file cache", True)
    assert "fresh" in missing.help
    assert missing.reason == "s0r0 wrote it and s0r1 found it there and left it"


def test_a_log_of_each_run_in_a_folder_that_the_second_lists_belongs_to_that_of_the_first(tmp_path: Path) -> None:
    world = World(tmp_path)
    one, other = (f"events.out.tfevents.{seconds}.vm.7.0" for seconds in EPOCHS)
    (world.cwd / "out").mkdir()
    a = world.run("s0r0", lambda cwd: (cwd / "out" / one).write_text("1"))
    b = world.run("s0r1", lambda cwd: (cwd / "out" / other).write_text("1"), reads=("out",))
    informational, missing = compare_files(a, b, REQUEST)
    assert (informational.same, missing) == (True, [])
    c = world.run("s0r1x1", lambda cwd: (cwd / "out" / other).write_text("2"), reads=("out",))
    assert not compare_files(a, c, REQUEST)[0].same


def test_a_file_under_another_name_in_each_run_is_in_one_run_only(tmp_path: Path) -> None:
    world = World(tmp_path)
    a, b = (world.run(name, lambda cwd, name=name: (cwd / name).write_text("1")) for name in ("s0r0", "s0r1"))  # type: ignore[misc]
    informational, missing = compare_files(a, b, REQUEST)
    assert (informational.same, informational.detail, missing) == (
        False,
        "s0r0 in one run only, s0r1 in one run only",
        [],
    )


EPOCHS = ("1795867735", "1795867743")


@pytest.mark.parametrize(
    "names",
    [
        [
            f"runs/CartPole__1__{t}/events.out.tfevents.{t}.vm.{pid}.0"
            for t, pid in zip(EPOCHS, (18443, 18467), strict=True)
        ],
        ["runs/Nov28_16-02-01_vm/w.pt", "runs/Nov28_16-02-09_vm/w.pt"],
        ["log-2026-11-28T16:02:01.json", "log-2026-11-28T16:03:11.json"],
        ["out/20261128_160201/m", "out/20261128_160311/m"],
        ["2026-11-28/16-02-01/m", "2026-11-28/16-02-09/m"],
        ["model-4000.pt", "model-4001.pt"],
        ["20261128-160201-123456/m", "20261128-160311-000012/m"],
        ["tmpab1_2c3d/m", "tmpq0q0q0q0/m"],
        ["9f2c1b1e-3b0a-4d7e-9d55-0c6a3c6b8a01.pt", "0f2c1b1e-3b0a-4d7e-9d55-0c6a3c6b8a02.pt"],
    ],
)
def test_files_whose_names_differ_in_a_time_or_a_process_number_belong_together(
    tmp_path: Path, names: list[str]
) -> None:
    world = World(tmp_path)

    def write(name: str, text: str) -> Callable[[Path], object]:
        return lambda cwd: ((cwd / name).parent.mkdir(parents=True, exist_ok=True), (cwd / name).write_text(text))

    a, b = (world.run(f"s0r{n}", write(name, "1")) for n, name in enumerate(names))
    found, missing = compare_files(a, b, REQUEST)
    assert (found.same, missing) == (True, [])
    assert found.detail.startswith(
        "1 file written, equal; compared without the times and process numbers in their names"
    )
    c = world.run("s0r1x1", write(names[1], "2"))
    found, _ = compare_files(a, c, REQUEST)
    assert not found.same
    assert " differs; compared without" in found.detail


@pytest.mark.parametrize(
    "names",
    [("epoch=1.pt", "epoch=2.pt"), ("v1.0", "v1.1"), ("step-100000.pt", "step-200000.pt"), ("a8", "a9"),
        ("tmp_best", "tmp_last"), ("tmpweights1a", "tmpweights1b")],
)  # fmt: skip
def test_other_numbers_in_names_count(tmp_path: Path, names: tuple[str, str]) -> None:
    world = World(tmp_path)
    a, b = (
        world.run(f"s0r{n}", lambda cwd, name=name: (cwd / name).write_text("1"))  # type: ignore[misc]
        for n, name in enumerate(names)
    )
    assert not compare_files(a, b, REQUEST)[0].same


def _events(path: Path, when: float, loss: float, speed: float) -> None:
    """As TensorBoard's writer does it: frames around protocol buffers."""

    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    def value(tag: str, number: float) -> bytes:
        return field(1, field(1, tag.encode()) + bytes([2 << 3 | 5]) + numpy.float32(number).tobytes())

    time = bytes([1 << 3 | 1]) + numpy.float64(when).tobytes()
    summary = value("losses/value_loss", loss) + value("charts/SPS", speed)
    data = b""
    for event in (time + field(3, b"brain.Event:2"), time + bytes([2 << 3, 7]) + field(5, summary)):
        data += len(event).to_bytes(8, "little") + b"\0\0\0\0" + event + b"\0\0\0\0"
    path.write_bytes(data)


def test_a_removed_file_counts(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.cwd / "data").write_text("x")
    a = world.run("s0r0", lambda cwd: (cwd / "data").unlink())
    b = world.run("s0r1", lambda cwd: None)
    c = world.run("s0r2", lambda cwd: (cwd / "data").write_text("y"))
    assert a.files[0].kind == "removed"
    assert compare_files(a, b, REQUEST)[1][0].reason == "s0r0 removed it and s0r1 did not find it"
    assert compare_files(a, c, REQUEST)[0].detail == "data removed in one run only"


def test_runs_side_by_side_in_one_folder_are_distinguished_or_not_compared(tmp_path: Path) -> None:
    world = World(tmp_path)
    one, two = world.begin("s0r0"), world.begin("s0r1")
    (world.cwd / "model").write_text("1")
    (world.cwd / "child").write_text("1")
    a = world.end(one, "model")
    (missing,) = world.missing
    assert missing["is_result"]
    assert "wrote child is not known" in missing["reason"]
    b = world.end(two, "model")
    informational, (shared,) = compare_files(a, b, REQUEST)
    assert (informational.same, shared.what, shared.is_result) == (True, "file model", True)


def test_a_file_that_another_process_has_open_is_none_of_the_runs(tmp_path: Path) -> None:
    world = World(tmp_path)
    with (world.cwd / "log.txt").open("w") as log:
        a = world.run("s0r0", lambda cwd: (log.write("x"), log.flush()))
    assert a.files == ()
    assert world.missing == [
        {"what": "files", "reason": "another process has log.txt open", "is_result": False, "help": ""}
    ]


def test_a_file_that_the_report_goes_to_is_not_worth_a_word(tmp_path: Path) -> None:
    world = World(tmp_path)
    kept = os.dup(2)
    try:
        with (world.cwd / "report.txt").open("w") as log:
            os.dup2(log.fileno(), 2)
            a = world.run("s0r0", lambda cwd: (log.write("x"), log.flush()))
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert (a.files, world.missing) == ((), [])


def test_files_next_to_a_database_belong_to_it(tmp_path: Path) -> None:
    world = World(tmp_path)

    def act(cwd: Path) -> None:
        _database(cwd / "m.db", "x")
        (cwd / "m.db-wal").write_bytes(b"")

    assert [file.path for file in world.run("s0r0", act).files] == ["m.db"]


def test_small_files_are_read_by_value_also_where_they_do_not_decide(tmp_path: Path) -> None:
    world = World(tmp_path, decides=False)
    a, b = (
        world.run(f"s0r{n}", lambda cwd, n=n: _events(cwd / f"events.out.tfevents.{EPOCHS[n]}.vm.1{n}.0", n, 0.5, n))  # type: ignore[misc]
        for n in range(2)
    )
    assert compare_files(a, b, replace(REQUEST, compare=()))[0].same


TIMED = {
    "m.csv": ("step,time (s),loss\n1,{0},2\n", '"time (s)"'),
    "m.json": ('{{"loss": 2, "epoch_times": [{0}], "eta": 1}}', '"epoch_times, eta"'),
    "m.jsonl": ('{{"loss": 2}}\n{{"loss": 1, "elapsed": {0}}}\n', '"elapsed"'),
}


@pytest.mark.parametrize(("name", "text", "left_out"), [(name, *rest) for name, rest in TIMED.items()])
def test_what_does_not_count_for_its_name_is_said_where_it_differs(
    tmp_path: Path, name: str, text: str, left_out: str
) -> None:
    world = World(tmp_path)
    a, b, c = (
        world.run(f"s0r{run}", lambda cwd, n=n: (cwd / name).write_text(text.format(n)))  # type: ignore[misc]
        for run, n in enumerate((1, 2, 1))
    )
    result, missing = compare_files(a, b, REQUEST)
    assert result.same
    assert [(item.what, item.is_result) for item in missing] == [(f"{left_out} in file {name}", False)]
    assert compare_files(a, c, REQUEST)[1] == []
    assert compare_files(a, b, replace(REQUEST, compare=()))[1] == []


def test_what_does_not_decide_names_no_result(tmp_path: Path) -> None:
    world = World(tmp_path, decides=False)
    os.mkfifo(world.cwd / "before")
    world.run("s0r0", lambda cwd: os.mkfifo(cwd / "pipe"))
    assert [(item["what"], item["is_result"]) for item in world.missing] == [("file pipe", False)]


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux only")
def test_what_is_written_to_the_system_is_no_file(tmp_path: Path) -> None:
    written = WrittenFiles((), tmp_path, Children(tmp_path))
    path = "/proc/self/oom_score_adj"
    for event in ((path, "w", os.O_WRONLY), (str(tmp_path / "a"), "w", os.O_WRONLY)):
        written._on_event("open", event)
    (tmp_path / "a").write_bytes(b"x")
    Path(path).write_text(Path(path).read_text())
    found = written.found(tmp_path, read_checkpoints=False)
    assert [file["path"] for file in found["files"]] == ["a"]
    assert not found["not_compared"]


def test_logs_and_the_notes_of_hydra_count_without_their_times(tmp_path: Path) -> None:
    folder = tmp_path / ".hydra"
    folder.mkdir()
    texts = [
        ("a.log", "[2026-11-29 00:02:08,712][__main__][INFO] - loss 0.25\n"),
        ("b.log", "[2026-11-30 10:12:58,002][__main__][INFO] - loss 0.25\n"),
        ("c.log", "[2026-11-30 10:12:58,002][__main__][INFO] - loss 0.26\n"),
        (".hydra/a.yaml", "output_dir: /x/outputs/2026-11-29/00-02-08\n"),
        (".hydra/b.yaml", "output_dir: /x/outputs/2026-11-30/10-12-58\n"),
        (".hydra/c.yaml", "output_dir: /x/outputs/2026-11-30/10-12-58\nlr: 0.1\n"),
    ]
    found = {}
    for name, text in texts:
        (tmp_path / name).write_text(text)
        found[name] = contents(str(tmp_path / name))
    assert found["a.log"] == found["b.log"] != found["c.log"]
    assert found[".hydra/a.yaml"] == found[".hydra/b.yaml"] != found[".hydra/c.yaml"]


def test_what_is_left_in_the_temporary_folder_counts_where_both_runs_have_it(tmp_path: Path) -> None:
    """It has another name in each run, as have most files in it."""
    world = World(tmp_path)
    runs = []
    for n, names in enumerate((("acc.txt", "tmp1", "same.txt"), ("acc.txt", "tmp2", "same.txt"))):
        folder, cwd = tmp_path / f"tmp{n}", tmp_path / f"cwd{n}"
        folder.mkdir()
        cwd.mkdir()
        written = WrittenFiles((str(folder),), cwd, Children(tmp_path), str(folder))
        for name in (*names, "large", "gone"):
            written._on_event("open", (str(folder / name), "w", os.O_WRONLY))
            (folder / name).write_text("1" if name == "same.txt" else str(n))
        os.truncate(folder / "large", 2**25)
        (folder / "gone").unlink()
        found = written.found(cwd, read_checkpoints=False)["files"]
        assert [file["path"] for file in found] == [f"/$TMPDIR/{name}" for name in sorted(names)]
        run = world.run(f"s0r{n}", lambda cwd: None)
        records = (FileRecord(path=file["path"], size=file["size"], digest=file["digest"]) for file in found)
        runs.append(cast(Evidence, SimpleNamespace(spec=run.spec, files=tuple(records), reads=(), pid=run.pid)))
    informational, missing = compare_files(runs[0], runs[1], REQUEST)
    assert (informational.same, informational.detail, missing) == (False, "/$TMPDIR/acc.txt differs", [])


def test_a_file_elsewhere_that_was_written_on_after_the_end_is_read_again(tmp_path: Path) -> None:
    """What was in a buffer, or what a handler added: the worker saw it without."""
    world = World(tmp_path)
    path = tmp_path / "elsewhere.csv"
    path.write_text("")
    spec = world.begin("s0r0")
    stream = path.open("w")
    stream.write("acc,0.5")
    written = WrittenFiles((), world.cwd, Children(tmp_path))
    written._started = 0
    written._on_event("open", (str(path), "w", os.O_WRONLY))
    line = {"record": "files", "files": written.found(world.cwd, read_checkpoints=True)["files"]}
    (spec.directory / EVIDENCE_FILE).write_text(json.dumps(line) + "\n")
    stream.close()
    world.folders.after(spec, True)
    plain = json.loads((spec.directory / FILES_FILE).read_text())
    assert [(file["path"], file["size"], len(file["contents"])) for file in plain["files"]] == [(str(path), 7, 1)]
