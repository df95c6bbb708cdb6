"""PYTHONHASHSEED is set inside the script."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import NOTE, Match, Page, Rule
from reprocheck.diagnosis.rules.scene import find, hits, on_lines, taps
from reprocheck.diagnosis.rules.standing import Standing, standing
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
    if standing(case, "hash seed") is not Standing.SHOWN:
        return None
    marks = hits(case, "hashseed-assignment")
    return find(case, sources=("hash seed",), taps=on_lines(taps(case, "environ"), marks), hits=marks)


RULE = Rule(page=PAGE, rank=606, match=match)
