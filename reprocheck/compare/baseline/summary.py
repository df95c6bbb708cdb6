"""What a comparison with a baseline came to, as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.model import Verdict
from reprocheck.model.baseline import BaselineAnswer, First
from reprocheck.model.kinds import Stage


def where_first(first: First) -> str:
    """Where a difference begins, as closely as is known: `first between step 10 and step 19`."""
    names = f": {_first_of(first.names, 5)}" if first.names else ""
    notes = f" ({first.note})" if first.note else ""
    if first.stage != Stage.STEP:
        return f"first in the {first.kind}{names}{notes}"
    kind = f" in {first.kind}" if first.kind else ""
    if first.low is None or first.high is None:
        return f"first in the steps{kind}{notes}"
    at = f"at step {first.low}" if first.low == first.high else f"between step {first.low} and step {first.high}"
    return f"first {at}{kind}{notes}"


def fact_number(value: float | None) -> str:
    """All digits that distinguish a number from its neighbours; a dash for none."""
    return "-" if value is None else repr(value)


def summarize_baseline(answer: BaselineAnswer) -> str:
    """Half a sentence for the summary."""
    if answer.updated:
        return f"baseline {answer.file} written"
    if answer.verdict is Verdict.NO_VERDICT:
        return f"not compared with baseline {answer.file}: {answer.reason}"
    if answer.verdict is Verdict.DIFFERENT:
        differing = [one for one in answer.seeds if one.first is not None]
        seeds = f"{len(answer.seeds)} seed{'s' if len(answer.seeds) > 1 else ''}"
        return f"{len(differing)} of {seeds} differ from baseline {answer.file}"
    by_what = "" if answer.compared_class == answer.class_name else ", by its metrics (other numerical class)"
    return f"as in baseline {answer.file}{by_what}"


def _first_of(names: Sequence[str], limit: int) -> str:
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
