"""Evaluation without model.eval()."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of, times
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC701",
    slug="train-mode-without-grad",
    title="a model is evaluated in train mode",
    severity=WARNING,
    checks="A model is called under `no_grad` or `inference_mode` while it is in train mode, and it has "
    "dropout or batch norm.",
    why="Dropout drops and batch norm takes its figures from the batch, so the score is that of another "
    "model; running statistics are moved by validation data.",
    example="with torch.no_grad():\n    accuracy = score(model(x_val))  # model.eval() was forgotten",
    fix="call `model.eval()` before and `model.train()` after it",
    limits="Monte Carlo dropout with only its dropout in train mode is not reported, nor are models without "
    "trainable parameters (teachers, momentum encoders) and update_bn. A generator that is sampled in "
    "train mode on purpose is reported, too.",
)


def match(case: Case) -> Match | None:
    return match_fact(
        case, PAGE.slug, lambda fact: f"without gradients, in train mode: {names_of(fact)}; {times(fact)}"
    )


RULE = Rule(page=PAGE, rank=701, match=match, always=True, is_cause=False)
