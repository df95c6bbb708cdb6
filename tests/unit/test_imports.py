"""Imports point down only: every import is read with `ast`, those inside functions too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import reprocheck

PACKAGE = Path(reprocheck.__file__).parent
FLOORS = (
    ("__main__",),
    ("cli", "pytest_plugin"),
    ("api",),
    ("commands",),
    ("report",),
    ("diagnosis",),
    ("engine",),
    ("evidence",),
    ("compare",),
    ("config",),
    ("worker",),
    ("protocol",),
    ("model",),
    ("errors",),
)
"""From the top down; a room imports from its own floor and from those below it."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MOST_AT_THE_ROOT = 17
MOST_IN_A_FOLDER = 20


def room_of(module: str) -> str:
    return module.split(".")[1]


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts), path


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Our modules that a file imports, with the line; an import that only a type checker sees counts as well."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            names = [
                f"{node.module}.{alias.name}" if node.module == "reprocheck" else str(node.module)
                for alias in node.names
            ]
        for name in names:
            if name.startswith("reprocheck.") and name != "reprocheck.__version__":
                yield name, getattr(node, "lineno", 0)


def test_imports_point_down_only() -> None:
    upward = [
        f"{path.relative_to(PACKAGE.parent)}:{line} imports {name}"
        for module, path in modules()
        if module != "reprocheck.__init__"
        for name, line in imported(path)
        if FLOOR[room_of(name)] < FLOOR[room_of(module)]
    ]
    assert not upward, "\n".join(upward)


def test_the_worker_imports_protocol_and_model_alone() -> None:
    others = [
        f"{path.relative_to(PACKAGE.parent)}:{line} imports {name}"
        for module, path in modules()
        if room_of(module) == "worker"
        for name, line in imported(path)
        if room_of(name) not in ("worker", "protocol", "model")
    ]
    assert not others, "\n".join(others)


def test_few_entries_at_the_root_and_in_each_folder() -> None:
    assert len([entry for entry in PACKAGE.iterdir() if entry.name != "__pycache__"]) <= MOST_AT_THE_ROOT
    for folder in {path.parent for _, path in modules()} - {PACKAGE}:
        files = [path for path in folder.iterdir() if path.is_file()]
        assert len(files) <= MOST_IN_A_FOLDER, folder
