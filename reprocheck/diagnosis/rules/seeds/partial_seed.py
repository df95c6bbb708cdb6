"""Some generators are seeded, the one that is drawn from is not."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.generators import GLOBAL
from reprocheck.diagnosis.rules.candidate_lines import changed_line, find, hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.seeds import seed_drawn
from reprocheck.diagnosis.rules.seeds.global_generators import (
    SEED_EVERYTHING,
    also_unseeded,
    calls_that_seed,
    left_to_chance,
    seeds_of,
)
from reprocheck.model import Seeding
from reprocheck.model.explanation import Case
from reprocheck.model.places import short_place

PAGE = Page(
    code="RC502",
    slug="partial-seed",
    title="an unseeded generator is used, though the target seeds others",
    severity=ERROR,
    checks="The target seeds one of python, numpy and torch, and uses another one of them that it never seeds.",
    why="`torch.manual_seed` reaches neither `random` nor `numpy.random`: what they give differs in every process.",
    example="torch.manual_seed(1)\nnoise = np.random.normal(size=10)  # numpy was not seeded",
    fix="also seed the generator that is used: `random.seed(seed)`, `np.random.seed(seed)`, `torch.manual_seed(seed)`",
    limits="Seen only where reprocheck does not seed that generator itself (`--seeding none` or `torch`), or in "
    "its own experiment without seeding.",
)


def match(case: Case) -> Match | None:
    if seed_drawn.match(case) is not None:
        return None
    others = case.request.settings.seeding is Seeding.TORCH or any(seeds_of(case, name) for name in GLOBAL)
    chance = {name: entry for name, entry in left_to_chance(case).items() if not seeds_of(case, name)}
    if not others or not chance:
        return None
    name, entry = min(chance.items(), key=lambda item: item[1].order)
    evidence = (f"{name}'s global generator is first used here, and nothing seeds it", *also_unseeded(case, entry))
    repairs = tuple(changed_line(hit.edit) for hit in hits(case, f"seed-also-{name}")[:1] if hit.edit is not None)
    found = find(case, sources=("seeding",), entries=(entry,), evidence=evidence, remedies=(*repairs, SEED_EVERYTHING))
    if found is None or found.help:
        return found
    return replace(found, help=f"also call {calls_that_seed(chance)} where the target seeds the others{_place(case)}")


def _place(case: Case) -> str:
    seeds = sorted((entry for name in GLOBAL for entry in seeds_of(case, name)), key=lambda entry: entry.order)
    places = [entry.location for entry in seeds if entry.location is not None and not entry.library]
    return f", at {short_place(places[0].path, places[0].line)}" if places else ""


RULE = Rule(page=PAGE, rank=216, match=match, always=True)
