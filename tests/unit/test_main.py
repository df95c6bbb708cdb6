"""The entry point, before anything of the command is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprocheck.__main__ import main


def test_windows_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as stop:
        main()
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert err.count("\n") == 1
    assert "WSL" in err


def test_a_package_of_the_same_name_is_told_in_one_line(tmp_path: Path) -> None:
    info = tmp_path / "reprocheck_cli-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: reprocheck-cli\nVersion: 0.1.0\n")
    for path, lines in ((tmp_path, 1), (tmp_path / "nothing", 0)):
        ran = subprocess.run(
            [sys.executable, "-m", "reprocheck", "--version"],
            env={**os.environ, "PYTHONPATH": str(path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ran.returncode, ran.stdout.startswith("reprocheck "), ran.stderr.count("\n")) == (0, True, lines)
        assert ("pip uninstall reprocheck-cli" in ran.stderr) == bool(lines)


@pytest.mark.parametrize("command", ["selftest", "gpu-info", "run train.py", "report latest", "diff a b"])
def test_a_folder_that_is_gone_is_said_in_one_line(command: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd '{gone}' && rmdir '{gone}' && exec '{sys.executable}' -m reprocheck {command}"
    done = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the current folder is gone\n  help: change into a folder that exists\n"
