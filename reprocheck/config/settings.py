"""Configuration: the options of `reprocheck run`, from command line and `[tool.reprocheck]`, checked alike.

In come the words of a user; out goes one mapping of option → value, and from it the request to audit.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocheck.config import checks
from reprocheck.config.checks import Check, Refused
from reprocheck.errors import UsageError
from reprocheck.model import (
    AmbientMode,
    Deterministic,
    Isolation,
    Request,
    Seeding,
    Settings,
    Target,
    TraceMode,
    Workdir,
)
from reprocheck.model.tolerance import Tolerance
from reprocheck.protocol.reading import read_whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

COMMAND_LINE = "command line"

_MANY = 100_000
_HUGE = 2**31 - 1
# NOTE: poll(2) counts milliseconds in a C int, so that a longer timeout raises OverflowError.
_LONGEST_TIMEOUT = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of `reprocheck run` and key of `[tool.reprocheck]`."""

    name: str
    """With hyphens, as on the command line."""
    check: Check
    """What the user wrote → the value that the audit uses; raises Refused."""
    help: str
    default: Any = None

    @property
    def key(self) -> str:
        """The name as Python writes it; the key in merged options."""
        return self.name.replace("-", "_")


_TABLE = (
    Option(
        name="seeds",
        check=checks.integer(1, _MANY),
        default=1,
        help="How many seeds to run: 0, 1, 2 and so on.",
    ),
    Option(name="seed", check=checks.seeds, help="A seed to run; repeatable."),
    Option(name="repeats", check=checks.integer(1, _MANY), default=2, help="Runs with each seed."),
    Option(name="jobs", check=checks.integer(1, _MANY), default=1, help="Runs at the same time."),
    Option(
        name="ambient",
        check=checks.member(AmbientMode),
        default=AmbientMode.VARY,
        help="Whether repeats differ in what nobody promises: hash seed, heap contents, listing order, ...",
    ),
    Option(
        name="seeding",
        check=checks.member(Seeding),
        default=Seeding.ALL,
        help="Which generators are seeded before the target is imported.",
    ),
    Option(name="cudnn-deterministic", check=checks.boolean, help="Set torch.backends.cudnn.deterministic."),
    Option(name="cudnn-benchmark", check=checks.boolean, help="Set torch.backends.cudnn.benchmark."),
    Option(
        name="deterministic",
        check=checks.member(Deterministic),
        help="Call torch.use_deterministic_algorithms: off, warn or error.",
    ),
    Option(name="tf32", check=checks.boolean, help="Allow TF32 in matrix products and convolutions."),
    Option(name="threads", check=checks.integer(1, _MANY), help="Threads of PyTorch on the CPU."),
    Option(name="device", check=checks.device, help="Value of CUDA_VISIBLE_DEVICES; -1 hides every GPU."),
    Option(
        name="memory-fraction",
        check=checks.number(1, "in (0, 1]"),
        help="Share of each GPU's memory that a run may use.",
    ),
    Option(
        name="memory-limit",
        check=checks.size,
        help="Memory that a run may use, as in 6GiB: of each GPU, or of the process where there is none.",
    ),
    Option(name="env", check=checks.env, default=(), help="An environment variable, NAME=VALUE; repeatable."),
    Option(
        name="timeout",
        check=checks.number(
            _LONGEST_TIMEOUT,
            f"seconds, more than 0 and at most {_LONGEST_TIMEOUT}",
            "leave it out for no limit",
        ),
        help="Seconds that a run may take.",
    ),
    Option(
        name="max-steps",
        check=checks.integer(1, _HUGE),
        help="Optimizer steps after which a run ends cleanly.",
    ),
    Option(name="compare", check=checks.comparisons, default=(), help="Let these decide, too: stdout, files."),
    Option(
        name="ignore",
        check=checks.words,
        default=(),
        help="A glob of output leaves to leave out; repeatable.",
    ),
    Option(
        name="keep",
        check=checks.integer(1, _HUGE),
        default=10,
        help="How many audits' evidence stays on disk.",
    ),
    Option(name="evidence", check=checks.directory, default=Path(".reprocheck"), help="The folder for evidence."),
    Option(name="explain", check=checks.boolean, default=True, help="After a difference, find out why."),
    Option(
        name="explain-budget",
        check=checks.integer(0, _MANY),
        default=20,
        help="Further runs that finding out why may take.",
    ),
    Option(
        name="workdir",
        check=checks.member(Workdir),
        default=Workdir.HERE,
        help="Where runs work: here, or each in a fresh copy of the current folder.",
    ),
    Option(
        name="isolation",
        check=checks.member(Isolation),
        default=Isolation.TEMPLATE,
        help="Where runs come from: forked from a process that has imported torch (template), or each an interpreter "
        "of its own (process).",
    ),
    Option(
        name="against",
        check=checks.text("a git revision"),
        help="A git revision: run it, too, and say whether the numbers moved since.",
    ),
    Option(
        name="allow-different",
        check=checks.boolean,
        default=False,
        help="With --against: numbers that moved do not fail; a target that does not reproduce still does.",
    ),
    Option(
        name="share",
        check=checks.words,
        default=(),
        help="With --against: a file or folder that git does not keep, for the other revision to read; repeatable.",
    ),
    Option(
        name="baseline",
        check=checks.directory,
        help="Compare with the results in this file, which --update-baseline writes.",
    ),
    Option(
        name="update-baseline",
        check=checks.boolean,
        default=False,
        help="Write the results to the file of --baseline, where they reproduce.",
    ),
    Option(
        name="tolerance",
        check=checks.tolerance,
        default=Tolerance(),
        help="How far apart values may lie: bitwise, close, ulp=N, or METRIC=AMOUNT as in loss=1%; repeatable.",
    ),
    Option(
        name="fail-fast",
        check=checks.boolean,
        default=False,
        help="End all runs as soon as two of one seed have parted; with --jobs 2 both go side by side.",
    ),
    Option(
        name="cached",
        check=checks.boolean,
        default=False,
        help="Use runs of earlier audits where nothing that they read, ran or were told has changed.",
    ),
    Option(
        name="in-process-repeat",
        check=checks.boolean,
        default=False,
        help="One more run calls the function twice in one process and compares the second call.",
    ),
    Option(
        name="trace",
        check=checks.member(TraceMode),
        default=TraceMode.REPLAY,
        help="Trace operations in further runs after a difference (replay), or in every run (always).",
    ),
    Option(
        name="arg",
        check=checks.arguments,
        default=(),
        help="An argument of the target, name=value; repeatable.",
    ),
    Option(name="format", check=checks.choice(*checks.FORMATS), default="text", help="The report on stdout."),
    Option(name="output", check=checks.outputs, default=(), help="A report in a file, FORMAT=FILE; repeatable."),
    Option(
        name="fail-on",
        check=checks.choice("difference", "error", "warning", "never"),
        default="error",
        help="What exits 1: a difference, also a script that leaves unseeded what it draws from (error), also a "
        "warning, or nothing (never); no verdict stays 3.",
    ),
    Option(
        name="strict",
        check=checks.boolean,
        default=False,
        help="For gates: exit 3 where something that is a result was not compared.",
    ),
    Option(
        name="only-new",
        check=checks.directory,
        help="A JSON report of before: what it holds already does not fail.",
    ),
    Option(name="exit-zero", check=checks.boolean, default=False, help="Exit 0 instead of 1; every other code stays."),
    Option(
        name="color",
        check=checks.choice("auto", "always", "never"),
        default="auto",
        help="Colour in the report.",
    ),
)

OPTIONS: Mapping[str, Option] = {option.name: option for option in _TABLE}
"""Every option by its name with hyphens, in the order of the help."""

_BY_NAME = ("env", "arg")
"""Options that hold named values: what the user gives adds to the configuration, name by name."""


def validate(name: str, value: Any, origin: str = COMMAND_LINE) -> Any:
    """The checked value of one option. `origin` is COMMAND_LINE or the configuration file."""
    option = OPTIONS[name.replace("_", "-")]
    try:
        return option.check(value)
    except Refused as error:
        subject = f"--{option.name}" if origin == COMMAND_LINE else f"{origin}: `{option.name}`"
        raise UsageError(f"{subject} {error.message}", error.hint) from None


def find_pyproject(start: Path) -> Path | None:
    """The nearest pyproject.toml in `start` or above it."""
    # NOTE: os.path.isfile answers False where Path.is_file raises: a folder above that may not be read.
    folder = Path(os.path.abspath(start))
    candidates = (place / "pyproject.toml" for place in (folder, *folder.parents))
    return next((file for file in candidates if os.path.isfile(file)), None)


def load_config(path: Path) -> Mapping[str, Any]:
    """The checked `[tool.reprocheck]` of a file, by option key; relative paths start at the file's folder."""
    tool = _read_toml(path).get("tool", {})
    table = tool.get("reprocheck", {}) if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [tool.reprocheck] must be a table")
    config: dict[str, Any] = {}
    for written, value in table.items():
        name = written.replace("_", "-")
        if name not in OPTIONS:
            hint = checks.nearest(name, OPTIONS) or f"the keys are {', '.join(OPTIONS)}"
            raise UsageError(f"{path}: [tool.reprocheck] has no key {checks.shown(written)}", hint)
        option = OPTIONS[name]
        if option.key == "update_baseline":
            hint = "give it on the command line when the numbers are meant to change"
            raise UsageError(f"{path}: `{name}` in a file would let every audit pass", hint)
        if option.key in config:
            raise UsageError(f"{path}: `{name}` is given twice, with a hyphen and with an underscore")
        config[option.key] = _from_folder(option.key, validate(name, value, str(path)), path.parent)
    _refuse_seed_and_seeds(config, f"{path}: `seed`", "`seeds`")
    return config


def merge(cli_values: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every option by key: what the user gave (checked here), else the configuration, else the default.

    `seed` comes out as the tuple of seeds to run; there is no `seeds`.
    """
    given = {
        OPTIONS[name.replace("_", "-")].key: validate(name, value)
        for name, value in cli_values.items()
        if value is not None and value != [] and value != ()
    }
    _refuse_seed_and_seeds(given, "--seed", "--seeds")
    merged = {option.key: option.default for option in OPTIONS.values()} | dict(config) | given
    for key in _BY_NAME:
        merged[key] = tuple((dict(config.get(key, ())) | dict(given.get(key, ()))).items())
    chosen = given if given.keys() & {"seed", "seeds"} else merged
    count = merged.pop("seeds")
    merged["seed"] = chosen.get("seed") or tuple(range(count))
    return merged


def build_request(target: Target, options: Mapping[str, Any]) -> Request:
    """Merged options → the request to audit. The target already has its arguments (`options["arg"]`)."""
    if options["in_process_repeat"] and target.function is None:
        hint = "name a function: script.py:train"
        raise UsageError("--in-process-repeat calls a function twice, and a script is none", hint)
    if options["memory_fraction"] is not None and options["memory_limit"] is not None:
        raise UsageError("--memory-fraction and --memory-limit exclude each other", "give one of them")
    settings = Settings(
        seeding=options["seeding"],
        cudnn_deterministic=options["cudnn_deterministic"],
        cudnn_benchmark=options["cudnn_benchmark"],
        deterministic=options["deterministic"],
        tf32=options["tf32"],
        threads=options["threads"],
        device=options["device"],
        memory_fraction=options["memory_fraction"],
        memory_limit=options["memory_limit"],
        env=options["env"],
        timeout=options["timeout"],
        max_steps=options["max_steps"],
    )
    return Request(
        target=target,
        settings=settings,
        seeds=options["seed"],
        repeats=options["repeats"],
        jobs=options["jobs"],
        ambient=options["ambient"],
        compare=options["compare"],
        ignore=options["ignore"],
        keep=options["keep"],
        evidence=options["evidence"],
        explain=options["explain"],
        explain_budget=options["explain_budget"],
        workdir=options["workdir"],
        isolation=options["isolation"],
        baseline=options["baseline"],
        update_baseline=options["update_baseline"],
        tolerance=options["tolerance"],
        in_process_repeat=options["in_process_repeat"],
        fail_fast=options["fail_fast"],
        cached=options["cached"],
        against=options["against"],
        allow_different=options["allow_different"],
        share=options["share"],
        trace=options["trace"],
    )


_LARGEST = 16 * 2**20
"""Bytes of a configuration file."""


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        data = read_whole(path, _LARGEST, follow=True)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        return tomllib.loads(data.decode("utf-8-sig"))  # editors on Windows put a byte order mark first
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: not UTF-8", "save the file as UTF-8, as TOML asks") from error
    except (ValueError, RecursionError) as error:
        place = re.search(r"at line (\d+)", str(error))
        where = f"{path}:{place[1]}" if place else str(path)
        raise UsageError(f"{where}: not valid TOML: {error}") from error


def _from_folder(key: str, value: Any, folder: Path) -> Any:
    """A path in a file means the same from wherever the audit is started."""
    if key in ("evidence", "baseline", "only_new"):
        return folder / value
    if key == "output":
        return tuple((form, folder / file) for form, file in value)
    return value


def _refuse_seed_and_seeds(options: Mapping[str, Any], seed: str, seeds: str) -> None:
    if "seed" in options and "seeds" in options:
        raise UsageError(f"{seed} and {seeds} exclude each other", "name the seeds, or say how many")
