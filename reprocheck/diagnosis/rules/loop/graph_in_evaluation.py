"""Evaluation without no_grad."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of, times
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC703",
    slug="graph-in-evaluation",
    title="an evaluation records a graph for gradients that are never computed",
    severity=WARNING,
    checks="A model that trains is called in eval mode with gradients on, and no backward pass follows before "
    "it trains again or the run ends.",
    why="Activations of the whole evaluation are kept for a backward pass that never comes: memory and "
    "time, no numbers.",
    example="model.eval()\nfor x, y in val_loader:\n    total += loss(model(x), y)",
    fix="evaluate under `torch.no_grad()` or `torch.inference_mode()`",
    limits="What an evaluation does in a thread of its own is not seen.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"{names_of(fact)} in eval mode, with gradients; {times(fact)}")


RULE = Rule(page=PAGE, rank=703, match=match, always=True, is_cause=False)
