"""Names of the items of a mapping: the same in every run, and no two keys have the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xxhash import xxh3_128_hexdigest

from reprocheck.worker.fingerprint.leaf_forms import LONGEST_TEXT, type_name


def named_items(items: Iterable[tuple[Any, Any]]) -> list[tuple[str, Any]]:
    """Items by the name of their key, in an order that is the same in every run."""
    found = [(key_name(key), _safe_type(key), item) for key, item in items]
    found.sort(key=lambda one: one[:2])
    return [(name, item) for name, _, item in found]


def _safe_type(key: Any) -> str:
    return type_name(type(key))


def key_name(key: Any) -> str:
    """A name for a key that is the same in every run: no address, no order of a set. No other key has it."""
    kind = type(key)
    if issubclass(kind, str):
        text = str.__str__(key)
        return repr(text) if _reads_as_another(text) else text
    try:
        return _other_name(key, kind)
    except (Exception, SystemExit):
        return type_name(kind)


def _other_name(key: Any, kind: type) -> str:
    if issubclass(kind, (set, frozenset)):
        return "{" + ", ".join(sorted(key_name(item) for item in key)) + "}"
    if issubclass(kind, tuple):
        return "(" + ", ".join(key_name(item) for item in tuple.__iter__(key)) + ")"
    if callable(key) and hasattr(key, "__qualname__"):
        return f"{key.__module__}.{key.__qualname__}"
    text = repr(key)
    if type(text) is not str or " at 0x" in text:
        return type_name(kind)
    if kind.__module__ == "numpy" and not text.startswith("np."):
        text = f"np.{kind.__name__}({text})"
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + xxh3_128_hexdigest(text.encode())


_NAMES_OF_OTHERS = frozenset({"True", "False", "None"})


def _reads_as_another(text: str) -> bool:
    """Whether a text looks as the name of a key that is no text."""
    if text in _NAMES_OF_OTHERS:
        return True
    first = text[:1]
    if not first:
        return False
    if first in "'\"({<[" or text[:2] in ("b'", 'b"'):
        return True
    if first not in "0123456789-+.nNiI":
        return False
    for read in (float, complex):
        try:
            read(text)
        except ValueError:
            continue
        return True
    return False
