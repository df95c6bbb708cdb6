"""The traces of two runs → the first operation at which they diverge. Pure: only files are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reprocheck.diagnosis.localization.candidates import CandidateSearch
from reprocheck.diagnosis.localization.describe import UNSURE, OriginDescriber
from reprocheck.diagnosis.localization.pairs import Keys, Side, first_difference, pairs_from, threads_of
from reprocheck.evidence.trace_file import load_trace
from reprocheck.model.explanation import Origin


def locate(a: Path, b: Path, runs: tuple[str, str], across: bool = False) -> Origin | None:
    """Where the run in folder a and the run in folder b part; None when their traces agree in all that matters.

    `across`: the runs are of two revisions of the code; the answer then carries the call in both.
    Raises EvidenceUnreadable.
    """
    left, right = load_trace(a), load_trace(b)
    keys = Keys(across)
    threads = threads_of(left, right)
    streams, unsure = [], 0
    for thread in threads:
        x, y = (Side(trace, keys, thread, len(threads) == 1) for trace in (left, right))
        number = first_difference(x, y)
        if number is None:
            continue
        if UNSURE in thread:
            unsure += 1
            continue
        streams.append(pairs_from(x, y, number))
    candidate = CandidateSearch(left, right).judge(streams)
    if candidate is None:
        return None
    origin = OriginDescriber(left, right, runs, across).describe(candidate)
    if unsure:
        note = f"the operations of {unsure} threads were not compared: their order depends on scheduling"
        origin = replace(origin, note="; ".join(filter(None, (origin.note, note))))
    return origin
