"""Evidence files → Evidence. Nothing in them is executed, and nothing in them is trusted to be well formed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.errors import NoVerdictError
from reprocheck.evidence import records
from reprocheck.evidence.children import children_of
from reprocheck.evidence.ranks import RankRestarted, load_ranks, with_ranks
from reprocheck.model import (
    Evidence,
    NotCompared,
    Outcome,
    Status,
)
from reprocheck.protocol import (
    EVIDENCE_FILE,
    FACT_RECORD,
    FILES_FILE,
    RECORD_SIZE,
    STDERR_FILE,
    STDOUT_FILE,
    STEPS_FILE,
    UNOBSERVED_RECORD,
    VALUES_FILE,
    reading,
    seal,
)
from reprocheck.protocol.chain import check_chain
from reprocheck.protocol.rank_folders import all_over

TAIL_BYTES = 8192
MOST_END = 16 * 2**20
"""Bytes of a closing record."""


AFTER_RANKS = NotCompared(
    what="what the run did after its ranks had ended",
    reason="it waited for a rank that did not leave its process, and was ended",
    is_result=True,
    help="see how ranks end: with gloo, destroy the process group after a pause",
)
Ran = Evidence | Outcome
"""The evidence of a run that completed, or what became of it."""


class EvidenceUnreadable(NoVerdictError):
    """A run folder that does not hold what its closing record promises."""


def read_end(folder: Path) -> Mapping[str, Any] | None:
    """The closing record of a run; None when there is none."""
    try:
        last = reading.parse_json(reading.read_last_line(folder / EVIDENCE_FILE, MOST_END))
    except (OSError, ValueError):
        return None
    is_end = isinstance(last, dict) and last.get("record") == "end" and isinstance(last.get("status"), str)
    return last if is_end else None


def read_tail(path: Path) -> str:
    """The last lines of a file that may be huge, binary, absent or no file at all."""
    try:
        with reading.open_regular(path) as file:
            file.seek(0, 2)
            start = max(0, file.tell() - TAIL_BYTES)
            file.seek(start)
            data = file.read(TAIL_BYTES)
    except OSError:
        return ""
    if start and b"\n" in data:
        data = data.split(b"\n", 1)[1]
    return data.decode("utf-8", "backslashreplace").strip()


def load_evidence(outcome: Outcome) -> Evidence:
    """The evidence of a completed run. Raises EvidenceUnreadable."""
    with readable(outcome.spec.directory):
        try:
            ranks, missing = load_ranks(outcome, _load_one, _lines_so_far)
        except RankRestarted as error:
            raise EvidenceUnreadable(error.message) from error
        pids = {one.evidence.pid for one in ranks}
        # Ended once all its ranks had: it waited for something that came after.
        waits = outcome.status is Status.COMPLETED and not _has_ended(outcome) and all_over(outcome.spec.directory)
        run = _load_one(replace(outcome, status=Status.STOPPED) if waits else outcome, pids)
        return with_ranks(run, ranks, (*missing, AFTER_RANKS) if waits and not outcome.spec.is_cut else missing)


def _load_one(outcome: Outcome, ranks: Collection[int] = ()) -> Evidence:
    return _load_stopped(outcome) if outcome.status is Status.STOPPED else _load(outcome, ranks)


def _lines_so_far(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Those of a rank up to where it says which it is."""
    return itertools.islice(reading.read_lines(outcome.spec.directory / EVIDENCE_FILE, cut=True), 2)


def _has_ended(outcome: Outcome) -> bool:
    end = read_end(outcome.spec.directory)
    return end is not None and end["status"] in ("finished", "stopped")


def read_run(outcome: Outcome) -> Ran:
    """The evidence of a run that completed; else what became of it. A run whose evidence cannot be read is LOST."""
    if outcome.status is not Status.COMPLETED:
        return outcome
    try:
        return load_evidence(outcome)
    except EvidenceUnreadable as error:
        return replace(outcome, status=Status.LOST, reason=error.message)


@contextmanager
def readable(folder: Path, what: str = "evidence") -> Iterator[None]:
    """Whatever goes wrong while a run folder is read is a fault of what is in it: EvidenceUnreadable, and why."""
    try:
        yield
    except EvidenceUnreadable:
        raise
    except OSError as error:
        name = f" ({Path(error.filename).name})" if isinstance(error.filename, str) else ""
        raise EvidenceUnreadable(f"cannot read the {what} in {folder}: {error.strerror or error}{name}") from error
    except KeyError as error:
        raise EvidenceUnreadable(f"the {what} in {folder} is damaged: {error} is missing") from error
    except Exception as error:
        problem = str(error) if isinstance(error, ValueError) and str(error) else type(error).__name__
        raise EvidenceUnreadable(f"the {what} in {folder} is damaged: {problem}") from error


def _load(outcome: Outcome, ranks: Collection[int] = ()) -> Evidence:
    folder = outcome.spec.directory
    lines = whole_lines(outcome)
    end = lines[-1]
    one = {line["record"]: line for line in lines}
    seal.check(folder, outcome.digests, (STEPS_FILE, VALUES_FILE, FILES_FILE))
    steps = reading.read_records(folder / STEPS_FILE, check=check_chain())
    if len(steps) != reading.whole(end["steps"]) * RECORD_SIZE:
        raise ValueError("step records are missing")
    seal.check_own(folder, reading.table(end.get("digests")), steps)
    skipped = reading.whole(end["skipped"])
    files, not_compared = _files(folder, one["files"])
    unobserved = [line for line in lines if line["record"] == UNOBSERVED_RECORD]
    return Evidence(
        spec=outcome.spec,
        seconds=outcome.seconds,
        stepping=reading.number(end.get("stepping", 0.0)),
        manifest=records.manifest(reading.table(one["manifest"]["manifest"])),
        rng=records.generator_states(one["rng at end"]),
        rng_at_start=records.generator_states(one.get("rng after seeding", {})),
        initial=tuple(records.initial_tensors([line for line in lines if line["record"] == "initial"])),
        steps=steps,
        optimizers=records.optimizer_keys([line for line in lines if line["record"] == "optimizer"]),
        outputs=records.leaves(one.get("output", {})),
        has_output=end["returned"] is True,
        files=tuple(records.file_record(file) for file in files),
        stdout=folder / STDOUT_FILE,
        stderr=folder / STDERR_FILE,
        stdout_is_own=seal.fits(folder, outcome.digests, STDOUT_FILE),
        stderr_is_own=seal.fits(folder, outcome.digests, STDERR_FILE),
        pid=reading.whole(lines[0].get("pid", 0)),
        variables=records.leaves(one.get("variables", {})),
        settings_at_end=records.plain_value(reading.table(one["settings"]["settings"])),
        memory=records.memory(reading.table(one["memory"]["memory"])),
        stopped_at=reading.whole_or_none(end["stopped_at"]),
        notes=(*(reading.text(line["text"]) for line in lines if line["record"] == "note"), *_unread(skipped)),
        values=folder / VALUES_FILE,
        checkpoints=tuple(records.checkpoint(line) for line in lines if line["record"] == "checkpoint"),
        sources=tuple(map(reading.text, reading.items(one.get("sources", {}).get("paths", [])))),
        facts=tuple(records.fact(fact) for fact in reading.items(one.get(FACT_RECORD, {}).get("facts", []))),
        parts=tuple(records.parts(lines)),
        unobserved=(
            *(records.not_compared(line) for line in (*unobserved, *not_compared)),
            *children_of(folder, ranks),
        ),
        reads=records.paths_read(one.get("inputs", {})),
    )


def _files(folder: Path, record: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """What the folder shows, and of what the worker heard the rest: files elsewhere."""
    files, missing = reading.items(record["files"]), reading.items(record.get("not_compared", []))
    if not os.path.lexists(folder / FILES_FILE):
        return files, missing
    found = reading.table(reading.parse_json(reading.read_whole(folder / FILES_FILE, reading.MOST_LINES)))
    later = {reading.text(reading.table(file)["path"]) for file in reading.items(found["files"])}
    paths = [reading.text(reading.table(file)["path"]) for file in files]
    outside = [file for path, file in zip(paths, files, strict=True) if os.path.isabs(path) and path not in later]
    return [*reading.items(found["files"]), *outside], [*reading.items(found["not_compared"]), *missing]


def whole_lines(outcome: Outcome) -> list[dict[str, Any]]:
    """All lines of a completed run, its closing record last. Raises OSError, or ValueError for a damaged file."""
    folder = outcome.spec.directory
    seal.check(folder, outcome.digests, (EVIDENCE_FILE,))
    state = seal.digest_state()
    lines = list(reading.read_lines(folder / EVIDENCE_FILE, state=state))
    if not lines:
        raise ValueError("it is empty")
    end = lines[-1]
    _check_start(lines, outcome)
    if end.get("record") != "end" or end["records"] != len(lines) - 1:
        raise ValueError("lines are missing")
    if reading.table(end.get("digests")).get(EVIDENCE_FILE) != state.hexdigest():
        raise ValueError(f"{EVIDENCE_FILE} holds something else than was written")
    if not all(isinstance(line.get("record"), str) for line in lines):
        raise ValueError("a line has no kind")
    return lines


def _check_start(lines: list[dict[str, Any]], outcome: Outcome) -> None:
    if lines[0].get("record") != "start":
        raise ValueError("its first line is missing")
    if lines[0].get("run") != outcome.spec.id:
        raise ValueError("it belongs to another run")


def _load_stopped(outcome: Outcome) -> Evidence:
    """What a run had written when it was ended on the way: whole lines and whole records."""
    folder = outcome.spec.directory
    seal.check(folder, outcome.digests, (EVIDENCE_FILE, STEPS_FILE))
    lines = list(reading.read_lines(folder / EVIDENCE_FILE, cut=True))
    if lines:
        _check_start(lines, outcome)
    steps = reading.read_records(folder / STEPS_FILE, check=check_chain())
    return Evidence(
        spec=outcome.spec,
        seconds=outcome.seconds,
        stepping=0.0,
        manifest={},
        rng={},
        initial=tuple(records.initial_tensors([line for line in lines if line["record"] == "initial"])),
        steps=steps[: len(steps) // RECORD_SIZE * RECORD_SIZE],
        optimizers=records.optimizer_keys([line for line in lines if line["record"] == "optimizer"]),
        outputs=(),
        has_output=False,
        files=(),
        stdout=folder / STDOUT_FILE,
        stderr=folder / STDERR_FILE,
        settings_at_end={},
        memory={},
        stopped_at=None,
        notes=(),
        values=folder / VALUES_FILE,
        partial=True,
        pid=reading.whole(lines[0].get("pid", 0)) if lines else 0,
    )


def _unread(count: int) -> tuple[str, ...]:
    """Tensors of steps without readable data stand in the digests by a mark only: the report says so."""
    return (f"{count} tensors of steps could not be read and were not compared",) if count else ()
