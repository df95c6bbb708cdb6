"""Why runs differ: the cause and the line that the labels of the corpus state, with what was tried against them."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.functional.test_corpus import FOLDER, headers
from tests.support.cli import Ran, environment, reprocheck

FIRST_TIER = {"vocabulary_from_set"}
EXPLAINED = (
    "auto_resume",
    "clock_seed_script",
    "empty_momentum",
    "eval_sampling",
    "float_sum_over_set",
    "numpy_generator_unseeded",
    "partial_seed_numpy_missing",
    "pid_seed",
    "split_by_path_hash",
    "threads_share_rng",
    "vocabulary_from_set",
    "vocabulary_then_best_script",
    "worker_init_time",
)
"""One target for each way in which a cause is shown; the rest of the corpus is judged by its verdict only."""


def explain(name: str, tmp_path: Path, *arguments: str) -> tuple[Ran, dict[str, str], Path]:
    path = FOLDER / "faulty" / f"{name}.py"
    head = headers(path)
    work = tmp_path / "work"
    shutil.copytree(path.parent, work, ignore=shutil.ignore_patterns("__pycache__"))
    target = path.name if head["target"] == "script" else f"{path.name}:{head['target']}"
    options = shlex.split(head.get("options", ""))
    if "--threads" not in options:
        options += ["--threads", "1"]
    if head.get("race") == "yes":
        options += ["--repeats", "4"]
    ran = reprocheck(
        "run", "--no-drift", *options, "--format", "json", *arguments, target, cwd=work, env=environment(), timeout=900
    )
    return ran, head, path


def lines_with(text: str, path: Path) -> set[int]:
    source = path.read_text(encoding="utf-8").splitlines()
    return {n for n, line in enumerate(source, 1) if text in line and not line.startswith("# ")}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FIRST_TIER else (pytest.mark.slow,)) for name in EXPLAINED],
)
def test_cause_and_line(name: str, tmp_path: Path) -> None:
    ran, head, path = explain(name, tmp_path)
    assert ran.code == 1, ran.out + ran.err
    answer = ran.json()
    cause = next(finding for finding in answer["findings"] if not finding["code"].startswith("RC30"))
    assert cause["cause"] == head["cause"], answer["findings"]
    assert answer["findings"][0]["cause"] == head["cause"]
    assert cause["location"]["line"] in lines_with(head["line"], path), cause
    assert answer["divergence"]["location"]["line"] in lines_with(head["line"], path)
    assert 0 < answer["explanation"]["runs"] <= 20
    assert not [item for item in answer["not_compared"] if item["what"] == "explanation"]


def works(answer: dict[str, Any]) -> list[str]:
    trials = answer["explanation"]["trials"]
    return [
        remedy["text"]
        for trial in trials
        if trial["runs"] > 1 and trial["agreed"] == trial["runs"]
        for remedy in trial["remedies"]
    ]


@pytest.mark.slow
def test_a_changed_line_is_tried_in_memory_and_the_file_stays(tmp_path: Path) -> None:
    ran, _, path = explain("numpy_generator_unseeded", tmp_path)
    answer = ran.json()
    cause = answer["findings"][1]
    assert "default_rng(" in cause["edit"]["after"]
    assert any("default_rng(" in text for text in works(answer))
    assert (tmp_path / "work" / path.name).read_text() == path.read_text()
    assert answer["explanation"]["origin"]["kind"] == "outside"


@pytest.mark.slow
def test_what_only_hides_the_cause_is_stated(tmp_path: Path) -> None:
    ran, _, _ = explain("empty_parameter", tmp_path)
    answer = ran.json()
    hiding = [r["hides"] for trial in answer["explanation"]["trials"] for r in trial["remedies"] if r["hides"]]
    assert hiding or works(answer)
    assert answer["explanation"]["attribution"]["factors"] == ["heap contents"]


@pytest.mark.slow
def test_no_explain_makes_no_further_run(tmp_path: Path) -> None:
    ran, _, _ = explain("vocabulary_from_set", tmp_path, "--no-explain")
    answer = ran.json()
    assert (answer["verdict"], answer["explanation"]) == ("different", None)
    assert "run 3/" not in ran.err


@pytest.mark.slow
def test_the_budget_bounds_the_further_runs(tmp_path: Path) -> None:
    ran, _, _ = explain("vocabulary_from_set", tmp_path, "--explain-budget", "3")
    answer = ran.json()
    assert answer["explanation"]["runs"] <= 3
    assert answer["verdict"] == "different"


@pytest.mark.slow
def test_a_trace_of_every_run_needs_no_replay(tmp_path: Path) -> None:
    ran, _, _ = explain("vocabulary_from_set", tmp_path, "--trace", "always", "--explain-budget", "0")
    answer = ran.json()
    assert answer["explanation"]["origin"] is not None
    assert answer["explanation"]["runs"] == 0


TAKEN_IN = """
import os, torch
def train():
    numbers = [os.getpid() >> bit & 1 for bit in range(22)]  # no two runs have the same
    model = torch.nn.Sequential(torch.nn.Embedding(2, 4), torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.tensor(numbers)).sum().backward()
        optimizer.step()
    return model
"""


@pytest.mark.slow
def test_an_operation_whose_inputs_no_trace_recorded_is_not_taken_for_the_origin(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TAKEN_IN)
    ran = reprocheck("run", "--threads=1", "--trace=always", "--format=json", "t.py:train", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    explanation = ran.json()["explanation"]
    assert (explanation["attribution"]["kind"], explanation["attribution"]["factors"]) == ("frozen", ["pid"])
    assert explanation["origin"]["kind"] == "outside"


STATE = """
import torch
calls = []
def train():
    calls.append(1)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1 * len(calls))
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(2, 3)).sum().backward()
        optimizer.step()
    return model
"""


@pytest.mark.slow
def test_a_second_call_in_one_process_shows_state_that_outlives_the_function(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(STATE)
    plain = reprocheck("run", "--threads", "1", "t.py:train", cwd=tmp_path)
    assert plain.code == 0, plain.out + plain.err
    ran = reprocheck("run", "--threads", "1", "--in-process-repeat", "--format", "json", "t.py:train", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    answer = ran.json()
    assert answer["findings"][0]["cause"] == "module-global"
    assert answer["explanation"]["attribution"]["kind"] == "process"


def test_a_script_is_not_called_twice(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("pass\n")
    ran = reprocheck("run", "--in-process-repeat", "t.py", cwd=tmp_path)
    assert ran.code == 2
    assert "function" in ran.err


LEFTOVER = """
import pathlib, torch
def train():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    note = pathlib.Path("note.txt")
    extra = len(note.read_text()) if note.exists() else 0
    note.write_text("x" * (extra + 1))
    with torch.no_grad():
        model.bias += extra
    return model
"""


@pytest.mark.slow
def test_runs_in_fresh_copies_of_the_folder_see_no_leftovers(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(LEFTOVER)
    arguments = ("run", "--threads", "1", "--no-explain", "t.py:train")
    assert reprocheck(*arguments, "--workdir", "fresh", cwd=tmp_path).code == 0
    assert not (tmp_path / "note.txt").exists()
    assert reprocheck(*arguments, cwd=tmp_path).code == 1


@pytest.mark.slow
def test_updates_by_torch_autograd_grad_are_steps_of_the_trace(tmp_path: Path) -> None:
    ran, head, path = explain("manual_update_autograd_grad", tmp_path)
    answer = ran.json()
    assert not [item for item in answer["not_compared"] if item["what"] in ("operations", "localization")]
    frame = answer["explanation"]["origin"]["call"]["frames"][0]
    assert frame["location"]["line"] in lines_with(head["line"], path), frame


NOTED = [path.stem for path in sorted(FOLDER.glob("faulty/*.py")) if "finding" in headers(path)]


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTED)
def test_what_no_seed_reaches_is_reported_where_nothing_differs(name: str, tmp_path: Path) -> None:
    ran, head, path = explain(name, tmp_path)
    assert ran.code == 0, ran.out + ran.err
    found = next(finding for finding in ran.json()["findings"] if finding["cause"] == head["finding"])
    assert found["severity"] != "error"
    assert found["location"]["line"] in lines_with(head["line"], path), found


ENDLESS = """\
import os
import time
import torch

torch.manual_seed(0)
model = torch.nn.Linear(4, 4)
with torch.no_grad():
    hidden = torch.ones(4) + torch.tensor([float(os.getpid())])  # another in every run
    total = model(hidden).sum()
    for _ in range(3000):
        total = total + 1
open("out.txt", "w").write(str(total.item()))
time.sleep(float(os.environ.get("PATIENCE", "0")))
open(os.environ["MARKS"], "a").write("at the end\\n")
"""


@pytest.mark.slow
def test_traces_without_an_end_in_sight_are_compared_while_they_are_written(tmp_path: Path) -> None:
    """The second run of the traced pair never comes to its end: it is ended once its operations have diverged."""
    folder, marks = tmp_path / "project", tmp_path / "marks"
    folder.mkdir()
    (folder / "infer.py").write_text(ENDLESS)
    arguments = ("--compare=files", "--threads=1", "--explain-budget=2", "--env=PATIENCE=8", f"--env=MARKS={marks}")
    ran = reprocheck("run", *arguments, "--format", "json", "infer.py", cwd=folder, env=environment())
    assert ran.code == 1, ran.out + ran.err
    origin = ran.json()["explanation"]["origin"]
    assert "os.getpid" in origin["call"]["frames"][0]["code"]
    assert marks.read_text().count("at the end") == 3  # two runs of the audit, and the first one of the pair
