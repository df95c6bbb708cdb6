"""Where there is no /proc (macOS): what reads it says nothing or asks otherwise, and nothing fails."""

from __future__ import annotations

import builtins
import os
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from reprocheck.commands.run import manifest
from reprocheck.engine.children import ChildWatch
from reprocheck.engine.folders import _open_now
from reprocheck.worker.bootstrap import memory_limit, supervisor
from reprocheck.worker.observe import peaks


@pytest.fixture(autouse=True)
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    real_open, real_listdir = builtins.open, os.listdir

    def refuse(path: Any) -> None:
        if isinstance(path, (str, Path)) and str(path).startswith("/proc"):
            raise FileNotFoundError(2, "No such file or directory", str(path))

    def fake_open(path: Any, *args: Any, **kwargs: Any) -> Any:
        refuse(path)
        return real_open(path, *args, **kwargs)

    def fake_listdir(path: Any = ".") -> Any:
        refuse(path)
        return real_listdir(path)

    monkeypatch.setattr(builtins, "open", fake_open)
    monkeypatch.setattr(os, "listdir", fake_listdir)
    monkeypatch.setattr(sys, "platform", "darwin")


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        def memory_info(self) -> Any:
            return type("Info", (), {"rss": 7 << 20})

    monkeypatch.setattr(psutil, "Process", Process)
    assert memory_limit.written_to() is None
    assert memory_limit.resident() == 7 << 20
    assert peaks.memory()["rss_peak"] > 0


def test_processes_and_files(tmp_path: Path) -> None:
    ChildWatch(os.getpid(), tmp_path).look()
    assert _open_now([str(tmp_path)]) == set()
    assert supervisor._descendants() == []


def test_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    def no_file(*_: Any) -> Any:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(io, "open", no_file)
    assert set(manifest._cpu()) == {"cpu", "instructions"}
    assert manifest._driver() is None
