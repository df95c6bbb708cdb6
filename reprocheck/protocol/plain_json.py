"""Any value as JSON can say it, and always in the same way."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any


class Scrub:
    """Takes the evidence folder's name, new with every audit, out of text."""

    def __init__(self, directory: Path) -> None:
        names = {os.path.abspath(directory), str(directory)} - {os.sep}
        self._names = sorted((name for name in names if os.sep in name), key=len, reverse=True)

    def clean(self, value: Any) -> Any:
        """The same tree with the folder's name replaced in every string."""
        if isinstance(value, str):
            for name in self._names:
                value = value.replace(name, "<evidence>")
            return value
        if isinstance(value, dict):
            return {key: self.clean(item) for key, item in value.items()}
        return [self.clean(item) for item in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Any value as JSON can say it, always the same way."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (str, Path)):  # a lone surrogate (a name that is no UTF-8) is no valid JSON
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, (bytes, bytearray, complex)):
        return str(value)
    return f"<{type(value).__name__}>"  # never repr: it may hold an address
