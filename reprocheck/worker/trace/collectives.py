"""Collectives of a traced run: group, number in it, digests of what goes in and, once it is done, of what came out.

DDP's reducer, FSDP, tensor parallel and `torch.distributed` all dispatch their collectives. Most of them return before
their tensors are filled: these are looked at before the next operation of the process, once the work is done. Nobody
waits for it here, so that a read without a wait stays one; only functional ones, whose tensors are new, are waited for.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from xxhash import xxh3_64

from reprocheck.protocol.collective_format import (
    BEGUN,
    COLLECTIVES_FILE,
    DONE,
    MOST_COLLECTIVES,
    MOST_TENSORS,
    UNREAD,
)
from reprocheck.worker.fingerprint.digest import dtype_name, tensor_digest
from reprocheck.worker.fingerprint.plain import UnsupportedTensor
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.inputs.own_file import OwnFile
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe.tensors_in import tensors_in

_PASSED_BY = ("barrier", "send", "recv", "wait_tensor", "wrap_tensor")
"""No tensor of all goes through these."""


class _Pending(NamedTuple):
    number: int
    tensors: list[torch.Tensor]
    is_done: Callable[[], bool]


class Begun(NamedTuple):
    """A collective that is about to run."""

    name: str
    group: Any
    inputs: list[dict[str, Any]]
    outputs: list[torch.Tensor]
    counts: bool
    """Whether what comes out in this process means anything."""


class Collectives:
    """Writes down those of this process."""

    def __init__(self, folder: Path, sites: Sites) -> None:
        self._file = OwnFile(folder / COLLECTIVES_FILE)
        self._sites = sites
        self._lock = threading.RLock()
        self._number = 0
        self.pending: list[_Pending] = []
        self.step = 0

    def before(self, schema: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Begun | None:
        """What goes in; None for what is no collective."""
        short = schema.name.rpartition("::")[2]
        if any(word in short for word in _PASSED_BY) or self._number >= MOST_COLLECTIVES:
            return None
        given = {
            argument.name: args[place] if place < len(args) else kwargs.get(argument.name)
            for place, argument in enumerate(schema.arguments)
        }
        group = _group_of(given)
        if group is None:
            return None
        inputs, outputs = [], []
        for name, value in given.items():
            tensors = list(tensors_in(value)) if name != "sparse_indices" else []
            if name.startswith("output"):
                outputs += tensors
            elif name.startswith("input") or name in ("self", "tensor", "tensors"):
                inputs += tensors
                if schema.name.startswith("c10d::") and not name.startswith("input"):
                    outputs += tensors  # in place
        is_root = given.get("root_rank", given.get("src")) in (None, group.rank())
        if short.startswith(("broadcast", "scatter")) and not is_root:
            inputs = []
        counts = is_root or not short.startswith(("reduce_", "gather_")) or short.startswith("reduce_scatter")
        with Unobserved():
            return Begun(short.strip("_"), group, _forms_of(inputs), outputs, counts)

    def after(self, begun: Begun, result: Any) -> None:
        """It has returned."""
        frames = self._sites.frames(self._sites.here(3))
        with self._lock:
            self._number += 1
            number = self._number
            self._write(
                {
                    BEGUN: number,
                    "op": begun.name,
                    "group": str(begun.group.group_name),
                    "sequence": int(begun.group._get_sequence_number_for_group()),
                    "size": int(begun.group.size()),
                    "step": self.step,
                    "inputs": begun.inputs,
                    "path": frames[0]["path"] if frames else "",
                    "line": frames[0]["line"] if frames else 0,
                }
            )
            if not begun.counts:
                return
            if begun.outputs:
                self.pending.append(_Pending(number, begun.outputs, _question(result)))
            else:  # a functional one gives a new tensor, and whoever waits for it again need not
                with Unobserved():
                    given = [torch.ops._c10d_functional.wait_tensor(tensor) for tensor in tensors_in(result)]
                    self._write({DONE: number, "outputs": _forms_of(given)})

    def settle(self) -> None:
        """Look at those that are done."""
        with self._lock:
            left = []
            for one in self.pending:
                if one.is_done():
                    with Unobserved():
                        self._write({DONE: one.number, "outputs": _forms_of(one.tensors)})
                else:
                    left.append(one)
            self.pending = left

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write((json.dumps(line) + "\n").encode("utf-8", "replace"))


def _question(result: Any) -> Callable[[], bool]:
    """Whether a work is done; False where nobody can tell. Its future is done before it says so itself, and waiters
    wait for either."""
    kind: Any = getattr(sys.modules.get("torch._C._distributed_c10d"), "Work", None)
    for item in result if isinstance(result, (tuple, list)) else (result,):
        if isinstance(item, torch.ScriptObject) and hasattr(kind, "unbox"):
            with suppress(RuntimeError):
                work = kind.unbox(item)
                future: Any = None
                with suppress(RuntimeError):
                    future = work.get_future()
                return lambda: bool(work.is_completed() or (future is not None and future.done()))
    return lambda: False


def _group_of(given: Mapping[str, Any]) -> Any:
    distributed: Any = sys.modules.get("torch.distributed.distributed_c10d")
    if distributed is None:
        return None
    with suppress(Exception):
        if "process_group" in given:
            return distributed.ProcessGroup.unbox(given["process_group"])
        if "group_name" in given:
            name = given["group_name"]
            return distributed._resolve_process_group(name) if isinstance(name, str) else name
    return None


def _forms_of(tensors: list[torch.Tensor]) -> list[dict[str, Any]]:
    """Of the first tensors one by one; what comes after them counts together."""
    found = [_form_of(tensor) for tensor in tensors[:MOST_TENSORS]]
    if len(tensors) > MOST_TENSORS:
        rest = xxh3_64(b"".join(_digest(tensor).encode() for tensor in tensors[MOST_TENSORS:])).hexdigest()
        found.append({"dtype": "", "shape": [], "digest": rest})
    return found


def _form_of(tensor: torch.Tensor) -> dict[str, Any]:
    return {"dtype": dtype_name(tensor), "shape": list(tensor.shape), "digest": _digest(tensor)}


def _digest(tensor: torch.Tensor) -> str:
    try:
        return tensor_digest(tensor)[:8].hex()
    except UnsupportedTensor:
        return UNREAD
