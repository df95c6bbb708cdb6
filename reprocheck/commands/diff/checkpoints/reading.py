"""What an argument of the user names → a checkpoint. Looks at the first bytes, never at the name alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from reprocheck.commands.diff.checkpoints.archive import Archive, map_file
from reprocheck.commands.diff.checkpoints.model import Checkpoint, Tensor, Unreadable
from reprocheck.commands.diff.checkpoints.others import read_npy, read_npz, read_safetensors
from reprocheck.commands.diff.checkpoints.pytorch import METADATA, read_distributed, read_pytorch
from reprocheck.engine.store import REPORT_FILE
from reprocheck.errors import UsageError
from reprocheck.protocol.reading import open_regular

_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".npz", ".npy", ".pkl")
_HINT = (
    "checkpoints of torch.save (since PyTorch 1.6), safetensors, NumPy and torch.distributed.checkpoint are read: "
    "load and save an older one again"
)
_MOST_FILES = 10_000


def is_checkpoint(word: str) -> bool:
    """Whether a word names a checkpoint, and no audit, report or baseline."""
    path = Path(word)
    try:
        if path.is_dir():
            return not (path / REPORT_FILE).exists() and ((path / METADATA).exists() or bool(_files(path)))
        return path.is_file() and (path.suffix in _ENDINGS or _reader(word) is not None)
    except (OSError, ValueError, Unreadable):  # an archive that is damaged, and has no name of a checkpoint
        return False


def read_checkpoint(word: str) -> Checkpoint:
    """Raises UsageError, whatever the file is."""
    path = Path(word)
    try:
        if path.is_dir():
            return read_distributed(word, path) if (path / METADATA).exists() else _folder(word, path)
        return _file(word, word)
    except Unreadable as error:
        raise UsageError(f"{word}: {error}", _HINT) from error
    except OSError as error:
        raise UsageError(f"cannot read {word}: {error.strerror or error}") from error
    except Exception as error:  # a damaged file may raise anything in the libraries that read it
        raise UsageError(f"{word}: it is damaged: {type(error).__name__}: {str(error)[:200]}", _HINT) from error


def _file(name: str, path: str) -> Checkpoint:
    reader = _reader(path)
    if reader is None:
        raise Unreadable("it is no checkpoint that can be read without executing anything")
    return reader(name, path)


def _reader(path: str) -> Callable[[str, str], Checkpoint] | None:
    with open_regular(path, follow=True) as file:
        start = file.read(16)
    if start.startswith(b"\x93NUMPY"):
        return read_npy
    if start.startswith(b"PK\x03\x04"):
        is_numpy = all(name.endswith(".npy") for name in Archive(map_file(path)).names)
        return read_npz if is_numpy else read_pytorch
    if len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 30:
        return read_safetensors
    return None


def _files(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.suffix in _ENDINGS and entry.is_file())


def _folder(word: str, folder: Path) -> Checkpoint:
    """All checkpoints in a folder as one: the shards of a model share their names' space."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, str] = {}
    unread: list[str] = []
    files = _files(folder)
    if len(files) > _MOST_FILES:
        raise Unreadable(f"it holds more than {_MOST_FILES:,} checkpoints")
    others = sorted(entry.name for entry in os.scandir(folder) if entry.name not in {file.name for file in files})
    kinds = set()
    for file in files:
        try:
            one = _file(file.name, str(file))
        except (Unreadable, OSError) as error:
            unread.append(f"{file.name}: {error}")
            continue
        kinds.add(one.kind)
        for key, tensor in one.tensors.items():
            tensors[f"{file.stem}.{key}" if key in tensors else key] = tensor
        for key, value in one.values.items():
            values[f"{file.stem}.{key}" if values.get(key, value) != value else key] = value
        unread += [f"{file.name}: {what}" for what in one.unread]
    unread += [f"{name} (no checkpoint)" for name in others]
    kind = kinds.pop() if len(kinds) == 1 else "folder"
    return Checkpoint(name=word, kind=kind, tensors=tensors, values=values, unread=tuple(unread))
