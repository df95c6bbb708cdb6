"""worker_init_fn seeds from the clock, the process number or entropy."""

from __future__ import annotations

from reprocheck.diagnosis.generators import ENTROPY
from reprocheck.diagnosis.rules.candidate_lines import entries, find, on_lines, value_differs, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import CLOCK
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import SourceKind

NO_WORKERS = Remedy(text="num_workers=0 in every DataLoader", overrides=(("loader_workers", 0),), cost=5)

PAGE = Page(
    code="RC523",
    slug="worker-init-entropy",
    title="a data-loader worker is seeded from the clock, its process number or entropy",
    severity=ERROR,
    checks="A seed call in a process of a DataLoader gets another value in every run.",
    why="Augmentation in the workers then never repeats, though everything in the main process does.",
    example="def seed_worker(worker_id):\n    np.random.seed(os.getpid() * int(time.time()) % 2**32)",
    fix="in `worker_init_fn` seed from `torch.initial_seed() % 2**32`, which comes from the run's seed",
    limits="Workers are followed where they are forked; started afresh (spawn) they are not seen.",
)


def match(case: Case) -> Match | None:
    if not entries(case, SourceKind.LOADER):
        return None
    inside = tuple(
        entry
        for entry in entries(
            case, SourceKind.SEED, SourceKind.CLOCK, SourceKind.PID, SourceKind.ENTROPY, SourceKind.UNSEEDED
        )
        if entry.in_child
    )
    seeds = tuple(
        entry
        for entry in inside
        if entry.kind == SourceKind.SEED and (entry.value == ENTROPY or value_differs(case, entry))
    )
    marks = with_hits(case, inside, "seed-from-clock", "seed-from-entropy", "entropy-reseed")
    found = seeds or on_lines(inside, marks)
    sources = (*CLOCK, "pid", "entropy", "unseeded")
    return find(
        case, sources=sources, entries=found, hits=with_hits(case, found, "seed-from-clock"), remedies=(NO_WORKERS,)
    )


RULE = Rule(page=PAGE, rank=201, match=match, alone=True)
