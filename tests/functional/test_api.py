"""The Python API with real runs: audits, and checkpoints inside targets. Without torch where it is not the point."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import reprocheck
from reprocheck import protocol
from reprocheck.model import Audit, Verdict
from reprocheck.worker.observe import checkpoints
from tests.support.cli import environment
from tests.support.cli import reprocheck as command

TARGET = """
import os
from collections.abc import Mapping

import reprocheck


def pid():
    return float(os.getpid())


def same(seed, rate=1.0):
    return {"loss": rate + seed}


def differs(seed):
    return {"loss": pid()}


def fails():
    raise ValueError("broken on purpose")


def third():
    for number in range(5):
        reprocheck.checkpoint("value", {"number": number, "x": [0.5, pid() if number > 2 else 0.25]})


def many(calls, differing=None):
    for number in range(calls):
        reprocheck.checkpoint("many", pid() if number == differing else 0.5)


def names(count):
    for number in range(count):
        reprocheck.checkpoint(f"name {number}", pid() if number == count - 1 else 1)


def more():
    for number in range(2 + (os.environ["PYTHONHASHSEED"] == "102")):
        reprocheck.checkpoint("more", 1)


def only_one():
    if os.environ["PYTHONHASHSEED"] == "101":
        reprocheck.checkpoint("only", 1)
    reprocheck.checkpoint("both", 1)


def two_names():
    reprocheck.checkpoint("first", 1)
    reprocheck.checkpoint("second", pid())
    reprocheck.checkpoint("third", pid())


def opaque():
    reprocheck.checkpoint("opaque", object())
    reprocheck.checkpoint("plain", 1)


class Hostile(Mapping):
    def __getitem__(self, key):
        raise RuntimeError("no")

    def __iter__(self):
        raise RuntimeError("no")

    def __len__(self):
        return 1


def hostile():
    reprocheck.checkpoint("hostile", Hostile())
    reprocheck.checkpoint(b"\\xff", "\\ud800")
    return 1


def threads(differs=False):
    import threading
    barrier = threading.Barrier(2)
    def work(value):
        for number in range(20):
            barrier.wait()
            reprocheck.checkpoint("work", value + number)
    extra = pid() if differs else 2.0
    pair = [threading.Thread(target=work, args=(value,)) for value in (1.0, extra)]
    if os.environ["PYTHONHASHSEED"] == "102":
        pair.reverse()
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()


def forked():
    child = os.fork()
    if not child:
        reprocheck.checkpoint("child", pid())
        os._exit(0)
    os.waitpid(child, 0)
    reprocheck.checkpoint("parent", 1)


def folder():
    reprocheck.checkpoint("folder", os.path.join(os.environ["TMPDIR"], "x"))


def near(calls=1):
    for number in range(calls):
        reprocheck.checkpoint("near", 1.0 + pid() * 1e-15)


def tells():
    return {"seen": reprocheck.checkpoint("x", 1)}
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "t.py").write_text(TARGET)
    monkeypatch.chdir(tmp_path)
    for name in ("PYTHONHASHSEED", "MALLOC_PERTURB_", "TMPDIR"):  # set, they would not vary
        monkeypatch.delenv(name, raising=False)
    return "t.py"


def quick(target: str, **options: Any) -> Audit:
    """No pause between runs; nothing varies but what the target makes itself."""
    return reprocheck.audit(target, ambient="fixed", explain=False, **options)


def test_an_audit_is_that_of_the_command(target: str, tmp_path: Path) -> None:
    answer = quick(f"{target}:same", seeds=2, arg={"rate": 0.5}, output=["json=report.json"])
    assert (answer.verdict, answer.exit_code) == (Verdict.REPRODUCIBLE, 0)
    assert [len(seed.runs) for seed in answer.seeds] == [2, 2]
    assert answer.seeds[1].runs[0].metrics == {"loss": 1.5}
    (loss,) = answer.metrics
    assert (loss.name, loss.mean, loss.minimum, loss.maximum, loss.within_std) == ("loss", 1.0, 0.5, 1.5, 0.0)
    arguments = ("--ambient", "fixed", "--no-explain", "--seeds", "2", "--arg", "rate=0.5", "--format", "json")
    shown = command("run", f"{target}:same", *arguments, cwd=tmp_path).json()
    ours = json.loads((tmp_path / "report.json").read_text())
    assert {key: value for key, value in ours.items() if key != "volatile"} == {
        key: value for key, value in shown.items() if key != "volatile"
    }
    assert ours == json.loads(reprocheck.render(answer, "json"))


@pytest.mark.slow
def test_differences_and_failures_are_values(target: str) -> None:
    different = quick(f"{target}:differs")
    assert (different.verdict, different.exit_code) == ("different", 1)
    assert reprocheck.render(different).startswith("DIFFERENT  t.py:differs")
    assert quick(f"{target}:differs", exit_zero=True).exit_code == 0
    failed = quick(f"{target}:fails")
    assert (failed.verdict, failed.exit_code) == ("no_verdict", 3)
    assert "broken on purpose" in reprocheck.render(failed)


@pytest.mark.slow
def test_a_script_with_arguments_and_a_module(target: str, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import sys\nprint(sys.argv[1:])\n")
    script = quick("s.py", argv=["--seed", "{seed}"], seed=7, compare=["stdout"])
    assert script.exit_code == 0
    assert Path(script.seeds[0].runs[0].directory, "stdout.txt").read_text() == "['--seed', '7']\n"
    assert quick(None, module="s", compare="stdout").exit_code == 0  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_function_object_and_audits_in_one_second(target: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        textwrap.dedent("""
        import sys
        import reprocheck

        def train(seed):
            return seed

        if __name__ == "__main__":
            audits = [reprocheck.audit(train, seed=seed, ambient="fixed", explain=False) for seed in (1, 2, 3)]
            assert [audit.request.target.text for audit in audits] == ["own.py:train"] * 3
            assert len({audit.directory for audit in audits}) == 3
            print([audit.exit_code for audit in audits])
        """)
    )
    done = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[0, 0, 0]\n", "")


def test_a_file_that_audits_itself_on_import_ends(target: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import reprocheck\ndef train(): return 1\nreprocheck.audit('own.py:train')\n")
    answer = quick("own.py:train")
    assert answer.exit_code == 3
    assert "inside an audited run" in reprocheck.render(answer)


@pytest.mark.slow
def test_progress_is_reported_on_request(target: str, capfd: pytest.CaptureFixture[str]) -> None:
    quick(f"{target}:same")
    assert capfd.readouterr() == ("", "")
    quick(f"{target}:same", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "run 2/2 s0r1 completed" in err


def test_outside_an_audit_a_checkpoint_does_nothing() -> None:
    assert checkpoints._active is None
    assert reprocheck.checkpoint("x", object()) is None  # type: ignore[func-returns-value]


def test_the_first_checkpoint_that_differs_is_named_with_its_values(target: str) -> None:
    answer = quick(f"{target}:third")
    found = answer.divergence
    assert found is not None
    assert (found.stage, found.step, found.names) == ("checkpoint", 0, ("value.x[1]",))
    assert found.note == "checkpoint `value`, call 3 (counted from 0)"
    assert found.tensors[0].values is not None
    assert answer.compared == ("checkpoints",)
    assert [finding.code for finding in answer.findings] == ["RC308"]
    assert "checkpoint differs between run s0r0 and run s0r1" in reprocheck.render(answer)


def test_checkpoints_alone_are_enough_for_a_verdict(target: str) -> None:
    answer = quick(f"{target}:many", arg={"calls": 3})
    assert (answer.exit_code, answer.compared) == (0, ("checkpoints",))


@pytest.mark.slow
def test_many_calls_stay_bounded_and_every_one_counts(target: str) -> None:
    calls = 6 * protocol.SINGLE_CALLS
    same = quick(f"{target}:many", arg={"calls": calls})
    assert same.exit_code == 0
    lines = Path(same.seeds[0].runs[0].directory, "evidence.jsonl").read_text().splitlines()
    records = [record for record in map(json.loads, lines) if record["record"] == "checkpoint"]
    assert protocol.SINGLE_CALLS < len(records) < checkpoints.SINGLE_CALLS + 30
    assert sum(record["calls"] for record in records) == calls
    different = quick(f"{target}:many", arg={"calls": calls, "differing": calls - 7}).divergence
    assert different is not None
    assert different.note.startswith("checkpoint `many`: one of the calls ")
    first, last = map(int, re.findall(r"\d+", different.note)[:2])
    assert first <= calls - 7 <= last < first + calls // 4


@pytest.mark.slow
def test_many_names_stay_bounded_and_every_one_counts(target: str) -> None:
    count = checkpoints.MOST_NAMES + 50
    answer = quick(f"{target}:names", arg={"count": count})
    assert answer.divergence is not None
    assert answer.divergence.names == (checkpoints.OTHER_NAMES,)


@pytest.mark.slow
def test_another_number_of_calls_is_a_difference(target: str) -> None:
    more = reprocheck.audit(f"{target}:more", explain=False).divergence
    assert more is not None
    assert more.note == "s0r0 called checkpoint `more` 2 times, s0r1 3 times"
    only = reprocheck.audit(f"{target}:only_one", explain=False).divergence
    assert only is not None
    assert only.note == "s0r0 called checkpoint `only` 1 times, s0r1 0 times"


def test_of_several_names_the_first_in_run_order_is_named(target: str) -> None:
    found = quick(f"{target}:two_names").divergence
    assert found is not None
    assert found.names == ("second",)


def test_what_cannot_be_read_is_not_compared(target: str) -> None:
    answer = quick(f"{target}:opaque")
    assert answer.exit_code == 0
    assert [(item.what, item.reason) for item in answer.not_compared if "checkpoint" in item.what] == [
        ("checkpoint opaque", "a object is opaque")
    ]


def test_a_value_that_raises_does_not_end_the_target(target: str) -> None:
    answer = quick(f"{target}:hostile")
    assert answer.exit_code == 0
    failed = [item.reason for item in answer.not_compared if item.what == "checkpoint hostile"]
    assert failed == ["its own code raises RuntimeError"]


@pytest.mark.slow
def test_calls_from_threads_have_no_order(target: str) -> None:
    assert reprocheck.audit(f"{target}:threads", explain=False).exit_code == 0
    found = quick(f"{target}:threads", arg={"differs": True}).divergence
    assert found is not None
    assert (found.step, found.names) == (None, ("work",))
    assert "called 40 times outside the main thread" in found.note


@pytest.mark.slow
def test_children_write_nothing(target: str) -> None:
    assert quick(f"{target}:forked").exit_code == 0


def test_the_run_s_own_temporary_folder_is_no_difference(target: str) -> None:
    assert reprocheck.audit(f"{target}:folder", explain=False).exit_code == 0


@pytest.mark.slow
def test_checkpoints_are_measured_with_a_tolerance(target: str) -> None:
    assert quick(f"{target}:near").exit_code == 1
    answer = quick(f"{target}:near", tolerance=["close"])
    assert answer.exit_code == 0
    assert answer.seeds[0].notes == ("within the tolerance, with different bits: near",)
    many = quick(f"{target}:near", tolerance=["close"], arg={"calls": protocol.SINGLE_CALLS + 1})
    assert ("checkpoint near", "its fingerprints differ, and a tolerance can only be measured on values") in [
        (item.what, item.reason) for item in many.not_compared
    ]


@pytest.mark.slow
def test_it_returns_nothing_inside_either(target: str) -> None:
    answer = quick(f"{target}:tells")
    assert answer.exit_code == 0
    assert "seen" not in answer.seeds[0].runs[0].metrics


STEPS = """
import os
import torch
import reprocheck
from torch import nn


def train(where="none"):
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    noise = float(os.getpid() % 1000)
    for step in range(4):
        now = step == 2
        x = torch.randn(8, 4)
        if now and where == "batch":
            x = x + noise
        if where != "late":
            reprocheck.checkpoint("x", x * (1 + noise if now and where == "checkpoint" else 1))
        loss = model(x).square().sum()
        reprocheck.checkpoint("loss", loss)
        optimizer.zero_grad()
        loss.backward()
        if now and where == "gradients":
            for parameter in model.parameters():
                parameter.grad += noise
        optimizer.step()
    reprocheck.checkpoint("model", model)


@torch.compile(backend="eager")
def double(x):
    reprocheck.checkpoint("inside", x)
    return x * 2


def compiled():
    reprocheck.checkpoint("outside", double(torch.ones(3)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "stage", "step", "names"),
    [
        ("checkpoint", "checkpoint", 2, ("x",)),
        ("batch", "checkpoint", 2, ("x",)),
        ("late", "checkpoint", None, None),
        ("gradients", "step", 2, ()),
    ],
)
def test_checkpoints_stand_in_run_order_with_the_steps(
    target: str, tmp_path: Path, where: str, stage: str, step: int | None, names: tuple[str, ...] | None
) -> None:
    (tmp_path / "t.py").write_text(STEPS)
    answer = quick("t.py:train", arg={"where": where}, threads=1)
    if names is None:
        assert answer.exit_code == 0
        return
    assert answer.divergence is not None
    assert (answer.divergence.stage, answer.divergence.step, answer.divergence.names) == (stage, step, names)


@pytest.mark.slow
def test_a_batch_that_differed_comes_before_a_checkpoint_behind_it(target: str, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(STEPS.replace('if where != "late":', 'if where == "x":'))
    found = quick("t.py:train", arg={"where": "batch"}, threads=1).divergence
    assert found is not None
    assert (found.stage, found.kind, found.step) == ("data", "batch", 2)


@pytest.mark.slow
def test_compiled_functions_leave_their_checkpoints_out(target: str, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(STEPS)
    answer = quick("t.py:compiled", threads=1)
    assert answer.exit_code == 0, reprocheck.render(answer)
    evidence = Path(answer.seeds[0].runs[0].directory, "evidence.jsonl").read_text()
    assert '"name": "outside"' in evidence
    assert '"name": "inside"' not in evidence


DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_public_name_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    classes = {"Audit", "Verdict", "__version__"}
    for name in set(reprocheck.__all__) - classes:
        assert f"`{name}`" in text or f"reprocheck.{name}" in text, name
    for name in ("audit", "checkpoint", "fingerprint", "render", "seed_everything"):
        assert re.search(rf"^## {name}$", text, re.MULTILINE), name


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, len(EXAMPLES)))
def test_examples_of_the_docs_run(tmp_path: Path, number: int) -> None:
    name, _, _ = EXAMPLES[0].partition("\n")
    (tmp_path / name.removeprefix("# ")).write_text(EXAMPLES[0])
    arguments = [sys.executable, "-c", EXAMPLES[number]]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
