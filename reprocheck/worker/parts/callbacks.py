"""Callbacks of trainers that name the parts of a run: reports say in which epoch a difference begins, or in validation.

They add names and nothing else: no value, no draw from a generator, nothing where no audit is under way.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from reprocheck.worker.parts.parts import part


def lightning_callback() -> Any:
    """For `Trainer(callbacks=[...])` of Lightning: epochs, validation, test. Raises ImportError without Lightning."""
    names = ("lightning.pytorch", "pytorch_lightning")
    name = next((name for name in names if name in sys.modules), None)
    try:
        module = import_module(name or names[0])
    except ImportError:
        module = import_module(names[1])

    class Parts(module.Callback):  # type: ignore[misc, name-defined]
        """Names epochs, validation and test."""

        def on_sanity_check_start(self, trainer: Any, pl_module: Any) -> None:
            part("sanity check")

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            part(f"epoch {trainer.current_epoch}")

        def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            if not trainer.sanity_checking:
                part(f"epoch {trainer.current_epoch}, validation")

        def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            if not trainer.sanity_checking:
                part(f"epoch {trainer.current_epoch}")

        def on_test_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            part("test")

    return Parts()


def transformers_callback() -> Any:
    """For `Trainer(callbacks=[...])` of transformers: epochs, evaluation. Raises ImportError without transformers."""
    module = import_module("transformers")

    class Parts(module.TrainerCallback):  # type: ignore[misc, name-defined]
        """Names epochs and evaluation."""

        def __init__(self) -> None:
            self._epoch = "before the first epoch"
            self._evaluates = False

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self._epoch = f"epoch {round(state.epoch or 0)}"
            part(self._epoch)

        def on_prediction_step(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if not self._evaluates:
                self._evaluates = True
                part(f"{self._epoch}, evaluation")

        def on_evaluate(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self._evaluates = False
            part(self._epoch)

        on_predict = on_evaluate

    return Parts()
