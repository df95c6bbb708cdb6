"""Move parameters by one ULP: what rounding alone does to a training."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch.nn.parameter import is_lazy
from xxhash import xxh3_64_intdigest

from reprocheck.model.run_spec import Nudge
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.observe.listening import Listener
from reprocheck.worker.observe.top_models import TopModel

_WORDS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Nudger(Listener):
    """Moves each parameter once, before the step of the order: at the first forward that trains with it, else right
    before its optimizer writes to it."""

    def __init__(self, nudge: Nudge, steps: Callable[[], int]) -> None:
        """`steps`: how many are complete."""
        self._nudge = nudge
        self._steps = steps
        self._moved: set[int] = set()
        self._held: list[torch.Tensor] = []
        """As long as others may come in this step, so that no number stands for two tensors."""

    def model_called(self, root: TopModel, module: torch.nn.Module, with_gradients: bool) -> None:
        """Before a forward."""
        if with_gradients:
            self.before(self._steps(), module.parameters())

    def bare_step_begins(self, parameters: list[torch.Tensor]) -> None:
        """Before a backward pass that counts as a step."""
        self.before(self._steps(), parameters)

    def step_begins(self, optimizer: torch.optim.Optimizer, has_closure: bool) -> None:
        """Before the step of an optimizer."""
        self.before(self._steps(), [p for group in optimizer.param_groups for p in group["params"]])

    def before(self, step: int, parameters: Iterable[torch.Tensor]) -> None:
        """So many steps are complete."""
        if step != self._nudge.step:
            self._held = []
            return
        with Unobserved():
            self._move_new(parameters)

    def _move_new(self, parameters: Iterable[torch.Tensor]) -> None:
        for parameter in parameters:
            if id(parameter) not in self._moved and parameter.requires_grad and not is_lazy(parameter):
                self._moved.add(id(parameter))
                self._held.append(parameter)
                if parameter.is_floating_point() or parameter.is_complex():
                    self._move(parameter)

    def _move(self, parameter: torch.Tensor) -> None:
        generator = torch.Generator(device="cpu")  # never the global one: the target draws from that
        generator.manual_seed(xxh3_64_intdigest(b"%d %d" % (self._nudge.key, len(self._moved))) >> 1)
        move_by_one_ulp(parameter.data, generator)


def move_by_one_ulp(values: torch.Tensor, generator: torch.Generator) -> None:
    """In place, each element away from zero or towards it as the generator has it. Zeros stay: an exact one is seldom
    the outcome of rounding."""
    if values.is_complex():
        values = torch.view_as_real(values)
    draws = torch.randint(0, 2, values.shape, generator=generator, dtype=torch.int8, device="cpu")
    word = _WORDS[values.element_size()]
    steps = (draws * 2 - 1).to(values.device).to(word)
    wide = values.double()
    largest = torch.finfo(values.dtype).max
    steps *= ((wide != 0) & (wide.abs() < largest)).to(word)  # the magnitude of a float grows with its bits
    values.view(word).add_(steps)
