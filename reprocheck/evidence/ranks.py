"""The evidence of the ranks of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.errors import NoVerdictError
from reprocheck.evidence.replicas import CALLED, CALLED_ALONE, facts_between
from reprocheck.model import Evidence, FileRecord, NotCompared, Outcome, RankEvidence, Status
from reprocheck.protocol import STEPS_FILE, reading
from reprocheck.protocol.rank_folders import RANK_RECORD, RANKS_FOLDER, is_closed, rank_folders

CLOSE = "let every rank end by itself"


class RankRestarted(NoVerdictError):
    """Runs in which ranks were started again for a failure cannot be held against one another."""


def load_ranks(
    outcome: Outcome, load: Callable[[Outcome], Evidence], lines_of: Callable[[Outcome], Iterable[dict[str, Any]]]
) -> tuple[tuple[RankEvidence, ...], tuple[NotCompared, ...]]:
    """Every rank of a run, and what of them cannot be compared. Raises OSError or ValueError for a damaged one.

    `load` and `lines_of` read a folder of evidence; one that was not closed is read as far as it goes.
    """
    found: list[RankEvidence] = []
    missing: list[NotCompared] = []
    for rank, start, folder in rank_folders(outcome.spec.directory):
        closed = is_closed(folder)
        own = _outcome_of(outcome, folder, closed)
        lines = list(lines_of(own))
        line = next((line for line in lines if line["record"] == RANK_RECORD), None)
        if line is None:
            if closed:
                raise ValueError(f"rank {rank} does not say which it is")
            missing.append(_left_open(f"rank {rank}"))
            continue
        one = _rank(line, rank, start, load(own))
        restarts = reading.whole(line["restarts"])
        if restarts:
            raise RankRestarted(f"the elastic agent started rank {rank} again after a failure")
        found.append(one)
        if not closed:
            missing.append(_left_open(one.name))
    return tuple(found), tuple(missing)


def outcomes_of_ranks(outcome: Outcome) -> dict[int, Outcome]:
    """By rank, the first process of each that closed its evidence: as if it were a run of a script."""
    closed = ((rank, at) for rank, start, at in rank_folders(outcome.spec.directory) if not start and is_closed(at))
    return {rank: _outcome_of(outcome, folder, True) for rank, folder in closed}


def rank_of_run(run: Evidence, ranks: Iterable[RankEvidence]) -> int | None:
    """Which rank the process of the run itself is, where it trains a model in their group (Lightning): the one that is
    missing."""
    own = {(one.rank, one.world_size) for one in ranks if not one.start}
    worlds = {world for _, world in own}
    missing = set(range(len(own) + 1)) - {rank for rank, _ in own}
    joined = any(fact.kind in (CALLED, CALLED_ALONE) for fact in run.facts)
    return missing.pop() if joined and worlds == {len(own) + 1} and len(missing) == 1 else None


def _left_open(name: str) -> NotCompared:
    reason = "it was killed, or ended its process in a way that nobody hears of, before its evidence was closed"
    return NotCompared(what=f"the end of {name}", reason=reason, is_result=True, help=CLOSE)


def _outcome_of(outcome: Outcome, folder: Path, closed: bool) -> Outcome:
    """As if the rank were a run of a script."""
    target = replace(outcome.spec.target, function=None)
    prefix = f"{RANKS_FOLDER}/{folder.name}/"
    return replace(
        outcome,
        spec=replace(outcome.spec, directory=folder, target=target),
        status=Status.COMPLETED if closed else Status.STOPPED,
        digests={
            name.removeprefix(prefix): digest for name, digest in outcome.digests.items() if name.startswith(prefix)
        }
        or {STEPS_FILE: ""}
        if outcome.digests
        else {},
    )


def _rank(line: dict[str, Any], rank: int, start: int, evidence: Evidence) -> RankEvidence:
    if reading.whole(line["rank"]) != rank:
        raise ValueError(f"the evidence of rank {rank} belongs to another one")
    return RankEvidence(
        rank=rank,
        start=start,
        local_rank=reading.whole_or_none(line["local_rank"]),
        world_size=reading.whole_or_none(line["world_size"]),
        host=reading.text(line["host"]),
        left_open=line["left_open"] is True,
        from_start=line["from_start"] is True,
        evidence=evidence,
    )


def with_ranks(run: Evidence, ranks: tuple[RankEvidence, ...], missing: Sequence[NotCompared]) -> Evidence:
    """The run with its ranks, and with what they read, ran and did wrong in their loops."""
    if not ranks and not missing:
        return run
    own = [one.evidence for one in ranks]
    number = rank_of_run(run, ranks)
    group = ranks if number is None else (_as_rank(run, number, ranks[0]), *ranks)
    facts = {(fact.kind, fact.location): fact for one in reversed((run, *own)) for fact in one.facts}
    return replace(
        run,
        ranks=ranks,
        sources=_union(one.sources for one in (run, *own)),
        reads=_union(one.reads for one in (run, *own)),
        files=(*run.files, *_files_elsewhere(run, own)),
        facts=(*facts.values(), *facts_between(sorted(group, key=lambda one: one.rank))),
        unobserved=(*run.unobserved, *missing),
    )


def _as_rank(run: Evidence, rank: int, other: RankEvidence) -> RankEvidence:
    """The process of the run, beside another rank of its group."""
    return replace(other, rank=rank, start=0, local_rank=rank, left_open=False, from_start=True, evidence=run)


def _files_elsewhere(run: Evidence, ranks: Iterable[Evidence]) -> Iterable[FileRecord]:
    """What ranks wrote outside of the folder, in which nobody else looks."""
    found = {file.path: file for one in ranks for file in one.files if os.path.isabs(file.path)}
    known = {file.path for file in run.files}
    return (file for path, file in sorted(found.items()) if path not in known)


def _union(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for part in parts for item in part))
