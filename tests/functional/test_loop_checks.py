"""How a training treats its models, gradients and optimizers: mistakes are told, what looks like one is not."""

from __future__ import annotations

import re
from pathlib import Path

from reprocheck.evidence.run import load_evidence
from reprocheck.model import Fact
from tests.support.traced import traced_pair

TARGETS = Path(__file__).parent.parent / "targets" / "loop_checks"


def facts(folder: Path, source: str) -> tuple[Fact, ...]:
    """Of one run of `train`."""
    (outcome,) = traced_pair(folder, source, window=None, names=("one",))
    evidence = load_evidence(outcome)
    assert not evidence.notes
    return evidence.facts


def test_each_mistake_is_reported_with_its_line(tmp_path: Path) -> None:
    source = (TARGETS / "wrong.py").read_text()
    lines = source.splitlines()
    marked = {
        (mark[1], number)
        for number, line in enumerate(lines, 1)
        if (mark := re.search(r"# ([a-z]+(?:-[a-z]+)+)$", line)) and mark[1] != "nothing-is-trained"
    }
    assert len(marked) == 10
    found = facts(tmp_path, source)
    shown = {(fact.kind, fact.location.line) for fact in found if fact.location}
    made_first = next(number for number, line in enumerate(lines, 1) if line.endswith("# made first"))
    assert shown == marked | {("gradient-without-optimizer", made_first)}
    by_kind = {fact.kind: fact for fact in found}
    assert by_kind["train-mode-without-grad"].names == ("1", "3")
    assert by_kind["train-mode-without-grad"].count == 3
    assert by_kind["gradients-not-zeroed"].names == ("SGD",)
    assert by_kind["parameters-without-gradient"].names == ("WithUnused.unused.weight", "WithUnused.unused.bias")
    assert by_kind["gradient-without-optimizer"].named == 2


def test_an_optimizer_of_another_model_trains_nothing(tmp_path: Path) -> None:
    source = (TARGETS / "wrong.py").read_text() + "\ntrain = trains_another\n"
    found = {fact.kind: fact for fact in facts(tmp_path, source)}
    line = next(n for n, text in enumerate(source.splitlines(), 1) if text.endswith("# nothing-is-trained"))
    assert found["nothing-is-trained"].location is not None
    assert found["nothing-is-trained"].location.line == line
    assert found["gradient-without-optimizer"].named == 6


def test_what_only_looks_like_a_mistake_is_not_reported(tmp_path: Path) -> None:
    assert facts(tmp_path, (TARGETS / "right.py").read_text()) == ()


def test_a_mistake_in_every_step_costs_no_line_for_each(tmp_path: Path) -> None:
    source = """
import torch

def train():
    net = torch.nn.Dropout(0.5), torch.nn.Linear(2, 2)
    net = torch.nn.Sequential(*net)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(200):
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()
"""
    (fact,) = facts(tmp_path, source)
    assert fact.kind == "gradients-not-zeroed"
    assert fact.count == 199
