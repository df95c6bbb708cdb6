"""What the globals of the target's own modules hold at the end: of a script they are what a function would return.

Numbers, arrays and tensors only. Texts name folders and times, and what is named like a time or shows a clock is none.
"""

from __future__ import annotations

import dataclasses
import random
import re
import struct
import sys
from collections.abc import Collection, Iterator
from typing import Any

from xxhash import xxh3_128

from reprocheck.worker.fingerprint.leaf_objects import is_of_library, is_reading
from reprocheck.worker.fingerprint.leaves import OPAQUE, Leaf, leaf_key, variable_leaves

MOST_VALUES = 20_000
"""Values of one variable that are looked at."""
MOST_VARIABLES = 2_000
MOST_LEAVES = 2_000
"""Leaves that are listed; further ones share one."""
REST = "(further variables)"

_KINDS = frozenset({"number", "numbers", "array", "tensor", "bytes"})
_VOLATILE = re.compile(
    r"(?i)(^|_)(time|times|timer|seconds|secs|sec|ms|elapsed|took|duration|durations|wall|walltime|fps|sps|throughput|speed|"
    r"latency|timestamp|stamp|clock|date|dt|t\d*|t[_]?(start|end|begin|now)|tic|toc|eta|start|started|begin|began|end|ended|now|"
    r"mfu|flops|tflops|pid|port|rss|mem|memory|mb|mib|uuid|addr|address)(_|$)"
)
_ADDRESS = 1 << 36
"""Greater whole numbers are addresses and hashes."""
_NUMBER_IN_NAME = re.compile(r"\d{9,}")
_PARTS = re.compile(r"[.\[\]]+")


def globals_of_target() -> Iterator[tuple[str, dict[str, Any]]]:
    """The modules that are the target's own, by name, and what each holds."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "reprocheck" or module is None or is_of_library(name):
            continue
        if getattr(module, "__file__", None) is None and name != "__main__":
            continue
        yield name, dict(vars(module))


def variables(chosen: Collection[str] | None = None) -> list[Leaf]:
    """The leaves of all, by name; those of the script itself without the name of its module. `chosen`: of these globals
    of the script alone."""
    leaves: list[Leaf] = []
    rest, more = xxh3_128(), 0
    for module, found in globals_of_target():
        if chosen is not None:
            found = {name: item for name, item in found.items() if module == "__main__" and name in chosen}
        prefix = "" if module == "__main__" else f"{module}."
        named = sorted((name, item) for name, item in found.items() if not name.startswith("__"))
        for name, item in named[:MOST_VARIABLES]:
            for leaf in variable_leaves(name, _without_state(item), _is_known, MOST_VALUES):
                if not (_is_of_interest(leaf) or (leaf.kind == OPAQUE and leaf.name == name and _is_cut(leaf))):
                    continue
                name_of_leaf = prefix + _NUMBER_IN_NAME.sub("*", leaf.name)
                kept = dataclasses.replace(leaf, name=name_of_leaf, text="", data=None)
                if len(leaves) < MOST_LEAVES:
                    leaves.append(kept)
                else:
                    more += 1
                    rest.update(leaf_key(kept).encode("utf-8", "surrogatepass"))
    if more:
        leaves.append(Leaf(REST, "leaves", "leaves", (more,), rest.hexdigest()))
    return leaves


def _is_cut(leaf: Leaf) -> bool:
    return leaf.reason.startswith("more than")


def _is_of_interest(leaf: Leaf) -> bool:
    if leaf.kind not in _KINDS or not leaf.digest:
        return False
    if any(_VOLATILE.search(part) for part in _PARTS.split(leaf.name)):
        return False
    if leaf.kind == "number" and leaf.dtype == "int":
        return not leaf.text.startswith(("0x", "-0x")) and abs(int(leaf.text)) < _ADDRESS
    if leaf.dtype == "float64" and leaf.data is not None and leaf.data.nbytes >= 8:
        first: float = struct.unpack_from("<d", leaf.data)[0]
        return not is_reading(first)
    return True


def _without_state(value: Any) -> Any:
    """Of an optimizer the options: its state was seen in every step."""
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "optim") and issubclass(type(value), torch.optim.Optimizer):
        return [{key: item for key, item in group.items() if key != "params"} for group in value.param_groups]
    return value


def _is_known(value: Any) -> bool:
    """Models, optimizers and generators are observed elsewhere."""
    kind = type(value)
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "nn") and issubclass(
        kind, (torch.nn.Module, torch.optim.Optimizer, torch.Generator, torch.nn.Parameter)
    ):
        return True
    if issubclass(kind, random.Random):
        return True
    return kind.__module__.startswith("numpy.random")
