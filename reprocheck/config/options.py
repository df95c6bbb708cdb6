"""The options of `reprocheck run`, each declared once for command line, configuration, help and manual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.config import checks
from reprocheck.config.checks import Check
from reprocheck.model import AmbientMode, Deterministic, Isolation, Seeding, TraceMode, Workdir
from reprocheck.model.tolerance import Tolerance

_MANY = 100_000
_HUGE = 2**31 - 1
# NOTE: poll(2) counts milliseconds in a C int, so that a longer timeout raises OverflowError.
_LONGEST_TIMEOUT = 2_000_000


class Group(Enum):
    """Options of one kind, in the order and under the names of the documentation."""

    RUNS = "What is run"
    PYTORCH = "How PyTorch is configured"
    COMPARISON = "What is compared"
    EXPLANATION = "How a difference is explained"
    REPORTS = "Reports and evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of `reprocheck run` and key of `[tool.reprocheck]`."""

    name: str
    """With hyphens, as on the command line."""
    check: Check
    """What the user wrote → the value that the audit uses; raises Refused."""
    help: str
    group: Group
    default: Any = None
    type: Any = str
    """What the command line reads: str, int, float, bool, or a list of one of these for a repeatable option."""
    flags: tuple[str, ...] = ()
    """On the command line, where that is not `--name`."""
    metavar: str | None = None

    @property
    def key(self) -> str:
        """The name as Python writes it; the key in merged options."""
        return self.name.replace("-", "_")


_TABLE = (
    Option(
        name="seeds",
        type=int,
        metavar="N",
        check=checks.integer(1, _MANY),
        default=1,
        group=Group.RUNS,
        help="How many seeds to run: 0, 1, 2 and so on.",
    ),
    Option(
        name="seed",
        type=list[int],
        metavar="SEED",
        check=checks.seeds,
        group=Group.RUNS,
        help="A seed to run; repeatable; excludes --seeds.",
    ),
    Option(
        name="repeats",
        type=int,
        metavar="R",
        check=checks.integer(1, _MANY),
        default=2,
        group=Group.RUNS,
        help="Runs with each seed.",
    ),
    Option(
        name="jobs",
        type=int,
        flags=(
            "-j",
            "--jobs",
        ),
        metavar="J",
        check=checks.integer(1, _MANY),
        default=1,
        group=Group.RUNS,
        help="Runs at the same time.",
    ),
    Option(
        name="engine",
        metavar="|".join(checks.ENGINES),
        check=checks.choice(*checks.ENGINES),
        default=checks.ENGINES[0],
        group=Group.RUNS,
        help="Where runs are made: by reprocheck itself (none), as jobs on this machine (local), in a Slurm array "
        "(slurm, needs submitit), or as tasks of Ray (ray).",
    ),
    Option(
        name="engine-arg",
        type=list[str],
        metavar="NAME=VALUE",
        check=checks.arguments,
        default=(),
        group=Group.RUNS,
        help="What the engine is told, NAME=VALUE, as in partition=gpu; repeatable.",
    ),
    Option(
        name="nproc",
        type=int,
        metavar="N",
        check=checks.integer(1, _MANY),
        default=None,
        group=Group.RUNS,
        help="Start N ranks of a script or module in every run, with torch's own launcher (torchrun).",
    ),
    Option(
        name="ambient",
        metavar="vary|fixed",
        check=checks.member(AmbientMode),
        default=AmbientMode.VARY,
        group=Group.COMPARISON,
        help="Whether repeats differ in the environment factors (hash seed, heap contents, listing order, "
        "...): vary or fixed.",
    ),
    Option(
        name="seeding",
        metavar="all|torch|none",
        check=checks.member(Seeding),
        default=Seeding.ALL,
        group=Group.PYTORCH,
        help="Which generators are seeded before the target is imported: all, torch or none.",
    ),
    Option(
        name="cudnn-deterministic",
        type=bool,
        flags=("--cudnn-deterministic/--no-cudnn-deterministic",),
        check=checks.boolean,
        group=Group.PYTORCH,
        help="Set torch.backends.cudnn.deterministic.",
    ),
    Option(
        name="cudnn-benchmark",
        type=bool,
        flags=("--cudnn-benchmark/--no-cudnn-benchmark",),
        check=checks.boolean,
        group=Group.PYTORCH,
        help="Set torch.backends.cudnn.benchmark.",
    ),
    Option(
        name="deterministic",
        metavar="off|warn|error",
        check=checks.member(Deterministic),
        group=Group.PYTORCH,
        help="Call torch.use_deterministic_algorithms: off, warn or error.",
    ),
    Option(
        name="tf32",
        type=bool,
        flags=("--tf32/--no-tf32",),
        check=checks.boolean,
        group=Group.PYTORCH,
        help="Allow TF32 in matrix products and convolutions.",
    ),
    Option(
        name="threads",
        type=int,
        metavar="N",
        check=checks.integer(1, _MANY),
        group=Group.PYTORCH,
        help="Threads of PyTorch on the CPU.",
    ),
    Option(
        name="device",
        metavar="DEVICES",
        check=checks.device,
        group=Group.PYTORCH,
        help="Value of CUDA_VISIBLE_DEVICES; -1 hides every GPU.",
    ),
    Option(
        name="memory-fraction",
        type=float,
        metavar="F",
        check=checks.number(1, "in (0, 1]"),
        group=Group.PYTORCH,
        help="Share of each GPU's memory that a run may use, more than 0 and at most 1.",
    ),
    Option(
        name="memory-limit",
        metavar="SIZE",
        check=checks.size,
        group=Group.PYTORCH,
        help="Memory that a run may use, as in 6GiB: of each GPU or, where there is none, the memory that the "
        "process may write to.",
    ),
    Option(
        name="env",
        type=list[str],
        metavar="NAME=VALUE",
        check=checks.env,
        default=(),
        group=Group.RUNS,
        help="An environment variable of the runs, NAME=VALUE; repeatable.",
    ),
    Option(
        name="timeout",
        type=float,
        metavar="SECONDS",
        check=checks.number(
            _LONGEST_TIMEOUT,
            f"seconds, more than 0 and at most {_LONGEST_TIMEOUT}",
            "leave it out for no limit",
        ),
        group=Group.RUNS,
        help="Seconds that a run may take; no limit unless given.",
    ),
    Option(
        name="max-steps",
        type=int,
        metavar="N",
        check=checks.integer(1, _HUGE),
        group=Group.RUNS,
        help="Optimizer steps after which a run ends cleanly; no limit unless given.",
    ),
    Option(
        name="compare",
        type=list[str],
        metavar="stdout,files,…",
        check=checks.comparisons,
        default=(),
        group=Group.COMPARISON,
        help="Let these decide the verdict, too: stdout, stderr, files, variables.",
    ),
    Option(
        name="ignore",
        type=list[str],
        metavar="GLOB",
        check=checks.strings,
        default=(),
        group=Group.COMPARISON,
        help="A glob of outputs that are not compared, or stdout, stderr, files, variables; repeatable.",
    ),
    Option(
        name="keep",
        type=int,
        metavar="N",
        check=checks.integer(1, _HUGE),
        default=10,
        group=Group.REPORTS,
        help="How many audits' evidence stays on disk.",
    ),
    Option(
        name="evidence",
        metavar="DIR",
        check=checks.directory,
        default=Path(".reprocheck"),
        group=Group.REPORTS,
        help="The folder for evidence.",
    ),
    Option(
        name="explain",
        type=bool,
        flags=("--explain/--no-explain",),
        check=checks.boolean,
        default=True,
        group=Group.EXPLANATION,
        help="After a difference, find its cause with further runs.",
    ),
    Option(
        name="explain-budget",
        type=int,
        metavar="RUNS",
        check=checks.integer(0, _MANY),
        default=20,
        group=Group.EXPLANATION,
        help="Further runs that the explanation may take.",
    ),
    Option(
        name="drift",
        type=bool,
        flags=("--drift/--no-drift",),
        check=checks.boolean,
        group=Group.EXPLANATION,
        help="Say whether a difference matters: compare by value step by step, and with what moving every parameter by "
        "one ULP does; by itself where at least 10 steps follow.",
    ),
    Option(
        name="workdir",
        metavar="here|fresh",
        check=checks.member(Workdir),
        default=Workdir.HERE,
        group=Group.RUNS,
        help="Where runs work: here, or each in a fresh copy of the current folder, which is removed afterwards.",
    ),
    Option(
        name="isolation",
        metavar="template|process",
        check=checks.member(Isolation),
        default=Isolation.TEMPLATE,
        group=Group.RUNS,
        help="Where runs come from: forked from a process that has imported PyTorch (template), or each a new "
        "interpreter (process).",
    ),
    Option(
        name="against",
        metavar="REV",
        check=checks.text("a git revision"),
        group=Group.COMPARISON,
        help="A git revision: run it, too, and say whether the results changed since.",
    ),
    Option(
        name="allow-different",
        type=bool,
        check=checks.boolean,
        default=False,
        group=Group.COMPARISON,
        help="With --against: changed results do not fail; a target that does not reproduce still does.",
    ),
    Option(
        name="share",
        type=list[str],
        metavar="PATH",
        check=checks.strings,
        default=(),
        group=Group.COMPARISON,
        help="With --against: a file or folder that git does not keep, for the other revision to read; repeatable.",
    ),
    Option(
        name="baseline",
        metavar="FILE",
        check=checks.directory,
        group=Group.COMPARISON,
        help="Compare with the digests and metrics in this file, which --update-baseline writes.",
    ),
    Option(
        name="update-baseline",
        type=bool,
        check=checks.boolean,
        default=False,
        group=Group.COMPARISON,
        help="Write the results to the file of --baseline, if the target reproduces.",
    ),
    Option(
        name="tolerance",
        type=list[str],
        metavar="WORD",
        check=checks.tolerance,
        default=Tolerance(),
        group=Group.COMPARISON,
        help="How far apart values may be: bitwise, close, ulp=N, or for one metric loss=1e-4 or loss=1%; "
        "repeatable; bitwise unless given.",
    ),
    Option(
        name="fail-fast",
        type=bool,
        check=checks.boolean,
        default=False,
        group=Group.RUNS,
        help="End all runs as soon as two runs of one seed differ; with --jobs 2 they run at the same time.",
    ),
    Option(
        name="cached",
        type=bool,
        flags=("--cached/--no-cached",),
        check=checks.boolean,
        default=False,
        group=Group.RUNS,
        help="Reuse runs of earlier audits if nothing that they were made from has changed.",
    ),
    Option(
        name="in-process-repeat",
        type=bool,
        check=checks.boolean,
        default=False,
        group=Group.RUNS,
        help="One more run calls the function twice in one process and compares the second call.",
    ),
    Option(
        name="trace",
        metavar="replay|always",
        check=checks.member(TraceMode),
        default=TraceMode.REPLAY,
        group=Group.EXPLANATION,
        help="Trace operations in further runs after a difference (replay), or in every run (always), for a "
        "difference that does not come back.",
    ),
    Option(
        name="arg",
        type=list[str],
        metavar="NAME=VALUE",
        check=checks.arguments,
        default=(),
        group=Group.RUNS,
        help="An argument of the target function, NAME=VALUE: a Python literal or else a string; repeatable.",
    ),
    Option(
        name="format",
        metavar="|".join(checks.FORMATS),
        check=checks.choice(*checks.FORMATS),
        default="text",
        group=Group.REPORTS,
        help=f"The report on standard output: {checks.any_of(checks.FORMATS)}.",
    ),
    Option(
        name="output",
        type=list[str],
        flags=(
            "-o",
            "--output",
        ),
        metavar="FORMAT=FILE",
        check=checks.outputs,
        default=(),
        group=Group.REPORTS,
        help="A report in a file, FORMAT=FILE; repeatable.",
    ),
    Option(
        name="fail-on",
        metavar="difference|error|warning|never",
        check=checks.choice("difference", "error", "warning", "never"),
        default="error",
        group=Group.REPORTS,
        help="What exits 1: only a difference; also a script that uses a generator that it does not seed "
        "(error); also a warning; or nothing (never). No verdict stays 3.",
    ),
    Option(
        name="strict",
        type=bool,
        flags=("--strict/--no-strict",),
        check=checks.boolean,
        default=False,
        group=Group.REPORTS,
        help="For gates: exit 3 if something that is a result was not compared, or differs and does not count.",
    ),
    Option(
        name="only-new",
        metavar="FILE",
        check=checks.directory,
        group=Group.REPORTS,
        help="An earlier JSON report: findings that it holds already do not fail.",
    ),
    Option(
        name="history",
        metavar="FOLDER",
        check=checks.directory,
        group=Group.REPORTS,
        help="Append a line about the audit to the history in this folder, which `reprocheck report --index` reads.",
    ),
    Option(
        name="quarantine",
        type=list[str],
        metavar="TARGET=DATE",
        check=checks.quarantine,
        default=(),
        group=Group.REPORTS,
        help="Until this date (2026-12-31), runs of the target that differ do not fail, if the history knows that they "
        "do; repeatable.",
    ),
    Option(
        name="exit-zero",
        type=bool,
        flags=("--exit-zero/--no-exit-zero",),
        check=checks.boolean,
        default=False,
        group=Group.REPORTS,
        help="Exit 0 instead of 1; every other code stays.",
    ),
    Option(
        name="color",
        metavar="auto|always|never",
        check=checks.choice("auto", "always", "never"),
        default="auto",
        group=Group.REPORTS,
        help="Color in the report: auto, always or never.",
    ),
)

OPTIONS: Mapping[str, Option] = {option.name: option for option in _TABLE}
"""Every option by its name with hyphens, in the order of the help."""
PLANNED = (
    *("seeds", "seed", "repeats", "nproc", "arg", "env", "timeout", "max-steps", "workdir", "in-process-repeat"),
    *("seeding", "deterministic", "cudnn-deterministic", "cudnn-benchmark", "tf32", "threads", "device"),
    *("memory-fraction", "memory-limit", "ambient", "compare", "ignore", "tolerance"),
)
"""Options that say what is run and what of it is compared: a plan keeps them."""
