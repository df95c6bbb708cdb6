"""Weak references to the target's tensors. With `torch.utils.swap_tensors` modules are converted, and it refuses what
anything refers to weakly: ours do not count."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    _Ref = weakref.ref[torch.Tensor]
else:
    _Ref = weakref.ref


class TensorRef(_Ref):
    """As `weakref.ref`, whose objects the target may have, too; these are ours alone."""

    __slots__ = ()


class _WithoutOurs:
    """In place of the module `weakref`."""

    @staticmethod
    def getweakrefs(value: object) -> list[Any]:
        """Those of the target."""
        return [one for one in weakref.getweakrefs(value) if type(one) is not TensorRef]

    def __getattr__(self, name: str) -> Any:
        return getattr(weakref, name)


def permit_swaps() -> None:
    """Before the first tensor is referred to."""
    import torch

    utils: Any = torch.utils
    if getattr(utils, "weakref", None) is weakref:
        utils.weakref = _WithoutOurs()
