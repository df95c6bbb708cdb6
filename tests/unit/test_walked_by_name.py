"""What looks at walks through sets is found by its name, so that functions of the target can be pickled with it."""

from __future__ import annotations

import builtins
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from reprocheck.worker.ledger import orders


def test_it_is_pickled_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """By value it would hold a count that grows: a cache by the hash of a function would never be hit again."""
    monkeypatch.setattr(builtins, orders.NAME, None, raising=False)
    ledger: Any = SimpleNamespace(source=lambda **_: None, see=lambda *_: None)
    orders.install(ledger)
    walked = getattr(builtins, orders.NAME)
    assert pickle.loads(pickle.dumps(walked)) is walked
    assert walked({1, 2}) == {1, 2}
