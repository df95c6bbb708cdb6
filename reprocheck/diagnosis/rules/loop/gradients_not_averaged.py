"""Ranks that train the same model, each for itself."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC717",
    slug="gradients-not-averaged",
    title="ranks train the same model, and their gradients are not averaged",
    severity=WARNING,
    checks="All ranks of a process group start from equal parameters, each with one optimizer and without "
    "`DistributedDataParallel`. In a step their gradients and then their parameters differ, and the parameters are not "
    "equal again at the end.",
    why="Each rank trains a model of its own on its part of the data, and a checkpoint holds that of one rank.",
    example="loss.backward()\noptimizer.step()  # no all_reduce of the gradients in between",
    fix="wrap the model in `DistributedDataParallel`, or average `p.grad` of every parameter over the ranks before "
    "each step",
    limits="Sharded parameters and trainings with several optimizers are left out, and so are runs that were ended by "
    "--max-steps. Ranks that search over hyperparameters from equal weights do this on purpose.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"first at step {fact.step}, in {names_of(fact)}")


RULE = Rule(page=PAGE, rank=717, match=match, always=True, is_cause=False)
