"""Operations of torch that nothing of the target sees: no autograd, mode, transform, compiler, tracing or profiler."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import torch

from reprocheck.worker.fingerprint import device_digest

_Key = torch._C.DispatchKey
_KeySet = torch._C.DispatchKeySet


def key_set(names: Iterable[str]) -> torch._C.DispatchKeySet:
    """Dispatch keys of those names."""
    keys = _KeySet(_Key.Undefined)
    for name in names:
        keys = keys | _KeySet(getattr(_Key, name))
    return keys


_OBSERVERS = key_set(
    (
        "AutogradFunctionality",
        "AutogradOther",
        "AutogradNestedTensor",
        "ADInplaceOrView",
        "Python",
        "PythonTLSSnapshot",
        "PythonDispatcher",
        "PreDispatch",
        "FuncTorchDynamicLayerFrontMode",
        "FuncTorchDynamicLayerBackMode",
    )
)
"""Everything that could see, record or redirect an operation on its way to the kernel."""


class _Here(threading.local):
    depth = 0
    """How many `Unobserved` are entered in this thread."""


here = _Here()


def _no_compiler(callback: object) -> object:
    return None


def _unknown() -> object:
    return "unknown"


_set_compiler: Callable[[object], object] = getattr(torch._C._dynamo.eval_frame, "set_eval_frame", _no_compiler)
"""Takes and gives back the callback by which torch.compile looks at every frame that is entered."""
_compiler: Callable[[], object] = getattr(torch._C._dynamo.eval_frame, "get_eval_frame_callback", _unknown)
_function_modes: Callable[[], int] = torch._C._len_torch_function_stack
_tracing: Callable[[], object] = torch._C._get_tracing_state


class Unobserved:
    """Inside, this thread's torch operations pass by autograd, modes, transforms, tracing and the profiler.

    The functions of `digest` enter it by themselves; entering it once around many calls saves that cost. No code of
    the target may run inside.
    """

    __slots__ = ("_compiler", "_dispatch", "_function", "_tracing")

    def __enter__(self) -> None:
        here.depth += 1
        if here.depth > 1:
            return
        self._compiler = _set_compiler(None)
        self._function = torch._C.DisableTorchFunction()
        self._dispatch = torch._C._ExcludeDispatchKeyGuard(_OBSERVERS)
        self._function.__enter__()
        self._dispatch.__enter__()  # type: ignore[no-untyped-call]
        self._tracing = _tracing()
        if self._tracing is not None:
            torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
        torch._C._autograd._enable_record_function(False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        here.depth -= 1
        if here.depth:
            return
        if device_digest.here.waiting:  # the target may change them from now on
            device_digest.launch()
        torch._C._autograd._enable_record_function(True)
        if self._tracing is not None:
            torch._C._set_tracing_state(self._tracing)  # type: ignore[attr-defined]
        self._dispatch.__exit__(None, None, None)
        self._function.__exit__(None, None, None)
        _set_compiler(self._compiler)


_NOTHING = contextlib.nullcontext()
_PLAIN_TYPES = frozenset({torch.Tensor, torch.nn.Parameter})


def quietly(tensors: Iterable[torch.Tensor] = ()) -> contextlib.AbstractContextManager[None]:
    """`Unobserved` where somebody would see how attributes of these tensors are read; nothing else may be done inside.

    Entered once a step and more, `Unobserved` costs as much as what it hides.
    """
    return _NOTHING if _PLAIN_TYPES.issuperset(map(type, tensors)) and not is_seen() else Unobserved()


def is_seen() -> bool:
    """Whether a mode, tracing or a compiler would see how this thread reads the attributes of a plain tensor."""
    return not here.depth and bool(_function_modes() or _tracing() is not None or _compiler() is not None)


def hide_from_compiler(function: Callable[..., Any]) -> None:
    """torch.compile runs this frame as it is and compiles what it calls."""
    compiler: Any = torch._C._dynamo.eval_frame
    if hasattr(compiler, "skip_code"):  # older releases
        compiler.skip_code(function.__code__)
        return
    with contextlib.suppress(AttributeError):  # a PyTorch without it: compiled code may run past the observation
        action = compiler._FrameAction
        strategy = compiler._FrameExecStrategy(action.SKIP, action.DEFAULT)
        compiler.set_code_exec_strategy(function.__code__, strategy)
