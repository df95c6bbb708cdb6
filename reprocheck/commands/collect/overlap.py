"""Runs that were at work at the same time, in one folder: what each of them wrote is known only as far
as its own worker heard of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reprocheck.compare.files import SHARED
from reprocheck.engine.folders import files_seen
from reprocheck.model import Compare, Evidence, NotCompared, Request, Workdir
from reprocheck.model.plan import Result


def side_by_side(results: Iterable[Result], one_folder: bool = False) -> frozenset[int]:
    """Numbers of the runs during which another one was made on the same host; with `one_folder`, on any: all hosts see
    the same."""
    by_host: dict[str, list[tuple[float, float, int]]] = {}
    for one in results:
        end = one.started + one.outcome.seconds
        by_host.setdefault("" if one_folder else one.host, []).append((one.started, end, one.run.number))
    found: set[int] = set()
    for spans in by_host.values():
        last, last_number = float("-inf"), -1
        for start, end, number in sorted(spans):
            if start < last:
                found |= {number, last_number}
            if end > last:
                last, last_number = end, number
    return frozenset(found)


def without_strangers(evidence: Evidence, request: Request) -> Evidence:
    """The evidence of such a run without files that another one may have written."""
    if request.workdir is Workdir.FRESH or not evidence.files:
        return evidence
    own = {str(file["path"]): str(file.get("digest", "")) for file in files_seen(evidence.spec.directory)}
    files = tuple(replace(file, digest=own[file.path], kind=SHARED) for file in evidence.files if file.path in own)
    others = [file.path for file in evidence.files if file.path not in own and file.kind not in ("found", "absent")]
    missing = [
        NotCompared(
            what=f"file {path}",
            reason="runs side by side share the folder: which of them wrote it is not known",
            is_result=Compare.FILES in request.compare,
            help="plan with --workdir fresh, or make one run at a time",
        )
        for path in others
    ]
    return replace(evidence, files=files, unobserved=(*evidence.unobserved, *missing))
