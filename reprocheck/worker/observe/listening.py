"""Who hears what a training does, and how: what an instrument cannot do must not end the target."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from reprocheck.worker.private import error_text
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.observe.steps.parameters import Named, Trained
    from reprocheck.worker.observe.top_models import TopModel

MOST_FAILURES = 20
"""Failures of observation that are reported; the others are like them."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
HELP = "see what the training overrides or replaces: attributes of tensors, methods of models and optimizers"


class Listener:
    """Hears of the calls of models, backward passes and steps; of those of the main thread alone, unless it says so.

    One that runs operations of torch, or reads attributes of tensors, enters `Unobserved`.
    """

    in_all_threads = False

    def model_met(self, root: TopModel) -> None:
        """A model is called for the first time."""

    def model_called(self, root: TopModel, module: torch.nn.Module, with_gradients: bool) -> None:
        """A model is about to be called."""

    def model_returned(self) -> None:
        """It was called."""

    def lost(self, losses: list[torch.Tensor]) -> None:
        """Gradients are taken from here, in whatever way they are taken for a step."""

    def backward_begins(self) -> None:
        """A backward pass is about to start."""

    def backward_ended(self) -> None:
        """It has ended."""

    def gradients_taken(self) -> None:
        """By `torch.autograd.grad`."""

    def optimizer_made(self, optimizer: torch.optim.Optimizer) -> None:
        """Before its first step."""

    def parameters_change(self, stage: str, extra: Callable[[], Named]) -> None:
        """What follows may change parameters: the first step of an optimizer, or a backward pass where there is none.

        `extra`: those that belong to no model.
        """

    def step_begins(self, optimizer: torch.optim.Optimizer, has_closure: bool) -> None:
        """An optimizer is about to take a step."""

    def bare_step_begins(self, parameters: list[torch.Tensor]) -> None:
        """Without any optimizer a backward pass counts as the step: it will reach these tensors outside any model."""

    def step_ended(self, optimizer: torch.optim.Optimizer) -> None:
        """It has taken it."""

    def bare_step_ended(self) -> None:
        """The same without any optimizer."""

    def trained(self, step: int, values: Callable[[], tuple[str, Sequence[Trained], Sequence[float]]]) -> None:
        """What a step read and left: the optimizer's name (empty: none), parameters and gradients, learning rates."""

    def step_taken(self, count: int, own_seconds: float) -> None:
        """So many steps are complete, of whatever kind, in whatever thread. `own_seconds`: that observation took."""

    def ends(self) -> None:
        """Nothing follows that belongs to a step: the target is over, or is about to be stopped."""

    def finish(self, was_stopped: bool) -> None:
        """The target is over; all that it holds is there."""


_EVENTS = [name for name in vars(Listener) if not name.startswith("_") and name != "in_all_threads"]
_OF_THE_RUN = (Listener.ends.__name__, Listener.finish.__name__)
"""Events that every listener hears, whichever thread they come from."""
Handler = Callable[..., None]


class Listeners:
    """All listeners of a run, each called for what it asked to hear."""

    def __init__(self, recorder: Recorder, is_main_thread: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._is_main_thread = is_main_thread
        self._failures: set[tuple[str, str]] = set()
        self._all: dict[str, list[Handler]] = {name: [] for name in _EVENTS}
        self._elsewhere: dict[str, list[Handler]] = {name: [] for name in _EVENTS}
        """Of those that hear other threads, too."""
        self.own_seconds = 0.0
        """That observation has taken so far."""

    def add(self, listener: Listener) -> None:
        """It hears from now on, after those that were there before."""
        for name in _EVENTS:
            if getattr(type(listener), name) is not getattr(Listener, name):
                self._all[name].append(getattr(listener, name))
                if listener.in_all_threads:
                    self._elsewhere[name].append(getattr(listener, name))

    def hear(self, event: Callable[..., None]) -> bool:
        """Whether any listener hears this event, a method of `Listener`."""
        return bool(self._all[event.__name__])

    def tell(self, event: Callable[..., None], *args: Any) -> None:
        """Call those that hear this event."""
        handlers = self._all[event.__name__]
        if handlers:
            everywhere = event.__name__ in _OF_THE_RUN or self._is_main_thread()
            for handler in handlers if everywhere else self._elsewhere[event.__name__]:
                self.guarded(handler, *args)

    def guarded(self, observe: Callable[..., Any], *args: Any, of: str = "") -> Any:
        """Observation must not end the target: what fails is not compared, which is said.

        `of`: what of the result it looks at.
        """
        started = perf_counter()
        try:
            return observe(*args)
        except Exception as error:
            what = of or f"what rules ask for ({observe.__name__.strip('_').replace('_', ' ')})"
            reason = f"it could not be read: {_ADDRESS.sub('', error_text(error))}"
            if (what, reason) not in self._failures and len(self._failures) < MOST_FAILURES:
                self._failures.add((what, reason))
                self._recorder.unobserved(what, reason, is_result=bool(of), help=HELP)
            return None
        finally:
            self.own_seconds += perf_counter() - started
