"""The Python API: what the command line is built on, and what a target may call itself.

What a user asked for → an Order (request, options, switches) → the Audit. Nothing here prints.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from reprocheck.errors import NestedAudit, UsageError
from reprocheck.model.answer import as_html

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from reprocheck.commands.run.gate import Switches
    from reprocheck.engine.progress import Progress
    from reprocheck.model import Audit, Request, Target

Names = Sequence[str]
Table = Mapping[str, Any] | Sequence[str]
"""By name, or as texts NAME=VALUE."""
Place = str | os.PathLike[str]
Function = Callable[..., Any]

ONLY_COMMAND_LINE = ("color", "format")
"""Options about the report on standard output: here there is none."""


class Options(TypedDict, total=False):
    """The options of `reprocheck run` as keywords, with the same meaning, checks and defaults."""

    seeds: int
    seed: int | Sequence[int]
    repeats: int
    jobs: int
    engine: str
    engine_arg: Table
    nproc: int
    ambient: str
    seeding: str
    cudnn_deterministic: bool
    cudnn_benchmark: bool
    deterministic: str
    tf32: bool
    threads: int
    device: str | int
    memory_fraction: float
    memory_limit: str | int
    env: Table
    timeout: float
    max_steps: int
    fail_fast: bool
    cached: bool
    compare: str | Names
    ignore: Names
    keep: int
    evidence: Place
    explain: bool
    explain_budget: int
    drift: bool
    workdir: str
    isolation: str
    against: str
    allow_different: bool
    share: Names
    baseline: Place
    update_baseline: bool
    tolerance: Names
    in_process_repeat: bool
    trace: str
    arg: Table
    output: Names
    fail_on: str
    strict: bool
    only_new: Place
    history: Place
    quarantine: Table
    exit_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An audit as asked for: everything checked, nothing run."""

    request: Request
    options: Mapping[str, Any]
    switches: Switches
    target: Target
    """As it was named, before --nproc puts a launcher in its place."""


def audit(
    target: str | os.PathLike[str] | Function | None = None,
    *,
    argv: Sequence[str] = (),
    module: str | None = None,
    config: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    **options: Unpack[Options],
) -> Audit:
    """Run a training several times in fresh processes and say whether it reproduces, as `reprocheck run` does.

    `target` is written as on the command line (`train.py:train`, `train.py`, `package.module:train`), or is a function
    that another process can import. `module` is what stands after -m, `argv` the target's own arguments, with `{seed}`
    for the seed of the run. `config` is a pyproject.toml whose [tool.reprocheck] fills in options that are not given;
    without it no file is read. `progress` says on standard error how the runs go; None: in a notebook
    only. There a function of the notebook is a target, too: the cells so far are run, in the order in which they were.

    A difference, or a run that failed, is a value: look at `verdict` and `exit_code`. Raises UsageError when the
    request cannot be carried out as written, NoVerdictError when no audit could be made, Interrupted on Ctrl-C.
    """
    from reprocheck.config.notebook_session import is_kernel, is_of_session, running_shell, session_target
    from reprocheck.engine.progress import SilentProgress, choose_progress
    from reprocheck.report.write import write_outputs

    _refuse_nesting()
    refuse_unknown("audit()", options)
    shell = running_shell()
    if callable(target) and is_of_session(target, shell):
        text: str | None = session_target(target, shell, sys._getframe(1))
    else:
        text = target_text(target) if callable(target) else None if target is None else os.fspath(target)
    order = make_order(text, module, argv, options, None if config is None else Path(config))
    listens = is_kernel(shell) if progress is None else progress
    answer = carry_out(order, choose_progress(0, False, in_browser=is_kernel(shell)) if listens else SilentProgress())
    write_outputs(answer, order.options["output"], _style())
    return answer


def _page(audit: Audit) -> str:
    """The report as a notebook shows it: a page in a frame of its own, so that neither disturbs the other."""
    from html import escape

    page = escape(render(audit, "html"), quote=True)
    return f'<iframe srcdoc="{page}" title="reprocheck" width="100%" height="600" style="border: 0"></iframe>'


as_html.append(_page)


def render(audit: Audit, format: str = "text") -> str:
    """The report of an audit in one of the formats of `reprocheck run --format`, without colour."""
    from reprocheck.config.checks import FORMATS, choice, refuse
    from reprocheck.engine.console import disarm
    from reprocheck.report import FORMATS as renderers

    if format not in FORMATS:
        raise UsageError(f"format {refuse(' or '.join(FORMATS), format).message}")
    return disarm(renderers[choice(*FORMATS)(format)](audit, _style()), format)


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and PyTorch's global generators, the last on the CPU and on every CUDA device.

    Out of reach from inside a process: the hash seed of strings (set PYTHONHASHSEED before Python starts), and
    generators that were made with seeds of their own. Returns nothing.
    """
    from reprocheck.config.checks import SEED_LIMIT, Refused, integer

    try:
        integer(0, SEED_LIMIT)(seed)
    except Refused as error:
        raise UsageError(f"seed {error.message}", error.hint) from None
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # CUDA devices, too; where CUDA is not initialised yet, as soon as it is


def make_order(
    target: str | None, module: str | None, argv: Sequence[str], given: Mapping[str, Any], config: Path | None
) -> Order:
    """Check everything that was asked for, before anything is run. Raises UsageError."""
    from reprocheck.config.settings import load_config, merge
    from reprocheck.config.target import parse_target

    options = merge(given, load_config(config) if config is not None else {})
    return order_target(parse_target(target, module, tuple(argv), tuple(options["arg"])), options)


def order_target(target: Target, options: Mapping[str, Any]) -> Order:
    """An audit of a target that is checked already, with merged options."""
    from reprocheck.commands.report.ledger import check_history
    from reprocheck.commands.run.gate import read_switches
    from reprocheck.config.settings import build_request
    from reprocheck.report.write import check_writable

    request = build_request(target, options)
    check_writable(options["output"])
    switches = read_switches(options, target)
    if options["history"] is not None:
        check_history(options["history"])
    return Order(request=request, options=options, switches=switches, target=target)


def carry_out(order: Order, progress: Progress) -> Audit:
    """The audit, with the exit code that the switches give it, and its line in the history."""
    from reprocheck.commands.elsewhere.audit import audit_on_engine
    from reprocheck.commands.report.ledger import remember
    from reprocheck.commands.run.audit import audit as run_audit
    from reprocheck.commands.run.gate import ruled
    from reprocheck.model import SummaryPart
    from reprocheck.model.kinds import SummaryKind

    if order.options["engine"] == "none":
        answer = run_audit(order.request, progress)
    else:
        answer = audit_on_engine(order.request, order.target, order.options, progress)
    why_not = "" if order.options["history"] is None else remember(order.options["history"], answer)
    answer = ruled(answer, order.switches)
    if why_not:
        part = SummaryPart(kind=SummaryKind.HISTORY, text=why_not)
        answer = replace(answer, summary_parts=(*answer.summary_parts, part))
    return answer


def target_text(function: Function) -> str:
    """How a function is named to another process: `path.py:name`, or `package.module:name` inside a package."""
    name = getattr(function, "__qualname__", None)
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    hint = "define it with def at the top of a file that can be imported, or give the target as text"
    if not isinstance(name, str) or module is None:
        raise UsageError(f"the target {_shown(function)} is not a function of a module", hint)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function:
        raise UsageError(f"another process cannot import the target {name} from {module.__name__}", hint)
    file = getattr(module, "__file__", None)
    if not file or not os.path.isfile(file):
        raise UsageError(f"the target {name} is not defined in a file", hint)
    if getattr(module, "__package__", None) and module.__name__ != "__main__":
        return f"{module.__name__}:{name}"
    path = os.path.relpath(file)
    return f"{os.path.abspath(file) if path.startswith(os.pardir + os.sep) else path}:{name}"


def refuse_unknown(what: str, options: Iterable[str]) -> None:
    """Raises UsageError for a name that is no option here."""
    from reprocheck.config.checks import nearest
    from reprocheck.config.options import OPTIONS

    known = [option.key for option in OPTIONS.values() if option.name not in ONLY_COMMAND_LINE]
    for name in options:
        if name not in known:
            raise UsageError(f"{what} has no option {name}", nearest(name, known))


def _refuse_nesting() -> None:
    """A file that asks for its own audit whenever it is imported would start processes without end."""
    from reprocheck.protocol import RUN_VARIABLE

    if RUN_VARIABLE in os.environ:
        hint = 'call it under `if __name__ == "__main__":`, or from another file'
        raise NestedAudit("audit() was called inside an audited run", hint)


def _shown(value: object) -> str:
    return getattr(value, "__name__", type(value).__name__)


def _style() -> Any:
    from reprocheck.engine.console import Style

    return Style()
