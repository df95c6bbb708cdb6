"""Tasks of a process pool draw from the generator of whichever process takes them."""

from __future__ import annotations

from reprocheck.diagnosis.generators import GLOBAL
from reprocheck.diagnosis.rules.candidate_lines import entries, find
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC579",
    slug="pool-workers-draw",
    title="tasks draw from the generator of whichever process of a pool takes them",
    severity=ERROR,
    checks="A process pool is used, its processes draw from a global generator, and the runs differ with everything "
    "equal.",
    why="Each process of the pool goes on with a generator of its own. Which process takes which task depends on "
    "timing, and so does the number that a task gets, however the generators were seeded.",
    example="def load(i):\n    return images[i] + np.random.normal(size=8)\n\nmp.Pool(4).map(load, range(32))",
    fix="one generator a task, seeded by its index: `rng = np.random.default_rng([seed, i])`",
    limits="A race shows in some pairs of runs only. Not claimed where a data loader has workers, too: their draws "
    "look the same.",
)


def match(case: Case) -> Match | None:
    if any("num_workers=0" not in entry.value for entry in entries(case, SourceKind.LOADER)):
        return None
    if not entries(case, SourceKind.POOL, names=("Pool", "ProcessPoolExecutor")):
        return None
    drawn = sorted(
        (entry for entry in entries(case, SourceKind.DRAW) if entry.in_child and entry.generator in GLOBAL),
        key=lambda entry: entry.order,
    )
    return find(case, sources=RACE, entries=drawn[:1])


RULE = Rule(page=PAGE, rank=510, match=match)
