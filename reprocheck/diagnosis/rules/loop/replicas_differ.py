"""Copies of one model that are no copies any more."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC715",
    slug="replicas-differ",
    title="copies of a model on several ranks are no longer equal",
    severity=WARNING,
    checks="Every rank trains a `DistributedDataParallel` model with one optimizer, from equal parameters, and after a "
    "step the parameters of two ranks differ.",
    why="Gradients were not averaged in that step, or a rank changed its parameters or its optimizer by itself. Each "
    "rank then trains a model of its own, and a checkpoint holds that of one rank.",
    example="with model.no_sync():  # no backward pass outside of it before the step\n"
    "    loss.backward()\noptimizer.step()",
    fix="let the last backward pass before a step be outside of `no_sync()`, call the wrapped model and not "
    "`model.module`, and change parameters, gradients and optimizers on all ranks alike",
    limits="Sharded models and optimizers (FSDP, ZeRO) are left out, and so are trainings with several optimizers. "
    "Local SGD lets copies differ on purpose.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"first after step {fact.step}, in {names_of(fact)}")


RULE = Rule(page=PAGE, rank=715, match=match, always=True, is_cause=False)
