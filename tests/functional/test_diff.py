"""`reprocheck diff` on evidence of real audits: what it names, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from reprocheck.commands.diff.sides import open_sides
from reprocheck.config.checks import DOCUMENT_FORMATS, any_of
from reprocheck.errors import UsageError
from tests.support.cli import Ran, reprocheck

TRAINING = """\
import torch


def train(late: bool = False, bias: bool = False):
    model = torch.nn.Linear(3, 1)
    if bias:
        torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(6):
        optimizer.zero_grad()
        loss = model(torch.randn(4, 3)).square().mean()
        (loss * 1.5 if late and step == 3 else loss).backward()
        optimizer.step()
    return {"loss": loss.item(), "model": model.state_dict()}
"""

NUMBERS = """\
import os


def train(value: float = 0.5):
    return {"loss": value, "name": "n", "list": list(range(20))}


def varies():
    return {"pid": os.getpid()}


def nothing():
    return None


def fails():
    raise RuntimeError("no")
"""


def audit(folder: Path, *argv: str, code: int = 0) -> Ran:
    ran = reprocheck("run", "--ambient", "fixed", "--no-explain", "--threads", "1", *argv, cwd=folder)
    assert ran.code == code, ran.out + ran.err
    return ran


def diff(folder: Path, *argv: str, code: int) -> Ran:
    ran = reprocheck("diff", *argv, cwd=folder)
    assert ran.code == code, ran.out + ran.err
    return ran


def refused(folder: Path, *argv: str) -> str:
    ran = diff(folder, *argv, code=2)
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert all(line.startswith(("error: ", "  help: ")) for line in ran.err.splitlines()), ran.err
    return ran.err


def folders(folder: Path) -> list[Path]:
    return sorted((folder / ".reprocheck" / "audits").iterdir(), key=lambda entry: entry.stat().st_mtime_ns)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Audits of numbers, the last three: 0.5 twice, then 0.75; with a report and a baseline of 0.5."""
    folder = tmp_path_factory.mktemp("saved")
    (folder / "t.py").write_text(NUMBERS)
    audit(folder, "t.py:train", "--output", "json=r.json")
    audit(folder, "t.py:train", "--baseline", "b.json", "--update-baseline")
    audit(folder, "t.py:train", "--arg", "value=0.75", "--output", "json=r75.json")
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """The last audit in a folder of its own, to be damaged."""
    shutil.copytree(folders(saved)[-1], tmp_path / "copy")
    return tmp_path


@pytest.mark.slow
def test_two_trainings(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TRAINING)
    audit(tmp_path, "t.py:train", "--output", "json=plain.json")
    audit(tmp_path, "t.py:train")
    same = diff(tmp_path, "latest~1", "latest", "--format", "json", code=0).json()
    assert (same["verdict"], same["exit_code"]) == ("same", 0)
    assert {part["state"] for part in same["seeds"][0]["parts"]} == {"same"}
    audit(tmp_path, "t.py:train", "--arg", "late=True", "--output", "json=late.json")
    found = diff(tmp_path, "latest~1", "latest", "--format", "json", code=1).json()
    first = found["seeds"][0]["first"]
    assert (first["stage"], first["from_step"], first["to_step"], first["kind"]) == ("step", 3, 3, "loss")
    states = {pair["name"]: pair["state"] for pair in found["seeds"][0]["tensors"]}
    assert (states["weight"], states["model.weight"]) == ("same", "different")
    assert [fact["name"] for fact in found["asked"] if fact["differs"]] == ["arguments"]
    assert found["manifest"]
    assert not any(fact["differs"] for fact in found["manifest"])
    first = diff(tmp_path, "plain.json", "late.json", "--format", "json", code=1).json()["seeds"][0]["first"]
    assert (first["stage"], first["from_step"]) == ("step", None)
    audit(tmp_path, "t.py:train", "--arg", "bias=True")
    assert "first in the initial parameters: bias" in diff(tmp_path, "latest", "latest~1", code=1).out


@pytest.mark.slow
def test_every_form_of_the_same_is_the_same(saved: Path) -> None:
    for other in ("latest~1", "latest~2", "r.json", "b.json", folders(saved)[0].name, str(folders(saved)[0])):
        assert diff(saved, "latest~2", other, code=0).out.startswith("SAME  no difference in 1 seed")
    found = diff(saved, "latest~1", "b.json", "--format", "json", code=0).json()
    assert (found["a"]["kind"], found["b"]["kind"]) == ("evidence", "baseline")


@pytest.mark.parametrize("other", ["latest", "r75.json"])
@pytest.mark.parametrize("one", ["latest~1", "r.json", "b.json"])
def test_what_differs_is_named(saved: Path, one: str, other: str) -> None:
    out = diff(saved, one, other, code=1).out
    assert out.startswith("DIFFERENT  1 of 1 seed differs")
    assert "0.75" in out
    assert "arguments" in out


def test_a_tolerance_for_metrics(saved: Path) -> None:
    out = diff(saved, "latest~1", "latest", "--tolerance", "loss=50%", code=0).out
    assert "within tolerance" in out
    diff(saved, "latest~1", "latest", "--tolerance", "loss=10%", code=1)


@pytest.mark.slow
def test_manifests_of_two_machines(saved: Path, copy: Path) -> None:
    edit(copy / "copy" / "audit.json", '"python": "', '"python": "9.')
    edit(copy / "copy" / "audit.json", '"platform": "Linux', '"platform": "Other')
    out = diff(saved, "latest", str(copy / "copy"), code=0).out
    assert "the numerical classes differ" in out
    assert out.index("platform") < out.index("python")
    found = diff(saved, "latest", str(copy / "copy"), "--format", "json", code=0).json()
    assert found["other_class"] is True
    assert [fact["name"] for fact in found["manifest"] if fact["differs"]] == ["platform", "python"]
    assert found["manifest"][0]["differs"]
    diff(saved, "latest", str(copy / "copy"), "--tolerance", "loss=1%", code=0)
    diff(saved, "latest~1", str(copy / "copy"), "--tolerance", "loss=1%", code=1)
    diff(saved, "latest", str(copy / "copy"), "--tolerance", "other=1%", code=3)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.slow
def test_nothing_to_compare_is_no_verdict(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(NUMBERS)
    audit(tmp_path, "t.py:nothing", "--output", "json=none.json", code=3)
    for one in ("latest", "none.json"):
        assert diff(tmp_path, one, "latest", code=3).out.startswith("fatal: no verdict reached  nothing could")
    diff(tmp_path, "none.json", "none.json", code=3)
    audit(tmp_path, "t.py:fails", code=3)
    assert "no run of seed 0 was completed" in diff(tmp_path, "latest", "latest", code=3).out
    audit(tmp_path, "t.py:train", "--seed", "7")
    out = diff(tmp_path, "latest", str(saved / "r.json"), code=3).out
    assert "no seed was completed on both sides" in out
    assert "only latest has seed 7" in out
    audit(tmp_path, "t.py:varies", code=1)
    assert "the runs of seed 0 differ among themselves" in diff(tmp_path, "latest", "latest", code=0).out


def test_without_the_evidence_of_runs_digests_are_compared(saved: Path, copy: Path) -> None:
    shutil.rmtree(copy / "copy" / "s0r0")
    out = diff(saved, str(copy / "copy"), "latest", code=0).out
    assert "of it only digests are compared" in out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("latest~9", "latest"), "there is no latest~9"),
        (("no", "latest"), "there is no audit or file no"),
        (("", "latest"), "there is no audit or file"),
        (("../saved", "latest"), "there is no audit or file"),
        (("t.py", "latest"), "not valid JSON"),
        (("/dev/zero", "latest"), "no regular file"),
        ((".", "latest"), "holds no audit.json"),
        (("latest", "latest", "--format", "sarif"), f"--format must be {any_of(DOCUMENT_FORMATS)}"),
        (("latest", "latest", "--tolerance", "x"), "--tolerance must be"),
    ],
)
def test_arguments_that_name_nothing(saved: Path, argv: tuple[str, ...], says: str) -> None:
    assert says in refused(saved, *argv)


def replace_run(folder: Path, name: str, content: bytes) -> None:
    (folder / "copy" / "s0r0" / name).write_bytes(content)


def damage(kind: str, folder: Path) -> None:
    audit_folder = folder / "copy"
    report, evidence = audit_folder / "audit.json", audit_folder / "s0r0" / "evidence.jsonl"
    content = json.loads(report.read_text())
    if kind == "report cut short":
        report.write_bytes(report.read_bytes()[:500])
    elif kind == "report of a newer version":
        report.write_text(json.dumps({**content, "schema_version": 2}))
    elif kind == "report of an older version":
        report.write_text(json.dumps({**content, "schema_version": 0}))
    elif kind == "report is a list":
        report.write_text("[]")
    elif kind == "report nested":
        report.write_text('{"a":' * 200_000)
    elif kind == "report is a link":
        report.unlink()
        report.symlink_to("/etc/passwd")
    elif kind == "report is a pipe":
        report.unlink()
        os.mkfifo(report)
    elif kind == "seeds of another form":
        report.write_text(json.dumps({**content, "seeds": [1]}))
    elif kind == "a run elsewhere":
        run = {**content["seeds"][0]["runs"][0], "id": "../copy/s0r0"}
        report.write_text(json.dumps({**content, "seeds": [{**content["seeds"][0], "runs": [run]}]}))
    elif kind == "evidence cut short":
        evidence.write_bytes(evidence.read_bytes()[:-20])
    elif kind == "evidence without its end":
        evidence.write_text("".join(evidence.read_text().splitlines(keepends=True)[:-1]))
    elif kind == "evidence empty":
        evidence.write_text("")
    elif kind == "evidence of another run":
        edit(evidence, '"run": "s0r0"', '"run": "s0r1"')
    elif kind == "evidence is a link":
        evidence.unlink()
        evidence.symlink_to("/etc/passwd")
    elif kind == "evidence is a pipe":
        evidence.unlink()
        os.mkfifo(evidence)
    elif kind == "evidence is no text":
        evidence.write_bytes(b"\xff" * 1000)
    elif kind == "evidence nested":
        evidence.write_text("[" * 200_000)
    elif kind == "evidence with infinite numbers":
        edit(evidence, '"steps": 0', '"steps": Infinity')
    elif kind == "evidence with a huge number":
        edit(evidence, '"shape": [20]', f'"shape": [{"9" * 5000}]')
    elif kind == "evidence with an infinite shape":
        edit(evidence, '"shape": [20]', '"shape": [1e999]')
    elif kind == "evidence huge":
        with evidence.open("ab") as file:
            file.truncate(257 * 2**20)
    elif kind == "steps missing":
        (audit_folder / "s0r0" / "steps.bin").unlink()
    elif kind == "steps too many":
        replace_run(folder, "steps.bin", b"x" * 1000)
    elif kind == "the folder of the run is a link":
        (audit_folder / "s0r0").rename(folder / "elsewhere")
        (audit_folder / "s0r0").symlink_to(folder / "elsewhere")
    elif kind == "the folder of the run is a file":
        shutil.rmtree(audit_folder / "s0r0")
        (audit_folder / "s0r0").write_text("")
    else:
        raise AssertionError(kind)


DAMAGE = (
    *("report cut short", "report of a newer version", "report of an older version", "report is a list"),
    *("report nested", "report is a link", "report is a pipe", "seeds of another form", "a run elsewhere"),
    *("evidence cut short", "evidence without its end", "evidence empty", "evidence of another run"),
    *("evidence is a link", "evidence is a pipe", "evidence is no text", "evidence nested"),
    *("evidence with infinite numbers", "evidence with a huge number", "evidence with an infinite shape"),
    *("evidence huge", "steps missing", "steps too many"),
    *("the folder of the run is a link", "the folder of the run is a file"),
)


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_and_hostile_evidence_is_refused(copy: Path, kind: str) -> None:
    damage(kind, copy)
    with pytest.raises(UsageError) as caught:
        open_sides(str(copy / "copy"), copy)
    said = caught.value.message
    assert "copy" in said
    assert "root:" not in said
    assert len(said) < 600


def test_damaged_evidence_ends_the_command_with_one_error(copy: Path) -> None:
    damage("evidence cut short", copy)
    assert "is damaged" in refused(copy, "copy", "copy")


def test_nothing_in_a_file_is_executed(copy: Path) -> None:
    code = f"__import__('pathlib').Path({str(copy / 'executed')!r}).touch()"
    for file in (copy / "copy" / "audit.json", copy / "copy" / "s0r0" / "evidence.jsonl"):
        edit(file, '"n"', json.dumps(code)) if '"n"' in file.read_text() else None
    spec = json.loads((copy / "copy" / "s0r0" / "spec.json").read_text())
    spec["target"]["arguments"] = [["value", code]]
    (copy / "copy" / "s0r0" / "spec.json").write_text(json.dumps(spec))
    diff(copy, "copy", "copy", code=2)
    assert not (copy / "executed").exists()


def test_a_flipped_digest_of_a_gradient_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TRAINING)
    audit(tmp_path, "t.py:train", "--max-steps", "2")
    run = folders(tmp_path)[-1]
    path = run / "s0r0" / "steps.bin"
    data = bytearray(path.read_bytes())
    data[12 + 16 * 3] ^= 1
    path.write_bytes(data)
    assert "steps.bin is not as it was when the run ended" in refused(tmp_path, "latest", "latest")
