"""The negative control: planted faults of each family, and clean trainings, audited on this very machine.

A gate that has never been seen to close proves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprocheck.commands.run.audit import audit
from reprocheck.engine.console import Style, clip
from reprocheck.engine.progress import Progress
from reprocheck.engine.workspace import temporary_folder
from reprocheck.errors import ExitCode, ReprocheckError
from reprocheck.model import Audit, NotCompared, Request, Settings, Target, TargetKind, Verdict
from reprocheck.report.document import Document, Role, Span, Table, Text, document
from reprocheck.report.formats import formats_of
from reprocheck.report.sections.difference import where
from reprocheck.report.wording import count, duration

FIXTURES = Path(__file__).parent / "fixtures"
SCHEMA_VERSION = 1
_SECONDS = 300.0
"""That one run may take: none takes more than a few, but the machine may be busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One planted training."""

    family: str
    file: str
    function: str
    expected: Verdict
    factor: str = ""
    """The environment factor that shows it, for one that could be pinned."""
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the engine made of it."""

    case: Case
    verdict: Verdict
    detail: str
    """Where it differs first, or why there is no verdict."""
    seconds: float

    @property
    def as_expected(self) -> bool:
        """A fault that was seen, or a clean training that was not called different."""
        return self.verdict is self.case.expected


def _fault(family: str, function: str, factor: str = "", threads: int = 1) -> Case:
    return Case(
        family=family,
        file="faults.py",
        function=function,
        expected=Verdict.DIFFERENT,
        factor=factor,
        threads=threads,
    )


def _clean(family: str, function: str) -> Case:
    return Case(family=family, file="clean.py", function=function, expected=Verdict.REPRODUCIBLE)


CASES = (
    _fault("unseeded generator", "unseeded_generator"),
    _fault("order of a set", "set_order", "hash seed"),
    _fault("uninitialized memory", "uninitialised_memory", "heap contents"),
    _fault("order of a listing", "listing_order", "directory order"),
    _fault("clock as a seed", "clock", "start time"),
    _fault("leftover file", "leftover_file"),
    _fault("race of threads", "thread_race", threads=2),
    _clean("clean: all seeded", "everything_seeded"),
    _clean("clean: sorted, filled", "sorted_and_filled"),
)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What the self-test came to."""

    seen: tuple[Seen, ...]
    skipped: tuple[NotCompared, ...]
    fingerprints: str = ""
    """How runs take them here."""

    @property
    def exit_code(self) -> ExitCode:
        """No verdict on this machine is worth anything while a fault goes unseen."""
        return ExitCode.OK if self.seen and all(one.as_expected for one in self.seen) else ExitCode.NO_VERDICT


def try_all(progress: Progress, cases: Sequence[Case] = CASES) -> SelfTest:
    """Audit every case; what was seen, and what cannot be tried here. Raises Interrupted."""
    cores = _cores()
    possible = [case for case in cases if case.threads <= cores]
    with _folder() as folder:
        seen = tuple(_try(case, folder, progress) for case in possible)
    skipped = (
        NotCompared(what=case.family, reason=f"it needs {case.threads} cores, and there is {cores}")
        for case in cases
        if case not in possible
    )
    return SelfTest(seen, tuple(skipped), _fingerprints())


def selftest_document(answer: SelfTest) -> Document:
    """The table and what it comes to."""
    seen, skipped = answer.seen, answer.skipped
    rows: list[tuple[Text, ...]] = []
    for one in seen:
        result = Span("ok", Role.SUCCESS) if one.as_expected else Span("WRONG", Role.ERROR)
        verdicts = (_verdict_text(verdict) for verdict in (one.case.expected, one.verdict))
        rows.append((one.case.family, *verdicts, result, duration(one.seconds), clip(one.detail) or "-"))
    right = sum(one.as_expected for one in seen)
    closing = f"{right} of {count(len(seen), 'case')} as expected"
    return document(
        "reprocheck selftest",
        [Table(tuple(rows), ("planted", "expected", "seen", "", "time", "where"), right=(4,))],
        [f"not tried: {item.what}: {item.reason}" for item in skipped],
        [f"fingerprints: {answer.fingerprints}"] if answer.fingerprints else [],
        [closing + ("" if right == len(seen) else ": do not trust a verdict here")],
    )


def render_json(answer: SelfTest, style: Style) -> str:
    """The same for machines; what no two runs share is in `volatile`."""
    seen, skipped = answer.seen, answer.skipped
    plain = {
        "schema_version": SCHEMA_VERSION,
        "exit_code": int(answer.exit_code),
        "cases": [
            {
                "family": one.case.family,
                "target": f"{one.case.file}:{one.case.function}",
                "expected": one.case.expected.value,
                "verdict": one.verdict.value,
                "as_expected": one.as_expected,
                "detail": one.detail,
            }
            for one in seen
        ],
        "fingerprints": answer.fingerprints,
        "not_tried": [{"what": item.what, "reason": item.reason} for item in skipped],
        "volatile": {"seconds": {one.case.family: one.seconds for one in seen}},
    }
    return json.dumps(plain, indent=2, sort_keys=True) + "\n"


FORMATS = formats_of(document=selftest_document, json=render_json)


def _try(case: Case, folder: Path, progress: Progress) -> Seen:
    started = time.monotonic()
    path = folder / case.file
    request = Request(
        target=Target(
            text=f"{case.file}:{case.function}", kind=TargetKind.FILE_FUNCTION, path=path, function=case.function
        ),
        settings=Settings(threads=case.threads, timeout=_SECONDS),
        # Threads that race want the cores for themselves.
        jobs=2 if case.threads == 1 else 1,
        explain=False,
        evidence=folder / "evidence" / case.function,
    )
    try:
        answer = audit(request, progress)
    except ReprocheckError as error:
        if error.exit_code is ExitCode.INTERRUPTED:
            raise
        return Seen(case=case, verdict=Verdict.NO_VERDICT, detail=error.message, seconds=time.monotonic() - started)
    return Seen(case=case, verdict=answer.verdict, detail=_detail(answer, case), seconds=answer.seconds)


def _detail(answer: Audit, case: Case) -> str:
    if answer.divergence is not None:
        return where(answer.divergence)
    if answer.verdict is Verdict.NO_VERDICT:
        return answer.summary
    pinned = next((item for item in answer.not_varied if item.what == case.factor), None)
    return "" if pinned is None else f"{pinned.what} does not vary: {pinned.reason}"


def _verdict_text(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")


def _fingerprints() -> str:
    try:
        from reprocheck.worker.fingerprint.public import helper_state

        return helper_state()
    except ImportError as error:  # no PyTorch
        return f"unknown: {error}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _folder() -> Iterator[Path]:
    """A new folder with the planted trainings and their data, as the current one."""
    before = Path.cwd()
    with temporary_folder() as made:
        folder = made.resolve()
        for name in ("faults.py", "clean.py"):
            shutil.copy(FIXTURES / name, folder)
        (folder / "samples").mkdir()
        for number in range(32):
            (folder / "samples" / f"sample-{number}").touch()
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)
