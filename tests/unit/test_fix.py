"""Kept audits read as data, and patches that change what was tried and nothing else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.fix.again import request_again
from reprocheck.commands.fix.command import fix
from reprocheck.commands.fix.patch import changes_of, patch_of, take_back, write
from reprocheck.commands.report.kept import open_kept
from reprocheck.config.target import parse_target
from reprocheck.engine.console import Style
from reprocheck.engine.progress import SilentProgress
from reprocheck.errors import UsageError
from reprocheck.model import AmbientMode, Audit, Deterministic, Edit, Settings, Target, TargetKind, Workdir
from reprocheck.model.explanation import Remedy, Trial
from reprocheck.report.json.v1 import render_json
from reprocheck.report.tried import tried_in
from tests.support.audits import explained, explanation

BEFORE, AFTER = "rng = default_rng()", "rng = default_rng(0)"


def edit(**changed: Any) -> Edit:
    return Edit(**{"path": "a.py", "line": 2, "before": BEFORE, "after": AFTER, **changed})


def trial(*remedies: Remedy, agreed: int = 2, runs: int = 2) -> Trial:
    return Trial(remedies=remedies, agreed=agreed, runs=runs)


def remedy(*edits: Edit, text: str = "change it", hides: str = "") -> Remedy:
    return Remedy(text=text, edits=edits, hides=hides)


def kept(folder: Path, *trials: Trial, **asked: Any) -> Audit:
    """As it comes out of its report."""
    made = explained(explanation=explanation(trials=trials))
    made = replace(made, request=replace(made.request, **asked))
    (folder / "r.json").write_text(render_json(made, Style()))
    return open_kept("r.json", folder)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(f"import numpy\n{BEFORE}\nx = 1\n")
    return tmp_path


def test_of_what_works_the_fewest_lines_come_first_and_what_hides_or_fails_never(folder: Path) -> None:
    found = tried_in(
        kept(
            folder,
            trial(remedy(edit()), agreed=1),
            trial(remedy(edit(), hides="it hides the cause")),
            trial(remedy(edit(), edit(line=3))),
            trial(remedy(edit()), remedy(text="--threads 1")),
            trial(remedy(edit()), agreed=4, runs=4),
            trial(remedy(text="--threads 1")),
        )
    )
    assert [(len(one.edits), one.options, one.runs) for one in found] == [
        (1, (), 4),
        (2, (), 2),
        (1, ("--threads 1",), 2),
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.clear(),
        lambda content: content.update(explanation=[]),
        lambda content: content.update(schema_version=99),
        lambda content: content.update(metrics=[{"name": 3, "mean": 1.0}]),
        lambda content: edits_of(content).update(path=7),
        lambda content: edits_of(content).update(line=-1),
        lambda content: edits_of(content).update(after="a\nimport os"),
        lambda content: content["explanation"]["trials"][0]["remedies"][0].update(edits=3),
    ],
)
def test_a_damaged_report_is_one_message_and_changes_nothing(folder: Path, damage: Callable[[Any], None]) -> None:
    kept(folder, trial(remedy(edit())))
    content = json.loads((folder / "r.json").read_text())
    damage(content)
    (folder / "r.json").write_text(json.dumps(content))
    before = (folder / "a.py").read_bytes()
    with pytest.raises(UsageError):
        fix("r.json", folder, lambda patch: True, SilentProgress())
    assert (folder / "a.py").read_bytes() == before


def edits_of(content: Any) -> Any:
    return content["explanation"]["trials"][0]["remedies"][0]["edits"][0]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_patch_changes_the_line_alone_and_git_applies_it(folder: Path, end: str, last: bool) -> None:
    text = f"import numpy{end}{BEFORE}{end}" + (f"x = 1{end}" if not last else "")
    text = text.removesuffix(end) if last else text
    (folder / "a.py").write_bytes(text.encode())
    changes = changes_of([edit()], folder)
    assert changes[0].after == text.replace(BEFORE, AFTER)
    patch = folder / "p.patch"
    patch.write_bytes(patch_of(changes, folder).encode())
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "apply", "--whitespace=nowarn", "p.patch"], cwd=folder, check=True)
    assert (folder / "a.py").read_bytes() == changes[0].after.encode()


def test_files_are_written_with_their_mode_and_can_be_taken_back(folder: Path) -> None:
    (folder / "a.py").chmod(0o750)
    before = (folder / "a.py").read_bytes()
    changes = changes_of([edit()], folder)
    write(changes)
    assert AFTER in (folder / "a.py").read_text()
    assert (folder / "a.py").stat().st_mode & 0o777 == 0o750
    take_back(changes)
    assert (folder / "a.py").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["a.py"]


def test_a_file_that_was_changed_since_is_left_alone(folder: Path) -> None:
    for changed in ({"line": 3}, {"line": 99}, {"line": 0}, {"before": "something else"}):
        with pytest.raises(UsageError, match="was changed since"):
            changes_of([edit(**changed)], folder)


def test_nothing_outside_of_the_project_is_changed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "b.py"
    other.write_text(f"\n{BEFORE}\n")
    (folder / "link.py").symlink_to(other)
    for path in (str(other), "link.py", "../../etc/passwd"):
        with pytest.raises(UsageError, match="outside of this project"):
            changes_of([edit(path=path)], folder)


def test_the_same_audit_is_asked_for_again(folder: Path) -> None:
    (folder / "a.py").write_text("def f(n):\n    pass\n")
    (folder / "pyproject.toml").write_text('[tool.reprocheck]\nworkdir = "fresh"\nrepeats = 7\n')
    asked = {
        "target": parse_target("a.py:f", None, (), (("n", 2),)),
        "seeds": (3, 4),
        "repeats": 3,
        "ambient": AmbientMode.FIXED,
        "settings": Settings(deterministic=Deterministic.WARN),
    }
    request = request_again(kept(folder, trial(remedy(edit())), **asked), folder)
    assert {name: getattr(request, name) for name in asked} == asked
    assert request.workdir is Workdir.FRESH


@pytest.mark.parametrize(
    "changed",
    [
        {"target": Target(text="a.py", kind=TargetKind.SCRIPT, argv=("--token", "s3cret"))},
        {"target": Target(text="a.py:f", kind=TargetKind.FILE_FUNCTION, arguments=(("api_key", "s3cret"),))},
        {"settings": Settings(env=(("A", "1"),))},
        {"target": Target(text="gone.py:f", kind=TargetKind.FILE_FUNCTION)},
    ],
)
def test_what_a_report_does_not_keep_is_no_further_audit(folder: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        request_again(kept(folder, **changed), folder)
