"""Cases made by hand: what an explanation would have found, in a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reprocheck.model import Divergence, Edit, Fact, Location, Request, Settings, Target, TargetKind
from reprocheck.model.explanation import Attribution, Case, Frame, LedgerEntry, OpCall, Origin, SourceHit

FILE = "/project/train.py"


def at(line: int, path: str = FILE) -> Location:
    return Location(path=path, line=line)


def entry(kind: str, name: str, line: int | None = 10, **more: Any) -> LedgerEntry:
    """A use of a source at a line; its order is its line unless given."""
    location = None if line is None else at(line)
    return LedgerEntry(
        **{"kind": kind, "name": name, "location": location, "order": line or 0, "code": f"code {line}", **more}
    )


def hit(pattern: str, line: int = 10, *, function: str = "train", code: str = "", edit: bool = False) -> SourceHit:
    change = Edit(path=FILE, line=line, before=f"code {line}", after=f"mended {line}") if edit else None
    return SourceHit(pattern=pattern, location=at(line), code=code or f"code {line}", function=function, edit=change)


def fact(kind: str, line: int = 10, **more: Any) -> Fact:
    return Fact(**{"kind": kind, "location": at(line), "names": ("layer.weight",), "named": 1, "step": 3, **more})


def ambient(*factors: str) -> Attribution:
    return Attribution(kind="ambient", factors=factors)


def frozen(*factors: str, lines: tuple[int, ...] = ()) -> Attribution:
    return Attribution(kind="frozen", factors=factors, lines=tuple(at(line) for line in lines))


LEFTOVER = Attribution(kind="leftover", factors=("files of earlier runs",))
INTRINSIC = Attribution(kind="intrinsic", rate=(3, 4))


def seeding(*generators: str) -> Attribution:
    return Attribution(kind="seeding", factors=generators)


def differs(stage: str = "data", *, kind: str = "", step: int | None = 0, names: tuple[str, ...] = ()) -> Divergence:
    return Divergence(stage=stage, step=step, kind=kind or stage, names=names, tensors=(), runs=("s0r0", "s0r1"))


def origin(op: str, line: int = 10, *, kind: str = "op", phase: str = "forward", code: str = "") -> Origin:
    frame = Frame(location=at(line), function="train", code=code or f"code {line}")
    return Origin(kind=kind, call=OpCall(op=op, step=0, phase=phase, frames=(frame,)))


def case(*, settings: Settings | None = None, divergence: Divergence | None = differs(), **more: Any) -> Case:  # noqa: B008
    target = Target(text="train.py:train", kind=TargetKind.FILE_FUNCTION, path=Path(FILE), function="train")
    request = Request(target=target, settings=settings or Settings())
    return Case(request=request, divergence=divergence, **more)
