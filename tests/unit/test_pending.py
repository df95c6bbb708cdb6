"""What a thread remembers between two steps."""

from __future__ import annotations

import os

import torch

from reprocheck.worker.observe.steps.pending import RECENT_OUTPUTS, RecentStorages
from reprocheck.worker.observe.top_models import is_main_thread


def test_a_storage_that_is_gone_is_never_taken_for_another() -> None:
    recent = RecentStorages()
    kept = [torch.ones(3) for _ in range(10)]
    for tensor in kept:
        recent.add(tensor.untyped_storage())
    assert all(tensor.untyped_storage()._cdata in recent.known for tensor in kept)
    for _ in range(10 * RECENT_OUTPUTS):
        recent.add(torch.ones(5).untyped_storage())
        assert torch.ones(5).untyped_storage()._cdata not in recent.known
    assert len(recent.known) == RECENT_OUTPUTS
    for _ in range(3):
        recent.add(kept[0].untyped_storage())
    assert list(recent.known)[-1] == kept[0].untyped_storage()._cdata
    assert len(recent.known) == RECENT_OUTPUTS


def test_a_forked_child_has_a_main_thread_of_its_own() -> None:
    assert is_main_thread()
    child = os.fork()
    if not child:
        os._exit(0 if is_main_thread() else 1)
    assert os.waitpid(child, 0)[1] == 0
