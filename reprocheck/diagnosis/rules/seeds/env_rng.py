"""An environment of reinforcement learning that is reset without a seed."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import UNSEEDED
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

_PACKAGES = ("gymnasium", "gym", "pettingzoo", "dm_env", "dm_control")

PAGE = Page(
    code="RC509",
    slug="env-rng",
    title="an environment is reset without a seed",
    severity=ERROR,
    checks="The `reset` method of an environment makes its generator without a seed.",
    why="An environment owns its generator, and its action space another one: global seeds reach neither.",
    example="obs = env.reset()  # its generator takes its seed from the system",
    fix="reset with a seed once, `env.reset(seed=seed)`, and seed the action space: `env.action_space.seed(seed)`",
    limits="Environments are known by a method `reset` that makes a generator, or by the package that they come from.",
)


def match(case: Case) -> Match | None:
    made = entries(case, SourceKind.UNSEEDED)
    own = on_lines(made, hits(case, "reset-rng"))
    found = (*own, *(entry for entry in made if entry.library in _PACKAGES or entry.name.split(".")[0] in _PACKAGES))
    return find(case, sources=UNSEEDED, entries=found, hits=with_hits(case, found, "reset-rng"))


RULE = Rule(page=PAGE, rank=205, match=match, alone=True)
