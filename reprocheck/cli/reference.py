"""`python -m reprocheck.cli.reference FILE...`: writes the option tables of the documentation from the command line.

A table stands between `<!-- options: NAME -->` and `<!-- end of options -->`. NAME is a command, or `all` for the
options of every command.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from reprocheck.cli.app import app
from reprocheck.cli.help import CONSOLE, OWN, group_of
from reprocheck.config.options import Group

ALL = "all"
_BLOCK = re.compile(r"(<!-- options: ([a-z-]+) -->\n).*?(<!-- end of options -->)", re.DOTALL)
_DEFAULT = re.compile(r"\s*\[default: (.+)\]$")
_HEAD = "| option | meaning | default |\n| --- | --- | --- |\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One option of one command."""

    name: str
    """Its long form, `--seeds`."""
    usage: str
    meaning: str
    default: str


def commands() -> Mapping[str, Any]:
    """Every command by its name."""
    found: Mapping[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return found


def options(command: str) -> Iterator[Row]:
    """The options of a command, in the order of its help."""
    for option in commands()[command].params:
        if option.param_type_name == "option" and not getattr(option, "hidden", False) and option.name != "help":
            yield _row(option)


def write_tables(text: str) -> str:
    """A page with its tables as the program is now."""
    return _BLOCK.sub(lambda found: found[1] + (_all() if found[2] == ALL else _of_command(found[2])) + found[3], text)


def _row(option: Any) -> Row:
    name = next((word for word in option.opts if word.startswith("--")), option.opts[0])
    flags = ", ".join(sorted(option.opts, key=len))
    no = "".join(f" / {word}" for word in option.secondary_opts)
    # NOTE: a pipe would end the cell; the help of such an option names the choices.
    value = "VALUE" if "|" in (option.metavar or "") else option.metavar
    found = _DEFAULT.search(option.help)
    default = found[1] if found else "" if option.default in (None, False, 0) else str(option.default)
    return Row(
        name=name,
        usage=f"`{flags}{no}{f' {value}' if value else ''}`",
        meaning=_DEFAULT.sub("", option.help),
        default="on" if default == "True" else f"`{default}`" if default else "",
    )


def _of_command(command: str) -> str:
    rows = list(options(command))
    parts = [
        f"**{group}**\n\n{_table(row for row in rows if group_of(row.name) == group)}"
        for group in (OWN, *(group.value for group in Group), CONSOLE)
        if any(group_of(row.name) == group for row in rows)
    ]
    return "\n" + "\n".join(parts) + "\n"


def _table(rows: Iterable[Row]) -> str:
    return _HEAD + "".join(f"| {row.usage} | {_cell(row.meaning)} | {row.default} |\n" for row in rows)


def _all() -> str:
    first: dict[str, Row] = {}
    users: dict[str, list[str]] = {}
    for command in ("run", *(name for name in commands() if name != "run")):
        for row in options(command):
            first.setdefault(row.name, row)
            users.setdefault(row.name, []).append(command)
    parts = []
    for group in (*(group.value for group in Group), CONSOLE):
        lines = [
            f"| {row.usage} | {_cell(row.meaning)} | {', '.join(users[name])} |"
            for name, row in first.items()
            if group_of(name) == group
        ]
        parts.append(f"**{group}**\n\n| option | meaning | commands |\n| --- | --- | --- |\n" + "\n".join(lines) + "\n")
    return "\n" + "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(files: Iterable[str]) -> None:
    """Rewrite the tables of these pages in place."""
    for name in files:
        page = Path(name)
        page.write_text(write_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
