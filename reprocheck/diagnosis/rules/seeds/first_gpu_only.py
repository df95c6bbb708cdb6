"""Only the current GPU is seeded."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC608",
    slug="first-gpu-only",
    title="only the current GPU is seeded",
    severity=ERROR,
    checks="`torch.cuda.manual_seed` is called, nothing seeds the other devices, and the run uses more than one GPU.",
    why="It seeds one device: the generators of the others start from entropy.",
    example="torch.cuda.manual_seed(seed)  # device 0 only",
    fix="call `torch.manual_seed(seed)` or `torch.cuda.manual_seed_all(seed)`",
    limits="Seen only where reprocheck does not seed torch itself.",
)


def match(case: Case) -> Match | None:
    every = entries(case, SourceKind.SEED)
    whole = [entry for entry in every if entry.name.endswith(("torch.manual_seed", "manual_seed_all"))]
    gpus = case.manifest.get("gpus") or ()
    if len(gpus) < 2 or whole or case.request.settings.seeding.value != "none":
        return None
    one = tuple(entry for entry in every if entry.name.endswith("cuda.manual_seed"))
    return find(case, sources=(INTRINSIC, "seeding"), entries=one)


RULE = Rule(page=PAGE, rank=218, match=match, alone=True)
