"""What a baseline is checked for before anything is run, and what it comes to after."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.run.baseline import check_baseline, open_baseline, overall_baseline
from reprocheck.compare.baseline.summary import summarize_baseline
from reprocheck.diagnosis.rules.difference import find_baseline_moved
from reprocheck.errors import ExitCode, UsageError
from reprocheck.model import Deterministic, Request, Settings, Verdict
from reprocheck.model.baseline import Baseline, BaselineAnswer
from reprocheck.model.tolerance import parse
from tests.support.baselines import CLASS, TARGET, metric, records, snapshot, tensor

MANIFEST = {"numerical_class": CLASS, "python": "3.11", "packages": {"numpy": "2.0"}, "imported": ["numpy"]}
OTHER = {**MANIFEST, "numerical_class": {**CLASS, "cpu": "B"}}


def request(folder: Path, **changes: Any) -> Request:
    target = replace(TARGET, path=folder / "train.py", arguments=(("lr", 0.1),))
    return Request(**{"target": target, "baseline": folder / "b.json", **changes})


def update(folder: Path, manifest: Any = MANIFEST, one: Any = None, **changes: Any) -> BaselineAnswer:
    asked = request(folder, update_baseline=True, **changes)
    found = check_baseline(open_baseline(asked), asked, Verdict.REPRODUCIBLE, {0: one or snapshot()}, manifest)
    assert found is not None
    return found


def compare(folder: Path, manifest: Any = MANIFEST, one: Any = None, **changes: Any) -> BaselineAnswer:
    asked = request(folder, **changes)
    found = check_baseline(open_baseline(asked), asked, Verdict.REPRODUCIBLE, {0: one or snapshot()}, manifest)
    assert found is not None
    return found


def refused(asked: Request) -> str:
    with pytest.raises(UsageError) as caught:
        open_baseline(asked)
    return f"{caught.value.message} | {caught.value.hint}"


def test_without_a_baseline_nothing_is_asked(tmp_path: Path) -> None:
    assert open_baseline(Request(target=TARGET)) is None
    assert check_baseline(None, Request(target=TARGET), Verdict.REPRODUCIBLE, {}, MANIFEST) is None


def test_a_file_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    assert "make it with --update-baseline" in refused(request(tmp_path))
    assert "--baseline FILE" in refused(Request(target=TARGET, update_baseline=True))
    assert "there is no folder" in refused(request(tmp_path, baseline=tmp_path / "no" / "b.json", update_baseline=True))
    assert "two runs" in refused(request(tmp_path, update_baseline=True, repeats=1))
    (tmp_path / "b.json").symlink_to("nowhere")
    assert "cannot read baseline" in refused(request(tmp_path))


def test_what_was_written_is_found_again(tmp_path: Path) -> None:
    assert update(tmp_path).updated
    found = compare(tmp_path)
    assert (found.verdict, found.reason, found.packages) == (Verdict.REPRODUCIBLE, "", ())
    assert overall_baseline(Verdict.REPRODUCIBLE, ExitCode.OK, found) == (Verdict.REPRODUCIBLE, ExitCode.OK)
    assert summarize_baseline(found) == f"as in baseline {tmp_path / 'b.json'}"
    assert find_baseline_moved(found) == []


def test_an_update_without_a_change_leaves_every_byte(tmp_path: Path) -> None:
    update(tmp_path)
    before = (tmp_path / "b.json").read_bytes()
    update(tmp_path)
    assert (tmp_path / "b.json").read_bytes() == before


def test_a_difference_fails_and_is_reported(tmp_path: Path) -> None:
    update(tmp_path)
    found = compare(tmp_path, one=snapshot(steps=records(30, parts_at=7), outputs=(metric("loss", 0.75),)))
    assert found.verdict is Verdict.DIFFERENT
    assert overall_baseline(Verdict.REPRODUCIBLE, ExitCode.OK, found) == (Verdict.DIFFERENT, ExitCode.DIFFERENT)
    (finding,) = find_baseline_moved(found)
    assert finding.severity == "error"
    assert finding.evidence == ("seed 0: first between step 6 and step 7", "loss 0.5 -> 0.75")
    assert "--update-baseline" in finding.help


def test_what_does_not_reproduce_is_neither_compared_nor_written(tmp_path: Path) -> None:
    asked = request(tmp_path, update_baseline=True)
    for verdict in (Verdict.DIFFERENT, Verdict.NO_VERDICT):
        found = check_baseline(open_baseline(asked), asked, verdict, {0: snapshot()}, MANIFEST)
        assert found is not None
        assert not found.updated
        assert "not written" in found.reason
        assert overall_baseline(verdict, ExitCode.DIFFERENT, found) == (verdict, ExitCode.DIFFERENT)
    assert not (tmp_path / "b.json").exists()
    update(tmp_path)
    before = (tmp_path / "b.json").read_bytes()
    check_baseline(open_baseline(asked), asked, Verdict.DIFFERENT, {0: snapshot(steps=records(3))}, MANIFEST)
    assert (tmp_path / "b.json").read_bytes() == before
    asked = request(tmp_path)
    found = check_baseline(open_baseline(asked), asked, Verdict.DIFFERENT, {0: snapshot()}, MANIFEST)
    assert found is not None
    assert (found.verdict, found.seeds) == (Verdict.NO_VERDICT, ())


def test_another_class_is_kept_and_each_is_compared_with_its_own(tmp_path: Path) -> None:
    update(tmp_path)
    moved = snapshot(init=(tensor("weight", "there"),))
    found = update(tmp_path, OTHER, moved)
    assert len(found.kept) == 1
    assert len(json.loads((tmp_path / "b.json").read_text())["classes"]) == 2
    assert compare(tmp_path).verdict is Verdict.REPRODUCIBLE
    assert compare(tmp_path, OTHER, moved).verdict is Verdict.REPRODUCIBLE
    assert compare(tmp_path, OTHER).verdict is Verdict.DIFFERENT
    update(tmp_path, one=moved)
    assert len(json.loads((tmp_path / "b.json").read_text())["classes"]) == 2


def test_in_another_class_there_is_no_verdict_without_a_tolerance(tmp_path: Path) -> None:
    update(tmp_path)
    found = compare(tmp_path, OTHER)
    assert found.verdict is Verdict.NO_VERDICT
    assert overall_baseline(Verdict.REPRODUCIBLE, ExitCode.OK, found) == (Verdict.NO_VERDICT, ExitCode.NO_VERDICT)
    assert "other numerical class" in found.reason
    assert found.class_differences == (("cpu", "A", "B"),)
    found = compare(tmp_path, OTHER, snapshot(outputs=(metric("loss", 0.5001),)), tolerance=parse(["loss=1%"]))
    assert found.verdict is Verdict.REPRODUCIBLE
    assert "by its metrics" in summarize_baseline(found)
    found = compare(tmp_path, OTHER, snapshot(outputs=(metric("loss", 0.6),)), tolerance=parse(["loss=1%"]))
    assert found.verdict is Verdict.DIFFERENT


def test_without_metrics_another_class_cannot_be_compared(tmp_path: Path) -> None:
    update(tmp_path, one=snapshot(outputs=()))
    found = compare(tmp_path, OTHER, snapshot(outputs=()), tolerance=parse(["close"]))
    assert found.verdict is Verdict.NO_VERDICT
    assert "nothing was returned that is a metric" in found.reason


def test_the_tolerance_is_kept_in_the_file(tmp_path: Path) -> None:
    update(tmp_path, tolerance=parse(["loss=1%", "accuracy=0.1"]))
    near = snapshot(outputs=(metric("loss", 0.502),))
    assert compare(tmp_path, OTHER, near).verdict is Verdict.REPRODUCIBLE
    assert compare(tmp_path, OTHER, near, tolerance=parse(["loss=1e-6"])).verdict is Verdict.DIFFERENT
    update(tmp_path, tolerance=parse(["loss=2%"]))
    assert json.loads((tmp_path / "b.json").read_text())["tolerance"] == ["loss=2%", "accuracy=0.1"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"settings": Settings(threads=2)}, "threads: not set there, 2 here"),
        ({"settings": Settings(deterministic=Deterministic.WARN)}, "deterministic: not set there, warn here"),
        ({"settings": Settings(max_steps=5)}, "max_steps: not set there, 5 here"),
        ({"settings": Settings(env=(("A", "1"),))}, "env: not set there, ['A'] here"),
        ({"seeds": (0, 1)}, "seeds: 0 there, 0, 1 here"),
        ({"ignore": ("*x",)}, "ignore: not set there, ['*x'] here"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    update(tmp_path)
    assert says in refused(request(tmp_path, **changes))
    assert says in refused(request(tmp_path, update_baseline=True, **changes))


def test_settings_that_no_number_depends_on_are_free(tmp_path: Path) -> None:
    update(tmp_path)
    settings = Settings(timeout=5.0, device="1", memory_fraction=0.5)
    assert compare(tmp_path, settings=settings, repeats=5, jobs=2).verdict is Verdict.REPRODUCIBLE


def test_another_target_is_refused(tmp_path: Path) -> None:
    update(tmp_path)
    target = request(tmp_path).target
    assert "arguments: " in refused(request(tmp_path, target=replace(target, arguments=(("lr", 0.2),))))
    assert "argv: " in refused(request(tmp_path, target=replace(target, argv=("--x",))))
    assert "target: train.py:train there, train.py:main here" in refused(
        request(tmp_path, target=replace(target, function="main"))
    )


def test_the_target_is_known_from_the_file_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ci").mkdir()
    update(tmp_path, baseline=tmp_path / "ci" / "b.json")
    assert json.loads((tmp_path / "ci" / "b.json").read_text())["target"]["target"] == "../train.py:train"
    monkeypatch.chdir(tmp_path / "ci")
    assert compare(tmp_path, baseline=Path("b.json")).verdict is Verdict.REPRODUCIBLE


def test_other_packages_are_reported_and_do_not_decide(tmp_path: Path) -> None:
    update(tmp_path)
    found = compare(tmp_path, {**MANIFEST, "packages": {"numpy": "2.1", "unused": "1"}})
    assert (found.verdict, found.packages) == (Verdict.REPRODUCIBLE, (("numpy", "2.0", "2.1"),))


def test_results_of_a_seed_that_are_gone_are_no_agreement(tmp_path: Path) -> None:
    update(tmp_path)
    content = json.loads((tmp_path / "b.json").read_text())
    content["classes"][next(iter(content["classes"]))]["seeds"] = {}
    (tmp_path / "b.json").write_text(json.dumps({**content, "classes": content["classes"]}))
    asked = request(tmp_path)
    assert "seeds: none there, 0 here" in refused(asked)
    empty = Baseline(target={}, settings={})
    found = check_baseline(empty, asked, Verdict.REPRODUCIBLE, {0: snapshot()}, MANIFEST)
    assert found is not None
    assert found.verdict is Verdict.NO_VERDICT


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    update(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "b.json").rename(tmp_path / "real" / "b.json")
    (tmp_path / "b.json").symlink_to("real/b.json")
    update(tmp_path, OTHER)
    assert (tmp_path / "b.json").is_symlink()
    assert len(json.loads((tmp_path / "real" / "b.json").read_text())["classes"]) == 2
