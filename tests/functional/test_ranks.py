"""Trainings of several processes, with torch's own launchers and gloo: every rank is observed and compared."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import environment, reprocheck
from tests.support.ranks import ACCELERATE, BY_HAND, DDP, LIGHTNING, SAVING, SPAWN

TORCHRUN = ("-m", "torch.distributed.run", "--", "--standalone", "--nproc_per_node", "2", "ddp.py")


def audit(folder: Path, *arguments: str, code: int, env: dict[str, str] | None = None) -> Any:
    (folder / "ddp.py").write_text(DDP)
    (folder / "spawned.py").write_text(SPAWN)
    ran = reprocheck("run", "--format", "json", *arguments, cwd=folder, env=env, timeout=900)
    assert ran.code == code, ran.out + ran.err
    return ran.json()


@pytest.mark.slow
def test_a_rank_of_torchrun_that_differs(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    answer = audit(tmp_path, "--no-explain", "--output", f"text={report}", *TORCHRUN, "other", code=1)
    divergence = answer["divergence"]
    assert (divergence["rank"], divergence["step"], divergence["kind"]) == (1, 0, "batch")
    assert [(one["rank"], one["same"]) for one in answer["ranks"]] == [(0, False), (1, False)]
    assert answer["ranks"][0]["divergence"]["kind"] == "gradients"  # averaged over both
    ranks = answer["seeds"][0]["runs"][0]["ranks"]
    assert [(one["rank"], one["world_size"], one["steps"]["count"], one["closed"]) for one in ranks] == [
        (0, 2, 8, True),
        (1, 2, 8, True),
    ]
    folders = list(tmp_path.glob(".reprocheck/audits/*/s0r0/ranks/*"))
    assert sorted(folder.name for folder in folders) == ["0-0", "1-0"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for folder in folders for file in folder.iterdir())
    text = report.read_text()
    assert "2 runs of seed 0 differ first in rank 1 at step 0 in batch" in text
    assert "rank 0 differs first at step 0 in gradients" in text


@pytest.mark.slow
def test_a_clean_one_seeds_itself(tmp_path: Path) -> None:
    env = environment(SECRET_TOKEN="hunter2-hunter2")
    answer = audit(tmp_path, "--strict", *TORCHRUN, "hash", code=0, env=env)
    assert (answer["headline"], answer["findings"]) == ("REPRODUCIBLE", [])
    assert answer["self_seeding"]["seeds_itself"] is True
    assert answer["compared"] == ["initial parameters", "steps"]
    for path in tmp_path.glob(".reprocheck/audits/*/**/*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()


@pytest.mark.slow
def test_one_that_only_we_seed(tmp_path: Path) -> None:
    answer = audit(tmp_path, *TORCHRUN, "unseeded", code=1)
    assert answer["self_seeding"]["seeds_itself"] is False
    [unseeded] = answer["self_seeding"]["unseeded"]
    assert unseeded["generator"] == "torch"
    assert Path(unseeded["location"]["path"]).name == "ddp.py"
    assert answer["headline"].startswith("REPRODUCIBLE only with reprocheck's seeds: torch is never seeded")


@pytest.mark.slow
def test_runs_side_by_side_do_not_share_a_port(tmp_path: Path) -> None:
    words = [word for word in TORCHRUN if word != "--standalone"]
    answer = audit(tmp_path, "--no-explain", "--seeding", "none", "--jobs", "2", *words, code=0)
    assert answer["verdict"] == "reproducible"


@pytest.mark.slow
@pytest.mark.long
def test_spawned_ranks_and_the_line_of_a_generator_without_a_seed(tmp_path: Path) -> None:
    clean = audit(tmp_path, "--no-explain", "--seeding", "none", "spawned.py:train", code=0)
    assert clean["headline"] == "REPRODUCIBLE"
    answer = audit(tmp_path, "--no-drift", "--arg", "other=True", "spawned.py:train", code=1)
    assert (answer["divergence"]["rank"], answer["divergence"]["kind"]) == (1, "batch")
    cause = next(finding for finding in answer["findings"] if finding["code"] == "RC505")
    assert (cause["confidence"], "generator.seed()" in cause["source"]) == ("high", True)
    assert answer["explanation"]["trials"][0]["mends"] is True


FORKED = ("--no-explain", "--arg", "method='fork'", "spawned.py:train")


@pytest.mark.slow
def test_forked_ranks(tmp_path: Path) -> None:
    clean = audit(tmp_path, *FORKED, code=0)
    assert clean["headline"] == "REPRODUCIBLE"
    assert [one["rank"] for one in clean["ranks"]] == [0, 1]


def test_a_forked_rank_that_differs(tmp_path: Path) -> None:
    answer = audit(tmp_path, "--arg", "other=True", *FORKED, code=1)
    assert (answer["divergence"]["rank"], answer["divergence"]["kind"]) == (1, "batch")
    assert [(one["rank"], one["same"]) for one in answer["ranks"]] == [(0, False), (1, False)]
    assert answer["ranks"][0]["divergence"]["kind"] == "gradients"  # averaged over both


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "code", "line"),
    [("same", "RC716", "(model(x) - y).pow(2)"), ("alone", "RC715", "optimizer.step()"), ("clean", "", "")],
)
def test_what_ranks_must_and_must_not_share(mode: str, code: str, line: str, tmp_path: Path) -> None:
    words = ("--seeding", "none", "--max-steps", "6", "--nproc", "2", "ddp.py", "--", mode)
    answer = audit(tmp_path, *words, code=0)
    assert [finding["code"] for finding in answer["findings"]] == [code] * bool(code)
    for finding in answer["findings"]:
        assert line in finding["source"]
        assert ("rank 1" in finding["evidence"][0], finding["severity"]) == (True, "warning")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "code", "line", "evidence"),
    [
        ("not averaged", "RC717", "optimizer.step()", "first at step 0, in `rank 1`"),
        ("averaged later", "", "", ""),
        ("other start", "RC718", "optimizer.step()", "from the start, in `rank 0`, `rank 1`"),
        ("clean", "", "", ""),
        ("same masks", "RC719", "torch.manual_seed(11", "`module.1` of rank 0, rank 1"),
        ("own masks", "", "", ""),
    ],
)
def test_ranks_that_average_by_hand_or_draw_alike(
    mode: str, code: str, line: str, evidence: str, tmp_path: Path
) -> None:
    (tmp_path / "hand.py").write_text(BY_HAND)
    answer = audit(tmp_path, "--seeding", "none", "--nproc", "2", "hand.py", "--", mode, code=0)
    assert [finding["code"] for finding in answer["findings"]] == [code] * bool(code)
    for finding in answer["findings"]:
        assert line in finding["source"]
        assert finding["evidence"] == [evidence]


@pytest.mark.slow
def test_ranks_that_we_start(tmp_path: Path) -> None:
    answer = audit(tmp_path, "--no-explain", "--max-steps", "3", "--nproc", "2", "ddp.py", "--", "other", code=1)
    assert answer["divergence"]["rank"] == 1
    assert [one["steps"]["count"] for run in answer["seeds"][0]["runs"] for one in run["ranks"]] == [3] * 4
    ran = reprocheck("run", "--nproc", "2", "spawned.py:train", cwd=tmp_path)
    assert (ran.code, "is a function" in ran.err) == (2, True)


@pytest.mark.slow
def test_a_sitecustomize_of_the_user_runs_as_ever(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.MINE = 1\n")
    (tmp_path / "child.py").write_text("import sys\nprint(MINE, [p for p in sys.path if 'reprocheck/worker' in p])\n")
    (tmp_path / "t.py").write_text(
        "import subprocess, sys\n"
        "def train():\n"
        "    return subprocess.run([sys.executable, 'child.py'], capture_output=True, text=True).stdout\n"
    )
    env = environment(PYTHONPATH=str(tmp_path))
    ran = reprocheck("run", "--no-explain", "--format", "json", "t.py:train", cwd=tmp_path, env=env)
    [folder] = tmp_path.glob(".reprocheck/audits/*/s0r0")
    assert '"text": "1 []\\n"' in (folder / "evidence.jsonl").read_text(), ran.out + ran.err
    assert os.listdir(tmp_path).count("sitecustomize.py") == 1


@pytest.mark.slow
@pytest.mark.long
def test_a_line_in_a_script_of_torchrun_is_named_and_not_said_to_have_no_effect(tmp_path: Path) -> None:
    """The interpreter of a rank reads the script itself: nobody can change a line of it in memory."""
    source = DDP.replace('if MODE == "other" and SECOND and rank == 1:', "if rank == 1:").replace(
        "x = x + 1  # the second run alone, and rank 1 alone",
        "x = x + torch.from_numpy(np.random.default_rng().normal(size=(4, 8))).float()",
    )
    (tmp_path / "train.py").write_text("import numpy as np\n" + source)
    arguments = ("--no-drift", "--max-steps", "2", "--nproc", "2", "train.py")
    ran = reprocheck("run", "--format", "json", *arguments, cwd=tmp_path, timeout=900)
    assert ran.code == 1, ran.out + ran.err
    answer = ran.json()
    [found] = [finding for finding in answer["findings"] if finding["code"] == "RC503"]
    assert (found["confidence"], found["location"]["path"]) == ("high", "train.py")
    assert "default_rng()" in found["source"]
    [edited] = [trial for trial in answer["explanation"]["trials"] if trial["remedies"][0]["edits"]]
    assert (edited["runs"], edited["mends"]) == (0, False)
    assert "the script of a rank cannot be changed in memory" in edited["failed"]


@pytest.mark.slow
def test_the_process_that_accelerate_starts_alone(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    (tmp_path / "alone.py").write_text(ACCELERATE)
    words = ("-m", "accelerate.commands.launch", "--", "--cpu", "--num_processes", "2", "alone.py")
    answer = audit(tmp_path, "--strict", "--threads", "1", *words, code=0)
    assert (answer["headline"], answer["findings"]) == ("REPRODUCIBLE", [])
    [one] = answer["seeds"][0]["runs"][0]["ranks"]
    assert (one["rank"], one["steps"]["count"]) == (0, 4)
    answer = audit(tmp_path, "--threads", "1", "--no-explain", *words, "other", code=1)
    assert (answer["divergence"]["rank"], answer["divergence"]["step"]) == (0, 1)


@pytest.mark.slow
def test_a_library_that_seeds_all_ranks_alike_does_so_by_design(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    (tmp_path / "both.py").write_text(ACCELERATE)
    words = ("-m", "accelerate.commands.launch", "--", "--multi_gpu", "--num_processes", "2", "both.py")
    answer = audit(tmp_path, "--threads", "1", "--no-explain", *words, code=0)
    assert answer["headline"] == "REPRODUCIBLE; not checked whether it seeds itself"  # as --no-explain asks
    assert answer["findings"] == []
    assert [one["rank"] for one in answer["ranks"]] == [0, 1]


@pytest.mark.slow
def test_initial_weights_and_health_of_ranks(tmp_path: Path) -> None:
    (tmp_path / "ddp.py").write_text(DDP)
    words = ("--format", "json", "--threads", "1", "--nproc", "2", "ddp.py", "--", "clean")
    ran = reprocheck("params", "--seed", "0", *words, cwd=tmp_path, timeout=900)
    assert ran.code == 0, ran.out + ran.err
    shown = ran.json()
    assert [tensor["name"] for tensor in shown["tensors"]] == ["module.weight", "module.bias"]
    assert any("rank 1 started from the same ones" in note for note in shown["notes"])
    ran = reprocheck("doctor", *words, cwd=tmp_path, timeout=900)
    assert ran.code == 0, ran.out + ran.err
    shown = ran.json()
    assert shown["steps"] == 5
    assert any("are those of rank 0; of rank 1 the training loop alone" in note for note in shown["notes"])
    assert not any("not looked at" in note for note in shown["notes"])


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "code"), [("all", 0), ("rank 0 alone", 1)])
def test_ranks_that_go_on_where_they_were(mode: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "saving.py").write_text(SAVING)
    words = ("--format", "json", "--threads", "1", "--at", "3", "--kill", "--nproc", "2", "saving.py", "--", mode)
    ran = reprocheck("resume", *words, cwd=tmp_path, timeout=900)
    assert ran.code == code, ran.out + ran.err
    assert ("in rank 1" in ran.out) == bool(code)


@pytest.mark.slow
def test_what_depends_on_the_number_of_ranks_and_not_on_the_view_of_buckets(tmp_path: Path) -> None:
    (tmp_path / "ddp.py").write_text(DDP)
    words = ("--only", "ranks,ddp-bucket-view", "--seed", "0", "--threads", "1", "--max-steps", "2", "--nproc", "2")
    ran = reprocheck(
        "vary", "--no-explain", "--format", "json", *words, "ddp.py", "--", "clean", cwd=tmp_path, timeout=900
    )
    assert ran.code == 0, ran.out + ran.err
    rows = {row["names"][0]: row["status"] for row in ran.json()["rows"]}
    assert rows == {"ranks-1": "differs", "ddp-bucket-view": "same"}


@pytest.mark.slow
@pytest.mark.parametrize(("own", "codes"), [("", []), ("use_distributed_sampler=False,", ["RC716"])])
def test_the_process_of_the_run_is_a_rank_of_lightning(own: str, codes: list[str], tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    (tmp_path / "fit.py").write_text(LIGHTNING.replace("# more", own))
    answer = audit(tmp_path, "--no-explain", "--threads", "1", "fit.py", code=0)
    assert [finding["code"] for finding in answer["findings"]] == codes


@pytest.mark.slow
def test_ranks_that_seed_themselves_are_said_to(tmp_path: Path) -> None:
    (tmp_path / "ddp.py").write_text(DDP)
    ran = reprocheck("doctor", "--nproc", "2", "--threads", "1", "--format", "json", "ddp.py", "clean", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    assert ran.json()["findings"] == []
