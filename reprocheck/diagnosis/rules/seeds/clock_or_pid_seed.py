"""A seed made from the clock, the process number or the host name."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import (
    differing_seeds,
    entries,
    find,
    hits,
    into_a_seed,
    on_lines,
    with_hits,
)
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import CLOCK
from reprocheck.model.explanation import Case, LedgerEntry
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC508",
    slug="clock-or-pid-seed",
    title="a seed is made from the clock or the process number",
    severity=ERROR,
    checks="A seed had another value in the other run, and a clock, `os.getpid` or the host name was asked before it.",
    why="Time and process numbers differ from run to run. `int(time.time())` may agree by chance within a second.",
    example="seed = int(time.time())\ntorch.manual_seed(seed)",
    fix="seed from the run's seed, as in `base_seed + index`",
    limits="Which of several clock readings went into the seed is shown by the experiment with a constant "
    "clock, else guessed by nearness.",
)


def match(case: Case) -> Match | None:
    seeds = differing_seeds(case)
    if case.alone:  # the line itself must show it
        marked = hits(case, "seed-from-clock")
        found = on_lines(entries(case, SourceKind.SEED, SourceKind.CLOCK, SourceKind.PID), marked)
        return find(case, sources=(*CLOCK, "pid"), entries=found[:1], hits=with_hits(case, found, "seed-from-clock"))
    asked = entries(case, SourceKind.CLOCK, SourceKind.PID)
    before = tuple(
        entry for entry in asked if any(entry.order <= seed.order or on_lines((entry,), (seed,)) for seed in seeds)
    )
    if case.attribution is not None and case.attribution.together:
        before = into_a_seed(case, before, seeds)
    evidence = _evidence(seeds, case)
    marks = with_hits(case, before, "seed-from-clock")
    return find(case, sources=(*CLOCK, "pid"), entries=before, hits=marks, latest=True, evidence=evidence)


def _evidence(seeds: tuple[LedgerEntry, ...], case: Case) -> tuple[str, ...]:
    if not seeds:
        return ()
    seed = seeds[0]
    twin = next((o.value for o in case.other_entries if (o.name, o.location) == (seed.name, seed.location)), "another")
    return (f"`{seed.name}` got {seed.value} in one run and {twin} in the other",)


RULE = Rule(page=PAGE, rank=203, match=match, alone=True)
