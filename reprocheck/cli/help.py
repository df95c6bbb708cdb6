"""Pages of help: commands in the order of use, options in the groups of the manual, then exit codes and examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import typer.core

from reprocheck.config.options import OPTIONS, Group
from reprocheck.errors import EXIT_CODE_MEANINGS

OWN = "Options of this command"
CONSOLE = "Progress"
GENERAL = "General"

ORDER = (
    *("run", "fix", "bisect", "vary", "cost", "resume", "plan", "worker", "collect", "attest", "verify"),
    *("doctor", "params", "report", "diff", "explain", "selftest", "gpu-info"),
)
"""As in the README (tested)."""

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("reprocheck run train.py:train", "does it reproduce?"),
        ("reprocheck run train.py --seeds 3 -- --epochs 2", "a script with its own arguments, three seeds"),
        ("reprocheck explain RC501", "what a finding means"),
    ),
    "run": (
        ("reprocheck run train.py:train --arg epochs=2", "a function, with an argument"),
        ("reprocheck run train.py --seeds 3 -- --seed {seed}", "a script that takes its seed as an option"),
        ("reprocheck run -m package.train --against main", "did the results change since main?"),
        ("reprocheck run train.py:train --output html=report.html", "a page to look at"),
    ),
    "fix": (
        ("reprocheck fix", "show the patch of the last audit, and ask"),
        ("reprocheck fix latest --write", "write it, and audit again"),
    ),
    "bisect": (("reprocheck bisect v1.0..HEAD train.py:train", "which commit changed the results?"),),
    "vary": (
        ("reprocheck vary train.py:train", "everything that can be varied here"),
        ("reprocheck vary train.py:train --only threads --require threads", "a gate: exit 1 if it depends on threads"),
        ("reprocheck vary --list", "what there is"),
    ),
    "cost": (("reprocheck cost train.py:train --rounds 5", "the price of each setting"),),
    "resume": (("reprocheck resume train.py:train", "stop it half-way, resume it, compare"),),
    "plan": (
        ("reprocheck plan train.py:train --seeds 8 --out sweep", "16 runs, each a folder"),
        ("reprocheck plan train.py --data data --out sweep -- --epochs 9", "data is checked wherever a run reads it"),
    ),
    "worker": (("reprocheck worker sweep/run-3", "make one of them, on any machine"),),
    "collect": (("reprocheck collect sweep --output json=sweep.json", "judge what is there; call it again later"),),
    "attest": (("reprocheck attest latest --checkpoint model.pt", "a statement on the last audit and its checkpoint"),),
    "verify": (("reprocheck verify reprocheck.intoto.json --rerun 2", "check it, and run again"),),
    "doctor": (("reprocheck doctor train.py:train --output html=doctor.html", "one short run, examined"),),
    "params": (("reprocheck params train.py:train --seeds 2", "initial weights, and whether seeds reach them"),),
    "diff": (
        ("reprocheck diff latest~1 latest", "the last two audits"),
        ("reprocheck diff ci-report.json latest --tolerance loss=1%", "another machine, metrics alone"),
    ),
    "report": (
        ("reprocheck report --output html=page.html", "the last audit as a page"),
        ("reprocheck report --index", "since when does each target differ?"),
    ),
    "explain": (
        ("reprocheck explain", "all findings"),
        ("reprocheck explain RC541", "one of them"),
    ),
    "selftest": (("reprocheck selftest", "does it find known faults here?"),),
    "gpu-info": (("reprocheck gpu-info --require", "exit 3 without a GPU"),),
}
"""Command → what can be typed as it stands, and what it does."""


def group_of(name: str) -> str:
    """Under which title an option stands: `--seeds` → `What is run`."""
    found = OPTIONS.get(name.removeprefix("--"))
    return found.group.value if found else CONSOLE if name in ("--quiet", "--verbose") else OWN


class Command(typer.core.TyperCommand):
    """A command with such a page."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options by group."""
        _write(formatter, "Arguments", _records(self, ctx, "argument"))
        titles = (OWN, *(group.value for group in Group), CONSOLE, GENERAL)
        for title in titles:
            _write(formatter, title, _records(self, ctx, "option", title))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Exit codes, examples."""
        _write(formatter, "Exit codes", ((str(int(code)), text) for code, text in EXIT_CODE_MEANINGS.items()))
        _write_examples(formatter, self.name or "")


class Commands(typer.core.TyperGroup):
    """The program itself."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of use."""
        return sorted(super().list_commands(ctx), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A sentence each."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        _write(formatter, "Commands", ((name, _sentence(command)) for name, command in found if command is not None))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Exit codes, examples."""
        _write(formatter, "Exit codes", ((str(int(code)), text) for code, text in EXIT_CODE_MEANINGS.items()))
        _write_examples(formatter, "")


def _records(command: Any, ctx: Any, kind: str, title: str = "") -> Iterable[tuple[str, str]]:
    for parameter in command.get_params(ctx):
        if parameter.param_type_name != kind or (record := parameter.get_help_record(ctx)) is None:
            continue
        long = next((word for word in parameter.opts if word.startswith("--")), parameter.opts[0])
        if kind == "argument" or title == (GENERAL if long == "--help" else group_of(long)):
            yield record


def _write(formatter: Any, title: str, rows: Iterable[tuple[str, str]]) -> None:
    kept = list(rows)
    if kept:
        with formatter.section(title):
            formatter.write_dl(kept)


def _write_examples(formatter: Any, name: str) -> None:
    with formatter.section("Examples"):
        for line, what in EXAMPLES.get(name, ()):
            formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
            formatter.write(f"{'':>{formatter.current_indent + 4}}{what}\n")


def _sentence(command: Any) -> str:
    """The first of its help."""
    text = " ".join((command.help or "").split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".") + "."
