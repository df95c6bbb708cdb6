"""The hash seeds of repeats. Two hash seeds may give a set of a few strings the same order: one in two for two strings.
A repeat gets one with which the small collections of strings in the target's source are walked through in another order
than in the first repeat. How Python orders a small set is worked out here: nothing is executed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

HASH_SEEDS_FROM = 101
STEP = 1000
"""Between the candidates of one repeat: those of different repeats are never the same."""
MOST_CANDIDATES = 40
MOST_COLLECTIONS = 100
MOST_BYTES = 1 << 20
_SLOTS = 8
"""Of a small set."""
_MOST_WORDS = 4
"""What a set of so many slots holds before it grows. More words hardly come in the same order twice."""
_ROUNDS = {"siphash13": (1, 3), "siphash24": (2, 4)}
_MASK = (1 << 64) - 1

Words = tuple[str, ...]


def hash_seed(repeat: int, source: Path | None) -> int:
    """Of one repeat of a target in this file."""
    first = HASH_SEEDS_FROM + repeat
    if not repeat or source is None or source.suffix != ".py" or sys.hash_info.algorithm not in _ROUNDS:
        return first
    try:
        stamp = source.stat()
    except OSError:
        return first
    return _chosen(first, _collections_of(str(source), stamp.st_mtime_ns, stamp.st_size))


def order_of(words: Sequence[str], seed: int) -> Words:
    """In which order Python walks through a set of up to four strings with this hash seed."""
    table: list[str | None] = [None] * _SLOTS
    for word in words:
        number = _hash(word.encode("ascii"), seed)
        slot, perturb = number & (_SLOTS - 1), number
        while table[slot] is not None and table[slot] != word:
            perturb >>= 5
            slot = (slot * 5 + 1 + perturb) & (_SLOTS - 1)
        table[slot] = word
    return tuple(word for word in table if word is not None)


@lru_cache(maxsize=64)
def _chosen(first: int, collections: tuple[Words, ...]) -> int:
    """The first candidate with which most of them have another order."""
    before = [order_of(words, HASH_SEEDS_FROM) for words in collections]

    def equal(seed: int) -> int:
        return sum(order_of(words, seed) == order for words, order in zip(collections, before, strict=True))

    best, least = first, equal(first)
    for seed in range(first + STEP, first + MOST_CANDIDATES * STEP, STEP):
        if not least:
            break
        count = equal(seed)
        if count < least:
            best, least = seed, count
    return best


@lru_cache(maxsize=16)
def _collections_of(path: str, _changed: int, size: int) -> tuple[Words, ...]:
    """The small collections of strings that are written in a file in which there are sets, too."""
    try:
        text = "" if size > MOST_BYTES else Path(path).read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return ()
    return tuple(dict.fromkeys(_small(tree)))[:MOST_COLLECTIONS] if any(map(_is_set, ast.walk(tree))) else ()


def _is_set(node: ast.AST) -> bool:
    return isinstance(node, (ast.Set, ast.SetComp)) or (isinstance(node, ast.Name) and node.id in ("set", "frozenset"))


def _small(tree: ast.AST) -> Iterator[Words]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            parts: Sequence[ast.expr | None] = node.keys
        elif isinstance(node, (ast.Set, ast.List, ast.Tuple)):
            parts = node.elts
        else:
            continue
        texts = [part.value if isinstance(part, ast.Constant) else None for part in parts]
        words = tuple(dict.fromkeys(text for text in texts if isinstance(text, str) and text.isascii()))
        if len(words) > 1 and len(words) <= _MOST_WORDS and all(isinstance(text, str) for text in texts):
            yield words


def _hash(data: bytes, seed: int) -> int:
    """Of a string, as `PYTHONHASHSEED` makes it."""
    if not data:
        return 0
    compress, finish = _ROUNDS[sys.hash_info.algorithm]
    key, state = bytearray(), seed
    for _ in range(16):
        state = (state * 214013 + 2531011) & 0xFFFFFFFF
        key.append((state >> 16) & 0xFF)
    one, other = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    parts = [one ^ 0x736F6D6570736575, other ^ 0x646F72616E646F6D, one ^ 0x6C7967656E657261, other ^ 0x7465646279746573]
    last = (len(data) << 56) & _MASK | int.from_bytes(data[len(data) // 8 * 8 :], "little")
    blocks = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data) // 8 * 8, 8)]
    for block in (*blocks, last):
        parts[3] ^= block
        _mix(parts, compress)
        parts[0] ^= block
    parts[2] ^= 0xFF
    _mix(parts, finish)
    number = parts[0] ^ parts[1] ^ parts[2] ^ parts[3]
    return number if number != _MASK else _MASK - 1  # -1 is no hash


def _mix(parts: list[int], rounds: int) -> None:
    a, b, c, d = parts
    for _ in range(rounds):
        a = (a + b) & _MASK
        b = _turned(b, 13) ^ a
        a = _turned(a, 32)
        c = (c + d) & _MASK
        d = _turned(d, 16) ^ c
        a = (a + d) & _MASK
        d = _turned(d, 21) ^ a
        c = (c + b) & _MASK
        b = _turned(b, 17) ^ c
        c = _turned(c, 32)
    parts[:] = a, b, c, d


def _turned(number: int, bits: int) -> int:
    return (number << bits | number >> (64 - bits)) & _MASK
