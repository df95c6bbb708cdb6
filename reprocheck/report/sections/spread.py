"""How a difference went from rank to rank, in one sentence. No order is claimed that was not seen."""

from __future__ import annotations

from reprocheck.engine.console import clip
from reprocheck.model import Location
from reprocheck.model.explanation import Origin, Spread
from reprocheck.report.sections.diagnostics import place
from reprocheck.report.sections.ranks import named

_MOST_FORMS = 3


def spread_text(spread: Spread, origin: Origin | None) -> str:
    """Which rank gave something else to the collective, and which got something else from it."""
    forms = ", ".join(map(clip, spread.forms[:_MOST_FORMS])) + (", ..." if len(spread.forms) > _MOST_FORMS else "")
    at = f" at {place(Location(path=spread.path, line=spread.line))}" if spread.path else ""
    which = f"the {clip(spread.op)} of step {spread.step} (number {spread.sequence} of group {clip(spread.group)}"
    which += f", {forms}){at}" if forms else f"){at}"
    if not spread.gave:
        return f"equal inputs on all ranks, other output: communication, in {which}"
    if len(spread.gave) == len(spread.ranks):
        return f"what {named(spread.gave)} put into {which} differs already: none of them is known to be the first"
    own = ""
    if origin is not None and spread.origin_in in spread.gave and origin.call.frames:
        own = f" at {place(origin.call.frames[0].location)}"
    reached = [rank for rank in spread.got if rank not in spread.gave]
    through = f"reached {named(reached)} through {which}" if reached else f"alone gave something else to {which}"
    return f"{named(spread.gave)} first, in its own compute{own}; {through}"
