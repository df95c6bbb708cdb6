"""`python -m reprocheck`."""

from __future__ import annotations

import sys


def main() -> None:
    """The command line. A signal that comes while it is imported ends it in the same way as later."""
    if sys.platform == "win32":  # processes are forked, signalled and limited as POSIX has it
        print("error: reprocheck does not support Windows; it runs in WSL (https://aka.ms/wsl)", file=sys.stderr)
        sys.exit(2)
    from reprocheck.engine.interrupts import StopRequested, install

    try:
        install()
        from reprocheck.cli.app import main as run
    except StopRequested:
        print("reprocheck: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
