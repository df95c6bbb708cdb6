"""Audits of trainings on a GPU. Where there is none all of this is skipped; the device's digests have a reference."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from reprocheck.protocol import FLAG_DEVICE, STEP_HEADER, STEPS_FILE, count_steps, records
from tests.support.cli import Ran, environment, reprocheck

TARGETS = Path(__file__).parent.parent / "targets" / "cuda" / "trainings.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: PyTorch sees none here"),
]


def audit(folder: Path, name: str, *arguments: str) -> tuple[Ran, Any]:
    ran = reprocheck("run", "--format", "json", *arguments, f"{TARGETS}:{name}", cwd=folder, env=environment())
    return ran, ran.json()


def line_of(text: str) -> int:
    lines = TARGETS.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize(
    ("name", "cause", "line"),
    [
        ("scattered", "atomic-add", "index_add_("),
        ("enlarged", "interpolate-backward", "F.interpolate("),
        ("counted", "atomic-add", ".scatter_add("),
    ],
)
def test_atomics_are_named_with_their_line_and_a_setting_that_works(
    name: str, cause: str, line: str, tmp_path: Path
) -> None:
    ran, answer = audit(tmp_path, name)
    assert ran.code == 1, ran.out + ran.err
    causes = [finding for finding in answer["findings"] if not finding["code"].startswith("RC30")]
    assert causes[0]["cause"] in (cause, "index-put-duplicates"), answer["findings"]
    assert causes[0]["location"]["line"] == line_of(line)
    trials = answer["explanation"]["trials"]
    texts = [one["text"] for trial in trials if trial["agreed"] == trial["runs"] > 1 for one in trial["remedies"]]
    assert any("deterministic" in text for text in texts), trials


def test_a_training_that_reproduces_is_read_on_the_device(tmp_path: Path) -> None:
    ran, answer = audit(tmp_path, "digits", "--cudnn-deterministic", "--no-cudnn-benchmark", "--seeds", "2")
    assert ran.code == 0, ran.out + ran.err
    assert answer["compared"] == ["initial parameters", "steps", "outputs"]
    assert not [item for item in answer["not_compared"] if "read" in item["reason"]]
    files = list(tmp_path.glob(f".reprocheck/audits/*/s*/{STEPS_FILE}"))
    assert len(files) == 4
    for file in files:
        data = file.read_bytes()
        flags = [STEP_HEADER.unpack_from(record)[2] for record in records(data)]
        assert count_steps(data) == 6
        assert all(flag & FLAG_DEVICE for flag in flags)
    assert not [note for note in answer.get("notes", ()) if "on the host" in note], answer["notes"]


def test_dropout_off_the_seed_is_seen_at_its_step(tmp_path: Path) -> None:
    ran, answer = audit(tmp_path, "digits", "--seeding", "none", "--no-explain")
    assert ran.code == 1, ran.out
    assert answer["divergence"]["stage"] == "init"


def test_runs_on_other_devices_have_equal_starts_and_no_steps_to_compare(tmp_path: Path) -> None:
    folders = []
    for device in ("cpu", "cuda"):
        folders.append(tmp_path / device)
        folders[-1].mkdir()
        ran, _ = audit(folders[-1], "either", "--arg", f"device={device}", "--seed", "3", "--no-explain")
        assert ran.code == 0, ran.out + ran.err
    saved = [str(next(folder.glob(".reprocheck/audits/*"))) for folder in folders]
    ran = reprocheck("diff", "--format", "json", *saved, cwd=tmp_path)
    assert "read on a GPU" in ran.out, ran.out + ran.err


def test_a_limit_of_memory_holds_and_is_reported(tmp_path: Path) -> None:
    ran, answer = audit(tmp_path, "large", "--memory-fraction", "0.05")
    assert ran.code == 3, ran.out
    assert "OutOfMemory" in ran.out
    assert answer["verdict"] == "no_verdict"


def test_memory_that_runs_out_under_a_limit_is_reported_with_what_held_it(tmp_path: Path) -> None:
    arguments = ("doctor", f"{TARGETS}:outgrows", "--memory-limit", "3GiB", "--format", "json", "-q")
    ran = reprocheck(*arguments, cwd=tmp_path, env=environment())
    assert ran.code == 3, ran.out + ran.err
    found = ran.json()["volatile"]["out_of_memory"]
    assert (found["device"], found["allowed"], found["step"]) == ("cuda:0", 3 * 2**30, 2)
    assert found["requested"] > 1e9
    assert found["requested"] + found["reserved"] > found["allowed"] < found["total"]
    assert found["during"] == "forward"
    assert found["module"].startswith("Sequential.")
    assert found["location"]["line"] == line_of("model(images)")
    assert "`images` in trainings.py, outgrows" in [tensor["name"] for tensor in found["tensors"]]
    assert "out of memory on cuda:0 in a forward pass, after 2 optimizer steps" in ran.json()["summary"]


def test_doctor_counts_memory_by_phase_and_saves_a_snapshot(tmp_path: Path) -> None:
    arguments = ("--format", "json", "-q", "--memory-snapshot", "snapshot.pickle")
    ran = reprocheck("doctor", f"{TARGETS}:kept_graphs", *arguments, cwd=tmp_path, env=environment())
    assert ran.code == 0, ran.out + ran.err
    answer = ran.json()
    assert "growing-memory" in {finding["cause"] for finding in answer["findings"]}
    memory = answer["volatile"]["memory"]
    phases = {phase["phase"]: phase["cuda"] for phase in memory["phases"]}
    assert set(phases) == {"init", "first step", "further steps", "evaluation"}
    (steady,), (evaluation,) = phases["further steps"], phases["evaluation"]
    assert 0 < steady["allocated"] <= steady["allocated_peak"] <= steady["reserved_peak"]
    assert evaluation["allocated_peak"] - evaluation["allocated"] >= 4096 * 1000 * 4
    assert memory["cuda_growth_per_step"]["0"] > 1e6
    assert memory["empty_cache_gives_back"]["0"] >= 0
    (layer,) = answer["layers"]
    assert layer["output_std"] > 0
    assert layer["gradient_rms"] > 0
    with (tmp_path / "snapshot.pickle").open("rb") as file:
        assert pickle.load(file)["segments"]


def test_gpu_info_shows_what_torch_sees(tmp_path: Path) -> None:
    ran = reprocheck("gpu-info", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    assert torch.cuda.get_device_name(0) in ran.out
