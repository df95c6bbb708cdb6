"""Checks of the training loop: the modes of its models, whose gradients its optimizers take, and in which order.

Nothing here reads the values of a tensor or waits for a device: whether a gradient was zeroed or added to is seen from
the version that PyTorch counts. Only the main thread is watched. What is found are facts with a line, not judgements.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import torch

from reprocheck.protocol import FACT_RECORD
from reprocheck.worker.fingerprint.tensor_refs import TensorRef
from reprocheck.worker.fingerprint.unobserved import Unobserved, quietly
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe.listening import Listener
from reprocheck.worker.observe.top_models import TopModel, TopModels
from reprocheck.worker.ranks.seeders import seeds_given
from reprocheck.worker.recorder import Recorder

SAMPLES = 3
"""Gradients that are followed, of one optimizer."""
MOST_LINES = 64
"""Calls of one kind whose lines are looked up; further ones are only counted."""
MOST_NAMES = 20
DATA_PARALLEL, SHARDED = "DistributedDataParallel", "FullyShardedDataParallel"
_NORMS = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.instancenorm._InstanceNorm)

_WeakReference: Any = vars(torch._C)["_WeakTensorRef"]

Followed = tuple[TensorRef, Any, int, int]
"""A parameter, and of its gradient a weak reference, the identity (which that keeps from being used again) and the
version."""


class _Model:
    """A root module, and what of it behaves differently in training and in evaluation."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.parts = [(name or type(part).__name__, weakref.ref(part)) for name, part in _changing(module)]
        self._norm = next(
            (weakref.ref(p) for _, p in _changing(module) if _is_norm(p) and p.momentum is not None), None
        )
        self.trains = any(parameter.requires_grad for parameter in module.parameters())
        self.trained = False
        """A step was taken for it in train mode."""
        self.called: set[bool] = set()
        """Modes in which it was called with gradients since the last step."""
        self.unused: list[tuple[int, bool]] = []
        """Site and mode of calls with gradients that no backward has followed."""

    def estimates(self) -> bool:
        """Statistics of its norms are averaged anew, as after an average of weights: its momentum was taken away."""
        norm: Any = None if self._norm is None else self._norm()
        return norm is not None and norm.momentum is None and bool(norm.training)

    def in_train_mode(self) -> list[str]:
        """The parts that are in train mode now."""
        return [name for name, part in self.parts if (module := part()) is not None and module.training]


class _Steps:
    """What is followed of one optimizer."""

    def __init__(self, optimizer: torch.optim.Optimizer, site: int) -> None:
        self.site = site
        """Where it was made."""
        self.optimizer = weakref.ref(optimizer)
        self.versions = {id(p): (TensorRef(p), p._version) for p in _held(optimizer)}
        """Parameters as they were before its first step: a version that never grows was never written."""
        self.count = 0
        self.followed: list[Followed] = []
        self.is_zeroed = True
        """Since the last step."""
        self.backwards = 0


class LoopChecks(Listener):
    """Watches one run. Threads train, too: what is walked through is a copy."""

    def __init__(self, recorder: Recorder, top_models: TopModels, sites: Sites) -> None:
        self._recorder = recorder
        self._top_models = top_models
        self._sites = sites
        self._models: dict[TopModel, _Model] = {}
        self._optimizers: weakref.WeakKeyDictionary[torch.optim.Optimizer, _Steps] = weakref.WeakKeyDictionary()
        self._made: list[_Steps] = []
        """Of all optimizers, also of those that are gone."""
        self._held: dict[int, TensorRef] = {}
        """Parameters that some optimizer has held."""
        self._facts: dict[tuple[str, int], dict[str, Any]] = {}
        self._counts: dict[str, int] = {}
        self._unheld: dict[int, TensorRef] = {}
        self._steps = 0
        self._graded: set[int] = set()
        """Parameters that had a gradient when they were looked at."""
        self._in_backward = False
        self._replicas: set[TopModel] = set()
        """Models of a process that is a rank, once they were called."""
        self._watch_schedulers()

    # What the observer reports

    def model_called(self, root: TopModel, module: torch.nn.Module, with_gradients: bool) -> None:
        """Before each forward of a root module."""
        if self._in_backward:  # recomputed by a checkpoint
            return
        model = self._models.get(root)
        if model is None:
            with Unobserved():
                model = self._models[root] = _Model(module)
        if not with_gradients:
            matters = module.training and model.parts and model.trains
            # swa_utils moves the statistics of norms on purpose, those of a copy, too.
            on_purpose = matters and (model.estimates() or _is_called_from("swa_utils.py"))
            if matters and not on_purpose and (names := model.in_train_mode()):
                self._add("train-mode-without-grad", names)
            return
        if model.estimates():
            return
        kind = type(module).__name__
        if root not in self._replicas and (kind == DATA_PARALLEL or (kind != SHARDED and _is_of_group())):
            self._replicas.add(root)
            self._add("replica-called" if kind == DATA_PARALLEL else "rank-called", [root.label])
            dropping = next((name for name, part in _changing(module) if part.training and not _is_norm(part)), None)
            if dropping is not None:
                site, names = self._who_seeded()
                self._add_at("replica-drops", site or self._sites.here(), [dropping, *names])
        mode = module.training
        if mode and model.unused and not model.unused[-1][1] and model.trained:
            self._add_at("graph-in-evaluation", model.unused[-1][0], [root.label])
        if not model.unused or model.unused[-1][1] != mode:
            model.unused = [*model.unused[-1:], (self._sites.here() if model.trained else 0, mode)]
        model.called.add(mode)

    def backward_begins(self) -> None:
        """Before each backward pass."""
        self.gradients_taken()
        self._in_backward = True
        for steps in list(self._optimizers.values()):
            steps.backwards += 1
            if not steps.is_zeroed:
                with quietly(_alive(steps.followed)):
                    steps.is_zeroed = not all(map(_is_old, steps.followed)) or not steps.followed

    def gradients_taken(self) -> None:
        """By a backward pass, or by torch.autograd.grad: what was called before it was used."""
        for model in list(self._models.values()):
            model.unused.clear()

    def backward_ended(self) -> None:
        """After it: what it added is no zeroing."""
        self._in_backward = False
        for steps in list(self._optimizers.values()):
            if not steps.is_zeroed:
                alive = _alive(steps.followed)
                with quietly(alive):
                    steps.followed = [_follow(p) for p in alive]

    def optimizer_made(self, optimizer: torch.optim.Optimizer) -> None:
        """Before its first step."""
        if optimizer not in self._optimizers:
            steps = self._optimizers[optimizer] = _Steps(optimizer, self._sites.here())
            self._made.append(steps)
            self._hold(optimizer)

    def step_begins(self, optimizer: torch.optim.Optimizer, has_closure: bool) -> None:
        """Before each step of an optimizer. A closure will compute the gradients only now."""
        self.optimizer_made(optimizer)  # a copied one was never made
        steps = self._optimizers[optimizer]
        if has_closure:
            return
        if steps.count and steps.followed and not steps.backwards and all(map(_is_old, steps.followed)):
            self._add("step-on-old-gradients", [type(optimizer).__name__])
        if not steps.backwards and not any(p.grad is not None for p in _held(optimizer)):
            self._add("step-without-gradients", [type(optimizer).__name__])

    def step_ended(self, optimizer: torch.optim.Optimizer) -> None:
        """After it."""
        steps = self._optimizers.get(optimizer)
        if steps is None:
            return
        if steps.count and steps.backwards and not steps.is_zeroed:
            self._add("gradients-not-zeroed", [type(optimizer).__name__])
        steps.followed = []
        for parameter in _held(optimizer):
            if parameter.grad is not None:
                steps.followed.append(_follow(parameter))
                if len(steps.followed) == SAMPLES:
                    break
        steps.is_zeroed, steps.backwards = not steps.followed, 0
        steps.count += 1
        # After it: a closure calls the model only within the step (Lightning).
        if self._replicas and not self._steps:
            shards = any(hasattr(p, "placements") or type(p).__name__ == "FlatParameter" for p in _held(optimizer))
            self._add("shards-stepped" if shards else "replica-stepped", [type(optimizer).__name__])
        self._steps += 1
        self._look_at_models(optimizer)
        if self._steps & (self._steps - 1) == 0:  # at the 1st, 2nd, 4th, ...
            self._look_at_gradients()

    def finish(self, was_stopped: bool) -> None:
        """At the end of the run."""
        if self._steps:
            self._look_at_gradients()
            self._never_updated()
            self._report_unheld()
            if not was_stopped:
                for root, model in list(self._models.items()):
                    self._unused_at_the_end(root, model)
        if self._facts:
            self._recorder.line(FACT_RECORD, facts=[self._as_record(fact) for fact in self._facts.values()])

    # What follows from it

    def _look_at_models(self, optimizer: torch.optim.Optimizer) -> None:
        held: set[int] | None = None
        for root, model in list(self._models.items()):
            if not model.called:
                continue
            if True in model.called:
                model.trained = True
            elif model.parts and model.trains and (module := root.module()) is not None and not module.training:
                held = {id(p) for p in _held(optimizer)} if held is None else held
                own = [p for p in module.parameters() if p.requires_grad and id(p) in held and p.grad is not None]
                if own:
                    kind = "step-after-evaluation" if model.trained else "step-in-eval-mode"
                    self._add(kind, [name for name, part in model.parts])
            model.called.clear()

    def _look_at_gradients(self) -> None:
        """Who has one, and whether an optimizer holds it by now."""
        for optimizer in list(self._optimizers):
            self._hold(optimizer)
            self._graded.update(id(p) for p in _held(optimizer) if p.grad is not None)
        for root in list(self._models):
            module = root.module()
            for parameter in module.parameters() if module is not None else ():
                if parameter.grad is not None and not self._is_held(parameter):
                    self._unheld[id(parameter)] = TensorRef(parameter)

    def _report_unheld(self) -> None:
        found = [p for one in list(self._unheld.values()) if (p := one()) is not None and not self._is_held(p)]
        if found:
            site = self._made[0].site if self._made else 0
            self._add_at("gradient-without-optimizer", site, [self._top_models.name_of(p) or "" for p in found])

    def _never_updated(self) -> None:
        """Parameters that no step has written: they had no gradient at any."""
        alive = {
            id(p): (p, version, steps)
            for steps in self._made
            for one, version in steps.versions.values()
            if steps.count and (p := one()) is not None and p.requires_grad
        }
        still = [
            p
            for p, version, steps in alive.values()
            if p._version == version and p.grad is None and id(p) not in self._graded and not _has_state(steps, p)
        ]
        if still:
            site = alive[id(still[0])][2].site
            names = [self._top_models.name_of(p) or "" for p in still]
            whole = len(still) == len(alive)
            self._add_at("nothing-is-trained" if whole else "parameters-without-gradient", site, names)

    def _unused_at_the_end(self, root: TopModel, model: _Model) -> None:
        """Calls with gradients after the last backward: an evaluation without `no_grad`."""
        if not model.unused or not model.trained:
            return
        site, mode = model.unused[-1]
        if mode and model.parts:
            self._add_at("evaluation-in-train-mode", site, model.in_train_mode())
        elif not mode:
            self._add_at("graph-in-evaluation", site, [root.label])

    def _watch_schedulers(self) -> None:
        module: Any = sys.modules.get("torch.optim.lr_scheduler")
        base: Any = getattr(module, "LRScheduler", None)
        for kind in (base, *_subclasses(base)) if base is not None else ():
            if "step" in vars(kind):
                kind.step = _called_before(kind.step, self._scheduler_steps)

    def _scheduler_steps(self, scheduler: Any) -> None:
        optimizer = getattr(scheduler, "optimizer", None)
        if not isinstance(optimizer, torch.optim.Optimizer) or getattr(scheduler, "_step_count", 0) < 1:
            return  # it is just being made
        if sys._getframe(2).f_code.co_filename.endswith("lr_scheduler.py") or self._has_stepped(optimizer):
            return
        if self._recorder.is_open:
            self._add("scheduler-before-optimizer", [type(scheduler).__name__])

    def _who_seeded(self) -> tuple[int, list[str]]:
        """The line of the user's that seeded PyTorch's generator last; the seed, `own` where the line did it itself or
        `library` where what it called did, and every other seed that the user's own lines gave before."""
        seed = torch.initial_seed()
        given = seeds_given()
        own = [one.seed for one in given if self._sites.is_user_file(one.callers[0][0].co_filename)]
        earlier = [f"earlier {one}" for one in own if one != seed]
        if not given or given[-1].seed != seed:
            return 0, [str(seed), "unknown", *earlier]
        callers = [one for one in given[-1].callers if self._sites.is_user_file(one[0].co_filename)]
        by = "own" if callers[:1] == list(given[-1].callers[:1]) else "library"
        return self._sites.at(*callers[0]) if callers else 0, [str(seed), by, *earlier]

    def _hold(self, optimizer: torch.optim.Optimizer) -> None:
        self._held.update((id(p), TensorRef(p)) for p in _held(optimizer) if not self._is_held(p))

    def _is_held(self, parameter: torch.Tensor) -> bool:
        known = self._held.get(id(parameter))
        return known is not None and known() is parameter

    def _has_stepped(self, optimizer: torch.optim.Optimizer) -> bool:
        """Also the one inside, which shares its groups with an optimizer that only hands its calls on."""
        groups = optimizer.param_groups
        return any(
            steps.count and (known is optimizer or any(one is other for one in known.param_groups for other in groups))
            for known, steps in list(self._optimizers.items())
        )

    # How it is reported

    def _add(self, kind: str, names: Iterable[str]) -> None:
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= MOST_LINES:
            self._add_at(kind, self._sites.here(), names)
        else:
            next(fact for (known, _), fact in self._facts.items() if known == kind)["count"] += 1

    def _add_at(self, kind: str, site: int, names: Iterable[str]) -> None:
        fact = self._facts.get((kind, site))
        if fact is None:
            fact = self._facts[kind, site] = {"kind": kind, "site": site, "names": {}, "count": 0, "step": self._steps}
        fact["count"] += 1
        fact["names"].update(dict.fromkeys(names))

    def _as_record(self, fact: dict[str, Any]) -> dict[str, Any]:
        frames = self._sites.frames(fact["site"])
        place = {"path": frames[0]["path"], "line": frames[0]["line"]} if frames else {}
        names = [name for name in fact["names"] if name]
        return {
            "kind": fact["kind"],
            **place,
            "names": names[:MOST_NAMES],
            "named": len(fact["names"]),
            "count": fact["count"],
            "step": fact["step"],
        }


def _alive(followed: Iterable[Followed]) -> list[torch.Tensor]:
    return [parameter for one in followed if (parameter := one[0]()) is not None]


def _changing(module: torch.nn.Module) -> Iterable[tuple[str, torch.nn.Module]]:
    """Dropout that drops, and norms that keep statistics."""
    for name, part in module.named_modules():
        if isinstance(part, torch.nn.modules.dropout._DropoutNd):
            if part.p > 0:
                yield name, part
        elif isinstance(part, _NORMS) and part.track_running_stats:
            yield name, part


def _is_norm(part: torch.nn.Module) -> bool:
    return isinstance(part, _NORMS)


def _is_of_group() -> bool:
    """Whether this process is one of several ranks."""
    distributed: Any = sys.modules.get("torch.distributed")
    return bool(
        distributed is not None
        and distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


def _held(optimizer: torch.optim.Optimizer) -> Iterable[torch.Tensor]:
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


def _has_state(steps: _Steps, parameter: torch.Tensor) -> bool:
    optimizer = steps.optimizer()
    return optimizer is not None and bool(optimizer.state.get(parameter))


def _follow(parameter: torch.Tensor) -> Followed:
    gradient = parameter.grad
    if gradient is None:
        return TensorRef(parameter), None, 0, 0
    # NOTE: no weakref.ref: that dies with the Python object, of which a gradient gets a new one now and then.
    return TensorRef(parameter), _WeakReference(gradient), gradient._cdata, gradient._version


def _is_old(followed: Followed) -> bool:
    """Whether the parameter has the same gradient as when it was last looked at, untouched."""
    reference, _, identity, version = followed
    parameter = reference()
    gradient = None if parameter is None else parameter.grad
    return gradient is not None and gradient._cdata == identity and gradient._version == version


def _is_called_from(file: str) -> bool:
    frame = sys._getframe(4)  # past the listeners
    for _ in range(12):
        if frame.f_code.co_filename.endswith(file):
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False


def _subclasses(kind: Any) -> Iterable[Any]:
    for own in kind.__subclasses__():
        yield own
        yield from _subclasses(own)


def _called_before(step: Callable[..., Any], on_step: Callable[[Any], None]) -> Callable[..., Any]:
    @functools.wraps(step)
    def checked_step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
        with suppress(Exception):  # to watch must not end the target
            on_step(scheduler)
        return step(scheduler, *args, **kwargs)

    return checked_step
