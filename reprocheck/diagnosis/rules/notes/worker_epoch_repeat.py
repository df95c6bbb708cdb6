"""worker_init_fn sets torch's seed to a constant."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC528",
    slug="worker-epoch-repeat",
    title="every data-loader worker gets one constant seed in every epoch",
    severity=WARNING,
    checks="`torch.manual_seed` is called with a constant in a process of a DataLoader.",
    why="PyTorch gives its workers a new seed in each epoch; the constant undoes that, so the same augmentation comes "
    "back in every epoch and in every worker.",
    example="def seed_worker(worker_id):\n    torch.manual_seed(0)",
    fix="leave torch alone there, and seed numpy and random from `torch.initial_seed() % 2**32`",
    limits="It repeats, so it never makes runs differ. Forked workers only.",
)


def match(case: Case) -> Match | None:
    if not entries(case, SourceKind.LOADER):
        return None
    inside = (
        entry
        for entry in entries(case, SourceKind.SEED, names=("manual_seed",))
        if entry.in_child and entry.generator == "torch"
    )
    marks = hits(case, "constant-seed")
    return find(case, sources=(INTRINSIC,), entries=on_lines(inside, marks), shown=True)


RULE = Rule(page=PAGE, rank=605, match=match, always=True)
