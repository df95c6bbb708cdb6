"""What the command and its worker share: file names, the run specification, the step record.

A run folder holds `spec.json` (the order), `evidence.jsonl` (lines, closed by an `end` record), `steps.bin`
(fixed-size records), `values.bin` (tensor bytes), `stdout.txt` and `stderr.txt`. Standard library only.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from struct import Struct
from typing import Any

from reprocheck.model import (
    Ambient,
    Cut,
    Deterministic,
    Edit,
    Home,
    Known,
    Probe,
    RunSpec,
    Seeding,
    Settings,
    Target,
    TargetKind,
    TraceWindow,
)

SCHEMA_VERSION = 1

FINGERPRINT_VERSION = 2
"""Which way fingerprints are made, and of what: those of two versions are never compared.
2: models at the end are seen though they are gone, attributes of modules, objects and optimizers count;
a model that a step left as it was adds nothing to the record of that step."""

SPEC_FILE = "spec.json"
EVIDENCE_FILE = "evidence.jsonl"
STEPS_FILE = "steps.bin"
VALUES_FILE = "values.bin"
STDOUT_FILE = "stdout.txt"
STDERR_FILE = "stderr.txt"
TRACE_FILE = "trace.bin"
TRACE_TABLE_FILE = "trace.jsonl"
TRACE_VALUES_FILE = "trace-values.bin"
FILES_FILE = "files.json"
"""What the command found in the folder of the run after it: the files that it wrote."""
LEDGER_FILE = "ledger.jsonl"
STATES_FILE = "states.jsonl"
TIMES_FILE = "times.bin"
WEIGHTS_RECORD = "weights"
"""Lines of the evidence that tell what initial weights look like (`reprocheck params`)."""
CONDUCT_RECORD = "conduct"
"""A line of the evidence: how the training treats its models, gradients and optimizers."""
UNOBSERVED_RECORD = "unobserved"
"""Lines of the evidence: something that the target made and the worker could not see."""
MEMORY_RECORD = "memory by phase"
LAYERS_RECORD = "layers"
"""Lines of the evidence of `reprocheck doctor`: memory, the first batch's activations and gradients."""
EVIDENCE_FOLDER = ".reprocheck"

TEMPLATE = "--template"
"""In place of a run folder: the worker is to fork runs. The number of its socket follows."""

SUPERVISED = "--supervised"
"""Before a run folder and the number of the process that waits for it: the worker forks, and its parent stays."""

GRACE_SECONDS = 3.0
"""Between asking a run to end and ending it."""

RUN_VARIABLE = "REPROCHECK_RUN"
"""Set in the environment of a run (and so of its children): which run it is."""

STEP_KINDS = (
    "batch",
    "forward",
    "loss",
    "gradients",
    "hyperparameters",
    "parameters",
    "buffers",
    "optimizer state",
    "rng python",
    "rng numpy",
    "rng torch",
    "rng cuda",
)
"""Kinds of a step record, in run order within a step."""

DECIDING_KINDS = frozenset({"batch", "forward", "loss", "gradients", "parameters", "buffers", "optimizer state"})
"""Kinds whose difference is a difference of the training. Generators and hyperparameters only explain one."""

TRAINED_ELSEWHERE = "trained "
"""Before the kind of a tensor of a model that child processes had trained when it was first called."""
THREAD_MARK = "@thread"
"""In the name of a model that was first called outside the main thread: its number hangs on scheduling."""

SINGLE_CALLS = 1000
"""Calls of `reprocheck.checkpoint` under one name that have a line of their own."""
ROW_GROWTH = 8
"""A row of further calls is as long as an eighth of what came before it."""

LARGE_FILE = 2**30
FILE_BLOCK = 2**20
_ZEROS = bytes(FILE_BLOCK)

DIGEST_SIZE = 16
KIND_COUNT = len(STEP_KINDS)

STEP_HEADER = Struct("<IIHH")
"""Number (0-based, in run order), optimizer (index into the evidence's optimizers), flags, zero."""
RECORD_SIZE = STEP_HEADER.size + DIGEST_SIZE * (KIND_COUNT + 1)
"""Header, one digest a kind, and the chain: a digest of the deciding kinds of this and all earlier records."""

TIME_RECORD = Struct("<dd")
"""Of one step: when it ended, and how long observation has taken by then; seconds."""

FLAG_TAIL = 1
"""What was observed after the last optimizer step; not a step itself."""
FLAG_BACKWARD = 2
"""The step is a backward pass: no optimizer exists."""
FLAG_THREAD = 4
"""The step was taken outside the main thread: its place in the order means nothing."""

FLAG_DEVICE = 8
"""Tensors were read on a CUDA device, where digests are made in another way than on the host."""

EMPTY_DIGEST = bytes(DIGEST_SIZE)
"""A kind that was not observed in a step."""


def digest_at(record: bytes | memoryview, kind: int) -> bytes:
    """The digest of the `kind`-th kind (KIND_COUNT: the chain) of one step record."""
    start = STEP_HEADER.size + DIGEST_SIZE * kind
    return bytes(record[start : start + DIGEST_SIZE])


def records(data: bytes | memoryview) -> Iterator[memoryview]:
    """The step records, one after the other."""
    view = memoryview(data)
    for start in range(0, len(view) - RECORD_SIZE + 1, RECORD_SIZE):
        yield view[start : start + RECORD_SIZE]


def file_digest(path: str) -> str:
    """Of the bytes of a whole file, 32 hexadecimal digits. Raises OSError.

    A large file may be mostly holes: of it the blocks that are not all zero count, each with its place, so that a hole
    and zeros that were written are the same, and holes are not read.
    """
    from xxhash import xxh3_128

    state = xxh3_128()
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= LARGE_FILE:
            while block := file.read(FILE_BLOCK):
                state.update(block)
            return str(state.hexdigest())
        state.update(b"%d" % size)
        place = _next_data(file.fileno(), 0)
        while place is not None and (block := os.pread(file.fileno(), FILE_BLOCK, place)):
            if block != _ZEROS[: len(block)]:
                state.update(b"%d:" % place)
                state.update(block)
            place = _next_data(file.fileno(), place + FILE_BLOCK)
    return str(state.hexdigest())


def _next_data(file: int, place: int) -> int | None:
    """Where the next block with data begins, a multiple of FILE_BLOCK; None where there is no more."""
    try:
        return os.lseek(file, place, os.SEEK_DATA) // FILE_BLOCK * FILE_BLOCK
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENXIO:
            return None
        return place  # a system or a file system that does not tell


def count_steps(data: bytes | memoryview) -> int:
    """How many records are steps (only the last one can be a tail)."""
    count = len(data) // RECORD_SIZE
    if not count:
        return 0
    _, _, flags, _ = STEP_HEADER.unpack_from(data, (count - 1) * RECORD_SIZE)
    return count - 1 if flags & FLAG_TAIL else count


def count_optimizers(data: bytes | memoryview) -> int:
    """How many optimizers took the steps of these records."""
    found = 0
    for start in range(0, len(data) - RECORD_SIZE + 1, RECORD_SIZE):
        _, optimizer, flags, _ = STEP_HEADER.unpack_from(data, start)
        if not flags & (FLAG_TAIL | FLAG_BACKWARD):
            found = max(found, optimizer + 1)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} into a run specification")


def encode_spec(spec: RunSpec) -> str:
    """RunSpec → JSON. Arguments from `--arg` travel as Python literals."""
    plain = asdict(spec)
    plain["environment"] = dict(spec.environment)
    plain["target"]["arguments"] = [[name, repr(value)] for name, value in spec.target.arguments]
    return json.dumps({"schema": SCHEMA_VERSION, **plain}, default=_plain)


def encode_kept(spec: RunSpec) -> str:
    """What is kept of a specification once its run is over: of values in the environment, and of arguments that look
    like secrets, only digests, so that it is still known whether another run was told the same."""
    from reprocheck.secrets import mask_arguments, mask_words

    plain = json.loads(encode_spec(spec))
    plain["environment"] = {name: _digest(value) for name, value in plain["environment"].items()}
    plain["settings"]["env"] = [[name, _digest(value)] for name, value in plain["settings"]["env"]]
    argv = plain["target"]["argv"]
    masked = zip(argv, mask_words(argv), strict=True)
    plain["target"]["argv"] = [word if word == shown else f"{shown} {_digest(word)}" for word, shown in masked]
    shown_arguments = mask_arguments(dict(spec.target.arguments))
    plain["target"]["arguments"] = [
        [name, repr(value) if value == shown_arguments[name] else f"{shown_arguments[name]!r} {_digest(repr(value))}"]
        for name, value in spec.target.arguments
    ]
    return json.dumps(plain)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def decode_spec(text: str) -> RunSpec:
    """JSON → RunSpec; the inverse of encode_spec."""
    from ast import literal_eval

    plain = json.loads(text)
    target, settings = plain["target"], plain["settings"]
    deterministic = settings["deterministic"]
    return RunSpec(
        id=plain["id"],
        seed=plain["seed"],
        repeat=plain["repeat"],
        target=Target(
            text=target["text"],
            kind=TargetKind(target["kind"]),
            path=None if target["path"] is None else Path(target["path"]),
            module=target["module"],
            function=target["function"],
            argv=tuple(target["argv"]),
            arguments=tuple((name, literal_eval(value)) for name, value in target["arguments"]),
        ),
        settings=Settings(
            **{
                **settings,
                "seeding": Seeding(settings["seeding"]),
                "deterministic": None if deterministic is None else Deterministic(deterministic),
                "env": tuple((name, value) for name, value in settings["env"]),
            }
        ),
        ambient=Ambient(**plain["ambient"]),
        environment=plain["environment"],
        cwd=Path(plain["cwd"]),
        directory=Path(plain["directory"]),
        read_checkpoints=plain["read_checkpoints"],
        looks_at_weights=plain["looks_at_weights"],
        copy_of=None if plain["copy_of"] is None else Path(plain["copy_of"]),
        known=None if plain["known"] is None else Known(**{name: tuple(v) for name, v in plain["known"].items()}),
        home=None if plain["home"] is None else _home(plain["home"]),
        probe=None if plain["probe"] is None else _probe(plain["probe"]),
    )


def _home(plain: dict[str, Any]) -> Home:
    without = tuple(Path(path) for path in plain["without"])
    return Home(source=Path(plain["source"]), at=Path(plain["at"]), without=without, copies=plain["copies"])


def _probe(plain: dict[str, Any]) -> Probe:
    return Probe(
        **{
            **plain,
            "trace": None if plain["trace"] is None else TraceWindow(**plain["trace"]),
            "memory_snapshot": None if plain["memory_snapshot"] is None else Path(plain["memory_snapshot"]),
            "cut": None if plain["cut"] is None else Cut(**plain["cut"]),
            "frozen": tuple(plain["frozen"]),
            "edits": tuple(Edit(**edit) for edit in plain["edits"]),
        }
    )
