"""The number of threads that an operation is split over."""

from __future__ import annotations

import os

from reprocheck.commands.vary.model import Change, Facts, InForce, Variation


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads(name: str, number: int, emulates: str, unless: tuple[int, ...] = ()) -> Variation:
    def why_not(facts: Facts) -> str:
        if facts.manifest.get("threads") == number:
            return f"the control runs on {number} thread{'s' if number > 1 else ''}"
        if number in unless:
            return f"this machine has {number} core{'s' if number > 1 else ''}: another row has so many threads"
        return ""

    def not_in_force(seen: InForce) -> str:
        used = seen.manifest.get("threads")
        return "" if used == number else f"it ran on {used} threads, which the target sets itself"

    return Variation(
        name=name,
        group="threads",
        emulates=emulates,
        change=Change(settings=(("threads", number),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


def _pool(name: str, variable: str, number: int, library: str) -> Variation:
    """A pool of threads that PyTorch's own setting does not reach."""

    def why_not(facts: Facts) -> str:
        if variable in dict(facts.request.settings.env):
            return f"--env sets {variable}"
        pools = facts.manifest.get("thread_pools") or {}
        loaded = facts.manifest.get("imported") or ()
        known = bool(pools) and name == "openblas"  # threadpoolctl has looked; PyTorch's own MKL it does not see
        there = {"mkl": bool(facts.manifest.get("mkl")), "numba": "numba" in loaded, "openblas": "numpy" in loaded}
        if name not in pools and (known or not there[name]):
            return f"the training loads no {library}"
        if pools.get(name) == number:
            return f"{library} runs on {number} thread{'s' if number > 1 else ''} in the control"
        return ""

    def not_in_force(seen: InForce) -> str:
        used = (seen.manifest.get("thread_pools") or {}).get(name)
        return "" if used in (None, number) else f"{library} ran on {used} threads, which the target sets itself"

    return Variation(
        name=f"{name}-threads-{number}",
        group="thread-pools",
        emulates=f"{variable}={number} in the shell, or a machine with so many cores",
        change=Change(environment=((variable, str(number)),)),
        why_not=why_not,
        not_in_force=not_in_force,
    )


_POOLS = (
    ("openblas", "OPENBLAS_NUM_THREADS", "OpenBLAS"),
    ("mkl", "MKL_NUM_THREADS", "MKL"),
    ("numba", "NUMBA_NUM_THREADS", "numba"),
)

VARIATIONS = (
    _threads("threads-1", 1, "a machine, or a container, with one core"),
    _threads("threads-2", 2, "a machine with two cores"),
    _threads("threads-all", cores(), "all cores of this machine", unless=(1, 2)),
    *(_pool(name, variable, number, library) for name, variable, library in _POOLS for number in (1, 2)),
)
