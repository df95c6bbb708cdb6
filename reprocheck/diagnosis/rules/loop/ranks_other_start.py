"""Ranks that apply one gradient to different weights."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC718",
    slug="ranks-other-start",
    title="ranks average their gradients, but start from different weights",
    severity=WARNING,
    checks="All ranks train models of the same parameters and shapes, and take equal gradients at every step, but "
    "their initial parameters differ.",
    why="A gradient that was averaged over different weights fits none of them, and the models never become equal: a "
    "checkpoint holds that of one rank. `DistributedDataParallel` sends the weights of rank 0 to all; who averages "
    "gradients by hand has to do that, too.",
    example="torch.manual_seed(rank)\nmodel = Net()\n...\nfor p in model.parameters():\n    dist.all_reduce(p.grad)",
    fix="make the model with the same seed on every rank, or send it from rank 0: "
    "`for t in model.state_dict().values(): dist.broadcast(t, 0)`",
    limits="At least three steps with different gradients are needed.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"from the start, in {names_of(fact)}")


RULE = Rule(page=PAGE, rank=718, match=match, always=True, is_cause=False)
