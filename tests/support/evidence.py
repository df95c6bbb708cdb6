"""The evidence of a made-up run, written by the recorder that runs write theirs with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xxhash import xxh3_128_digest

from reprocheck.model import EnvironmentFactors, Outcome, RunSpec, Settings, Status, Target, TargetKind
from reprocheck.protocol import (
    DECIDING_KINDS,
    EMPTY_DIGEST,
    FLAG_TAIL,
    SPEC_FILE,
    STDERR_FILE,
    STDOUT_FILE,
    STEP_HEADER,
    STEP_KINDS,
    encode_spec,
)
from reprocheck.protocol.seal import seal
from reprocheck.worker.recorder import Recorder

FIVE_FLOATS = bytes(range(20))


def step_records(count: int, word: str = "", words: Mapping[str, str] = {}, tail: str = "") -> list[bytes]:
    """Records of so many steps, chained as a run does it. `words`: other ones by kind. `tail`: for what is left at the
    end."""
    chain, found = EMPTY_DIGEST, []
    for number in range(count + bool(tail)):
        is_tail = number == count
        own = {kind: tail if is_tail else words.get(kind, word) for kind in STEP_KINDS}
        digests = [xxh3_128_digest(f"{own[kind]} {kind} {number}".encode()) for kind in STEP_KINDS]
        deciding = b"".join(d for kind, d in zip(STEP_KINDS, digests, strict=True) if kind in DECIDING_KINDS)
        chain = xxh3_128_digest(chain + (0).to_bytes(4, "little") + deciding)
        found.append(STEP_HEADER.pack(number, 0, FLAG_TAIL * is_tail, 0) + b"".join(digests) + chain)
    return found


def make_run(folder: Path, run: str = "s0r0", steps: int = 4, word: str = "") -> Outcome:
    """A completed run in a new folder."""
    folder.mkdir(parents=True)
    spec = RunSpec(
        id=run,
        seed=0,
        repeat=0,
        target=Target(text="train.py", kind=TargetKind.SCRIPT, path=folder / "train.py", arguments=(("lr", 0.1),)),
        settings=Settings(),
        ambient=EnvironmentFactors(),
        environment={"PATH": "/bin"},
        cwd=folder,
        directory=folder,
    )
    (folder / SPEC_FILE).write_text(encode_spec(spec))
    (folder / STDOUT_FILE).write_text("loss 0.5\n")
    (folder / STDERR_FILE).write_text("")
    recorder = Recorder(folder)
    recorder.line("start", run=run, seed=0, pid=1, python="3.12.0")
    offset = recorder.values(memoryview(FIVE_FLOATS))
    weight = {"name": "fc.weight", "kind": "parameter", "dtype": "float32", "shape": [5], "digest": "0" * 32}
    recorder.line("initial", stage="step", step=0, root="Net", tensors=[weight])
    recorder.line("optimizer", index=0, key="1" * 32, type="SGD")
    for record in step_records(steps, word):
        recorder.step(record)
    leaf = {**weight, "name": "w", "kind": "tensor", "offset": offset, "size": len(FIVE_FLOATS)}
    loss = {"name": "loss", "kind": "number", "dtype": "float64", "shape": [], "digest": "2" * 32, "text": "0.5"}
    recorder.line("output", leaves=[leaf, loss, {"name": "x", "kind": "object", "reason": "it cannot be read"}])
    recorder.line(
        "conduct", facts=[{"kind": "k", "path": "a.py", "line": 3, "names": [], "named": 0, "count": 1, "step": 0}]
    )
    recorder.line("note", text="a note")
    recorder.line("checkpoint", name="c", call=0, calls=1, step=1, before="", digest="3" * 32, unread=0, leaves=[leaf])
    recorder.line("rng at end", torch="4" * 32)
    recorder.line("files", files=[{"path": "out.txt", "size": 3, "digest": "5" * 32}])
    recorder.line("settings", settings={"threads": 2, "tf32": None})
    recorder.line("memory", memory={"rss_peak": 10**8})
    recorder.line("manifest", manifest={"python": "3.12.0", "threads": 2, "imported": ["torch"], "switches": {}})
    recorder.line("sources", paths=["train.py"])
    recorder.unobserved("a child", "it was not observed")
    recorder.end(status="finished", returned=True, error="", stopped_at=None, skipped=0)
    return Outcome(spec=spec, status=Status.COMPLETED, seconds=1.0, digests=seal(folder))
