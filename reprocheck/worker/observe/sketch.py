"""Values of a training, step by step: enough of every layer to say how far another run is from it.

What two sketches can be asked is described in `protocol.sketch_format`. Nothing is drawn from any generator, no tensor
is kept, and a step waits for a device at most once.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from reprocheck.model.run_spec import SketchWindow
from reprocheck.protocol import SKETCH_FILE, SKETCH_TABLE_FILE
from reprocheck.protocol.sketch_format import (
    BLOCK,
    GRADIENTS,
    LOSS,
    MOST_BYTES,
    MOST_ELEMENTS,
    MOST_ROWS,
    MOST_TABLE,
    PARAMETERS,
    PROJECTIONS,
    RATE,
    SAMPLES,
    SKETCH_VERSION,
    STRETCH,
    STRETCHES,
    VALUES,
    dense_steps,
    is_kept,
    places,
    signs,
    start_of_stretches,
)
from reprocheck.worker.fingerprint.digest import dtype_name, raw_bytes
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.inputs.own_file import OwnFile
from reprocheck.worker.observe.listening import Listener
from reprocheck.worker.observe.steps.parameters import Trained
from reprocheck.worker.observe.top_models import TopModel
from reprocheck.worker.private import copy_of

_encode: Callable[[Any], str] = copy_of("json.encoder").JSONEncoder().encode
LAST_STEPS = 4
"""At the end of the window all steps are written down."""


_CPU = torch.device("cpu")


class _Row:
    """What is sketched under one number."""

    __slots__ = ("form", "number", "places", "start")

    def __init__(self, number: int, form: tuple[Any, ...], start: int, places: torch.Tensor | None) -> None:
        self.number = number
        self.form = form
        self.start = start
        self.places = places


class _Block:
    """Rows of one step on one device, and their values."""

    __slots__ = ("numbers", "parts", "plain")

    def __init__(self) -> None:
        self.numbers = array("I")
        self.parts: list[torch.Tensor] = []
        self.plain = array("d")
        """Values of the last rows, which are no tensors."""


class Sketcher(Listener):
    """Writes the sketch of a run. The main thread's steps alone have an order. A forked child writes nothing."""

    def __init__(self, folder: Path, window: SketchWindow) -> None:
        self._window = window
        self._blocks = OwnFile(folder / SKETCH_FILE)
        self._table = OwnFile(folder / SKETCH_TABLE_FILE)
        self._rows: dict[tuple[str, str], _Row] = {}
        self._signs: dict[torch.device, torch.Tensor] = {}
        self._zeros: dict[tuple[torch.device, int], torch.Tensor] = {}
        self._losses: list[torch.Tensor] = []
        self._steps: dict[str, int] = {}
        """Optimizer → its steps since the first one of the window."""
        self._dense = 0
        self._is_full = False
        self._precisions: set[str] = set()
        self._pid = os.getpid()
        self._line(sketch=SKETCH_VERSION, first=window.first)

    def lost(self, losses: list[torch.Tensor]) -> None:
        """A backward pass starts from here."""
        with Unobserved():
            self._losses += [loss.double().sum().reshape(1) for loss in losses if loss.is_floating_point()]

    def model_called(self, root: TopModel, module: torch.nn.Module, with_gradients: bool) -> None:
        """Before the forward of a training step: what its matrix products are computed in, if that is less precise
        than its parameters."""
        if not with_gradients:
            return
        with Unobserved():
            self._note_precision(module)

    def _note_precision(self, module: torch.nn.Module) -> None:
        parameter = next(module.parameters(), None)
        precision = "" if parameter is None else _precision(parameter.device.type)
        if precision and precision not in self._precisions:
            self._precisions.add(precision)
            self._line(precision=precision)

    def trained(self, step: int, values: Callable[[], tuple[str, Sequence[Trained], Sequence[float]]]) -> None:
        """After a step of an optimizer, or without any."""
        with Unobserved():
            self._trained(step, values)

    def _trained(self, step: int, values: Callable[[], tuple[str, Sequence[Trained], Sequence[float]]]) -> None:
        losses, self._losses = self._losses, []
        if step < self._window.first or self._is_full or os.getpid() != self._pid:
            return
        optimizer, trained, rates = values()
        number = self._steps[optimizer] = self._steps.get(optimizer, -1) + 1
        last = self._window.last
        is_last = last is not None and last - LAST_STEPS < step <= last
        if not is_last and self._dense and not is_kept(number, self._dense):
            return
        blocks: dict[torch.device, _Block] = {}
        for name, parameter, gradient in trained:
            self._take(blocks, PARAMETERS, name, parameter)
            if gradient is not None:
                self._take(blocks, GRADIENTS, name, gradient)
        if losses:
            loss = losses[0] if len(losses) == 1 else torch.cat([loss.cpu() for loss in losses]).sum().reshape(1)
            self._take(blocks, LOSS, "loss", loss)
        if rates:
            self._rate(blocks, optimizer, max(rates))
        size = sum(len(block.numbers) for block in blocks.values()) * (8 * VALUES + 4) + BLOCK.size
        if not self._dense:
            self._dense = dense_steps(size)
            self._line(dense=self._dense)
        if self._blocks.end + size > MOST_BYTES:
            self._is_full = True
            self._line(full=step)
            return
        for block in blocks.values():
            self._write(step, block)

    def _take(self, blocks: dict[torch.device, _Block], kind: str, name: str, tensor: torch.Tensor) -> None:
        """One tensor. Squares and projections in double precision, in which they are exact for all but doubles."""
        if tensor.is_complex():
            tensor = torch.view_as_real(tensor)
        if tensor.layout is not torch.strided or not tensor.is_floating_point() or not tensor.numel():
            return
        row = self._row(kind, name, tensor)
        if row is None:
            return
        device = tensor.device
        block = blocks.setdefault(device, _Block())
        block.numbers.append(row.number)
        flat = tensor.view(-1) if tensor.is_contiguous() else tensor.reshape(-1)
        elements = flat.numel()
        if row.places is None:
            wide = flat.double()
            block.parts += [self._nothing(device, 1 + PROJECTIONS), wide, self._nothing(device, SAMPLES - elements)]
            return
        if elements > MOST_ELEMENTS:
            part = elements // STRETCHES
            stretches = flat[: part * STRETCHES].view(STRETCHES, part)[:, row.start : row.start + STRETCH]
            wide = stretches.to(torch.float64, copy=True).view(-1)
        else:
            wide = flat.to(torch.float64, copy=True)
        wide.mul_(self._signs_on(device)[: wide.numel()])
        whole = wide.numel() // PROJECTIONS * PROJECTIONS
        projections = wide[:whole].view(PROJECTIONS, -1).sum(1)
        if whole < wide.numel():
            projections[: wide.numel() - whole] += wide[whole:]
        block.parts += [torch.dot(wide, wide).reshape(1), projections, flat.index_select(0, row.places).double()]

    def _rate(self, blocks: dict[torch.device, _Block], optimizer: str, rate: float) -> None:
        row = self._row(RATE, optimizer, self._nothing(_CPU, 1)) if blocks else None
        if row is not None:
            block = next(iter(blocks.values()))
            block.numbers.append(row.number)
            block.plain.extend((*[0.0] * (1 + PROJECTIONS), rate, *[0.0] * (SAMPLES - 1)))

    def _row(self, kind: str, name: str, tensor: torch.Tensor) -> _Row | None:
        """The row of a tensor; another one where it has become another tensor. None where there are too many."""
        form = tensor.dtype, tensor.shape, tensor.device
        row = self._rows.get((kind, name))
        if row is not None and row.form == form:
            return row
        number = len(self._rows) if row is None else -1
        if row is not None or number >= MOST_ROWS or self._table.end > MOST_TABLE // 2:
            return None  # a layer that changes its shape or moves is followed up to there
        shape, elements = list(tensor.shape), tensor.numel()
        start = start_of_stretches(name, shape, elements) if elements > MOST_ELEMENTS else 0
        at = None if elements <= SAMPLES else torch.tensor(places(name, shape), device=tensor.device)
        self._line(row=number, kind=kind, name=name, dtype=dtype_name(tensor), shape=shape)
        self._rows[kind, name] = row = _Row(number, form, start, at)
        return row

    def _signs_on(self, device: torch.device) -> torch.Tensor:
        if device not in self._signs:
            self._signs[device] = torch.tensor(signs(), dtype=torch.float64, device=device)
        return self._signs[device]

    def _nothing(self, device: torch.device, count: int) -> torch.Tensor:
        if (device, count) not in self._zeros:
            self._zeros[device, count] = torch.zeros(count, dtype=torch.float64, device=device)
        return self._zeros[device, count]

    def _write(self, step: int, block: _Block) -> None:
        values = torch.cat(block.parts).cpu()
        head = BLOCK.pack(step & 0xFFFFFFFF, len(block.numbers)) + block.numbers.tobytes()
        with suppress(OSError):  # a full disk costs the sketch, not the run
            self._blocks.write(head + bytes(raw_bytes(values)) + block.plain.tobytes())
            return
        self._is_full = True

    def _line(self, **content: Any) -> None:
        with suppress(OSError):
            self._table.write(_encode(content).encode("utf-8", "surrogatepass") + b"\n")


def _precision(device: str) -> str:
    """The dtype of matrix products where it is not that of the parameters: of autocast, or TF32."""
    is_on = torch.is_autocast_enabled if device == "cuda" else torch.is_autocast_cpu_enabled
    if is_on():
        of_device = torch.get_autocast_gpu_dtype if device == "cuda" else torch.get_autocast_cpu_dtype
        return str(of_device()).removeprefix("torch.")
    backends = torch.backends
    return "tf32" if device == "cuda" and (backends.cuda.matmul.allow_tf32 or backends.cudnn.allow_tf32) else ""
