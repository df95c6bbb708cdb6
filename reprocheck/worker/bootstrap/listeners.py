"""The listeners that a run's instruments and interventions ask for. Each is imported only where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reprocheck.model import RunSpec
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.observe.observe import Observer
    from reprocheck.worker.trace.trace import Tracer


def make_tracer(spec: RunSpec, recorder: Recorder) -> tuple[Tracer | None, int | None]:
    """With a trace: its tracer, and after how many steps it ends the run."""
    window = spec.instruments.trace
    if window is None:
        return None, None
    from reprocheck.worker.trace.trace import Tracer

    tracer = Tracer(spec, window, recorder)
    tracer.install()
    return tracer, None if window.last is None else window.last + 1


def follow_instruments(observer: Observer, spec: RunSpec, recorder: Recorder, steps: Callable[[], int]) -> None:
    """Have the observer tell each of them what happens. `steps`: how many were made so far."""
    instruments = spec.instruments
    if spec.looks_at_weights and not instruments.weights and not instruments.doctor:
        from reprocheck.worker.observe.weights import MOST_INFORMATIONAL, Weights

        observer.follow(Weights(recorder, MOST_INFORMATIONAL))
    if instruments.times:
        from reprocheck.worker.observe.times import Times

        observer.follow_times(Times(spec.directory))
    if instruments.sketch is not None:
        from reprocheck.worker.observe.sketch import Sketcher

        observer.follow(Sketcher(spec.directory, instruments.sketch))
    if spec.interventions.nudge is not None:
        from reprocheck.worker.bootstrap.nudge import Nudger

        observer.follow(Nudger(spec.interventions.nudge, steps))
    if instruments.weights:
        from reprocheck.worker.observe.module_tree import ModuleTree
        from reprocheck.worker.observe.weights import Weights

        observer.end_at_first_step(Weights(recorder, tree=ModuleTree()))
    if instruments.doctor:
        from reprocheck.worker.observe.layers import Layers
        from reprocheck.worker.observe.memory import Memory
        from reprocheck.worker.observe.module_tree import ModuleTree
        from reprocheck.worker.observe.weights import Weights

        weights = Weights(recorder, tree=ModuleTree())
        observer.follow(weights)
        observer.follow(Layers(recorder, observer.top_models, weights.label))
        observer.follow(Memory(recorder, instruments.memory_snapshot))
    if instruments.states:
        from reprocheck.worker.observe.states import Preemption, States

        states = States(spec.directory, steps)
        states.watch_torch()
        observer.follow_states(states)
        if spec.interventions.cut is not None:
            observer.follow(Preemption(spec.interventions.cut, states, recorder))
