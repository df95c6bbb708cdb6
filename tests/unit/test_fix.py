"""Kept audits read as data, and patches that change what was tried and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.fix.again import request_again
from reprocheck.commands.fix.patch import changes_of, patch_of, take_back, write
from reprocheck.commands.fix.saved import read_saved
from reprocheck.errors import UsageError
from reprocheck.model import AmbientMode, Deterministic, Edit

BEFORE, AFTER = "rng = default_rng()", "rng = default_rng(0)"


def edit(**changed: Any) -> dict[str, Any]:
    return {"path": "a.py", "line": 2, "before": BEFORE, "after": AFTER, **changed}


def remedy(*edits: dict[str, Any], text: str = "change it", hides: str = "") -> dict[str, Any]:
    return {"text": text, "edits": list(edits), "hides": hides}


def trial(*remedies: dict[str, Any], mends: Any = True, runs: int = 2) -> dict[str, Any]:
    return {"mends": mends, "runs": runs, "remedies": list(remedies)}


def report(*trials: dict[str, Any], **changed: Any) -> dict[str, Any]:
    asked = {"seeds": [3, 4], "repeats": 3, "ambient": "fixed", "settings": {"deterministic": "warn", "env": []}}
    target = {"text": "a.py:f", "kind": "file-function", "argv": [], "arguments": {"n": 2}, "module": None}
    content = {"schema_version": 1, "verdict": "different", "target": target, "asked": asked, "metrics": []}
    return {**content, "explanation": {"trials": list(trials)}, **changed}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(f"import numpy\n{BEFORE}\nx = 1\n")
    return tmp_path


def saved(folder: Path, content: Any) -> Any:
    (folder / "r.json").write_text(json.dumps(content))
    return read_saved("r.json", folder)


def test_of_what_works_the_fewest_lines_come_first_and_what_hides_or_fails_never(folder: Path) -> None:
    found = saved(
        folder,
        report(
            trial(remedy(edit()), mends=False),
            trial(remedy(edit(), hides="it hides the cause")),
            trial(remedy(edit(), edit(line=3))),
            trial(remedy(edit()), remedy(text="--threads 1")),
            trial(remedy(text="--threads 1")),
            trial(remedy(edit()), runs=4),
        ),
    )
    assert [(len(one.edits), one.options, one.runs) for one in found.tried] == [
        (1, (), 4),
        (2, (), 2),
        (1, ("--threads 1",), 2),
    ]


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        report(explanation=[]),
        report(schema_version=99),
        report(trial(remedy(edit(line=-1)))),
        report(trial(remedy(edit(after="a\nimport os")))),
        report(trial(remedy(edit(path=7)))),
        report(trial({"edits": 3})),
        report(metrics=[{"name": 3, "mean": 1.0}]),
    ],
)
def test_a_damaged_report_is_one_message(folder: Path, content: Any) -> None:
    with pytest.raises(UsageError):
        saved(folder, content)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_patch_changes_the_line_alone_and_git_applies_it(folder: Path, end: str, last: bool) -> None:
    text = f"import numpy{end}{BEFORE}{end}" + (f"x = 1{end}" if not last else "")
    text = text.removesuffix(end) if last else text
    (folder / "a.py").write_bytes(text.encode())
    changes = changes_of([Edit(path="a.py", line=2, before=BEFORE, after=AFTER)], folder)
    assert changes[0].after == text.replace(BEFORE, AFTER)
    patch = folder / "p.patch"
    patch.write_bytes(patch_of(changes, folder).encode())
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "apply", "--whitespace=nowarn", "p.patch"], cwd=folder, check=True)
    assert (folder / "a.py").read_bytes() == changes[0].after.encode()


def test_files_are_written_with_their_mode_and_can_be_taken_back(folder: Path) -> None:
    (folder / "a.py").chmod(0o750)
    before = (folder / "a.py").read_bytes()
    changes = changes_of([Edit(path="a.py", line=2, before=BEFORE, after=AFTER)], folder)
    write(changes)
    assert AFTER in (folder / "a.py").read_text()
    assert (folder / "a.py").stat().st_mode & 0o777 == 0o750
    take_back(changes)
    assert (folder / "a.py").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["a.py"]


def test_a_file_that_was_changed_since_is_left_alone(folder: Path) -> None:
    for changed in ({"line": 3}, {"line": 99}, {"line": 0}, {"before": "something else"}):
        with pytest.raises(UsageError, match="was changed since"):
            changes_of([Edit(**edit(**changed))], folder)


def test_nothing_outside_of_the_project_is_changed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "b.py"
    other.write_text(f"\n{BEFORE}\n")
    (folder / "link.py").symlink_to(other)
    for path in (str(other), "link.py", "../../etc/passwd"):
        with pytest.raises(UsageError, match="outside of this project"):
            changes_of([Edit(**edit(path=path))], folder)


def test_the_same_audit_is_asked_for_again(folder: Path) -> None:
    (folder / "a.py").write_text("def f(n):\n    pass\n")
    request = request_again(saved(folder, report(trial(remedy(edit())))), folder)
    assert request.seeds == (3, 4)
    assert request.repeats == 3
    assert request.ambient is AmbientMode.FIXED
    assert request.settings.deterministic is Deterministic.WARN
    assert dict(request.target.arguments) == {"n": 2}


@pytest.mark.parametrize(
    "changed",
    [
        {"target": {"text": "a.py:f", "argv": ["--token", "***"], "arguments": {}}},
        {"target": {"text": "a.py:f", "argv": [], "arguments": {"token": "***"}}},
        {"asked": {"seeds": [0], "settings": {"env": ["A"]}}},
        {"asked": {"seeds": ["x"], "settings": {}}},
        {"asked": {"seeds": [0], "settings": {"deterministic": "much"}}},
        {"target": {"text": "gone.py:f", "argv": [], "arguments": {}}},
    ],
)
def test_what_a_report_does_not_keep_is_no_further_audit(folder: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        request_again(saved(folder, report(**changed)), folder)
