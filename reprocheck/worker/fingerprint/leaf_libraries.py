"""Generators, arrays and tables of other libraries, as values that can be compared."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from typing import Any

from reprocheck.worker.fingerprint.leaf_objects import is_library

OF_MASKED_ARRAY = frozenset(
    {"_mask", "_fill_value", "_basedict", "_optinfo", "_hardmask", "_sharedmask", "_isfield", "_baseclass"}
)


def generator_state(value: Any) -> Any:
    """The state of a generator; None for anything else."""
    torch: Any = sys.modules.get("torch")
    numpy: Any = sys.modules.get("numpy")
    kind = type(value)
    if torch is not None and issubclass(kind, torch.Generator):
        return value.get_state()
    if issubclass(kind, random.Random):
        return random.Random.getstate(value)
    if numpy is not None and hasattr(numpy, "random"):
        if issubclass(kind, numpy.random.RandomState):
            return value.get_state(legacy=False)
        if issubclass(kind, numpy.random.Generator):
            return value.bit_generator.state
        if issubclass(kind, numpy.random.BitGenerator):
            return value.state
    return None


def parts_of_table(value: Any) -> Iterable[tuple[str, Any]] | None:
    """The parts of an array or a table of some library; None for anything else."""
    numpy: Any = sys.modules.get("numpy")
    kind = type(value)
    if numpy is None or not hasattr(numpy, "asarray"):
        return None
    if issubclass(kind, numpy.ndarray):  # of Python objects
        return [("shape", str(value.shape)), ("items", value.ravel().tolist())]
    if hasattr(kind, "iloc") and hasattr(kind, "columns"):
        columns = [(f"[{n}]", value.iloc[:, n].to_numpy()) for n in range(value.shape[1])]
        return [("columns", list(value.columns)), ("index", value.index.to_numpy()), *columns]
    if hasattr(kind, "iloc"):
        return [("name", value.name), ("index", value.index.to_numpy()), ("values", value.to_numpy())]
    if is_library(kind) and (hasattr(kind, "__array__") or hasattr(kind, "__array_interface__")):
        return [("values", numpy.asarray(value))]
    return None
