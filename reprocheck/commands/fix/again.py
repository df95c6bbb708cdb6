"""A kept audit → the request for the same audit once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reprocheck.config.settings import build_request, find_pyproject, load_config, merge
from reprocheck.config.target import parse_target
from reprocheck.errors import UsageError
from reprocheck.model import Audit, Request, TargetKind
from reprocheck.protocol.secrets import MASK


def request_again(kept: Audit, cwd: Path) -> Request:
    """What a report keeps comes from there, the rest from the configuration. Raises UsageError where a report does not
    keep what it takes.
    """
    asked, target = kept.request, kept.request.target
    if asked.settings.env:
        raise UsageError("the audit had --env, whose values are not kept")
    if any(MASK in str(value) for value in (*target.argv, *dict(target.arguments).values())):
        raise UsageError("an argument of the target is a secret, which is not kept")
    is_module = target.kind is TargetKind.MODULE
    text, module = (None, target.module) if is_module else (target.text, None)
    config = find_pyproject(cwd)
    options = merge({}, {} if config is None else load_config(config))
    return replace(
        build_request(parse_target(text, module, target.argv, target.arguments), options),
        settings=asked.settings,
        seeds=asked.seeds,
        repeats=asked.repeats,
        jobs=asked.jobs,
        ambient=asked.ambient,
        compare=asked.compare,
        ignore=asked.ignore,
        tolerance=asked.tolerance,
    )
