"""`python -m benchmarks [--quick] [--only GROUP,...] [--write]`: all figures, as a table; with --write, into docs/.

`--quick` shows that every benchmark works, on next to nothing: its figures mean nothing. Nothing else should run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import audits, collect, evidence, fingerprint, gpu, initialisers, ranks, steps, trace
from benchmarks.figures import Figure, Line, Skipped
from reprocheck import __version__

BENCHMARKS = {
    "fingerprint": fingerprint.lines,
    "steps": steps.lines,
    "ranks": ranks.lines,
    "trace": trace.lines,
    "evidence": evidence.lines,
    "collect": collect.lines,
    "audits": audits.lines,
    "gpu": gpu.lines,
    "initialisers": initialisers.lines,
}
DOCS = Path(__file__).parent.parent / "docs"
COMMANDS = {"benchmarks": "make bench", "benchmarks-gpu": "python -m benchmarks --only gpu --write"}
FLOOR = "(the floor)"
SHOWN = {True: "met", False: "missed", None: ""}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only show that all of it works")
    parser.add_argument("--only", default=",".join(BENCHMARKS), help=f"some of {', '.join(BENCHMARKS)}")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write docs/benchmarks.json, .md and .svg (benchmarks-gpu.* with --only gpu)",
    )
    given = parser.parse_args()
    found: list[Line] = []
    for name in given.only.split(","):
        for line in BENCHMARKS[name](given.quick):
            if given.quick and isinstance(line, Figure):
                line = replace(line, target=None)
            found.append(line)
            print(" | ".join(row(line)), flush=True)
    if given.write:
        write(found, where(), "benchmarks-gpu" if given.only == "gpu" else "benchmarks")


def row(line: Line) -> tuple[str, str, str, str, str]:
    """Group, name, value with its interval, target, whether it is met."""
    if isinstance(line, Skipped):
        return line.group, line.name, "not measured", "", line.reason
    value = f"{line.value:.3g} {line.unit}".strip()
    if line.rounds > 1:
        value += f" ({line.low:.3g} to {line.high:.3g})"
    target = "" if line.target is None else f"{'at least' if line.at_least else 'at most'} {line.target:g}"
    return line.group, line.name, value, target, ": ".join(text for text in (SHOWN[line.met], line.note) if text)


def where() -> dict[str, str]:
    """The machine and the versions."""
    cpu = platform.processor()
    try:
        names = [text for text in Path("/proc/cpuinfo").read_text().splitlines() if text.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    except OSError:
        pass
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "reprocheck": __version__,
    }


def write(found: list[Line], machine: dict[str, str], stem: str) -> None:
    """The same figures as JSON, as a table and as a picture."""
    figures = [asdict(line) | {"met": line.met} for line in found if isinstance(line, Figure)]
    skipped = [asdict(line) for line in found if isinstance(line, Skipped)]
    place = DOCS / f"{stem}.json"
    earlier = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {"figures": [], "machine": {}}
    data = {"schema_version": 1, "machine": machine, "figures": figures, "skipped": skipped}
    place.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    lines = [
        "# Benchmarks",
        "",
        f"Written by `{COMMANDS[stem]}`. A ratio (x) is to the plain work in the same round;",
        "in brackets the interval that holds the median with a chance of at least 90 %. "
        + ", ".join(f"{k}: {v}" for k, v in machine.items())
        + ".",
        "",
        f"![the ratios]({stem}.svg)",
        "",
        "| | | measured | target | |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {' | '.join(row(line))} |" for line in found),
        *compared(found, earlier),
    ]
    (DOCS / f"{stem}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    picture(found, machine, stem)


def compared(found: list[Line], earlier: dict[str, Any]) -> list[str]:
    """What has a target, next to the results that were there before, and to the floor of its group."""
    figures = [line for line in found if isinstance(line, Figure)]
    before = {(one["group"], one["name"]): one for one in earlier["figures"]}
    floors = {line.group: line for line in figures if line.name.endswith(FLOOR)}
    rows = []
    for line in figures:
        if line.target is not None:
            old, floor = before.get((line.group, line.name)), floors.get(line.group)
            was = f"{old['value']:.3g} {line.unit}" if old is not None and old["unit"] == line.unit else ""
            least = f"{floor.value:.3g} {line.unit}" if floor is not None and floor.unit == line.unit else ""
            rows.append(f"| {line.group} | {line.name} | {was} | {line.value:.3g} {line.unit} | {least} |")
    version, date = (earlier["machine"].get(name, "?") for name in ("reprocheck", "date"))
    heading = f"Before: version {version} of {date}, perhaps on another machine."
    head = ["", "## Before, after, floor", "", heading, "", "| | | before | after | floor |"]
    return [*head, "| --- | --- | --- | --- | --- |", *rows]


def picture(found: list[Line], machine: dict[str, str], stem: str) -> None:
    """Bars of the ratios, on a scale that ends at 8."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "ratio to the plain work", "", "target"):
        table.add_column(heading)
    group = ""
    for line in found:
        if not isinstance(line, Figure) or line.unit != "x":
            continue
        if line.group != group:
            group = line.group
            table.add_row(f"[bold]{group}[/]")
        color = {True: "green", False: "red", None: "blue"}[line.met]
        bar = f"[{color}]{'━' * round(5 * min(line.value, 8))}[/]"
        table.add_row(f"  {line.name}", bar, f"{line.value:.2f}", "" if line.target is None else f"{line.target:g}")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=120, file=nowhere)
        console.print(table)
        console.save_svg(str(DOCS / f"{stem}.svg"), title=f"{machine['cpu']}, torch {machine['torch']}")


if __name__ == "__main__":
    main()
