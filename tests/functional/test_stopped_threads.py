"""Threads that train are stopped by --max-steps, or by an experiment that needs few steps."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from reprocheck.compare.runs import compare
from reprocheck.evidence.run import load_evidence
from reprocheck.model import Instruments, Outcome, Request, Status, TraceWindow
from reprocheck.model.run_spec import PLAIN as NOTHING
from reprocheck.protocol import EVIDENCE_FILE, TRACE_FILE
from tests.support.probed import probed

THREADS = """\
import threading, torch
from torch import nn

def work(model, x, wait):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(50):
        optimizer.zero_grad()
        model(x).pow(2).mean().backward()
        optimizer.step()
        wait()

def train():
    torch.manual_seed(0)
    wait = WAIT
    models = [nn.Linear(3, 1) for _ in range(2)]
    threads = [threading.Thread(target=work, args=(model, torch.ones(4, 3), wait)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [model.state_dict() for model in models]
"""


def records(outcome: Outcome) -> list[dict[str, object]]:
    text = (outcome.spec.directory / EVIDENCE_FILE).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_threads_that_wait_for_the_one_that_was_stopped_end_with_it(tmp_path: Path) -> None:
    source = THREADS.replace("WAIT", "threading.Barrier(2).wait")
    outcome = probed(tmp_path, source, max_steps=4)  # the second one of its turn: the other waits already
    assert outcome.status is Status.COMPLETED, outcome.reason
    notes = [record["text"] for record in records(outcome) if record["record"] == "note"]
    assert notes == ["after its last step the threads of the target waited for one another"]


@pytest.mark.slow
def test_a_trace_that_ends_in_a_thread_is_kept_and_the_end_is_written_once(tmp_path: Path) -> None:
    traced = Instruments(ledger=True, trace=TraceWindow(first=None, last=0))
    outcome = probed(tmp_path, THREADS.replace("WAIT", "lambda: None"), traced)
    assert outcome.status is Status.COMPLETED, outcome.reason
    assert (outcome.spec.directory / TRACE_FILE).stat().st_size > 0
    counts = Counter(record["record"] for record in records(outcome))
    assert {name: counts[name] for name in ("variables", "files", "settings", "memory", "manifest", "end")} == {
        "variables": 1, "files": 1, "settings": 1, "memory": 1, "manifest": 1, "end": 1
    }  # fmt: skip


ONCE = """
first, begun = threading.Barrier(2), threading.local()

def once():
    if not hasattr(begun, "yes"):
        begun.yes = True
        first.wait()
"""
"""Both take their first step; which of them takes the third is chance."""


@pytest.mark.slow
def test_which_thread_took_how_many_of_the_steps_is_no_difference(tmp_path: Path) -> None:
    source = THREADS.replace("WAIT", "once") + ONCE
    one, other = (load_evidence(probed(tmp_path, source, NOTHING, name=name, max_steps=3)) for name in ("one", "two"))
    comparison = compare(one, other, Request(target=one.spec.target, compare=()))
    assert comparison.divergence is None
    assert "steps" in comparison.compared
