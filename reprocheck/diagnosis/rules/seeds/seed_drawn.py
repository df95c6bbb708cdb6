"""A seed that is itself drawn from a generator which nobody seeded."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import differing_seeds, find, hits, lines, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.seeds.global_generators import SEED_EVERYTHING, left_to_chance
from reprocheck.model.explanation import Case, LedgerEntry

PAGE = Page(
    code="RC513",
    slug="seed-drawn",
    title="the seed is drawn from an unseeded generator",
    severity=ERROR,
    checks="A number is drawn from an unseeded global generator and used as a seed, so the seed is another "
    "one in each run.",
    why="Printing such a seed lets a run be repeated by hand; the script as it stands has another one each time.",
    example="seed = random.randint(1, 10000)\nrandom.seed(seed)\ntorch.manual_seed(seed)",
    fix="take the seed from an option with a fixed default: `parser.add_argument('--seed', type=int, default=0)`",
    limits="That the number drawn is the seed is read from its name, or from a seed that differs after the draw.",
)


def match(case: Case) -> Match | None:
    drawn = tuple(entry for entry in left_to_chance(case).values() if _is_seed(case, entry))
    evidence = ("the number that is drawn here becomes the seed",) if drawn else ()
    return find(
        case,
        sources=("seeding",),
        entries=drawn[:1],
        hits=with_hits(case, drawn[:1], "seed-drawn"),
        evidence=evidence,
        remedies=(SEED_EVERYTHING,),
    )


def _is_seed(case: Case, entry: LedgerEntry) -> bool:
    if lines((entry,)) & lines(hits(case, "seed-drawn")):
        return True
    return (
        entry.in_import is False
        and any(seed.order > entry.order and seed.generator != entry.generator for seed in differing_seeds(case))
        and "seed" in entry.code.lower()
    )


RULE = Rule(page=PAGE, rank=214, match=match, always=True)
