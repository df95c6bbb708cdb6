"""Configuration: the options of `reprocheck run`, from command line and `[tool.reprocheck]`, checked alike.

In come the options of a user; out goes one mapping of option → value, and from it the request to audit.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.config import checks
from reprocheck.config.checks import Refused
from reprocheck.config.options import OPTIONS
from reprocheck.errors import UsageError
from reprocheck.model import (
    Request,
    Settings,
    Target,
    TargetKind,
)
from reprocheck.protocol.reading import read_whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

COMMAND_LINE = "command line"

_BY_NAME = ("env", "arg", "engine_arg", "quarantine")
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
            hint = "give it on the command line when the results are meant to change"
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


def launched(target: Target, ranks: int) -> Target:
    """The same with so many ranks: what torchrun starts. Raises UsageError."""
    if target.function is not None:
        hint = "name the script, or let the function start its ranks itself (torch.multiprocessing.spawn)"
        raise UsageError(f"--nproc starts ranks of a script or a module, and {target.text} is a function", hint)
    words = ["--standalone", "--nproc_per_node", str(ranks)]
    words += ["-m", str(target.module)] if target.path is None else [target.text]
    return Target(
        text=f"{target.text} ({ranks} rank{'s' if ranks > 1 else ''})",
        kind=TargetKind.MODULE,
        module="torch.distributed.run",
        argv=(*words, *target.argv),
    )


def build_request(target: Target, options: Mapping[str, Any]) -> Request:
    """Merged options → the request to audit. The target already has its arguments (`options["arg"]`)."""
    if options["in_process_repeat"] and target.function is None:
        hint = "name a function: script.py:train"
        raise UsageError("--in-process-repeat calls a function twice, and a script is none", hint)
    if options["drift"] and not options["explain"]:
        raise UsageError("--drift and --no-explain exclude each other", "whether it matters is part of an explanation")
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
        target=target if options["nproc"] is None else launched(target, options["nproc"]),
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
        drift=options["drift"],
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
    if key in ("evidence", "baseline", "only_new", "history"):
        return folder / value
    if key == "output":
        return tuple((form, folder / file) for form, file in value)
    return value


def _refuse_seed_and_seeds(options: Mapping[str, Any], seed: str, seeds: str) -> None:
    if "seed" in options and "seeds" in options:
        raise UsageError(f"{seed} and {seeds} exclude each other", "name the seeds, or say how many")
