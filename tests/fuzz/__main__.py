"""`python -m tests.fuzz [COUNT] [SEED] [READER]`; `make fuzz` gives it 100 000."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.fuzz.run import fuzz


def main() -> int:
    arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="reprocheck-fuzz-") as folder:
        report = fuzz(Path(folder), *map(int, arguments[:2] or ["100000"]), only="".join(arguments[2:3]))
    print("\n".join(report.lines()).encode("utf-8", "backslashreplace").decode())
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
