"""Request → the runs to make, each with its whole environment and its environment factors. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprocheck.config.hash_seeds import hash_seed
from reprocheck.engine.workdir import in_world
from reprocheck.model import (
    AmbientMode,
    Compare,
    Deterministic,
    EnvironmentFactors,
    Home,
    Instruments,
    Interventions,
    Known,
    NotCompared,
    Request,
    RunSpec,
    Settings,
    Target,
    TraceMode,
    TraceWindow,
    Workdir,
)
from reprocheck.model.run_spec import PLAIN, UNCHANGED
from reprocheck.protocol import RUN_VARIABLE, SERVER_VARIABLE

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Makes the specification of any run of one audit."""

    request: Request
    environ: Mapping[str, str]
    cwd: Path
    directory: Path
    """Of the audit."""
    tmp: Path
    """For what runs may leave behind: temporary directories, copies of the folder."""
    prefix: str = ""
    """Before the name of every run: distinguishes the runs of another revision."""

    def spec(
        self,
        run_id: str,
        seed: int,
        repeat: int,
        ambient: EnvironmentFactors,
        *,
        settings: Settings | None = None,
        instruments: Instruments = PLAIN,
        interventions: Interventions = UNCHANGED,
        fresh: bool | None = None,
        tmpdir: str | None = None,
        work: Path | None = None,
        home_without: Sequence[str] | None = None,
        home_copies: bool = False,
        known: Known | None = None,
    ) -> RunSpec:
        """One run; what is not given is as the request says.

        `fresh`: in a copy of the folder, made at `work` where that is given. `tmpdir`: the run whose temporary
        directory it gets, emptied; else its own. `home_without`: it gets a home folder of its own that holds what the
        user's holds, but for these files, by their real paths; with `home_copies` it holds copies of them. `known`:
        what runs in the folder touched; a copy lies so that it finds what they found next to and above the folder.
        """
        run_id = self.prefix + run_id
        settings = settings or self.request.settings
        environment = base_environment(settings, self.environ)
        home = None if home_without is None else home_of(environment, self.tmp / run_id / "home", home_without)
        if home is not None:
            home = replace(home, copies=home_copies)
            environment = in_home(environment, home)
        fresh = self.request.workdir is Workdir.FRESH if fresh is None else fresh
        copy = self.tmp / run_id / "folder" if known is None else in_world(self.cwd, self.tmp / run_id / "world")
        cwd = (work or copy) if fresh else self.cwd
        return RunSpec(
            id=run_id,
            seed=seed,
            repeat=repeat,
            target=moved_target(self.request.target, self.cwd, cwd),
            settings=settings,
            ambient=ambient,
            environment=_environment(
                environment, ambient, f"{self.directory.name}/{run_id}", self.tmp / (tmpdir or run_id) / "tmp"
            ),
            cwd=cwd,
            directory=self.directory / run_id,
            read_checkpoints=Compare.FILES in self.request.compare,
            copy_of=self.cwd if fresh else None,
            known=known if fresh and work is None else None,
            home=home,
            instruments=instruments,
            interventions=interventions,
        )

    def ambient(self, repeat: int) -> EnvironmentFactors:
        """The environment factors of one repeat."""
        return factors_of(repeat, self.request, self.environ)


def plan_runs(planner: Planner) -> tuple[RunSpec, ...]:
    """Every run of the audit: repeats one after the other, or, where two that part end them, side by side."""
    request = planner.request
    instruments = PLAIN
    if request.trace is TraceMode.ALWAYS:
        instruments = Instruments(trace=TraceWindow(inputs=False, values=False))
    specs: list[RunSpec] = []
    repeats = range(request.repeats)
    order = [(seed, repeat) for repeat in repeats for seed in request.seeds]
    if request.fail_fast:
        order.sort(key=lambda run: request.seeds.index(run[0]))
    for seed, repeat in order:
        spec = planner.spec(f"s{seed}r{repeat}", seed, repeat, planner.ambient(repeat), instruments=instruments)
        specs.append(spec if specs else replace(spec, looks_at_weights=True))
    for seed in request.seeds if request.in_process_repeat else ():
        factors, twice = planner.ambient(0), Interventions(calls=2)
        name = f"s{seed}twice"
        specs.append(planner.spec(name, seed, request.repeats, factors, instruments=instruments, interventions=twice))
    return tuple(specs)


def moved_target(target: Target, source: Path, destination: Path) -> Target:
    """The same target in a copy of the folder that it lies in."""
    if target.path is None or source == destination:
        return target
    try:
        return replace(target, path=destination / target.path.relative_to(source))
    except ValueError:  # it lies elsewhere
        return target


def pinned(request: Request, environ: Mapping[str, str]) -> tuple[NotCompared, ...]:
    """The environment factors that do not vary, and why."""
    if request.repeats < 2 and not request.in_process_repeat:
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


def given_by(environment: Iterable[str], ambient: EnvironmentFactors) -> EnvironmentFactors:
    """Without the factors whose variables these names give."""
    fields: dict[str, dict[str, Any]] = {
        "PYTHONHASHSEED": {"hash_seed": None},
        "MALLOC_PERTURB_": {"heap_byte": None},
        "TMPDIR": {"own_tmpdir": False},
    }
    changes = {name: value for variable in environment for name, value in fields.get(variable, {}).items()}
    return replace(ambient, **changes)


def factors_of(repeat: int, request: Request, environ: Mapping[str, str]) -> EnvironmentFactors:
    """The environment factors of one repeat: what is pinned stays as it is found."""
    if request.ambient is AmbientMode.FIXED:
        return EnvironmentFactors(hash_seed=None if _is_set("PYTHONHASHSEED", request, environ) else 0)
    free = set(FACTORS) - {item.what for item in pinned(request, environ)}
    return EnvironmentFactors(
        hash_seed=hash_seed(repeat, request.target.path) if "hash seed" in free else None,
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


def base_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """What all runs share: our environment, the settings that only an environment can carry, and --env."""
    base = {name: value for name, value in environ.items() if name != SERVER_VARIABLE}
    if settings.device is not None:
        base["CUDA_VISIBLE_DEVICES"] = settings.device
    if settings.threads is not None:
        base["OMP_NUM_THREADS"] = base["MKL_NUM_THREADS"] = str(settings.threads)
    if settings.deterministic not in (None, Deterministic.OFF):
        base.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    base.update(settings.env)
    return base


def home_of(environment: Mapping[str, str], at: Path, without: Sequence[str]) -> Home | None:
    """The home folder that a run gets in place of the user's; None where there is no such folder."""
    home = environment.get("HOME") or os.path.expanduser("~")
    if not os.path.isabs(home):
        return None
    source = os.path.realpath(home)
    below = tuple(Path(path) for path in sorted(set(without)) if path.startswith(source.rstrip(os.sep) + os.sep))
    return Home(source=Path(source), at=at, without=below)


def in_home(environment: Mapping[str, str], home: Home) -> dict[str, str]:
    """An environment that names this home folder, in HOME and wherever a variable leads to a file that is left out:
    XDG_CACHE_HOME, TORCH_HOME, HF_HOME, ..."""
    moved = dict(environment)
    for name, value in environment.items():
        if name != "HOME" and os.path.isabs(value) and os.pathsep not in value:
            real = Path(os.path.realpath(value))
            is_below = real != home.source and real.is_relative_to(home.source)
            if is_below and any(path.is_relative_to(real) for path in home.without):
                moved[name] = str(home.at / real.relative_to(home.source))
    moved["HOME"] = str(home.at)
    return moved


def _environment(base: Mapping[str, str], ambient: EnvironmentFactors, name: str, tmp: Path) -> dict[str, str]:
    environment = dict(base)
    environment[RUN_VARIABLE] = name
    if ambient.hash_seed is not None:
        environment["PYTHONHASHSEED"] = str(ambient.hash_seed)
    if ambient.heap_byte is not None:
        environment["MALLOC_PERTURB_"] = str(ambient.heap_byte)
        environment["MallocPreScribble"] = environment["MallocScribble"] = "1"  # macOS
    if ambient.own_tmpdir:
        environment["TMPDIR"] = str(tmp)
        # Compiled kernels are a cache, not a temporary file: every run would compile them again.
        environment.setdefault("TORCHINDUCTOR_CACHE_DIR", str(_inductor_cache(tmp)))
    return environment


def _inductor_cache(tmp: Path) -> Path:
    import getpass
    import re

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return tmp.parents[2] / f"torchinductor_{re.sub(r'[^A-Za-z0-9_.-]', '_', user)}"
