"""What a thread observed since its last step: batches, what models gave, losses."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import torch

from reprocheck.worker.fingerprint.digest import DeferredDigest, DigestBuilder, Item, bytes_digest
from reprocheck.worker.observe.steps.graph import GRAPH_NODES
from reprocheck.worker.observe.steps.records import Digests
from reprocheck.worker.observe.top_models import TopModel

_storages: Any = torch.UntypedStorage
_refer: Callable[[torch.UntypedStorage], int] = _storages._weak_ref
_forget: Callable[[int | None], None] = _storages._free_weak_ref
RECENT_OUTPUTS = 64
MOST_CALLS = 64
"""Calls of models that may wait for a backward pass."""


class Call:
    """A call of a model where gradients are taken: where its outputs are in the graph, and their digest."""

    __slots__ = ("digest", "nodes")

    def __init__(self, nodes: frozenset[int], digest: bytes | DeferredDigest) -> None:
        self.nodes = nodes
        self.digest = digest


def _node_number(node: Any) -> int | None:
    """A number that no other node of this thread has. To keep the node would keep the graph."""
    return None if node is None else int(node._sequence_nr())


class RecentStorages:
    """The last few storages that were added, by a weak reference: it keeps their identity from being used again."""

    def __init__(self) -> None:
        self.known: dict[int | None, None] = {}

    def add(self, storage: torch.UntypedStorage) -> None:
        """Remember one, as the last."""
        number = storage._cdata
        if number in self.known:
            del self.known[number]
        else:
            number = _refer(storage)
        self.known[number] = None
        if len(self.known) > RECENT_OUTPUTS:
            oldest = next(iter(self.known))
            del self.known[oldest]
            _forget(oldest)

    def __del__(self) -> None:
        for number in self.known:
            _forget(number)


class Pending(threading.local):
    """What a thread observed since its last step."""

    def __init__(self) -> None:
        self.depth = 0
        self.kinds: dict[str, DigestBuilder] = {}
        self.evaluated: dict[str, bytes] = {}
        """By kind, what was last seen where no gradient is taken."""
        self.skipped = 0
        """Tensors fed so far that had no readable data."""
        self.top_models: dict[TopModel, None] = {}
        """Models called since the last step."""
        self._made = RecentStorages()
        """Memory of what models gave lately."""
        self._calls: deque[Call] = deque()
        """Calls of models that a backward pass may follow."""

    def called(self, outputs: list[torch.Tensor]) -> None:
        """What a model gave where gradients are taken: an observation, unless a backward pass makes one of it."""
        builder = DigestBuilder()
        builder.all(list[Item](outputs))
        self.skipped += builder.skipped
        nodes = frozenset(number for tensor in outputs if (number := _node_number(tensor.grad_fn)) is not None)
        if len(self._calls) >= MOST_CALLS:
            self._observe(self._calls.popleft())
        self._calls.append(Call(nodes, builder.deferred()))
        if not nodes:
            self._observe(self._calls.pop())

    def followed(self, losses: list[torch.Tensor]) -> None:
        """A backward pass starts here: the calls that it reaches are seen in loss and gradients."""
        if not self._calls:
            return
        wanted = {number: call for call in self._calls for number in call.nodes}
        todo = deque(loss.grad_fn for loss in losses if loss.grad_fn is not None)
        met: set[Any] = set(todo)
        while todo and wanted and len(met) < GRAPH_NODES:
            node = todo.popleft()
            call = wanted.get(int(node._sequence_nr()))
            if call is not None:
                self._calls.remove(call)
                wanted = {number: other for number, other in wanted.items() if other is not call}
            for following, _ in node.next_functions:
                if following is not None and following not in met:
                    met.add(following)
                    todo.append(following)

    def _observe(self, call: Call) -> None:
        digest = call.digest if isinstance(call.digest, bytes) else call.digest.digest()
        if self.evaluated.get("followed by nothing") != digest:
            self.evaluated["followed by nothing"] = digest
            self.feed("forward", digest, ())

    def returned(self, storage: torch.UntypedStorage) -> None:
        """A model gave a tensor in this memory."""
        self._made.add(storage)

    def is_made(self, storage: int | None) -> bool:
        """Whether a model made what is in this memory: fake images of a GAN are no batch."""
        return storage in self._made.known

    def feed(self, kind: str, label: bytes, tensors: Iterable[torch.Tensor]) -> None:
        """Add tensors to the digest of a kind."""
        builder = self.kinds.get(kind)
        if builder is None:
            builder = self.kinds[kind] = DigestBuilder()
        builder.all([label, *tensors])

    def feed_evaluation(self, kind: str, label: bytes, tensors: Iterable[torch.Tensor]) -> None:
        """The same, of a call without gradients: one that repeats the last adds nothing.

        How often a latency benchmark calls its model depends on the clock, and changes no number.
        """
        builder = DigestBuilder()
        builder.all([label, *tensors])
        self.skipped += builder.skipped
        digest = builder.digest()
        if self.evaluated.get(kind) != digest:
            self.evaluated[kind] = digest
            self.feed(kind, digest, ())

    def digest(self) -> bytes:
        """Of all that is fed and not yet taken."""
        return bytes_digest(b"".join(kind.encode() + self.kinds[kind].digest() for kind in sorted(self.kinds)))

    def take(self) -> Digests:
        """The digests of all kinds fed; they start again."""
        while self._calls:
            self._observe(self._calls.popleft())
        digests = {kind: builder.deferred() for kind, builder in self.kinds.items()}
        self.skipped += sum(builder.skipped for builder in self.kinds.values())
        self.kinds, self.evaluated = {}, {}
        self.top_models = {}
        return digests
