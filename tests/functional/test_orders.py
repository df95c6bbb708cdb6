"""Sets that are walked through are known by their type at run time, and by what their order depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprocheck.model.explanation import LedgerEntry
from tests.support.probed import entries_of

OTHER = """\
def names():
    return {"a", "b", "c"} | {"d"}

class Graph:
    def __init__(self):
        self._nodes = frozenset(["x", "y", "z"])

    @property
    def nodes(self):
        return self._nodes
"""

TRAIN = """\
from __future__ import annotations
import asyncio, enum, pathlib
import concurrent.futures as cf
from dataclasses import dataclass
import torch
from torch import nn
from other import Graph, names

class Color(enum.Enum):
    RED = 1
    BLUE = 2

@dataclass(frozen=True)
class Key:
    name: str

async def waits():
    jobs = [asyncio.ensure_future(asyncio.sleep(0, k)) for k in range(3)]
    done, pending = await asyncio.wait(jobs)
    return [job.result() for job in done]  # asyncio

def train(seed=0):
    for name in names():  # function
        pass
    nodes = [node for node in Graph().nodes]  # property
    first, *rest = names().difference({"q"})  # unpacked
    both = dict.fromkeys(["a", "b"]).keys() & {"a", "b", "c"}
    joined = ",".join(both)  # view
    with cf.ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(int, k) for k in range(5)]
        done, _ = cf.wait(futures)
        got = [future.result() for future in done]  # futures
    asyncio.run(waits())
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    for weight in set(model.parameters()):  # parameters
        nn.init.normal_(weight)
    colors = list({Color.RED, Color.BLUE})  # enum
    keys = tuple({Key("a"), Key("b")})  # dataclass
    paths = [*{pathlib.Path("a"), pathlib.Path("b")}]  # paths
    numbers = list({3, 1, 2})  # numbers
    one = list({"a"})  # single
    ordered = sorted({"a", "b"})  # sorted
    listed = [k for k in ["a", "b"]]  # list
    total = 0.0
    for name in names():  # summed
        total += len(name) / 3
    last = names().pop()  # popped
    return 0.0
"""

STRINGS, ADDRESSES = "string hashes", "addresses"
EXPECTED = {
    "function": (STRINGS, "set-iteration", "for name in sorted(names()):"),
    "property": (STRINGS, "set-iteration", "nodes = [node for node in sorted(Graph().nodes)]"),
    "unpacked": (STRINGS, "set-iteration", 'first, *rest = sorted(names().difference({"q"}))'),
    "view": (STRINGS, "set-iteration", 'joined = ",".join(sorted(both))'),
    "futures": (ADDRESSES, "address-set", "got = [future.result() for future in futures]"),
    "asyncio": (ADDRESSES, "address-set", "return [job.result() for job in jobs]"),
    "parameters": (ADDRESSES, "address-set", "for weight in dict.fromkeys(model.parameters()):"),
    "enum": (STRINGS, "set-iteration", "colors = sorted({Color.RED, Color.BLUE}, key=str)"),
    "dataclass": (STRINGS, "set-iteration", 'keys = tuple(sorted({Key("a"), Key("b")}, key=str))'),
    "paths": (STRINGS, "set-iteration", 'paths = [*sorted({pathlib.Path("a"), pathlib.Path("b")}, key=str)]'),
    "summed": (STRINGS, "set-sum", "for name in sorted(names()):"),
    "popped": (STRINGS, "set-iteration", ""),
}
ABSENT = ("numbers", "single", "sorted", "list")


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LedgerEntry]:
    folder: Path = tmp_path_factory.mktemp("orders")
    (folder / "other.py").write_text(OTHER)
    return {entry.code.partition("# ")[2]: entry for entry in entries_of(folder, TRAIN) if entry.kind == "order"}


@pytest.mark.parametrize("name", EXPECTED)
def test_walk(walks: dict[str, LedgerEntry], name: str) -> None:
    by, pattern, after = EXPECTED[name]
    entry = walks[name]
    assert (entry.generator, bool(entry.value)) == (by, by == STRINGS)
    assert entry.hit is not None
    assert entry.hit.pattern == pattern
    assert (entry.hit.edit.after.split("#")[0].strip() if entry.hit.edit is not None else "") == after


def test_what_has_an_order_is_no_walk_through_a_set(walks: dict[str, LedgerEntry]) -> None:
    assert not set(ABSENT) & walks.keys()
