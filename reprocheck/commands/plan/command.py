"""The options of `reprocheck plan` and `reprocheck worker` → what they made; the formats of their reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reprocheck.commands.plan.document import plan_document, run_document
from reprocheck.commands.plan.json import render_plan_json, render_run_json
from reprocheck.commands.plan.make import make_plan
from reprocheck.commands.plan.worker import make_run
from reprocheck.config.target import parse_target
from reprocheck.model import Target
from reprocheck.report.formats import formats_of

__all__ = ["FORMATS", "WORKER_FORMATS", "make_plan", "make_run", "target_of"]

FORMATS = formats_of(document=plan_document, json=render_plan_json)
"""Of the report of `plan`."""
WORKER_FORMATS = formats_of(document=run_document, json=render_run_json)


def target_of(text: str | None, module: str | None, argv: Sequence[str] | None, options: Mapping[str, Any]) -> Target:
    """As it was named, before --nproc puts a launcher in its place. Raises UsageError."""
    return parse_target(text, module, tuple(argv or ()), tuple(options["arg"]))
