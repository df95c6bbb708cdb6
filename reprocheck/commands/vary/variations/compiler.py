"""torch.compile, where the target function offers an argument for it."""

from __future__ import annotations

from reprocheck.commands.vary.model import Change, Facts, Variation

NAMES = ("compile", "use_compile", "compiled", "torch_compile", "compile_model")


def _argument(facts: Facts) -> tuple[str, bool] | None:
    given = dict(facts.request.target.arguments)
    for name, default in facts.flags:
        if name in NAMES:
            return name, bool(given.get(name, default))
    return None


def _change(facts: Facts) -> Change:
    found = _argument(facts)
    return Change() if found is None else Change(arguments=((found[0], not found[1]),))


def _why_not(facts: Facts) -> str:
    return "" if _argument(facts) else f"the target has no argument for it ({', '.join(NAMES)})"


VARIATIONS = (
    Variation(
        name="compile",
        group="compile",
        emulates="torch.compile on where it is off, or off where it is on",
        change=_change,
        why_not=_why_not,
    ),
)
