"""`python -m reprocheck`."""

from __future__ import annotations

import os
import sys

_OTHER = "reprocheck-cli"
"""Another project on the package index, whose files have the names of ours: package and command `reprocheck`."""


def main() -> None:
    """The command line. A signal that comes while it is imported ends it in the same way as later."""
    if sys.platform == "win32":  # processes are forked, signalled and limited as POSIX has it
        print("error: reprocheck does not support Windows; it runs in WSL (https://aka.ms/wsl)", file=sys.stderr)
        sys.exit(2)
    if not has_folder():
        print("error: the current folder is gone\n  help: change into a folder that exists", file=sys.stderr)
        sys.exit(2)
    from reprocheck.engine.interrupts import StopRequested, install

    try:
        install()
        clash = name_clash()
        if clash:
            print(f"warning: {clash}", file=sys.stderr)
        from reprocheck.cli.app import main as run
    except StopRequested:
        print("reprocheck: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


def has_folder() -> bool:
    """Whether the current folder is still there."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def name_clash() -> str:
    """What to do about a package of the same name that is installed, too; empty where there is none."""
    import importlib.metadata

    try:
        importlib.metadata.distribution(_OTHER)
    except importlib.metadata.PackageNotFoundError:
        return ""
    return (
        f"{_OTHER} is installed, too, and has the same package and command `reprocheck`, one in place of the other: "
        f"pip uninstall {_OTHER}, then install reprocheck again"
    )


if __name__ == "__main__":
    main()
