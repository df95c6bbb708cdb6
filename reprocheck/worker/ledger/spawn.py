"""Follow the target into children that multiprocessing starts in fresh interpreters (spawn, forkserver).

Such a child first unpickles what its parent prepared for it: one more entry there runs this very file by its path,
so that the child need not find reprocheck among its modules.
"""

from __future__ import annotations

import functools
import os
import runpy
import sys
from pathlib import Path
from typing import Any


class _Follow:
    """Unpickles as a run of this file in the child."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return runpy.run_path, (os.path.abspath(__file__), {"RUN_FOLDER": self.folder}, "reprocheck_child")


def follow_children(folder: Path) -> None:
    """Children that are started from now on take down their uses as this process does."""
    from reprocheck.worker.bootstrap.importing import after_import

    after_import("multiprocessing.spawn", lambda: _prepare_children(str(folder)))


def _prepare_children(folder: str) -> None:
    from multiprocessing import spawn

    module: Any = spawn
    original = module.get_preparation_data

    @functools.wraps(original)
    def get_preparation_data(name: str) -> Any:
        return {**original(name), "reprocheck": _Follow(folder)}

    module.get_preparation_data = get_preparation_data


def _install_in_child(folder: str) -> None:
    path = list(sys.path)
    try:
        sys.path.insert(0, os.path.abspath(os.path.join(__file__, *[os.pardir] * 4)))
        from reprocheck.protocol import SPEC_FILE, decode_spec
        from reprocheck.worker.inputs.sites import Sites
        from reprocheck.worker.ledger.install import install

        spec = decode_spec((Path(folder) / SPEC_FILE).read_text(encoding="utf-8"))
        ledger = install(spec, Sites(spec), lambda: 0, lambda text: None)
        if ledger is not None:
            ledger.become_child()
            events, on_event = ledger.events, ledger.on_event
            sys.addaudithook(lambda event, args: on_event(event, args) if event in events else None)
    finally:
        sys.path[:] = path


if __name__ == "reprocheck_child":
    try:
        _install_in_child(globals()["RUN_FOLDER"])
    except Exception as error:  # a child without a ledger is still the user's child
        print(f"reprocheck: this child is not followed: {error}", file=sys.stderr)
