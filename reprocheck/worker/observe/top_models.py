"""The models of a run: modules that the target calls itself, and the names that they give to parameters."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch

from reprocheck.protocol import THREAD_MARK, TRAINED_ELSEWHERE
from reprocheck.worker.fingerprint.digest import dtype_name, raw_bytes, tensor_digest
from reprocheck.worker.fingerprint.plain import UnsupportedTensor
from reprocheck.worker.fingerprint.tensor_refs import TensorRef
from reprocheck.worker.observe.module_tree import ModuleTree
from reprocheck.worker.recorder import Recorder

Line = dict[str, Any]

FORGET_EVERY = 256


def describe(name: str, kind: str, tensor: torch.Tensor, recorder: Recorder | None) -> Line:
    """The evidence of one tensor; with a recorder, its bytes are kept too."""
    line: Line = {"name": name, "kind": kind, "shape": list(tensor.shape)}
    try:
        line["digest"] = tensor_digest(tensor).hex()
        line["dtype"] = dtype_name(tensor)
        if recorder is not None:
            data = raw_bytes(tensor)
            line["offset"], line["size"] = recorder.values(data), data.nbytes
    except UnsupportedTensor as error:
        line.setdefault("reason", error.reason)
    except RuntimeError:  # no plain bytes: the digest stands, values are not kept
        pass
    return line


class _Main:
    """The main thread of this process: in a forked child the one that forked it."""

    def __init__(self) -> None:
        self.look()
        os.register_at_fork(after_in_child=self.look)

    def look(self) -> None:
        """Who it is."""
        self.ident = threading.main_thread().ident


_ident = threading.get_ident
_main = _Main()


def is_main_thread() -> bool:
    """Whether the order of what happens here is the order of the run."""
    return _ident() == _main.ident


def is_uninitialized(tensor: torch.Tensor) -> bool:
    """A lazy parameter or buffer that has no shape yet."""
    return torch.nn.parameter.is_lazy(tensor)


class TopModel:
    """A module that the target called directly, with its state as it was before its first forward."""

    def __init__(
        self,
        module: torch.nn.Module,
        label: str,
        recorder: Recorder,
        step: int,
        is_named: Callable[[torch.Tensor], bool] = lambda _: False,
    ) -> None:
        """`is_named`: whether a parameter was recorded before, as that of an optimizer that called the model itself."""
        self.module = weakref.ref(module)
        self.label = label
        self.step = step
        self.in_main_thread = is_main_thread()
        self._thread = weakref.ref(threading.current_thread())
        self.recorded = False
        self.trained = recorder.children.have_trained() and _is_shared(module)
        """Elsewhere, by child processes, before it was met here: what it starts from is nothing initial."""
        mark = TRAINED_ELSEWHERE if self.trained else ""
        self.buffers = [
            describe(name, f"{mark}buffer", buffer, recorder)
            for name, buffer in named(module, "buffers")
            if not is_uninitialized(buffer)
        ]
        self.parameters = [
            describe(name, f"{mark}parameter", parameter, recorder if self.trained else None)
            for name, parameter in named(module, "parameters")
            if not is_uninitialized(parameter) and not is_named(parameter)
        ]
        self.is_trained = False
        """Some optimizer that took a step holds a parameter of it."""
        self.unowned: list[TensorRef] = []
        """Parameters that no optimizer held when there were so many models and trained parameters:"""
        self.unowned_at = (-1, -1)
        self.mark: Any = None
        """Of these and its buffers after the last step."""
        self._owners: list[tuple[Any, str]] | None = None

    @property
    def is_in_use(self) -> bool:
        """Whether the thread that called it first may go on with it: any but the main one that still runs."""
        thread = self._thread()
        return not self.in_main_thread and thread is not None and thread.is_alive()

    def holds(self, buffers: Any) -> bool:
        """Whether a part of it keeps its buffers in this very dict."""
        return any(owner is buffers for owner, _ in self._owners or ())

    def forget_layout(self) -> None:
        """Look for buffers again: modules may have been added."""
        self._owners = None

    def live_buffers(self) -> Iterator[torch.Tensor]:
        """The buffers as they are now."""
        module = self.module()
        if module is None:
            return
        if self._owners is None:
            self._owners = [(part._buffers, key) for part in module.modules() for key, _ in part._buffers.items()]
        for owner, key in self._owners:
            # A scripted module has no dict, but what gives its items.
            buffer = owner.get(key) if isinstance(owner, dict) else dict(owner.items()).get(key)
            if buffer is not None:
                yield buffer


def named(module: torch.nn.Module, what: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters or buffers by name, each once; compiled modules do not show in the names."""
    for name, tensor in getattr(module, f"named_{what}")():
        yield name.replace("_orig_mod.", ""), tensor


def _is_shared(module: torch.nn.Module) -> bool:
    """Whether other processes may write to its parameters."""
    parameters: list[Any] = list(module.parameters())
    return any(not is_uninitialized(p) and p.device.type == "cpu" and p.is_shared() for p in parameters)


class TopModels:
    """All roots of the process, and the name of every parameter that belongs to one."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.step = 0
        """Steps taken so far, kept up to date by the step writer."""
        self._known: dict[int, TopModel] = {}
        self._all: list[TopModel] = []
        self._labels: dict[str, int] = {}
        self._names: dict[int, tuple[TensorRef, str]] = {}
        self._tree = ModuleTree()
        self._reserved: dict[int, tuple[weakref.ref[torch.nn.Module], str]] = {}
        """Labels of models whose parameters were met in an optimizer, before anybody called them."""
        self.changes = 0
        """Grows with every new root."""

    def __iter__(self) -> Iterator[TopModel]:
        return iter(self._all)

    def find(self, module: torch.nn.Module) -> TopModel | None:
        """The root for this module if it was called before."""
        root = self._known.get(id(module))
        return root if root is not None and root.module() is module else None

    def add(self, module: torch.nn.Module) -> TopModel | None:
        """Take in a module at its first forward; None when it has no state and so is no model."""
        if next(module.parameters(), None) is None and next(module.buffers(), None) is None:
            return None
        if getattr(module, "_is_replica", False):  # of nn.DataParallel: made again for every forward
            return None
        label = self._label_of(getattr(module, "_orig_mod", module))
        root = TopModel(module, label, self._recorder, self.step, lambda p: self.name_of(p) is not None)
        self._known[id(module)] = root
        self._all.append(root)
        self.changes += 1
        if self.changes % FORGET_EVERY == 0:
            self._forget_the_dead()
        return root

    def _label_of(self, module: torch.nn.Module) -> str:
        known = self._reserved.get(id(module))
        if known is not None and known[0]() is module:
            return known[1]
        kind = type(module).__name__ + ("" if is_main_thread() else THREAD_MARK)
        count = self._labels[kind] = self._labels.get(kind, 0) + 1
        return kind if count == 1 else f"{kind}#{count}"

    def _forget_the_dead(self) -> None:
        """A target may make models by the thousand."""
        self._all = [root for root in self._all if root.module() is not None or root.buffers or root.parameters]
        self._known = {key: root for key, root in self._known.items() if root.module() is not None}
        self._names = {key: entry for key, entry in self._names.items() if entry[0]() is not None}

    def name_of(self, parameter: torch.Tensor) -> str | None:
        """`Model.layer.weight`, or None for a parameter of no known root."""
        known = self._names.get(id(parameter))
        return known[1] if known is not None and known[0]() is parameter else None

    def name(self, parameter: torch.Tensor, name: str) -> None:
        """Give a parameter its name for good."""
        self._names[id(parameter)] = (TensorRef(parameter), name)

    def record_initial(self, stage: str, extra: list[tuple[str, torch.Tensor]]) -> None:
        """Write the initial state of every root that is not yet written, then of parameters outside any root."""
        for root in self._all:
            module = root.module()
            if root.recorded or module is None:
                continue
            new = [(name, p) for name, p in named(module, "parameters") if self.name_of(p) is None]
            for name, parameter in new:
                self.name(parameter, f"{root.label}.{name}")
            if (
                root.step < self.step or root.trained
            ):  # as when it was met: a run that ends before this optimizer has it so, too
                self._record_as_met(root)
                continue
            lines = root.buffers + [describe(name, "parameter", p, self._recorder) for name, p in new]
            self._recorder.line("initial", stage=stage, step=self.step, root=root.label, tensors=lines)
            root.recorded = True
            root.buffers = root.parameters = []
        lines = []
        self._record_uncalled(stage, [parameter for _, parameter in extra if self.name_of(parameter) is None])
        for name, parameter in extra:
            if self.name_of(parameter) is None:
                self.name(parameter, name)
                lines.append(describe(name, "parameter", parameter, self._recorder))
        if lines:
            self._recorder.line("initial", stage=stage, step=self.step, root="", tensors=lines)

    def _record_uncalled(self, stage: str, parameters: list[torch.Tensor]) -> None:
        """Of models that nobody called yet: an optimizer calls them itself (a closure), or they are called in parts."""
        places = self._tree.places(parameters) if parameters else {}
        found: dict[str, list[Line]] = {}
        for parameter in parameters:
            if id(parameter) in places and self.name_of(parameter) is None:
                _, top, path = places[id(parameter)]
                label = self._label_of(top)
                self._reserved[id(top)] = weakref.ref(top), label
                self.name(parameter, f"{label}.{path}")
                found.setdefault(label, []).append(describe(path, "parameter", parameter, self._recorder))
        for label, lines in found.items():
            self._recorder.line("initial", stage=stage, step=self.step, root=label, tensors=lines)

    def record_rest(self) -> None:
        """At the end: roots that no optimizer ever touched, as they were before their first forward."""
        for root in self._all:
            if not root.recorded and (root.buffers or root.parameters):
                self._record_as_met(root)

    def _record_as_met(self, root: TopModel) -> None:
        tensors = root.parameters + root.buffers
        if tensors:
            self._recorder.line("initial", stage="forward", step=root.step, root=root.label, tensors=tensors)
        root.recorded = True
        root.buffers = root.parameters = []
