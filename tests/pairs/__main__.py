"""`python -m tests.pairs [--singles] [--sample] [--keep FILE] [NAME ...]`: audit trainings, print the table.

A NAME is part of the names wanted. Results in FILE are not made again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.pairs.compose import pairs, singles
from tests.pairs.harness import as_line, from_line, table, try_all
from tests.pairs.test_pairs import SAMPLE


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.pairs")
    parser.add_argument("--singles", action="store_true", help="the single causes, not the pairs")
    parser.add_argument("--sample", action="store_true", help="the pairs of the second tier")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth of them")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="audits at a time")
    parser.add_argument("--show", action="store_true", help="print the sources and make no audit")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="results, one a line")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = singles() if options.singles else SAMPLE if options.sample else pairs()
    chosen = [one for one in chosen if not options.names or any(name in one.name for name in options.names)]
    chosen = chosen[:: options.every]
    if options.show:
        print("\n\n".join(f"# {one.name}: {one.lines}\n{one.source}" for one in chosen))
        return 0
    kept = options.keep
    old = [from_line(line) for line in kept.read_text().splitlines()] if kept is not None and kept.exists() else []
    known = {one.name: one for one in old}
    results = [known[one.name] for one in chosen if one.name in known]
    with tempfile.TemporaryDirectory() as folder:
        for result in try_all([one for one in chosen if one.name not in known], Path(folder), options.jobs):
            results.append(result)
            claims = "; ".join(" ".join(map(str, claim)) for claim in result.claims)
            missed = f"  missed: {', '.join(result.missed)}" if result.missed else ""
            rest = " (may remain)" if result.may_remain else ""
            seconds = f"{result.seconds:.0f} s, {result.cpu_seconds:.0f} s of CPU"
            print(
                f"{'!!' if result.wrong_and_sure or result.fault else '  '} {result.name}  exit {result.code}"
                f"  {seconds}, {result.runs} runs  {claims}{missed}{rest} {result.fault[:300]}",
                flush=True,
            )
            if kept is not None:
                with kept.open("a") as file:
                    file.write(as_line(result) + "\n")
    print(table(results))
    return int(any(one.wrong_and_sure or one.fault for one in results))


if __name__ == "__main__":
    sys.exit(main())
