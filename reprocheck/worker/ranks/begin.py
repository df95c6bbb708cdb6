"""The beginning of a rank's evidence."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.model import RunSpec
from reprocheck.protocol import SPEC_FILE, decode_spec
from reprocheck.protocol.rank_folders import RANK_VARIABLE, claim, same_identity
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.private import error_text


class _Known:
    """Whether this process is a rank."""

    pid: int | None = None


_known = _Known()


def begin_by_launcher(run: Path, rank: int) -> None:
    """At the start of a process that a launcher made a rank. Nothing where the whole run is one."""
    with _Telling():
        spec = _spec(run)
        if not same_identity(spec.environment, os.environ):
            _begin(run, spec, rank, is_early=True)


def joined(run: Path, *, is_run: bool = False) -> None:
    """Right after this process, which may be that of the run itself, joined a process group."""
    with _Telling():
        distributed: Any = sys.modules["torch.distributed"]
        worker = sys.modules.get("torch.utils.data._utils.worker")
        if not distributed.is_initialized() or getattr(worker, "_worker_info", None) is not None:
            return
        spec = _spec(run)
        if not is_run and _known.pid != os.getpid():
            _begin(run, spec, int(distributed.get_rank()), is_early=False)
        if int(distributed.get_world_size()) > 1:
            from reprocheck.worker.ranks.place import listen

            own = os.environ[RANK_VARIABLE].partition(":")[2] if not is_run else str(run)
            listen(Path(own), Sites(spec))


class _Telling:
    """A rank that cannot be observed is still the user's process: it goes on, and the run says that nobody saw it."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        with suppress(Exception):
            print(f"reprocheck: this rank is not observed: {error_text(error)}", file=sys.stderr)
        return True


def _spec(run: Path) -> RunSpec:
    return decode_spec((run / SPEC_FILE).read_text(encoding="utf-8"))


def _begin(run: Path, spec: RunSpec, rank: int, *, is_early: bool) -> None:
    from reprocheck.worker.ranks.rank_run import begin_rank

    own, folder = os.environ.get(RANK_VARIABLE, "").partition(":")[::2]
    left_open = False
    if own != str(os.getpid()) or os.path.dirname(os.path.dirname(folder)) != str(run):
        at, left_open = claim(run, rank)
        os.environ[RANK_VARIABLE] = f"{os.getpid()}:{at}"
        folder = str(at)
    _known.pid = os.getpid()
    identity = {
        "rank": rank,
        "local_rank": _number("LOCAL_RANK"),
        "world_size": _world_size(),
        "restarts": _number("TORCHELASTIC_RESTART_COUNT") or 0,
        "host": socket.gethostname(),
        "left_open": left_open,
        "from_start": is_early,
    }
    # One rank is ended where a run is to be cut; its launcher ends the others, as after the loss of a machine.
    changes = spec.interventions if rank == 0 else replace(spec.interventions, cut=None)
    own_spec = replace(spec, directory=Path(folder), looks_at_weights=False, interventions=changes)
    begin_rank(own_spec, run, identity, is_early=is_early)


def _number(name: str) -> int | None:
    with suppress(ValueError, KeyError):
        return int(os.environ[name])
    return None


def _world_size() -> int | None:
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_world_size())
    return _number("WORLD_SIZE")
