"""PYTHONHASHSEED is set inside the script."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.model import NOTE, Match, Page, Rule
from reprocheck.diagnosis.rules.support import Support, support_of
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC533",
    slug="hashseed-too-late",
    title="PYTHONHASHSEED is set too late to have an effect",
    severity=NOTE,
    checks="The difference depends on the string-hash seed, though the script writes `os.environ['PYTHONHASHSEED']`.",
    why="Python reads the variable once, when it starts. Set from inside, it reaches child processes only.",
    example='os.environ["PYTHONHASHSEED"] = str(seed)  # this process has its hash seed already',
    fix="export it before Python starts, or better: sort what comes from a set",
    limits="It is not a cause; it accompanies the one that is.",
)


def match(case: Case) -> Match | None:
    if support_of(case, "hash seed") is not Support.SHOWN:
        return None
    marks = hits(case, "hashseed-assignment")
    return find(case, sources=("hash seed",), entries=on_lines(entries(case, "environ"), marks), hits=marks)


RULE = Rule(page=PAGE, rank=606, match=match)
