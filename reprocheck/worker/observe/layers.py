"""The first batch on its way through a model: how large activations and gradients are layer by layer, and which
activation function takes in what a weight makes. Only for `reprocheck doctor`: every figure is read back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.compiler import is_compiling  # as it was: a target may replace it

from reprocheck.protocol import LAYERS_RECORD
from reprocheck.worker.fingerprint.tensor_refs import TensorRef
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.observe.listening import Listener
from reprocheck.worker.observe.top_models import TopModel, TopModels
from reprocheck.worker.observe.weights import layer_of
from reprocheck.worker.recorder import Recorder

Line = dict[str, Any]
Node = Any

MOST_NODES = 200_000
"""Nodes of an autograd graph that are looked at."""
MOST_PASSES = 8
"""Backward passes whose graph is followed: models that train in turn have one each."""
PRODUCTS = ("AddmmBackward", "MmBackward", "BmmBackward", "BaddbmmBackward", "ConvolutionBackward", "LinearBackward")
CARRYING = (
    *("TBackward", "TransposeBackward", "PermuteBackward", "ViewBackward", "UnsafeViewBackward", "CloneBackward"),
    *("ReshapeAliasBackward", "SqueezeBackward", "UnsqueezeBackward", "ExpandBackward", "ToCopyBackward"),
    *("NativeDropoutBackward", "MaxPool1DBackward", "MaxPool2DBackward", "MaxPool2DWithIndicesBackward"),
    *("AvgPool2DBackward", "SplitBackward", "ChunkBackward", "SliceBackward", "SelectBackward"),
)
"""What leaves the scale of its input as it is, or nearly so."""
NORMS = ("NativeBatchNorm", "CudnnBatchNorm", "NativeLayerNorm", "NativeGroupNorm", "MiopenBatchNorm", "FusedRmsNorm")
ACTIVATIONS = {
    "ReluBackward": "relu",
    "LeakyReluBackward": "leaky_relu",
    "TanhBackward": "tanh",
    "SigmoidBackward": "sigmoid",
    "EluBackward": "elu",
    "GeluBackward": "gelu",
    "SiluBackward": "silu",
    "HardtanhBackward": "hardtanh",
    "SoftplusBackward": "softplus",
}
SELU_SCALE = 1.05


class Layers(Listener):
    """The evidence of the first batch of every model of one run."""

    def __init__(self, recorder: Recorder, top_models: TopModels, label: Callable[[TopModel], str]) -> None:
        """`label`: the name of a model, the same as with its weights."""
        self._recorder = recorder
        self._top_models = top_models
        self._label = label
        self._names: dict[int, tuple[TensorRef, str, str]] = {}
        """Of parameters, from when their model was called: it may be gone by the end."""
        self._seen: set[TopModel] = set()
        self._hooks: list[Any] = []
        self._activations: list[Line] = []
        self._gradients: dict[int, tuple[torch.Tensor, float | None]] = {}
        self._followed: dict[int, tuple[torch.Tensor, str, float | None]] = {}
        self._passes = 0

    def model_called(self, root: TopModel, module: torch.nn.Module, with_gradients: bool) -> None:
        """Before a forward: of the first one with gradients every layer is listened to."""
        if not with_gradients:
            return
        compiled = hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None
        if root in self._seen or compiled or isinstance(module, torch.jit.ScriptModule):
            return  # to listen to a compiled model would compile it again
        self._seen.add(root)
        for name, parameter in _parameters(root):
            known = self._names.get(id(parameter))
            if known is None or known[0]() is not parameter:
                self._names[id(parameter)] = TensorRef(parameter), self._label(root), name
        met: set[str] = set()
        for name, part in module.named_modules():
            if next(part.children(), None) is None and not isinstance(part, torch.jit.ScriptModule):
                self._hooks.append(part.register_forward_hook(self._listen(root, name, met)))

    def model_returned(self) -> None:
        """After it."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def lost(self, losses: list[torch.Tensor]) -> None:
        """The graph of a loss shows which function takes in the product with each weight."""
        self._passes += 1
        if self._passes <= MOST_PASSES:
            with Unobserved():
                for parameter, kind, slope in followed_by(losses):
                    self._followed.setdefault(id(parameter), (parameter, kind, slope))

    def step_begins(self, optimizer: torch.optim.Optimizer, has_closure: bool) -> None:
        """Gradients at the first step of each parameter."""
        self._at_step(optimizer)

    def step_ended(self, optimizer: torch.optim.Optimizer) -> None:
        """Those that a closure makes."""
        self._at_step(optimizer)

    def _at_step(self, optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            self._take(group["params"])

    def bare_step_ended(self) -> None:
        """Of a training without any optimizer."""
        for root in self._top_models:
            self._take([parameter for _, parameter in _parameters(root)])

    def _take(self, parameters: Iterable[torch.Tensor]) -> None:
        with Unobserved():
            for parameter in parameters:
                gradient = parameter.grad
                if gradient is not None and id(parameter) not in self._gradients and not gradient.is_sparse:
                    self._gradients[id(parameter)] = parameter, _rms(gradient)

    def finish(self, was_stopped: bool = False) -> None:
        """At the end of the run, or where memory ran out."""
        gradients = [
            {**name, "rms": rms}
            for parameter, rms in self._gradients.values()
            if (name := self._name_of(parameter)) is not None
        ]
        followed = [
            {**name, "by": kind, "slope": slope}
            for parameter, kind, slope in self._followed.values()
            if (name := self._name_of(parameter)) is not None
        ]
        self._recorder.line(LAYERS_RECORD, activations=self._activations, gradients=gradients, followed=followed)

    def _name_of(self, parameter: torch.Tensor) -> Line | None:
        known = self._names.get(id(parameter))
        return None if known is None or known[0]() is not parameter else {"root": known[1], "name": known[2]}

    def _listen(self, root: TopModel, name: str, met: set[str]) -> Callable[..., None]:
        def on_forward(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            if name in met or is_compiling():
                return
            met.add(name)
            first = output[0] if isinstance(output, (tuple, list)) and output else output
            if not isinstance(first, torch.Tensor) or not first.is_floating_point():
                return
            try:
                with Unobserved():
                    self._activations.append(
                        {
                            "root": self._label(root),
                            "name": name.replace("_orig_mod.", ""),
                            "module": type(module).__name__,
                            "layer": layer_of(module),
                            "std": _std(first),
                            "finite": bool(torch.isfinite(first.detach()).all()),
                            "nan": bool(torch.isnan(first.detach()).any()),
                        }
                    )
            except (RuntimeError, TypeError, NotImplementedError):  # a tensor without plain values
                return

        return on_forward


def _parameters(root: TopModel) -> Iterator[tuple[str, torch.Tensor]]:
    module = root.module()
    if module is not None:
        for name, parameter in module.named_parameters():
            yield name.replace("_orig_mod.", ""), parameter


def _std(tensor: torch.Tensor) -> float | None:
    plain = tensor.detach().double() if tensor.device.type == "cpu" else tensor.detach().float()
    found = float(plain.std(correction=0)) if plain.numel() > 1 else math.nan
    return found if math.isfinite(found) else None


def _rms(gradient: torch.Tensor) -> float | None:
    with Unobserved():
        plain = gradient.detach().float()
        found = float(plain.square().mean().sqrt()) if plain.numel() else 0.0
    return found if math.isfinite(found) else None


def followed_by(losses: Iterable[torch.Tensor]) -> Iterator[tuple[torch.Tensor, str, float | None]]:
    """Every weight (of two dimensions or more) with the one function that takes in the product with it, and the
    negative slope of that. `norm`: a norm comes first, so that the scale does not matter."""
    users: dict[Node, list[Node]] = {}
    leaves: list[Node] = []
    waiting = [loss.grad_fn for loss in losses if loss.grad_fn is not None]
    seen = set(waiting)
    while waiting and len(seen) < MOST_NODES:
        node = waiting.pop()
        for child, _ in node.next_functions:
            if child is None:
                continue
            users.setdefault(child, []).append(node)
            if child not in seen:
                seen.add(child)
                (leaves if hasattr(child, "variable") else waiting).append(child)
    for leaf in leaves:
        if leaf.variable.dim() >= 2:
            found = {after for product in _products(leaf, users) for after in _after(product, users)}
            if len(found) == 1:
                yield (leaf.variable, *found.pop())


def _products(leaf: Node, users: dict[Node, list[Node]]) -> Iterator[Node]:
    waiting, seen = [*users.get(leaf, ())], set()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.name().startswith(PRODUCTS):
            yield node
        elif node.name().startswith(CARRYING):
            waiting += users.get(node, ())


def _after(product: Node, users: dict[Node, list[Node]]) -> Iterator[tuple[str, float | None]]:
    """The functions that take in a product, through what carries it on. Another use of it is shown as ``."""
    waiting, seen = [*users.get(product, ())], set()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        name = node.name()
        kind = next((known for start, known in ACTIVATIONS.items() if name.startswith(start)), "")
        if kind == "elu" and getattr(node, "_saved_scale", 1.0) > SELU_SCALE:
            kind = "selu"
        if kind:
            yield kind, getattr(node, "_saved_negative_slope", None) if kind == "leaky_relu" else None
        elif name.startswith(NORMS):
            yield "norm", None
        elif name.startswith(CARRYING) or (name.startswith("AddBackward") and _adds_a_bias(node)):
            waiting += users.get(node, ())
        else:
            yield "", None


def _adds_a_bias(node: Node) -> bool:
    return any(child is not None and hasattr(child, "variable") for child, _ in node.next_functions)
