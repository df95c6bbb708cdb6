"""Tensors that a target trains without any optimizer and outside any model."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from reprocheck.protocol import EMPTY_DIGEST
from reprocheck.worker.fingerprint.digest import DeferredDigest
from reprocheck.worker.observe.steps.parameters import form_of, shape_of
from reprocheck.worker.recorder import Recorder


class ByHand:
    """Those of the last backward pass: they are held, and updated after it."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []
        self._forms: list[tuple[int, int, int]] = []
        self._before: bytes | DeferredDigest = EMPTY_DIGEST
        self._replaced: set[tuple[int, ...]] = set()
        """Shapes of those that nobody updated in place: what took their place was not seen."""

    def train(self, tensors: list[torch.Tensor]) -> None:
        """A backward pass reached these."""
        self.tensors, self._forms = tensors, [form_of(tensor) for tensor in tensors]

    def were(self, before: bytes | DeferredDigest) -> None:
        """Their digest after that pass, before they are updated."""
        self._before = before

    def finish(self, digest: Callable[[Iterable[torch.Tensor]], bytes]) -> list[torch.Tensor]:
        """At the end: those that are held, which are held no more."""
        tensors, self.tensors = self.tensors, []
        unwritten = [form_of(tensor) for tensor in tensors] == self._forms  # an update may be zero
        if tensors and unwritten and self._before != EMPTY_DIGEST:
            before = self._before if isinstance(self._before, bytes) else self._before.digest()
            if digest(tensors) == before:
                self._replaced = {shape_of(tensor) for tensor in tensors}
        return tensors

    def found_again(self, shapes: Iterable[tuple[int, ...]]) -> None:
        """What is left at the end, or returned, has these shapes."""
        self._replaced.difference_update(shapes)

    def report(self, recorder: Recorder) -> None:
        """Of tensors that were trained, each step in the place of the last, and are gone at the end."""
        if self._replaced:
            what = "the last update of tensors trained by hand"
            reason = "what takes their place after a backward pass is seen only in the next one, or where it is left"
            recorder.unobserved(what, reason, is_result=True, help="return the tensors that were trained")
