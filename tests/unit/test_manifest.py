"""What an audit was made of."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from reprocheck.commands.run.manifest import _name_and_version, _packages


def test_packages_are_those_that_the_standard_library_reads() -> None:
    read = {one.metadata["Name"].lower(): one.version for one in importlib.metadata.distributions()}
    assert dict(_packages()) == dict(sorted(read.items()))


def test_only_the_head_counts(tmp_path: Path) -> None:
    folder = tmp_path / "a-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: a\nVersion: 1\n\nName: b\nVersion: 2\n")
    assert _name_and_version(importlib.metadata.PathDistribution(folder)) == ("a", "1")


def test_an_old_format_is_left_to_the_standard_library(tmp_path: Path) -> None:
    folder = tmp_path / "a.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: a\nVersion: 3\n")
    assert _name_and_version(importlib.metadata.PathDistribution(folder)) == ("a", "3")
