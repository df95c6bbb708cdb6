"""The verdict as the first line of every report has it: a green one says what it rests on, and what it does not.

That includes what the runs printed or wrote differently where that does not decide: a user may call it the result.
"""

from __future__ import annotations

from reprocheck.compare.verdict import results_not_compared, seeding_is_unknown
from reprocheck.model import Audit, Compare, UnseededGenerator, Verdict
from reprocheck.report.wording import first_of, shown_path

_MOST = 3
"""Things that are named."""
_PRODUCTS = {Compare.STDOUT.value: "standard output", Compare.FILES.value: "files"}
"""What a run makes that decides only when asked for."""


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
        named = " and ".join(_PRODUCTS[what] for what in differing)
        s = "s" if differing == (Compare.STDOUT.value,) else ""
        parts.append(f"{named} differ{s}, and count{s} only with --compare {','.join(differing)}")
    text = "; ".join(parts)
    return text if not text or text.startswith(" ") else f"; {text}"


def undecided(audit: Audit) -> tuple[str, ...]:
    """What the runs made differently, and the verdict does not count: `--compare` lets it decide."""
    beside = (item for seed in audit.seeds for item in seed.beside if not item.same and not item.only_times)
    differing = {item.what for item in beside if not item.decides}
    return tuple(what for what in _PRODUCTS if what in differing)


def _unseeded(one: UnseededGenerator) -> str:
    how = "is seeded only after its first draw" if one.late else "is never seeded"
    where = "" if one.location is None else f", {shown_path(one.location.path)}:{one.location.line}"
    return f"{one.name} {how}{where}"
