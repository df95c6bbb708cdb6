"""Which module is at work, what goes into a model, and what goes in and out of a compiled region."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.compiler import is_compiling  # as it was: a target may replace it

from reprocheck.protocol import THREAD_MARK
from reprocheck.protocol.trace_format import COMPILED_CALL, INPUT, MODULE_CALL, OUTPUT, START
from reprocheck.worker.fingerprint.unobserved import hide_from_compiler
from reprocheck.worker.observe.tensors_in import tensors_in

if TYPE_CHECKING:
    from reprocheck.worker.trace.threads import Stream
    from reprocheck.worker.trace.trace import Tracer

MOST_NAMES = 100_000

Label = Callable[[torch.nn.Module], "str | None"]


class Modules:
    """Follows the calls of modules, one inside the other."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._numbers: dict[tuple[str, str], int] = {}
        self._described: list[tuple[str, str]] = [("", "")]

    def described(self, number: int) -> tuple[str, str]:
        """The model (empty: none) and the path in it."""
        return self._described[number]

    def watch_calls(self, call: Callable[..., Any], label: Label) -> Callable[..., Any]:
        """Wrap `nn.Module.__call__`; `label` names the models among modules."""
        tracer = self._tracer

        @functools.wraps(call)
        def __call__(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            if is_compiling() or not tracer.is_on:
                return call(module, *args, **kwargs)
            stream = tracer.stream
            depth = len(stream.modules)
            tracer.guarded(self._entered, stream, module, label, args, kwargs)
            try:
                event = tracer.guarded(self._into_compiled, module, args, kwargs) if _is_compiled(module) else None
                output = call(module, *args, **kwargs)
                if event:
                    tracer.guarded(tracer.records.tensors, event, OUTPUT, START, list(tensors_in(output)))
                return output
            finally:
                del stream.modules[depth:]

        hide_from_compiler(__call__)
        return __call__

    def _entered(self, stream: Stream, module: torch.nn.Module, label: Label, args: Any, kwargs: Any) -> None:
        if stream.modules:
            model = self._described[stream.modules[-1]][0]
            path = stream.names.get(id(module))
            stream.modules.append(stream.modules[-1] if path is None else self._number(model, path))
            return
        name = label(module)
        if name is None:  # no model: a loss, an activation
            stream.names = {}
            stream.modules.append(self._number("", type(module).__name__))
            return
        self._tracer.calls_model()
        stream.names = {id(part): path.replace("_orig_mod.", "") for path, part in module.named_modules()}
        # In a thread the number of a model depends on scheduling.
        name = name.split(THREAD_MARK, 1)[0]
        stream.modules.append(self._number(name, ""))
        if self._tracer.records_inputs:
            tensors = list(tensors_in((args, kwargs)))
            event = self._tracer.special_event(MODULE_CALL, type(module).__name__, ())
            self._tracer.records.tensors(event, INPUT, START, tensors)

    def _into_compiled(self, module: torch.nn.Module, args: Any, kwargs: Any) -> int:
        """What goes into a compiled region: its arguments, parameters and buffers. The event, for what comes out."""
        inner: Any = getattr(module, "_orig_mod", module)
        state = [*inner.named_parameters(), *inner.named_buffers()]
        tensors = list(tensors_in((args, kwargs)))
        names = (*(f"input {number}" for number in range(len(tensors))), *(name for name, _ in state))
        event = self._tracer.special_event(COMPILED_CALL, type(inner).__name__, names)
        if self._tracer.records_inputs:
            self._tracer.records.tensors(event, INPUT, START, [*tensors, *(tensor for _, tensor in state)])
        return event

    def _number(self, model: str, path: str) -> int:
        key = (model, path)
        number = self._numbers.get(key)
        if number is None:
            if len(self._described) >= MOST_NAMES:
                return 0
            self._described.append(key)
            number = self._numbers[key] = len(self._described) - 1
        return number


def _is_compiled(module: torch.nn.Module) -> bool:
    return "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
