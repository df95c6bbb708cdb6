"""The runs of an audit before any is started: environments and environment factors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.engine.plan import FACTORS, Planner, base_environment, given_by, pinned, plan_runs
from reprocheck.model import AmbientMode, Compare, Deterministic, Request, RunSpec, Settings, Target, TargetKind
from reprocheck.protocol import RUN_VARIABLE, decode_spec, encode_spec

ENVIRON = {"PATH": "/bin", "HOME": "/home/u"}
TARGET = Target(text="t.py:train", kind=TargetKind.FILE_FUNCTION, path=Path("/w/t.py"), function="train")
VARIABLES = {"hash seed": "PYTHONHASHSEED", "heap contents": "MALLOC_PERTURB_", "temporary directory": "TMPDIR"}


def request(**changes: Any) -> Request:
    return replace(Request(target=TARGET), **changes)


def plan(asked: Request, environ: dict[str, str] | None = None) -> tuple[RunSpec, ...]:
    environ = ENVIRON if environ is None else environ
    return plan_runs(
        Planner(request=asked, environ=environ, cwd=Path("/w"), directory=Path("/e/audit"), tmp=Path("/tmp/r"))
    )


def factors(spec: RunSpec) -> dict[str, Any]:
    """What a run is given of each factor."""
    ambient, environment = spec.ambient, spec.environment
    return {
        "hash seed": environment.get("PYTHONHASHSEED"),
        "heap contents": environment.get("MALLOC_PERTURB_"),
        "directory order": ambient.listing_key,
        "switch interval": ambient.switch_interval,
        "temporary directory": environment.get("TMPDIR"),
        "start time": ambient.start_gap,
    }


def test_one_run_for_each_seed_and_repeat() -> None:
    specs = plan(request(seeds=(3, 1), repeats=2))
    assert [(s.id, s.seed, s.repeat) for s in specs] == [("s3r0", 3, 0), ("s1r0", 1, 0), ("s3r1", 3, 1), ("s1r1", 1, 1)]
    assert [s.directory for s in specs] == [Path("/e/audit") / s.id for s in specs]
    assert [s.environment[RUN_VARIABLE] for s in specs] == [f"audit/{s.id}" for s in specs]
    assert all(s.cwd == Path("/w") and s.target is TARGET for s in specs)


def test_repeats_of_a_seed_stand_side_by_side_where_the_first_that_diverges_ends_them() -> None:
    specs = plan(request(seeds=(3, 1), repeats=2, fail_fast=True))
    assert [s.id for s in specs] == ["s3r0", "s3r1", "s1r0", "s1r1"]


def test_every_factor_differs_between_two_repeats() -> None:
    first, second = (factors(spec) for spec in plan(request()))
    assert [name for name in FACTORS if name != "start time" and first[name] == second[name]] == []
    assert first["start time"] == second["start time"] > 1
    assert pinned(request(), ENVIRON) == ()


def test_all_of_four_repeats_differ_in_every_factor() -> None:
    found = [factors(spec) for spec in plan(request(repeats=4))]
    for name in FACTORS[:-1]:
        assert len({run[name] for run in found}) == 4, name


def test_the_same_repeat_of_two_seeds_has_the_same_factors() -> None:
    a, b, _, _ = (factors(spec) | {"temporary directory": None} for spec in plan(request(seeds=(0, 1))))
    assert a == b


def test_a_plan_is_the_same_each_time() -> None:
    assert plan(request(repeats=3)) == plan(request(repeats=3))


@pytest.mark.parametrize("factor", VARIABLES)
def test_the_environment_pins_one_factor_and_no_other(factor: str) -> None:
    environ = {**ENVIRON, VARIABLES[factor]: "7"}
    first, second = (factors(spec) for spec in plan(request(), environ))
    assert first[factor] == second[factor] == "7"
    assert all(first[name] != second[name] for name in FACTORS[:-1] if name != factor)
    (found,) = pinned(request(), environ)
    assert (found.what, found.reason) == (factor, f"{VARIABLES[factor]} is set in the environment")


@pytest.mark.parametrize("factor", VARIABLES)
def test_env_pins_one_factor_and_no_other(factor: str) -> None:
    asked = request(settings=Settings(env=((VARIABLES[factor], "9"),)))
    environ = {**ENVIRON, VARIABLES[factor]: "7"}
    first, second = (factors(spec) for spec in plan(asked, environ))
    assert first[factor] == second[factor] == "9"
    assert all(first[name] != second[name] for name in FACTORS[:-1] if name != factor)
    (found,) = pinned(asked, environ)
    assert (found.what, found.reason) == (factor, f"--env sets {VARIABLES[factor]}")


@pytest.mark.parametrize("variable", VARIABLES.values())
def test_an_empty_variable_of_the_environment_pins_nothing(variable: str) -> None:
    assert pinned(request(), {**ENVIRON, variable: ""}) == ()


def test_a_random_hash_seed_in_the_environment_is_not_reported_as_fixed() -> None:
    """`PYTHONHASHSEED=random` is Python's default written out: repeats do differ in it."""
    assert pinned(request(), {**ENVIRON, "PYTHONHASHSEED": "random"}) == ()


def test_fixed_pins_everything() -> None:
    asked = request(ambient=AmbientMode.FIXED)
    first, second = (factors(spec) for spec in plan(asked))
    assert first == second
    assert first["hash seed"] == "0"
    assert first["start time"] == 0
    assert [(item.what, item.reason) for item in pinned(asked, ENVIRON)] == [(f, "--ambient fixed") for f in FACTORS]


def test_fixed_leaves_a_hash_seed_of_the_user_alone() -> None:
    asked = request(ambient=AmbientMode.FIXED)
    assert {s.environment["PYTHONHASHSEED"] for s in plan(asked, {**ENVIRON, "PYTHONHASHSEED": "5"})} == {"5"}


def test_one_run_a_seed_says_so() -> None:
    assert {item.reason for item in pinned(request(repeats=1), ENVIRON)} == {"there is one run a seed"}


def test_temporary_directories_are_apart_and_compiled_kernels_shared() -> None:
    specs = plan(request(seeds=(0, 1)))
    assert len({s.environment["TMPDIR"] for s in specs}) == 4
    assert len({s.environment["TORCHINDUCTOR_CACHE_DIR"] for s in specs}) == 1
    own = plan(request(), {**ENVIRON, "TORCHINDUCTOR_CACHE_DIR": "/mine"})
    assert {s.environment["TORCHINDUCTOR_CACHE_DIR"] for s in own} == {"/mine"}


def test_settings_that_only_an_environment_carries() -> None:
    settings = Settings(device="1", threads=3, deterministic=Deterministic.WARN, env=(("A", "b"),))
    found = base_environment(settings, ENVIRON)
    assert found == {
        **ENVIRON,
        "CUDA_VISIBLE_DEVICES": "1",
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "A": "b",
    }


def test_the_users_workspace_setting_stays() -> None:
    asked = Settings(deterministic=Deterministic.ERROR)
    environ = {**ENVIRON, "CUBLAS_WORKSPACE_CONFIG": ":16:8"}
    assert base_environment(asked, environ)["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    off = Settings(deterministic=Deterministic.OFF)
    assert base_environment(off, ENVIRON) == ENVIRON


def test_env_wins_over_settings_and_environment() -> None:
    settings = Settings(threads=3, env=(("OMP_NUM_THREADS", "8"), ("HOME", "/x")))
    found = base_environment(settings, ENVIRON)
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"], found["HOME"]) == ("8", "3", "/x")


def test_planning_changes_no_environment() -> None:
    environ = dict(ENVIRON)
    plan(request(settings=Settings(threads=1)), environ)
    assert environ == ENVIRON


@pytest.mark.parametrize("compare", [(), (Compare.FILES,)])
def test_checkpoints_are_read_where_files_decide(compare: tuple[Compare, ...]) -> None:
    assert {s.read_checkpoints for s in plan(request(compare=compare))} == {bool(compare)}


def test_a_specification_survives_its_journey() -> None:
    target = replace(TARGET, argv=("--x", "{seed}"), arguments=(("lr", 0.1), ("sizes", (1, 2)), ("name", "a\nb")))
    settings = Settings(deterministic=Deterministic.ERROR, env=(("A", "é"),), timeout=1.5, max_steps=2)
    for spec in plan(request(target=target, settings=settings)):
        assert decode_spec(encode_spec(spec)) == spec


def test_a_variable_that_is_given_is_no_factor() -> None:
    (first, _) = plan(request())
    assert given_by(["PYTHONHASHSEED", "OTHER"], first.ambient) == replace(first.ambient, hash_seed=None)
    assert not given_by(["TMPDIR"], first.ambient).own_tmpdir
    assert given_by([], first.ambient) == first.ambient
