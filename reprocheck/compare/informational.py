"""Standard output, files, generators and variables of two runs: what decides only when asked for."""

from __future__ import annotations

from reprocheck.compare.files import compare_files
from reprocheck.compare.pairs import more, pair_differs, pairs_by_name
from reprocheck.compare.printed import compare_printed
from reprocheck.model import (
    Compare,
    Divergence,
    Evidence,
    Informational,
    NotCompared,
    Request,
)
from reprocheck.model.kinds import Stage
from reprocheck.protocol.reading import open_regular


def compare_informational(
    a: Evidence, b: Evidence, request: Request, missing: list[NotCompared]
) -> list[Informational]:
    """What decides only when asked for: standard output, files, generators. What was asked for and not made is said."""
    files, files_missing = compare_files(a, b, request)
    compared = [
        *_compare_printed(a, b, Compare.STDOUT, request, missing),
        *_compare_printed(a, b, Compare.STDERR, request, missing),
        *_compare_generators(a, b),
    ]
    if files.detail or not files.same:
        compared.append(files)
    compared += _compare_variables(a, b, request, missing)
    made_nothing = {
        Compare.STDOUT: "nothing was printed",
        Compare.STDERR: "nothing was written to it",
        Compare.FILES: "no file was written",
        Compare.VARIABLES: "the globals of the target's modules hold no number, array or tensor",
    }
    known = {item.what for item in compared} | {item.what for item in missing}
    known |= {Compare.FILES.value} if files_missing else set()
    missing += (
        NotCompared(what=what.value, reason=made_nothing[what]) for what in request.compare if what.value not in known
    )
    missing += dict.fromkeys(files_missing)
    return compared


def _compare_printed(
    a: Evidence, b: Evidence, stream: Compare, request: Request, missing: list[NotCompared]
) -> list[Informational]:
    """What went to standard output or standard error."""
    is_own = all(run.stdout_is_own if stream is Compare.STDOUT else run.stderr_is_own for run in (a, b))
    if not is_own:
        missing.append(NotCompared(what=stream.value, reason="it is not as it was when the run ended"))
        return []
    try:
        return _printed(a, b, stream, stream in request.compare)
    except OSError as error:
        missing.append(NotCompared(what=stream.value, reason=f"it cannot be read: {error.strerror or error}"))
        return []


def _printed(a: Evidence, b: Evidence, stream: Compare, decides: bool) -> list[Informational]:
    """Nothing where nothing was printed."""
    paths = (a.stdout, b.stdout) if stream is Compare.STDOUT else (a.stderr, b.stderr)
    with open_regular(paths[0]) as left, open_regular(paths[1]) as right:
        found = compare_printed(left, right, (a.pid, b.pid))
    if found.is_empty:
        return []
    detail = f"line {found.line}: {_shown(found.shown[0])} | {_shown(found.shown[1])}" if found.line else ""
    same = not found.line
    if same and stream is Compare.STDERR and not decides:
        return []
    return [Informational(what=stream.value, same=same, detail=detail, decides=decides, only_times=found.only_times)]


def _compare_variables(a: Evidence, b: Evidence, request: Request, missing: list[NotCompared]) -> list[Informational]:
    """Of a script the globals at the end are what it returns, so to say."""
    if a.partial or b.partial or not (a.variables or b.variables):
        return []
    decides = Compare.VARIABLES in request.compare
    unread: list[NotCompared] = []
    pairs = pairs_by_name(a.variables, b.variables)
    differing = [pair for pair in pairs if pair_differs(pair, unread, "variable ")]
    missing += unread if decides else ()
    names = [record.name for pair in differing if (record := pair[0] or pair[1]) is not None]
    if not names and not decides:
        return []
    detail = ", ".join(names[:5]) + more(names[5:]) if names else f"{len(pairs)} compared"
    return [Informational(what=Compare.VARIABLES.value, same=not names, detail=detail, decides=decides)]


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    return repr(text if len(text) <= 80 else text[:77] + "…") if line else "(end)"


def _compare_generators(a: Evidence, b: Evidence) -> list[Informational]:
    differ = [name for name in a.rng if name in b.rng and a.rng[name] != b.rng[name]]
    if not differ:
        return []
    return [Informational(what="generators", same=False, detail=f"state at the end: {', '.join(differ)}")]


def informational_divergence(item: Informational, runs: tuple[str, str]) -> Divergence:
    """The difference in something that was asked for."""
    stage = Stage.STDOUT if item.what == Compare.STDERR.value else Stage(item.what)
    return Divergence(stage=stage, step=None, kind=item.what, names=(), tensors=(), runs=runs, note=item.detail)
