"""The sampler of a study that was given no seed: its line is that of the study or of the sampler, not of a draw."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprocheck.diagnosis.source.seed_place import Call, seed_place

OBJECTIVE = "def objective(trial):\n    return trial.suggest_int('h', 4, 32)\n"


def stack_of(path: str, sampler: str = "TPESampler") -> tuple[Call, ...]:
    """As Optuna draws: a random state that is made late, in a sampler, for a trial of the objective."""
    kinds = ("LazyRandomState", "RandomSampler", sampler, "Trial")
    inner = [Call(path="optuna.py", line=1, library="optuna", type=kind, function="f") for kind in dict.fromkeys(kinds)]
    user = Call(path=path, line=4, function="objective")
    outer = Call(path="optuna.py", line=2, library="optuna", function="_run_trial")
    return (*inner, user, outer, Call(path=path, line=6, function="<module>"))


@pytest.mark.parametrize(
    ("study", "line", "changed"),
    [
        ("optuna.create_study()", 5, "optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))"),
        (
            "optuna.load_study(study_name='s', storage='sqlite:///a')",
            5,
            "optuna.load_study(study_name='s', storage='sqlite:///a', sampler=optuna.samplers.TPESampler(seed=0))",
        ),
        (
            "optuna.create_study(sampler=optuna.samplers.TPESampler())",
            5,
            "optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))",
        ),
        (
            "optuna.create_study(sampler=optuna.samplers.TPESampler(seed=None))",
            5,
            "optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))",
        ),
    ],
)
def test_the_line_that_makes_the_study_is_named(tmp_path: Path, study: str, line: int, changed: str) -> None:
    file = tmp_path / "search.py"
    file.write_text(f"import optuna\n\n{OBJECTIVE}study = {study}\nstudy.optimize(objective, n_trials=2)\n")
    place = seed_place(stack_of(str(file)), "numpy.random.SeedSequence")
    assert place is not None
    assert place.location.line == line
    assert place.edit is not None
    assert place.edit.after == f"study = {changed}"


def test_the_sampler_within_a_sampler_is_meant_where_it_is_the_one_that_was_made(tmp_path: Path) -> None:
    file = tmp_path / "search.py"
    made = "inner = optuna.samplers.RandomSampler()\nstudy = optuna.create_study(sampler=Grid(inner))"
    file.write_text(f"import optuna\n\n{OBJECTIVE}{made}\nstudy.optimize(objective, n_trials=2)\n")
    place = seed_place(stack_of(str(file), "GridSampler"), "numpy.random.SeedSequence")
    assert place is not None
    assert place.edit is not None
    assert place.edit.after == "inner = optuna.samplers.RandomSampler(seed=0)"


@pytest.mark.parametrize("comma", ["", ","])
def test_a_call_over_several_lines_is_changed_at_its_last_argument(tmp_path: Path, comma: str) -> None:
    file = tmp_path / "search.py"
    made = f"study = optuna.create_study(\n    storage=None,\n    direction='minimize'{comma}  # of the loss\n)"
    file.write_text(f"import optuna\n\n{OBJECTIVE}{made}\n")
    place = seed_place(stack_of(str(file)), "numpy.random.SeedSequence")
    assert place is not None
    assert place.edit is not None
    assert (place.location.line, place.edit.line) == (5, 7)
    sampler = "sampler=optuna.samplers.TPESampler(seed=0)"
    assert place.edit.after == f"    direction='minimize', {sampler}{comma}  # of the loss"


@pytest.mark.parametrize(
    "study",
    [
        "optuna.create_study(\n)",
        "optuna.create_study(\n    name for name in 'a'\n)",
        "optuna.create_study(\n    ('minimize')\n)",
    ],
)
def test_what_would_not_compile_is_no_changed_line(tmp_path: Path, study: str) -> None:
    file = tmp_path / "search.py"
    file.write_text(f"import optuna\n\n{OBJECTIVE}study = {study}\n")
    place = seed_place(stack_of(str(file)), "numpy.random.SeedSequence")
    assert place is not None
    assert place.edit is None


@pytest.mark.parametrize(
    "study",
    [
        "optuna.create_study(sampler=sampler)",
        "mine.create_study()",
        "[optuna.create_study(), optuna.create_study()]",
        "optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))",
    ],
)
def test_nothing_is_named_where_that_is_not_known(tmp_path: Path, study: str) -> None:
    file = tmp_path / "search.py"
    file.write_text(f"import optuna, mine\n\n{OBJECTIVE}study = {study}\n")
    assert seed_place(stack_of(str(file)), "numpy.random.SeedSequence") is None


def test_a_study_that_is_imported_by_name_is_named_without_a_changed_line(tmp_path: Path) -> None:
    file = tmp_path / "search.py"
    file.write_text(f"from optuna import create_study\n\n{OBJECTIVE}study = create_study()\n")
    place = seed_place(stack_of(str(file)), "numpy.random.SeedSequence")
    assert place is not None
    assert (place.location.line, place.edit) == (5, None)
