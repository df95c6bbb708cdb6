"""Checked options as a user would write them, so that they can be kept in a file and checked again."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.config.options import OPTIONS
from reprocheck.model.tolerance import Tolerance


def as_written(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """These of the merged options, by key, as JSON can hold them; those that nobody gave are left out. `merge` reads
    them."""
    keys = [OPTIONS[name].key for name in names]
    return {key: _plain(key, options[key]) for key in keys if options.get(key) not in (None, ())}


def _plain(key: str, value: Any) -> Any:
    if key == "env":
        return dict(value)
    if isinstance(value, Tolerance):
        return list(value.options)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_plain("", item) for item in value]
    return value
