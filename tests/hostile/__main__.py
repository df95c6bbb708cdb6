"""`python -m tests.hostile [WORD ...]`: audit all targets whose name has one of the words; print the table."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path

from tests.hostile.harness import counts, try_all
from tests.hostile.table import TARGETS


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, and by all children too
    chosen = [one for one in TARGETS if not arguments or any(word in one.name for word in arguments)]
    with tempfile.TemporaryDirectory() as folder:
        tried = []
        for result in try_all(chosen, Path(folder)):
            tried.append(result)
            mark = "" if not result.faults else "  " + "; ".join(result.faults)
            print(f"{result.name:44} exit {result.code!s:>4}  {result.seconds:5.1f} s{mark}", flush=True)
    print("  ".join(f"{name}: {count}" for name, count in counts(tried).items()))
    return int(any(result.faults for result in tried))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
