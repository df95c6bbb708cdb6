"""The verdict as the first line of every report has it: a green one says what it rests on, and what it does not.

That includes what the runs printed or wrote differently where that does not decide: a user may call it the result.
"""

from __future__ import annotations

from reprocheck.compare.verdict import differ_and_do_not_count, results_not_compared, seeding_is_unknown, undecided
from reprocheck.model import Audit, UnseededGenerator, Verdict
from reprocheck.model.places import place_text
from reprocheck.report.wording import first_of, shown_path

_MOST = 3
"""Things that are named."""


def headline(audit: Audit) -> str:
    """`DIFFERENT`, `NO VERDICT`, `REPRODUCIBLE`, or `REPRODUCIBLE in what was compared; not compared: …`. Raw text."""
    word = audit.verdict.value.replace("_", " ").upper()
    return word + qualification(audit)


def qualification(audit: Audit) -> str:
    """What follows the word REPRODUCIBLE where it is not the whole truth; else empty."""
    if audit.verdict is not Verdict.REPRODUCIBLE:
        return ""
    missing, differing = results_not_compared(audit), undecided(audit)
    unseeded = () if audit.self_seeding is None else audit.self_seeding.unseeded
    parts = []
    if unseeded and audit.request.target.function is None:
        parts.append(f" only with reprocheck's seeds: {' and '.join(_unseeded(one) for one in unseeded[:_MOST])}")
    elif missing or differing:
        parts.append(" in what was compared")
    if seeding_is_unknown(audit):
        parts.append("not checked whether it seeds itself")
    if missing:
        parts.append(f"not compared: {first_of(missing, _MOST)}")
    if differing:
        parts.append(differ_and_do_not_count(differing))
    text = "; ".join(parts)
    return text if not text or text.startswith(" ") else f"; {text}"


def _unseeded(one: UnseededGenerator) -> str:
    how = "is seeded only after its first draw" if one.late else "is never seeded"
    where = "" if one.location is None else f", {place_text(shown_path(one.location.path), one.location.line)}"
    return f"{one.name} {how}{where}"
