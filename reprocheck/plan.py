"""Request → the runs to make, each with its whole environment and its ambient factors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reprocheck.model import Ambient, AmbientMode, Compare, Deterministic, NotCompared, Request, RunSpec
from reprocheck.protocol import RUN_VARIABLE

HASH_SEEDS_FROM = 101
HEAP_BYTES = (None, 190, 192, 85)
"""glibc fills with the complement: 0x41 and 0x3f read as floats near 12 and 0.7, too large to be rounded away.
The first repeat keeps the heap as the system gives it: mostly zeros."""
SWITCH_INTERVALS = (0.005, 0.0005, 0.02, 0.002)
"""Seconds; Python's default first."""
START_GAP = 1.1
"""Seconds between starts of repeats: more than a whole second of the clock."""

_VARIABLES = {"hash seed": "PYTHONHASHSEED", "heap contents": "MALLOC_PERTURB_", "temporary directory": "TMPDIR"}
FACTORS = (
    "hash seed",
    "heap contents",
    "directory order",
    "switch interval",
    "temporary directory",
    "start time",
)


def plan_runs(
    request: Request, environ: Mapping[str, str], cwd: Path, directory: Path, tmp: Path
) -> tuple[RunSpec, ...]:
    """Every run of the audit, repeats of one seed side by side."""
    base = base_environment(request, environ)
    specs = []
    for seed in request.seeds:
        for repeat in range(request.repeats):
            run_id = f"s{seed}r{repeat}"
            ambient = ambient_of(repeat, request, environ)
            specs.append(
                RunSpec(
                    id=run_id,
                    seed=seed,
                    repeat=repeat,
                    target=request.target,
                    settings=request.settings,
                    ambient=ambient,
                    environment=_environment(base, ambient, f"{directory.name}/{run_id}", tmp / run_id),
                    cwd=cwd,
                    directory=directory / run_id,
                    read_checkpoints=Compare.FILES in request.compare,
                )
            )
    return tuple(specs)


def pinned(request: Request, environ: Mapping[str, str]) -> tuple[NotCompared, ...]:
    """The ambient factors that do not vary, and why."""
    if request.repeats < 2:
        return tuple(NotCompared(what=factor, reason="there is one run a seed") for factor in FACTORS)
    if request.ambient is AmbientMode.FIXED:
        return tuple(NotCompared(what=factor, reason="--ambient fixed") for factor in FACTORS)
    own = dict(request.settings.env)
    found = []
    for factor, variable in _VARIABLES.items():
        if variable in own:
            found.append(NotCompared(what=factor, reason=f"--env sets {variable}"))
        elif _is_set(variable, request, environ):
            found.append(NotCompared(what=factor, reason=f"{variable} is set in the environment"))
    return tuple(found)


def ambient_of(repeat: int, request: Request, environ: Mapping[str, str]) -> Ambient:
    """The ambient factors of one repeat: what is pinned stays as it is found."""
    if request.ambient is AmbientMode.FIXED:
        return Ambient(hash_seed=None if _is_set("PYTHONHASHSEED", request, environ) else 0)
    free = set(FACTORS) - {item.what for item in pinned(request, environ)}
    return Ambient(
        hash_seed=HASH_SEEDS_FROM + repeat if "hash seed" in free else None,
        heap_byte=HEAP_BYTES[repeat % len(HEAP_BYTES)] if "heap contents" in free else None,
        listing_key=repeat if "directory order" in free and repeat else None,
        switch_interval=SWITCH_INTERVALS[repeat % len(SWITCH_INTERVALS)] if "switch interval" in free else None,
        own_tmpdir="temporary directory" in free,
        start_gap=START_GAP if "start time" in free else 0.0,
    )


def _is_set(variable: str, request: Request, environ: Mapping[str, str]) -> bool:
    if variable == "PYTHONHASHSEED" and environ.get(variable) == "random":  # as good as not set
        return variable in dict(request.settings.env)
    return variable in dict(request.settings.env) or bool(environ.get(variable))


def base_environment(request: Request, environ: Mapping[str, str]) -> dict[str, str]:
    """What all runs share: our environment, the settings that only an environment can carry, and --env."""
    settings = request.settings
    base = dict(environ)
    if settings.device is not None:
        base["CUDA_VISIBLE_DEVICES"] = settings.device
    if settings.threads is not None:
        base["OMP_NUM_THREADS"] = base["MKL_NUM_THREADS"] = str(settings.threads)
    if settings.deterministic not in (None, Deterministic.OFF):
        base.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    base.update(settings.env)
    return base


def _environment(base: Mapping[str, str], ambient: Ambient, name: str, tmp: Path) -> dict[str, str]:
    environment = dict(base)
    environment[RUN_VARIABLE] = name
    if ambient.hash_seed is not None:
        environment["PYTHONHASHSEED"] = str(ambient.hash_seed)
    if ambient.heap_byte is not None:
        environment["MALLOC_PERTURB_"] = str(ambient.heap_byte)
        environment["MallocPreScribble"] = environment["MallocScribble"] = "1"  # macOS
    if ambient.own_tmpdir:
        environment["TMPDIR"] = str(tmp)
        # Compiled kernels are a cache, not a temporary file: every run would compile them anew.
        environment.setdefault("TORCHINDUCTOR_CACHE_DIR", str(_inductor_cache(tmp)))
    return environment


def _inductor_cache(tmp: Path) -> Path:
    import getpass
    import re

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return tmp.parent.parent / f"torchinductor_{re.sub(r'[^A-Za-z0-9_.-]', '_', user)}"
