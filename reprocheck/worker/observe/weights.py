"""What a training starts from: every parameter and buffer with its figures and the initialiser that its values show.

Parameters are looked at right before the first optimizer step (or backward pass, where there is no optimizer), buffers
before the first forward, which may move them already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

import torch

from reprocheck.model.initializers import Place
from reprocheck.protocol import WEIGHTS_RECORD
from reprocheck.worker.fingerprint.digest import dtype_name, tensor_digest
from reprocheck.worker.fingerprint.plain import UnsupportedTensor
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.initializers.recognise import recognise
from reprocheck.worker.initializers.schemes import NORMS, RNN, fans
from reprocheck.worker.observe.listening import Listener
from reprocheck.worker.observe.loads import Loads
from reprocheck.worker.observe.module_tree import ModuleTree
from reprocheck.worker.observe.steps.parameters import Named
from reprocheck.worker.observe.top_models import TopModel, is_uninitialized
from reprocheck.worker.recorder import Recorder

Line = dict[str, Any]

CHUNK = 1 << 22
"""Elements whose sums are taken at a time."""
MOST_VALUES = 1 << 22
"""Elements of one tensor that its initialiser is recognised from; of larger ones some rows or columns are."""
MOST_INFORMATIONAL = 1 << 20
"""Elements of all models of an ordinary run, in which it must not be felt."""
_LAYERS = frozenset(
    {
        *("Linear", "Bilinear", "Embedding", "EmbeddingBag", "MultiheadAttention", "PReLU"),
        *(f"{kind}{dimensions}d" for kind in ("Conv", "ConvTranspose") for dimensions in (1, 2, 3)),
        *RNN,
        *NORMS,
    }
)
_COPYING = (torch.nn.TransformerEncoder, torch.nn.TransformerDecoder)
"""Modules that PyTorch makes of copies of one layer."""
_WEIGHT = ("weight", "weight_v", "weight_orig")
"""The last two: under weight_norm and spectral_norm."""


class Weights(Listener):
    """The evidence of initial weights of one run."""

    def __init__(self, recorder: Recorder, most: int | None = None, tree: ModuleTree | None = None) -> None:
        """`most`: elements of all models together above which none is looked at. `tree`: names come from it, too."""
        self._recorder = recorder
        self._tree = tree
        self._labels: dict[TopModel, str] = {}
        self._informational: dict[int, tuple[torch.Tensor, Line]] = {}
        """What an optimizer holds of models that nobody has called so far."""
        self._left = most
        self._met: dict[TopModel, list[Line]] = {}
        self._seen: set[int] = set()
        self._loads = Loads()
        self._stage = ""
        self.is_written = False
        self.ends_here = False
        """The run ends once they are written."""

    def model_met(self, root: TopModel) -> None:
        """A model at its first forward. It may be gone by the end, where no optimizer ends the run early."""
        with Unobserved():
            self._meet(root)

    def _meet(self, root: TopModel) -> None:
        module = root.module()
        if module is None or not self._is_affordable(module.parameters()):
            return
        if self._tree is not None:
            self._labels[root] = self._tree.label(module, root.label)
        known = self._claimed(module) if self._informational else {}
        self._met[root] = list(_lines(module, known, self._loads, self._seen if self.is_written else None))

    def label(self, root: TopModel) -> str:
        """The name of a model."""
        return self._labels.get(root, root.label)

    def _claimed(self, module: torch.nn.Module) -> dict[str, Line]:
        """A model is called after an optimizer took its step: what was taken down of it then, under its own names."""
        known = {}
        for name, parameter in module.named_parameters():
            if id(parameter) in self._informational:
                self._seen.discard(id(parameter))
                shown = name.replace("_orig_mod.", "")
                known[shown] = {**self._informational.pop(id(parameter))[1], "name": shown, "first": True}
        return known

    def _is_affordable(self, tensors: Iterable[torch.Tensor]) -> bool:
        if self._left is None:
            return True
        # NOTE: a lazy parameter has no size yet.
        self._left -= sum(0 if is_uninitialized(tensor) else tensor.numel() for tensor in tensors)
        return self._left >= 0

    def parameters_change(self, stage: str, extra: Callable[[], Named]) -> None:
        """The first time, write down what is known; later what a further optimizer is about to change."""
        if not self.is_written or stage == "step":
            with Unobserved():
                self.write(stage, extra()) if not self.is_written else self._note(extra())

    def finish(self, was_stopped: bool = False) -> None:
        """Write down what is not written yet."""
        with Unobserved():
            self.write("forward")
            self.write_rest()

    def write(self, stage: str, extra: Iterable[tuple[str, torch.Tensor]] = ()) -> None:
        """All that is known by now. `stage`: step, backward or forward; `extra`: what an optimizer holds besides."""
        if self.is_written:
            return
        self.is_written = True
        for root, known in self._met.items():
            module = root.module()
            by_name = {line["name"]: line for line in known}
            now = known if module is None else list(_lines(module, by_name, self._loads, self._seen))
            self._recorder.line(WEIGHTS_RECORD, stage=stage, root=self.label(root), tensors=now)
        self._met.clear()
        self._stage = stage
        self._note(extra)
        if self.ends_here:
            self.write_rest()

    def _note(self, held: Iterable[tuple[str, torch.Tensor]]) -> None:
        """What an optimizer holds besides: its model may be called, and get its name, when it was trained already."""
        others = [(name, tensor) for name, tensor in held if id(tensor) not in self._seen]
        others = others if self._is_affordable(tensor for _, tensor in others) else []
        owners = self._tree.owners([tensor for _, tensor in others]) if self._tree is not None and others else {}
        for name, tensor in others:
            line = _owned(tensor, *owners[id(tensor)]) if id(tensor) in owners else None
            line = line or _describe(name, "parameter", tensor, Place(name=name), "", None)
            self._seen.add(id(tensor))
            self._informational[id(tensor)] = tensor, line

    def write_rest(self) -> None:
        """Models that were called only after the first step, as they were at their first forward."""
        groups: dict[str, list[Line]] = {}
        for _, line in self._informational.values():
            groups.setdefault(line.pop("root", ""), []).append(line)
        for root, lines in groups.items():
            self._recorder.line(WEIGHTS_RECORD, stage=self._stage, root=root, tensors=lines)
        self._informational.clear()
        for met, known in self._met.items():
            if known:
                self._recorder.line(WEIGHTS_RECORD, stage="forward", root=self.label(met), tensors=known)


def _lines(
    module: torch.nn.Module, known: dict[str, Line], loads: Loads | None = None, seen: set[int] | None = None
) -> Iterator[Line]:
    """`known`: what was seen at the first forward; `seen`: tensors that need not be reported again."""
    parts = dict(module.named_modules(remove_duplicate=False))  # scripted modules have no get_submodule
    stacks = tuple(f"{name}." if name else "" for name, part in module.named_modules() if isinstance(part, _COPYING))
    for kind, named in (("parameter", module.named_parameters()), ("buffer", module.named_buffers())):
        for name, tensor in named:
            shown = name.replace("_orig_mod.", "")
            if is_uninitialized(tensor) or (seen is not None and id(tensor) in seen):
                continue
            if seen is not None:
                seen.add(id(tensor))
            path, _, own = name.rpartition(".")
            owner = parts[path]
            before = known.get(shown)
            if kind == "buffer" and before is not None:
                yield before
                continue
            line = _describe(shown, kind, tensor, place_of(owner, own), type(owner).__name__, before)
            line["copied"] = name.startswith(stacks)
            line["loaded"] = loads is not None and loads.has(tensor)
            yield line


def _owned(tensor: torch.Tensor, owner: torch.nn.Module, root: str, name: str) -> Line:
    own = name.rpartition(".")[2]
    return {**_describe(name, "parameter", tensor, place_of(owner, own), type(owner).__name__, None), "root": root}


def place_of(owner: torch.nn.Module, name: str) -> Place:
    """What the initialiser of a parameter may depend on."""
    layer = layer_of(owner)
    held = dict(owner._parameters.items())  # scripted modules hold no dict
    weight = next((t for t in map(held.get, _WEIGHT) if isinstance(t, torch.Tensor)), None)
    fan_in = None
    if weight is not None and not is_uninitialized(weight) and weight.dim() >= 2:
        found = fans(weight.shape)
        fan_in = weight.shape[1] if layer == "Bilinear" else None if found is None else found[0]
    hidden = getattr(owner, "hidden_size", None) if layer in RNN else None
    return Place(layer=layer, name="weight" if name in _WEIGHT else name, fan_in=fan_in, hidden=hidden)


def layer_of(module: torch.nn.Module) -> str:
    """The layer of torch.nn that a module is or derives from; empty where it is none."""
    for kind in type(module).__mro__:
        if kind.__name__ in _LAYERS and kind.__module__.startswith("torch."):
            return kind.__name__
    return ""


def _describe(name: str, kind: str, tensor: torch.Tensor, place: Place, module: str, before: Line | None) -> Line:
    line: Line = {
        "name": name,
        "kind": kind,
        "module": module,
        "layer": place.layer,
        "shape": list(tensor.shape),
        "dtype": dtype_name(tensor),
        "device": str(tensor.device),
        "trainable": kind == "parameter" and tensor.requires_grad,
    }
    if before is not None and before.pop("first", False):
        return {**line, **{key: value for key, value in before.items() if key not in ("layer", "module", "root")}}
    try:
        local, placements = getattr(tensor, "_local_tensor", None), getattr(tensor, "placements", None)
        if local is not None and placements is not None:  # a DTensor: the whole would take a collective
            tensor = local
            line |= {"placements": ", ".join(map(str, placements)), "local_shape": list(tensor.shape)}
        line["digest"] = tensor_digest(tensor).hex()
        if before is not None and before.get("digest") == line["digest"] and "answer" in before:
            return {**before, **line}
        plain = tensor.detach()
        line |= _figures(plain)
        values, eps = _values(plain)
        line["answer"] = asdict(recognise(values, place, eps, tuple(tensor.shape)))
        line["equal_units"] = _equal_units(plain, place.layer)
    except UnsupportedTensor as error:
        line["reason"] = error.reason
    except (RuntimeError, TypeError, NotImplementedError) as error:  # a layout or a subclass that has no plain values
        line["reason"] = f"its values cannot be read: {type(error).__name__}"
    return line


def _figures(tensor: torch.Tensor) -> Line:
    """Mean, std (of a sample, as torch counts it), extremes of the finite values, and how many are not finite."""
    flat = tensor.reshape(-1)
    if not flat.numel() or flat.is_complex():
        return {"nan": 0, "inf": 0}
    nan = inf = count = 0
    total = 0.0
    low, high = math.inf, -math.inf
    for chunk in torch.split(flat, CHUNK):
        finite = _finite(chunk)
        missing = chunk.numel() - finite.numel()
        if missing:
            bad = int(torch.isnan(chunk).sum())
            nan, inf = nan + bad, inf + missing - bad
        if finite.numel():
            count, total = count + finite.numel(), total + float(finite.sum())
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not count:
        return {"nan": nan, "inf": inf}
    mean = total / count
    squares = math.fsum(float((_finite(chunk) - mean).square().sum()) for chunk in torch.split(flat, CHUNK))
    std = math.sqrt(squares / (count - 1)) if count > 1 else None
    return {"nan": nan, "inf": inf, "mean": mean, "std": std, "min": low, "max": high}


def _finite(chunk: torch.Tensor) -> torch.Tensor:
    wide = chunk.to("cpu", torch.float64)
    return wide if bool(torch.isfinite(wide).all()) else wide[torch.isfinite(wide)]


def _values(tensor: torch.Tensor) -> tuple[Any, float]:
    """As a numpy array, and the eps of its dtype. Rows or columns are left out so that what is orthogonal stays so."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    eps = float(torch.finfo(tensor.dtype).eps) if tensor.is_floating_point() else 0.0
    if tensor.numel() > MOST_VALUES:
        step = -(-tensor.numel() // MOST_VALUES)
        matrix = tensor.reshape(tensor.shape[0], -1)
        tensor = matrix[:, ::step] if 1 < matrix.shape[1] < matrix.shape[0] else matrix[::step]
    return tensor.to("cpu", torch.float64).numpy(), eps


def _equal_units(tensor: torch.Tensor, layer: str) -> bool:
    """Whether all units of a layer (rows, filters) have the same weights, more than one of them each."""
    if tensor.dim() < 2 or layer in ("", *NORMS) or layer.startswith("Embedding"):
        return False
    units = tensor.transpose(0, 1) if layer.startswith("ConvTranspose") else tensor
    return units.shape[0] > 1 and units[0].numel() > 1 and bool((units == units[:1]).all())
