"""reprocheck: audit whether a PyTorch training reproduces.

The public names are imported when they are asked for: a target that imports this package for its checkpoints must not
get more than it asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprocheck.api import audit, render, seed_everything
    from reprocheck.commands.report.tracking import log_audit
    from reprocheck.errors import Interrupted, NoVerdictError, ReprocheckError, UsageError
    from reprocheck.model import Audit, Verdict
    from reprocheck.worker.fingerprint.public import fingerprint
    from reprocheck.worker.observe.checkpoints import checkpoint
    from reprocheck.worker.parts.callbacks import lightning_callback, transformers_callback
    from reprocheck.worker.parts.parts import part

__version__ = "0.2.0"

__all__ = [
    "Audit",
    "Interrupted",
    "NoVerdictError",
    "ReprocheckError",
    "UsageError",
    "Verdict",
    "__version__",
    "audit",
    "checkpoint",
    "fingerprint",
    "lightning_callback",
    "log_audit",
    "part",
    "render",
    "seed_everything",
    "transformers_callback",
]

_HOMES = {
    "Audit": "reprocheck.model",
    "Interrupted": "reprocheck.errors",
    "NoVerdictError": "reprocheck.errors",
    "ReprocheckError": "reprocheck.errors",
    "UsageError": "reprocheck.errors",
    "Verdict": "reprocheck.model",
    "audit": "reprocheck.api",
    "checkpoint": "reprocheck.worker.observe.checkpoints",
    "fingerprint": "reprocheck.worker.fingerprint.public",
    "lightning_callback": "reprocheck.worker.parts.callbacks",
    "log_audit": "reprocheck.commands.report.tracking",
    "part": "reprocheck.worker.parts.parts",
    "render": "reprocheck.api",
    "seed_everything": "reprocheck.api",
    "transformers_callback": "reprocheck.worker.parts.callbacks",
}
"""Public name → the module that it lives in."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
