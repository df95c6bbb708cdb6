"""A kept audit's target and options → the same audit once more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.commands.fix.model import Saved
from reprocheck.config.options import OPTIONS
from reprocheck.config.settings import build_request, find_pyproject, load_config, merge
from reprocheck.config.target import parse_target
from reprocheck.errors import UsageError
from reprocheck.model import Request
from reprocheck.protocol.secrets import MASK

_DIRECT = ("repeats", "jobs", "ambient", "compare", "ignore", "tolerance")


def request_again(saved: Saved, cwd: Path) -> Request:
    """Raises UsageError where the report does not say all that it takes."""
    target, asked = saved.target, saved.asked
    settings = asked.get("settings")
    settings = settings if isinstance(settings, Mapping) else {}
    if settings.get("env"):
        raise UsageError("the audit had --env, whose values are not kept")
    arguments = target.get("arguments")
    arguments = arguments if isinstance(arguments, Mapping) else {}
    argv = [str(word) for word in _list(target.get("argv"))]
    if any(MASK in str(value) for value in (*argv, *arguments.values())):
        raise UsageError("an argument of the target is a secret, which is not kept")
    given: dict[str, Any] = {name: asked[name] for name in _DIRECT if asked.get(name)}
    given |= {
        name: value for name, value in settings.items() if value is not None and name.replace("_", "-") in OPTIONS
    }
    given["seed"] = _list(asked.get("seeds"))
    given.pop("env", None)
    module = target.get("module") if target.get("kind") == "module" else None
    text = None if module else str(target.get("text"))
    config = find_pyproject(cwd)
    options = merge(given, {} if config is None else load_config(config))
    parsed = parse_target(text, None if module is None else str(module), tuple(argv), tuple(arguments.items()))
    return build_request(parsed, options)


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []
