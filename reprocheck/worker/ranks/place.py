"""A rank that is asked where it is. PyTorch's flight recorder keeps the collectives of a process as it is: nothing is
recorded beside it, and the thread that answers sleeps until somebody asks.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from contextlib import suppress
from os import mkfifo, read, replace
from os import open as open_
from pathlib import Path
from typing import Any

from reprocheck.protocol.rank_places import ASK_FILE, MOST_CALLS, PLACE_FILE
from reprocheck.worker.inputs.own_file import OwnFile
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.private import copy_of

_frames = sys._current_frames
_main = threading.main_thread
_getpid = os.getpid
_DUMPS = ("_dump_fr_trace_json", "_dump_nccl_trace_json")
"""Of torch's flight recorder, by version."""


class _Listening:
    pid: int | None = None
    """The process that has a thread for it."""


def listen(folder: Path, sites: Sites) -> None:
    """Answer in this process from now on, with files in `folder`."""
    if _Listening.pid == _getpid():
        return
    _Listening.pid = _getpid()
    with suppress(OSError):  # without it a rank that falls silent is named all the same, its line is not
        path = str(folder / ASK_FILE)
        with suppress(FileExistsError):
            mkfifo(path, 0o600)
        number = open_(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        _thread.start_new_thread(_answer, (number, folder, sites, copy_of("json.encoder").JSONEncoder))


def _answer(number: int, folder: Path, sites: Sites, encoder: Any) -> None:
    while True:
        try:
            if not read(number, 1):
                return
            name = str(folder / f"{PLACE_FILE}.new")
            OwnFile(Path(name)).write(encoder().encode(_place(sites)).encode("utf-8", "replace"))
            replace(name, str(folder / PLACE_FILE))
        except OSError:  # the target closed what is not its own
            return
        except Exception:
            continue


def _place(sites: Sites) -> dict[str, Any]:
    distributed: Any = sys.modules["torch.distributed.distributed_c10d"]
    calls = _calls()
    groups: dict[str, int] = {}
    with suppress(Exception):
        for group, (_, _) in list(distributed._world.pg_map.items()):
            groups[str(group.group_name)] = int(group._get_sequence_number_for_group())
    for call in calls:
        groups[call["group"]] = max(groups.get(call["group"], 0), call["number"])
    path, line, within = _line(sites)
    rank = int(distributed.get_rank()) if distributed.is_initialized() else 0
    return {"rank": rank, "groups": groups, "calls": calls, "path": path, "line": line, "within": within}


def _calls() -> list[dict[str, Any]]:
    """The last collectives that were begun, in order."""
    extension: Any = sys.modules.get("torch._C._distributed_c10d")
    dump = next((getattr(extension, name) for name in _DUMPS if hasattr(extension, name)), None)
    found = []
    with suppress(Exception):
        decoded = copy_of("json.decoder").JSONDecoder().decode(_text(dump()))  # type: ignore[misc]
        for entry in decoded.get("entries", [])[-MOST_CALLS:]:
            if not entry["is_p2p"]:
                inputs = zip(entry["input_dtypes"], entry["input_sizes"], strict=False)
                found.append(
                    {
                        "group": str(entry["process_group"][0]),
                        "number": int(entry["collective_seq_id"]),
                        "kind": str(entry["profiling_name"]).rpartition(":")[2],
                        "inputs": ", ".join(f"{dtype.lower()}{list(size)}" for dtype, size in inputs),
                    }
                )
    return found


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _line(sites: Sites) -> tuple[str, int, str]:
    """Of the main thread: where the user's code is, and the innermost function."""
    frame = _frames().get(_main().ident or 0)
    within = "" if frame is None else frame.f_code.co_name
    while frame is not None:
        if sites.is_user_file(frame.f_code.co_filename):
            return os.path.abspath(frame.f_code.co_filename), frame.f_lineno, within
        frame = frame.f_back
    return "", 0, within
