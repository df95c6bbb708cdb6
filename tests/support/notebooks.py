"""Notebooks as Jupyter saves them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def code(source: str, **metadata: Any) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": lines}


def text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}


def notebook(cells: Sequence[str | dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "cells": [code(cell) if isinstance(cell, str) else cell for cell in cells],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
        **more,
    }


def write(path: Path, cells: Sequence[str | dict[str, Any]], **more: Any) -> Path:
    path.write_text(json.dumps(notebook(cells, **more), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
