"""What looks like a secret, in arguments and in text: masked in everything that is shown or kept.

The one list. It goes by names (`api_key`, `--hf-token`) and by the shape of values (`ghp_...`, a key in a URL). Names
that machine learning uses for other things (`max_tokens`, `pad_token`, `tokenizer`) are none.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from reprocheck.model import RunSpec
from reprocheck.protocol.reading import open_regular, read_some

MASK = "***"
FOLDER = "PWD"
"""A variable of every shell: where it works, not a password."""
SHORTEST = 6
"""Characters of a secret that is looked for in texts: a shorter one would hide half of them."""

_ALONE = frozenset(
    (
        *(
            "secret",
            "secrets",
            "password",
            "passwd",
            "passphrase",
            "pwd",
            "credential",
            "credentials",
            "auth",
            "bearer",
        ),
        *("apikey", "authorization", "authtoken", "accesstoken", "secretkey", "accesskey", "privatekey"),
    )
)
_BEFORE_KEY = frozenset(("api", "access", "private", "secret", "account", "service", "ssh", "signing", "encryption"))
_NOT_BEFORE_TOKEN = frozenset(
    (
        *("pad", "bos", "eos", "unk", "mask", "cls", "sep", "special", "per", "start", "end", "stop", "class", "num"),
        *("text", "image", "prefix", "suffix", "begin", "blank", "space", "register", "query", "time", "n", "max"),
        *("min", "next"),
    )
)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_VALUES = re.compile(
    r"""
      (?<![A-Za-z0-9])(?:
        sk-[A-Za-z0-9_-]{16,}
      | gh[pousr]_[A-Za-z0-9]{16,} | github_pat_[A-Za-z0-9_]{16,} | glpat-[A-Za-z0-9_-]{16,}
      | hf_[A-Za-z0-9]{16,}
      | (?:AKIA|ASIA)[0-9A-Z]{16}
      | AIza[0-9A-Za-z_-]{30,}
      | xox[abprs]-[A-Za-z0-9-]{10,}
      | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
      )
    | -----BEGIN[ A-Z]*PRIVATE[ ]KEY-----.*?(?:-----END[ A-Z]*PRIVATE[ ]KEY-----|\Z)
    | (?<=[Bb]earer[ ])[A-Za-z0-9._~+/=-]{8,}
    | (?<=://)[^\s/@:]*:[^\s/@]+(?=@)
    """,
    re.VERBOSE | re.DOTALL,
)
_VALUE_BYTES = re.compile(_VALUES.pattern.encode(), _VALUES.flags & ~re.UNICODE)
_HINTS = (
    *(b"sk-", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"hf_", b"AKIA", b"ASIA"),
    *(b"AIza", b"xox", b"eyJ", b"PRIVATE KEY", b"earer ", b"://"),
)
"""One of them stands in all that these match: most output has none."""
_BLOCK = 1 << 20
KEY_FILE = "key"
_KEY_BYTES = 32
_OWN_KEY = os.urandom(_KEY_BYTES)


def is_secret_name(name: str) -> bool:
    """Whether an argument or a variable by this name holds a secret."""
    parts = [part.lower() for part in _PARTS.findall(name)]
    if _ALONE.intersection(parts):
        return True
    for before, part in zip(["", *parts], parts, strict=False):
        if part in ("key", "keys") and before in _BEFORE_KEY:
            return True
    return bool(parts) and parts[-1] == "token" and (len(parts) == 1 or parts[-2] not in _NOT_BEFORE_TOKEN)


def is_secret_variable(name: str) -> bool:
    """The same of a variable of the environment."""
    return name != FOLDER and is_secret_name(name)


def mask_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Text without these secrets, and without what has the shape of one."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _VALUES.sub(MASK, text)


def mask_argv(arguments: Sequence[str]) -> tuple[str, ...]:
    """Arguments of a command line: `--api-key=X`, `--api-key X`, `api_key=X`, and values by their shape."""
    masked: list[str] = []
    is_value = False
    for word in arguments:
        name, equals, value = word.partition("=")
        if is_value and not word.startswith("-"):
            masked.append(MASK)
        elif equals and value and is_secret_name(name):
            masked.append(f"{name}={MASK}")
        else:
            masked.append(mask_text(word))
        is_value = word.startswith("-") and not equals and is_secret_name(word)
    return tuple(masked)


def mask_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a function, nested ones too."""
    return {name: _masked(name, value) for name, value in arguments.items()}


def _masked(name: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(key, item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(_masked(name, item) for item in value)
    is_secret = isinstance(name, str) and is_secret_name(name) and value not in (None, "", True, False)
    if is_secret:
        return MASK
    return mask_text(value) if isinstance(value, str) else value


def secrets_of(spec: RunSpec) -> tuple[str, ...]:
    """The secrets that a run was given: in its arguments, and in variables by such a name."""
    arguments = (word for word in _hidden_arguments(spec.target.argv))
    named = (value for name, value in spec.environment.items() if is_secret_variable(name))
    own = _hidden(dict(spec.target.arguments))
    return tuple({text for text in (*arguments, *named, *own) if len(text) >= SHORTEST})


def _hidden_arguments(arguments: Sequence[str]) -> Iterable[str]:
    for word, shown in zip(arguments, mask_argv(arguments), strict=True):
        if shown == MASK:
            yield word
        elif shown.endswith(f"={MASK}"):
            yield word.partition("=")[2]


def _hidden(value: Any, name: Any = "") -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _hidden(item, key)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _hidden(item, name)
    elif isinstance(name, str) and is_secret_name(name):
        yield str(value)


def mask_values(value: Any, secrets: Sequence[str]) -> Any:
    """Plain data without these secrets in its texts; keys of tables stay."""
    if isinstance(value, str):
        return mask_text(value, secrets) if any(secret in value for secret in secrets) else value
    if isinstance(value, dict):
        return {key: mask_values(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_values(item, secrets) for item in value]
    return value


def mask_file(path: Path, secrets: Iterable[str] = ()) -> None:
    """The same for a file of ours, in blocks of whole lines; one without secrets stays as it is. Raises OSError."""
    known = sorted((secret.encode("utf-8", "surrogateescape") for secret in secrets), key=len, reverse=True)
    if not any(_masked_block(block, known) != block for block in _blocks(path)):
        return
    fresh = path.with_name(f".{path.name}")
    with contextlib.suppress(FileNotFoundError):  # a target may have put a link there
        os.unlink(fresh)
    with open(fresh, "xb", opener=private) as file:
        file.writelines(_masked_block(block, known) for block in _blocks(path))
    os.replace(fresh, path)


def _blocks(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            yield block + file.readline(_BLOCK)


def _masked_block(block: bytes, secrets: Sequence[bytes]) -> bytes:
    for secret in secrets:
        block = block.replace(secret, MASK.encode())
    return _VALUE_BYTES.sub(MASK.encode(), block) if any(hint in block for hint in _HINTS) else block


def make_key(folder: Path) -> None:
    """The key of an evidence folder, for digests in what is kept there. Raises OSError."""
    with suppress(FileExistsError):
        number = os.open(folder / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(os.urandom(_KEY_BYTES))


def key_of(folder: Path) -> bytes:
    """Of the evidence folder that a folder lies in; of this process alone where there is none."""
    for place in folder.parents:
        with suppress(OSError):
            key = read_some(place / KEY_FILE, _KEY_BYTES)
            if len(key) == _KEY_BYTES:
                return key
    return _OWN_KEY


def private(path: str, flags: int) -> int:
    """As opener of `open`: nobody else may read what is made."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
