"""Everything that an explaining run adds to its process: ledger, frozen sources, overrides and edits."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.model import RunSpec
from reprocheck.worker.bootstrap import edits, overrides
from reprocheck.worker.bootstrap.importing import before_import
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.ledger import clock_calls, draw_calls, file_calls, orders, seed_calls, tasks, thread_calls
from reprocheck.worker.ledger import spawn as ledger_spawn
from reprocheck.worker.ledger.callers import Callers
from reprocheck.worker.ledger.freeze import Frozen
from reprocheck.worker.ledger.ledger import Ledger
from reprocheck.worker.ledger.replacer import Replacer

_COMPILED_BY_NUMBA = ("numpy.random", "random", "time")


class _Installed:
    """The ledger of this process."""

    ledger: Ledger | None = None


installed = _Installed()


def install(spec: RunSpec, sites: Sites, steps: Callable[[], int], trouble: Callable[[str], None]) -> Ledger | None:
    """Apply the interventions of a run, and record what its ledger is to hold. Raises EditMismatch.

    `steps` says how many optimizer steps there were; `trouble` is called with what cannot be recorded.
    """
    edits.apply(spec.interventions.edits)
    overrides.apply(spec.interventions, watch=spec.instruments.override_points)
    ledger_spawn.follow_children(spec.directory)
    if not (spec.instruments.ledger or spec.interventions.frozen):
        return None
    ledger = Ledger(spec.directory, spec.cwd, Callers(sites), Frozen(spec.interventions.frozen), steps)
    ledger.writes = spec.instruments.ledger
    replacer = Replacer(ledger, trouble)
    clock_calls.install(replacer)
    seed_calls.install(replacer)
    draw_calls.install(replacer)
    file_calls.install(replacer, spec)
    thread_calls.install(replacer)
    if spec.interventions.frozen:
        tasks.install(replacer)
    if ledger.writes:
        orders.install(ledger)
        edits.rewrite_with(sites.is_user_file, orders.rewritten)
    # numba compiles these functions by what they are: it must find the originals.
    before_import("numba", lambda: replacer.take_away(*_COMPILED_BY_NUMBA))
    installed.ledger = ledger
    return ledger
