"""Which files the target opened for writing, and what was in them at the end."""

from __future__ import annotations

import contextlib
import os
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_128

from reprocheck.worker.importing import after_import
from reprocheck.worker.leaves import leaves_of

if TYPE_CHECKING:
    from reprocheck.worker.inputs import Inputs
    from reprocheck.worker.ledger import Ledger

MAX_FILES = 10_000
BLOCK = 1 << 20


class WrittenFiles:
    """Collects paths through Python's audit events, and through torch's own file writer, which raises none."""

    def __init__(self, hidden: tuple[str, ...]) -> None:
        self._hidden = tuple(os.path.realpath(folder) + os.sep for folder in hidden if folder)
        self._paths: dict[str, None] = {}
        self._listening = True
        self._inputs: Inputs | None = None

    def watch(self, ledger: Ledger | None = None, inputs: Inputs | None = None) -> None:
        """From now on. The other hears its events from here: a second hook would slow down the whole process."""
        self._inputs = inputs
        other = inputs if ledger is None else ledger
        if other is None:
            sys.addaudithook(self._heard)
        else:
            events, heard = other.events, other.heard

            def hear(event: str, args: tuple[Any, ...]) -> None:
                if event in events:
                    self._heard(event, args)
                    heard(event, args)

            sys.addaudithook(hear)
        after_import("torch", self._watch_torch)

    def found(self, cwd: Path, read_checkpoints: bool) -> list[dict[str, Any]]:
        """Path (relative to `cwd` where below it), size and digest of every file that is still there."""
        self._listening = False
        read = _digest_of_contents if read_checkpoints else _digest
        files = []
        for path in self._paths:
            real = os.path.realpath(path)
            if not os.path.isfile(real) or real.startswith(self._hidden) or "__pycache__" in real:
                continue
            try:
                size = os.path.getsize(real)
                files.append({"path": os.path.relpath(real, cwd), "size": size, "digest": read(real)})
            except OSError:
                continue
        return sorted({file["path"]: file for file in files}.values(), key=lambda file: str(file["path"]))

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and len(args) == 3:
            path, mode, flags = args
            writes = any(c in mode for c in "wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
            if writes and isinstance(path, (str, bytes, os.PathLike)):
                self._add(path)
        elif event == "os.rename" and len(args) > 1:
            self._add(args[1])

    def _add(self, path: Any) -> None:
        if self._listening and len(self._paths) < MAX_FILES:
            with contextlib.suppress(OSError, TypeError, ValueError):
                self._paths[os.path.abspath(os.fsdecode(path))] = None

    def _watch_torch(self) -> None:
        import torch.serialization as serialization

        module: Any = serialization
        writer = getattr(module, "_open_zipfile_writer", None)
        if writer is None:
            return

        def opened(name_or_buffer: Any) -> Any:
            if isinstance(name_or_buffer, (str, os.PathLike)):
                self._add(name_or_buffer)
                if self._inputs is not None:
                    self._inputs.wrote_in_torch(name_or_buffer)
            return writer(name_or_buffer)

        module._open_zipfile_writer = opened


def _digest_of_contents(path: str) -> str:
    """Of a checkpoint its tensors, loaded without executing anything; of any other file its bytes."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and zipfile.is_zipfile(path):
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # not a checkpoint, or one that cannot be read safely
            return _digest(path)
        leaves = [f"{leaf.name}:{leaf.dtype}:{leaf.shape}:{leaf.digest}" for leaf in leaves_of(loaded)]
        return xxh3_128("\n".join(leaves).encode("utf-8", "surrogatepass")).hexdigest()
    return _digest(path)


def _digest(path: str) -> str:
    state = xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            state.update(block)
    return state.hexdigest()
