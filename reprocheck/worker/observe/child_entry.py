"""In a fresh interpreter that multiprocessing started below a run: make the child register itself.

Run by its path, because the child may not find this package: only for these imports is its folder on the path.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def install(folder: str) -> None:
    """`folder`: of the run."""
    path = list(sys.path)
    try:
        sys.path.insert(0, os.path.abspath(os.path.join(__file__, *[os.pardir] * 4)))
        from reprocheck.protocol.child_marks import CHILDREN_FILE, FOLLOWED, mark
        from reprocheck.worker.bootstrap.importing import after_import
        from reprocheck.worker.observe import children
    finally:
        sys.path[:] = path
    mark(os.path.join(folder, CHILDREN_FILE), os.getpid(), FOLLOWED)
    watcher = children.Children(Path(folder), is_child=True)
    after_import("torch", lambda: children.watch_torch(watcher))
    children.follow_children(Path(folder))


if __name__ == "reprocheck_marks":
    try:
        install(globals()["RUN_FOLDER"])
    except Exception as error:  # a child that does not register itself is still the user's child
        print(f"reprocheck: this child is not followed: {error}", file=sys.stderr)
