"""What a training keeps besides the state of its steps: what it saves, and what it returns at the end."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from reprocheck.commands.resume.model import Difference, Save
from reprocheck.compare.near import kept_bytes
from reprocheck.compare.pairs import pair_differs, pairs_by_name
from reprocheck.model import Evidence, NotCompared, Request, TensorRecord

MOST_NAMES = 3
_LENGTH = ".length"
_PLACE = re.compile(r"(.*)\[(\d+)\]")


def compare_saves(
    a: Sequence[Save], b: Sequence[Save], k: int, compared: list[str], missing: list[NotCompared]
) -> tuple[Difference | None, str]:
    """Floating-point tensors in what both saved after the same step. With it the numbers that differ, as text."""
    theirs = dict(_keyed(a, 0))
    numbers: dict[str, None] = {}
    met = False
    for key, save in _keyed(b, k):
        other = theirs.get(key)
        if other is None or key[0] <= k:
            continue
        pairs = [(left, right) for left, right in pairs_by_name(other.leaves, save.leaves) if left and right]
        floating = [pair for pair in pairs if _is_floating(pair[0]) and pair[0].shape == pair[1].shape]
        met = met or bool(floating)
        off = [left.name for left, right in floating if left.digest != right.digest]
        if off:
            compared.append("saved tensors")
            where = f" saved to {save.path}" if save.path else " saved"
            return Difference(step=key[0] - 1, kind="saved tensors", detail=_few(off) + where), _few(numbers)
        for left, right in pairs:
            if left.kind == "number" and left.digest != right.digest:
                numbers[f"{left.name} {right.text}, was to be {left.text}"] = None
    if met:
        compared.append("saved tensors")
    else:
        missing.append(NotCompared(what="saved tensors", reason="torch.save was not called after the same step"))
    return None, _few(list(numbers))


def _keyed(saves: Sequence[Save], offset: int) -> list[tuple[tuple[int, str, int], Save]]:
    """By step, path, and number of the save under both."""
    counts: dict[tuple[int, str], int] = {}
    keyed = []
    for save in saves:
        place = (offset + save.step, save.path)
        counts[place] = counts.get(place, -1) + 1
        keyed.append(((*place, counts[place]), save))
    return keyed


def _is_floating(record: TensorRecord) -> bool:
    return record.kind in ("tensor", "parameter", "buffer") and "float" in record.dtype


def compare_outputs(
    a: Evidence, b: Evidence, request: Request, compared: list[str], missing: list[NotCompared], notes: list[str]
) -> Difference | None:
    """Leaf by leaf; of a list that the resumed run could only fill from its own start on, the end."""
    if not a.has_output and not b.has_output:
        missing.append(NotCompared(what="outputs", reason="a script returns nothing"))
        return None
    left, right, whole = _without_histories(a, b, notes)
    pairs = []
    for pair in pairs_by_name(left, right):
        name = next(record.name for record in pair if record is not None)
        if any(fnmatchcase(name, glob) for glob in request.ignore):
            missing.append(NotCompared(what=f"output {name or 'value'}", reason="--ignore"))
        else:
            pairs.append(pair)
    if whole or any(left is not None and left.digest and left.text != "None" for left, _ in pairs):
        compared.append("outputs")
    else:
        missing.append(NotCompared(what="outputs", reason="the function returned nothing to compare"))
    off = [pair for pair in pairs if pair_differs(pair, missing, "output ")]
    if not off:
        return None
    names = [(pair[0] or pair[1]).name or "returned value" for pair in off]  # type: ignore[union-attr]
    numbers = all((record.is_metric or record.kind == "numbers") for pair in off for record in pair if record)
    return Difference(step=None, kind="numbers in the outputs" if numbers else "outputs", detail=_few(names))


def _without_histories(
    a: Evidence, b: Evidence, notes: list[str]
) -> tuple[list[TensorRecord], list[TensorRecord], bool]:
    """The outputs without lists of which the resumed run has the end."""
    left, right = list(a.outputs), list(b.outputs)
    found: list[str] = []
    for name in sorted({_list_of(record) for record in left if _list_of(record)}):
        theirs, own = ([record for record in side if _list_of(record) == name] for side in (left, right))
        if _is_end(_elements(theirs, a.values), _elements(own, b.values)):
            left = [record for record in left if record not in theirs]
            right = [record for record in right if record not in own]
            found.append(name)
    if found:
        notes.append(f"kept from the resumption on only, and equal there: {_few(found)}")
    return left, right, bool(found)


def _list_of(record: TensorRecord) -> str:
    """The name of the list that a leaf is, or is an item of; empty for anything else."""
    item = _PLACE.fullmatch(record.name)
    if item is not None:
        return item[1]
    if _is_length(record):
        return record.name.removesuffix(_LENGTH)
    return record.name if record.shape else ""


def _is_length(record: TensorRecord) -> bool:
    """The length of a list stands behind its items."""
    return record.kind == "constant" and record.name.endswith(_LENGTH)


def _elements(records: Sequence[TensorRecord], values: Path) -> list[bytes]:
    """What distinguishes the items of one list: bytes of numbers, else digests. Empty where they were not kept."""
    records = [record for record in records if not _is_length(record)]
    if len(records) == 1 and records[0].shape and not _PLACE.fullmatch(records[0].name):
        (record,) = records
        if record.offset is None or not record.shape[0]:
            return []
        try:
            data = kept_bytes(record, values)
        except OSError:
            return []
        size = len(data) // record.shape[0]
        return [data[start : start + size] for start in range(0, len(data), size)] if size else []
    if all(record.kind == "number" for record in records):
        return [struct.pack("<d", float(record.text)) for record in records]
    return [record.digest.encode("utf-8", "surrogatepass") for record in records]


def _is_end(whole: list[bytes], part: list[bytes]) -> bool:
    return len(part) < len(whole) and bool(part) and whole[-len(part) :] == part


def _few(names: Sequence[str] | dict[str, None]) -> str:
    shown = [name or "value" for name in names]
    return ", ".join(shown[:MOST_NAMES]) + (f" and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES else "")
