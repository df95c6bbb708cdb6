"""`python -m reprocheck`."""

from __future__ import annotations

from reprocheck.cli import main

if __name__ == "__main__":
    main()
