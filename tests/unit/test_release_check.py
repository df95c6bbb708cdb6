"""What `make release-check` concludes. The installs themselves take minutes and a package index."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_check", ROOT / "ci" / "release_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def rows(release: ModuleType, *pairs: tuple[str, str], result: str = "passed") -> list[object]:
    return [release.Row(python, torch, "wheel", result) for python, torch in pairs]


def test_the_readme_claims_what_was_seen(
    release: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{release.START}\n{release.END}\nafter\n")
    monkeypatch.setattr(release, "README", readme)
    seen = rows(release, ("3.11", "2.13.0"), ("3.12", release.NONE))
    assert release.claims([*seen, release.Row("3.13", "-", "-", "not at hand")], True) == 0
    assert f"| 3.11 | 2.13.0 |\n| 3.12 | {release.WITHOUT} |\n{release.END}\nafter" in readme.read_text()
    assert release.claims(seen, False) == 0
    assert release.claims(rows(release, ("3.11", "2.13.0"), ("3.11", "2.14.1"), ("3.12", "2.13.0")), False) == 0
    assert release.claims(rows(release, ("3.12", "2.13.0")), False) == 1
    assert "not seen here: Python 3.11, PyTorch 2.13.0" in capsys.readouterr().err
    failed = rows(release, ("3.13", "2.13.0"), result="`run` ended with 1 instead of 0: x")
    assert release.claims([*seen, *failed], True) == 1
    assert "failed: Python 3.13, PyTorch 2.13.0: `run` ended with 1" in capsys.readouterr().err


def test_the_table_of_the_readme_is_one_of_this_script(release: ModuleType) -> None:
    said = (ROOT / "README.md").read_text().partition(release.START)[2].partition(release.END)[0]
    claimed = release.claimed(said)
    assert {python for python, _ in claimed} <= set(release.PYTHONS)
    assert {torch for _, torch in claimed} <= {*release.TORCHES, release.WITHOUT}
    assert len(claimed) >= 2


def test_a_python_is_one_that_starts(release: ModuleType) -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert release.find(here) is not None
    assert release.find("3.99") is None


def test_a_wheel_of_another_python_is_not_tried(release: ModuleType) -> None:
    passed = rows(release, ("3.10", release.NONE))
    pure, own = Path("x-1-py3-none-any.whl"), Path("x-1-cp311-cp311-linux_x86_64.whl")
    assert [release.needs_sdist(pure, "3.12", found) for found in ([], passed)] == [True, False]
    assert not release.needs_sdist(Path("x-1-py3-none-linux_x86_64.whl"), "3.12", passed)
    assert [release.needs_sdist(own, python, passed) for python in ("3.11", "3.12")] == [False, True]
