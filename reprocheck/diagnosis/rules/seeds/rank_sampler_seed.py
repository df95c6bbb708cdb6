"""A sampler that chooses its own seed."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC647",
    slug="rank-sampler-seed",
    title="a sampler takes a random seed of its own",
    severity=ERROR,
    checks="A generator without a seed, or entropy, is used on a line that makes a sampler.",
    why="Each run, and without care each rank, then has an order of its own.",
    example="sampler = ShardSampler(data, seed=secrets.randbits(32))",
    fix="pass the run's seed to the sampler, the same on all ranks",
    limits="A sampler is known by its name on the line.",
)


def match(case: Case) -> Match | None:
    made = tuple(entry for entry in entries(case, SourceKind.UNSEEDED, SourceKind.ENTROPY) if "Sampler(" in entry.code)
    own = tuple(
        entry for entry in made if entry.name.split(".")[0] in ("numpy", "random", "torch", "os", "secrets", "uuid")
    )
    return find(case, sources=("unseeded", "entropy"), entries=own, hits=with_hits(case, own, "unseeded-generator"))


RULE = Rule(page=PAGE, rank=207, match=match, alone=True)
