"""Planned runs: what is written, and what `collect` makes of folders that were mixed up, cut short or forged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from reprocheck.api import render
from reprocheck.commands.collect.command import collect
from reprocheck.commands.plan.make import make_plan
from reprocheck.commands.plan.worker import make_run as make_planned_run
from reprocheck.config.options import OPTIONS, PLANNED
from reprocheck.config.settings import merge
from reprocheck.config.target import parse_target
from reprocheck.config.written import as_written
from reprocheck.engine.progress import SilentProgress
from reprocheck.errors import UsageError
from reprocheck.model import Audit, Verdict
from reprocheck.protocol.plan_files import PLAN_FILE, RESULT_FILE, NotAPlan, read_plan
from reprocheck.report.json.reading import read_audit
from reprocheck.report.json.v1 import to_plain
from tests.support.plans import complete, make_result, plan_here


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def judged(folder: Path) -> Audit:
    return collect(folder, SilentProgress())


def reasons(audit: Audit) -> str:
    return " | ".join(run.reason for seed in audit.seeds for run in seed.runs if run.reason)


def test_options_are_read_back_as_they_were() -> None:
    given = {
        "seed": [3, 1],
        "repeats": 4,
        "env": ["A=1", "B=x y"],
        "timeout": 2.5,
        "compare": "stdout,files",
        "ignore": ["a*"],
        "tolerance": ["close", "loss=1%"],
        "memory_limit": "2GiB",
        "workdir": "fresh",
        "deterministic": "warn",
        "threads": 2,
        "tf32": False,
    }
    names = tuple(name for name in PLANNED if name not in ("seeds", "arg"))
    merged = merge(given, {})
    written = json.loads(json.dumps(as_written(merged, names)))
    again = merge(written, {})
    assert {OPTIONS[name].key: again[OPTIONS[name].key] for name in names} == {
        OPTIONS[name].key: merged[OPTIONS[name].key] for name in names
    }


def test_a_plan_is_read_back_and_a_changed_one_is_refused() -> None:
    folder = plan_here(seeds=2, repeats=3)
    plan = read_plan(folder)
    assert [run.id for run in plan.runs] == ["s0r0", "s1r0", "s0r1", "s1r1", "s0r2", "s1r2"]
    assert plan.folder == ".."
    assert set(plan.code) == {"train.py"}
    for name in ("slurm.sh", "local.sh", "kubernetes.yaml", "README.md", "run-5/order.json"):
        assert (folder / name).is_file()
    path = folder / PLAN_FILE
    path.write_text(path.read_text().replace('"repeats": 3', '"repeats": 2'))
    with pytest.raises(NotAPlan, match="digest"):
        read_plan(folder)
    with pytest.raises(UsageError, match="digest"):
        judged(folder)


def test_what_looks_like_a_secret_is_in_no_plan() -> None:
    with pytest.raises(UsageError, match="secret"):
        plan_here(env=["HF_TOKEN=abcdefgh"])
    assert not Path("plan").exists()


def test_complete_runs_are_judged_and_the_report_is_read_back() -> None:
    folder = plan_here(seeds=2)
    complete(folder)
    audit = judged(folder)
    assert audit.verdict is Verdict.REPRODUCIBLE
    assert audit.missing_runs == ()
    assert audit.classes is None
    kept = json.loads((folder / "audit.json").read_text())
    again = to_plain(read_audit(kept))
    assert {**again, "volatile": 0} == {**kept, "volatile": 0}


def test_a_difference_is_seen_and_what_is_missing_is_said_and_may_come_later() -> None:
    folder = plan_here(seeds=2)
    make_result(folder, 0)
    make_result(folder, 1)
    audit = judged(folder)
    assert audit.verdict is Verdict.NO_VERDICT
    assert audit.missing_runs == ("run-2", "run-3")
    assert "2 of 4 runs are missing: run-2, run-3" in audit.summary
    make_result(folder, 2, word="other")
    assert judged(folder).verdict is Verdict.DIFFERENT
    make_result(folder, 3)
    audit = judged(folder)
    assert (audit.verdict, audit.exit_code, audit.missing_runs) == (Verdict.DIFFERENT, 1, ())


def _twice(folder: Path, start: Path) -> None:
    make_result(folder, 1)


def _cut(folder: Path, start: Path) -> None:
    path = start / "s0r1" / "steps.bin"
    path.write_bytes(path.read_bytes()[:-100])


def _absent(folder: Path, start: Path) -> None:
    (start / "s0r1" / "values.bin").unlink()


def _changed(folder: Path, start: Path) -> None:
    path = start / "s0r1" / "steps.bin"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _result_cut(folder: Path, start: Path) -> None:
    path = start / RESULT_FILE
    path.write_text(path.read_text()[:-20])


def _result_changed(folder: Path, start: Path) -> None:
    path = start / RESULT_FILE
    path.write_text(path.read_text().replace('"host": "here"', '"host": "there"'))


def _no_result(folder: Path, start: Path) -> None:
    (start / RESULT_FILE).unlink()


def _of_another_run(folder: Path, start: Path) -> None:
    shutil.rmtree(start)
    first = next((folder / "run-0").glob("start-*"))
    shutil.copytree(first, start)


def _of_another_plan(folder: Path, start: Path) -> None:
    other = plan_here("other", repeats=3)
    shutil.rmtree(start)
    shutil.copytree(make_result(other, 1), start)


def _order_of_another_plan(folder: Path, start: Path) -> None:
    other = plan_here("other", repeats=3)
    shutil.copy(other / "run-1" / "order.json", folder / "run-1" / "order.json")


def _a_link(folder: Path, start: Path) -> None:
    moved = folder / "elsewhere"
    start.rename(moved)
    start.symlink_to(moved)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_twice, "started twice"),
        (_cut, "half copied: run-1/"),
        (_absent, "half copied: run-1/"),
        (_changed, "not as it was when the run ended"),
        (_result_cut, "half copied"),
        (_result_changed, "half copied or was changed"),
        (_no_result, "has not ended, or is half copied"),
        (_of_another_run, "it is that of run-0"),
        (_of_another_plan, "it is of another plan"),
        (_order_of_another_plan, "is from another plan"),
        (_a_link, "is no folder"),
    ],
)
def test_a_run_that_is_not_as_it_was_left_is_refused(damage, said: str) -> None:
    folder = plan_here(repeats=2)
    make_result(folder, 0)
    damage(folder, make_result(folder, 1))
    audit = judged(folder)
    assert audit.verdict is Verdict.NO_VERDICT
    assert audit.exit_code == 3
    assert said in reasons(audit)
    assert reasons(audit).count("|") == 0


def test_classes_are_judged_one_by_one() -> None:
    folder = plan_here(repeats=6)
    for number, (cpu, word) in enumerate(
        [("one", ""), ("one", ""), ("two", "b"), ("two", "b"), ("six", ""), ("six", "")]
    ):
        make_result(folder, number, word=word, cpu=cpu, host=f"node-{number}")
    audit = judged(folder)
    assert (audit.verdict, audit.exit_code) == (Verdict.REPRODUCIBLE, 0)
    assert audit.divergence is None
    assert "reproduces within each of 3 numerical classes; 2 of 3 agree bit for bit" in audit.summary
    assert "first difference between A and B at step 0 in" in audit.summary
    rows = [line.split() for line in render(audit).splitlines() if line.strip().startswith("s0r")]
    assert [(row[0], row[-1]) for row in rows] == [(f"s0r{number}", "AABBCC"[number]) for number in range(6)]
    assert "*" not in "".join(word for row in rows for word in row)  # each is as the first of its class
    assert audit.classes is not None
    assert [(one.name, one.runs, one.alike) for one in audit.classes.classes] == [
        ("A", ("s0r0", "s0r1"), "A"),
        ("B", ("s0r2", "s0r3"), "B"),
        ("C", ("s0r4", "s0r5"), "A"),
    ]
    assert audit.classes.differences[0].facts == ("cpu: one, two",)
    kept = json.loads((folder / "audit.json").read_text())
    assert read_audit(kept).classes == audit.classes


def test_a_difference_within_a_class_is_one_whatever_other_classes_do() -> None:
    folder = plan_here(repeats=4)
    for number, (cpu, word) in enumerate([("one", ""), ("two", ""), ("one", "x"), ("two", "")]):
        make_result(folder, number, word=word, cpu=cpu)
    audit = judged(folder)
    assert (audit.verdict, audit.exit_code) == (Verdict.DIFFERENT, 1)
    assert audit.divergence is not None
    assert audit.divergence.runs == ("s0r0", "s0r2")


@pytest.mark.parametrize("words", [("", ""), ("", "other")])
def test_one_run_of_each_class_is_no_verdict(words: tuple[str, str]) -> None:
    folder = plan_here()
    make_result(folder, 0, cpu="one", word=words[0])
    make_result(folder, 1, cpu="two", word=words[1])
    audit = judged(folder)
    assert (audit.verdict, audit.exit_code) == (Verdict.NO_VERDICT, 3)
    assert "s0r0 is the only one of numerical class A" in audit.seeds[0].reason


def test_a_class_that_is_not_that_of_the_evidence_is_refused() -> None:
    folder = plan_here()
    make_result(folder, 0)
    make_result(folder, 1, threads=64)
    audit = judged(folder)
    assert audit.verdict is Verdict.NO_VERDICT
    assert "not that of its evidence: threads" in reasons(audit)


def test_the_class_of_the_first_run_can_be_required() -> None:
    folder = plan_here(repeats=3)
    assert not read_plan(folder).same_class
    shutil.rmtree(folder)
    merged = merge({"seeds": 1, "repeats": 3}, {})
    make_plan(parse_target("train.py:train", None, (), ()), merged, folder, same_class=True)
    make_result(folder, 0)
    make_result(folder, 1)
    make_result(folder, 2, cpu="two")
    audit = judged(folder)
    assert audit.verdict is Verdict.NO_VERDICT
    assert "another numerical class (--same-class): cpu two, not one" in reasons(audit)


@pytest.mark.parametrize(("second", "is_varied"), [(1000.4, False), (1002.0, True)])
def test_repeats_of_one_second_saw_one_clock(second: float, is_varied: bool) -> None:
    folder = plan_here()
    make_result(folder, 0, started=1000.0)
    make_result(folder, 1, started=second)
    audit = judged(folder)
    assert ("start time" in audit.varied) is is_varied
    assert [item.reason for item in audit.not_varied] == (
        [] if is_varied else ["runs s0r0 and s0r1 started within 1.1 s of each other"]
    )


@pytest.mark.parametrize(("second", "is_said"), [(1002.0, False), (1000.5, True)])
def test_files_of_runs_side_by_side_are_not_taken_for_equal(second: float, is_said: bool) -> None:
    folder = plan_here(compare="files")
    make_result(folder, 0, started=1000.0)
    make_result(folder, 1, started=second)
    audit = judged(folder)
    said = [item.reason for item in audit.not_compared if item.what.startswith("file")]
    assert said == (["s0r0 and s0r1 ran side by side and wrote over each other's"] if is_said else [])


def test_a_worker_refuses_other_code_and_a_second_start() -> None:
    folder = plan_here()
    Path("train.py").write_text("def train(seed=0):\n    return 7\n")
    with pytest.raises(UsageError, match=r"train\.py is not as it was when the plan was made"):
        make_planned_run(folder / "run-0", SilentProgress())
    assert not (folder / "run-0" / "started.json").exists()
    shutil.rmtree(folder)
    folder = plan_here()
    make_result(folder, 0)
    with pytest.raises(UsageError, match="started already"):
        make_planned_run(folder / "run-0", SilentProgress())
    shutil.copy(folder / "run-0" / "order.json", folder / "run-1" / "order.json")
    with pytest.raises(UsageError, match="not that of run-1"):
        make_planned_run(folder / "run-1", SilentProgress())
