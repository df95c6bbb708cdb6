"""What a result depends on: by construction, by hand, and not where it depends on nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Ran, environment, reprocheck

TARGETS = Path(__file__).parent.parent / "targets" / "vary"


def vary(tmp_path: Path, name: str, *arguments: str) -> tuple[Ran, Any]:
    work = tmp_path / "work"
    if not work.exists():
        shutil.copytree(TARGETS, work, ignore=shutil.ignore_patterns("__pycache__"))
    ran = reprocheck(
        "vary", "-q", "--format", "json", "--seeds", "1", *arguments, name, cwd=work, env=environment(TZ="UTC")
    )
    assert not (work / "left-behind.txt").exists()
    return ran, ran.json()


def statuses(answer: Any) -> dict[str, str]:
    return {" + ".join(row["names"]): row["status"] for row in answer["rows"]}


def test_environment_factors_are_varied_in_one_run_and_the_responsible_one_is_found(tmp_path: Path) -> None:
    ran, answer = vary(tmp_path, "environment.py:zone", "--only", "environment")
    assert ran.code == 0, ran.out
    found = statuses(answer)
    assert found.pop("time-zone") == "differs"
    assert len(found) == 10
    assert set(found.values()) == {"same"}
    row = next(row for row in answer["rows"] if row["names"] == ["time-zone"])
    assert (row["shift"]["metric"], row["shift"]["control"], row["shift"]["here"]) == ("hours", 0.0, -14.0)
    assert "time-zone" in answer["summary"]
    assert answer["runs"] <= 9  # a pair, all eleven, four halvings, one to be sure, all the others
    ran, answer = vary(tmp_path, "environment.py:nothing", "--only", "environment", "--require", "environment")
    assert (ran.code, set(statuses(answer).values()), answer["runs"]) == (0, {"same"}, 3)


def test_two_that_act_only_together_are_found_together(tmp_path: Path) -> None:
    _, answer = vary(tmp_path, "environment.py:two_of_them", "--only", "environment")
    found = statuses(answer)
    assert found["time-zone + umask"] == "differs"
    assert [status for name, status in found.items() if "+" not in name] == ["same"] * 9


@pytest.mark.slow
def test_folder_path_home_and_what_a_run_leaves_behind(tmp_path: Path) -> None:
    _, answer = vary(tmp_path, "environment.py:path", "--only", "environment,same-folder")
    assert {name for name, status in statuses(answer).items() if status == "differs"} == {"folder-path"}
    ran, answer = vary(tmp_path, "environment.py:leftovers", "--require", "same-folder", "--only", "umask")
    assert ran.code == 1
    assert statuses(answer) == {"umask": "same", "same-folder": "differs"}
    assert "required not to matter, but it does: same-folder" in answer["summary"]


def test_nothing_is_stated_where_equal_runs_differ_or_there_is_no_run(tmp_path: Path) -> None:
    ran, answer = vary(tmp_path, "environment.py:pid", "--only", "time-zone", "--no-explain")
    assert (ran.code, answer["rows"]) == (1, [])
    assert answer["control"]["kind"] == "metric"
    ran, answer = vary(tmp_path, "environment.py", "--only", "time-zone")
    assert ran.code == 3
    assert "nothing was compared" in answer["reason"]
    ran = reprocheck("vary", "--only", "hash-sed", "environment.py:zone", cwd=TARGETS)
    assert ran.code == 2
    assert "there is no variation 'hash-sed'" in ran.err
    assert "hash-seed" in ran.err


@pytest.mark.slow
@pytest.mark.long
def test_a_training_that_depends_on_nothing_has_no_false_entry(tmp_path: Path) -> None:
    ran, answer = vary(tmp_path, "trainings.py:independent", "--skip", "environment,onednn-isa,mkl")
    assert ran.code == 0, ran.out
    found = statuses(answer)
    assert set(found.values()) == {"same"}, found
    assert {"threads-1", "onednn-off", "matmul-medium", "deterministic-warn", "optimizer-foreach"} <= set(found)
    reasons = {item["name"]: item["reason"] for item in answer["not_varied"]}
    assert reasons["workers-2"] == "the target makes no DataLoader"
    assert reasons["tf32-on"] == "the training used no GPU"
    assert answer["together"][0]["status"] == "same"


@pytest.mark.slow
def test_workers_that_count_are_seen_with_their_line(tmp_path: Path) -> None:
    _, answer = vary(tmp_path, "trainings.py:batches", "--only", "workers")
    assert statuses(answer) == {"workers-0": "same", "workers-1": "differs", "workers-2": "differs"}
    row = answer["rows"][1]
    assert (row["divergence"]["step"], bool(row["divergence"]["op"])) == (0, True)


@pytest.mark.slow
def test_what_makes_a_difference_only_together_is_found(tmp_path: Path) -> None:
    only = "cpu-default,mkl-compatible,threads,optimizer"
    _, answer = vary(tmp_path, "trainings.py:both_variables", "--no-explain", "--only", only)
    if {item["name"] for item in answer["not_varied"]} & {"cpu-default", "mkl-compatible"}:
        pytest.skip("this machine has no such kernels to choose from")
    assert set(statuses(answer).values()) == {"same"}
    assert answer["together"][0]["status"] == "differs"
    assert sorted(answer["together"][0]["names"]) == ["cpu-default", "mkl-compatible"]


BY_HAND = """
import trainings, hashlib
model = trainings.layer_norm()["model"]
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.long
def test_a_layer_norm_network_depends_on_what_it_does_by_hand(tmp_path: Path) -> None:
    only = "threads,cpu-capability,mkl,onednn-isa"
    ran, answer = vary(tmp_path, "trainings.py:layer_norm", "--no-explain", "--threads", "2", "--only", only)
    assert ran.code == 0, ran.out

    def digest(**variables: str) -> bytes:
        env = {**environment(), "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", **variables}
        return subprocess.run([sys.executable, "-c", BY_HAND], cwd=TARGETS, env=env, capture_output=True).stdout

    by_hand = {
        "threads-1": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        "cpu-avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
        "cpu-default": {"ATEN_CPU_CAPABILITY": "default"},
        "mkl-compatible": {"MKL_CBWR": "COMPATIBLE"},
        "mkl-avx2": {"MKL_CBWR": "AVX2"},
        "onednn-avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        "onednn-sse41": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    }
    plain = digest()
    assert len(plain) == 65
    found = statuses(answer)
    assert "threads-1" in found
    for name in by_hand.keys() & found.keys():
        assert found[name] == ("same" if digest(**by_hand[name]) == plain else "differs"), name
