"""Starts of several seeds → one row for each name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reprocheck.commands.params.model import Row, Start


def rows_of(starts: Sequence[Start]) -> tuple[Row, ...]:
    """By name, in the order of the first seed. The model's name stands before it where there are several models."""
    several = len({tensor.root for start in starts for tensor in start.tensors} - {""}) > 1
    rows: dict[str, Row] = {}
    for start in starts:
        for tensor in start.tensors:
            name = f"{tensor.root}.{tensor.name}" if several and tensor.root else tensor.name
            row = rows.get(name)
            if row is None:
                rows[name] = Row(name=name, tensor=tensor, digests={start.seed: tensor.digest})
            else:
                rows[name] = replace(row, digests={**row.digests, start.seed: tensor.digest})
    return tuple(rows.values())
