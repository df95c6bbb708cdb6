"""Damage, from a seeded generator: to bytes of any kind, and to the values of JSON."""

from __future__ import annotations

import json
from random import Random
from typing import Any

TOKENS = (
    *(b"1e999", b"-1e999", b"NaN", b"Infinity", b"null", b"true", b"1" * 5000, b"[" * 3000, b'{"a":' * 3000, b"-1"),
    *(b"\xef\xbb\xbf", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b'"\\ud800"', b"\n", b"\r\n", b'"', b"}", b"]", b",", b"="),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63, 2**64, 10**400, 1.5, float("inf"), float("nan"), -0.0, "", "a", "\ud800"),
    *("nan", "inf", "::error::", "##[error]", "\x1b]0;x\x07", "\0", "/dev/zero", "../../x", "x" * 5000),
    *([], {}, [[]], {"": None}, [1, "a", None], {"name": 3}, [{}] * 3),
)
SETTINGS = (
    *(b"1e999", b"-1e999", b"nan", b"-inf", b"-1", b"0", b"9" * 4000, b"0x" + b"f" * 6000, b"true", b"1979-05-27"),
    *(
        b"[]",
        b"{}",
        b'""',
        b'"\\u0000"',
        b'"\\u001b]0;x"',
        b"[[]]",
        b'["a", 1]',
        b'{ "a b" = 1 }',
        b'"::error::x"',
        b"'/'",
    ),
)


def damage(data: bytes, random: Random) -> bytes:
    """One to three changes of bytes."""
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(data) + 1)
        other = random.randrange(len(data) + 1)
        low, high = min(place, other), max(place, other)
        match random.randrange(7):
            case 0 if data:
                at = place % len(data)
                data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:place]
            case 2:
                data = data[:low] + data[high:]
            case 3:
                data = data[:place] + data[low:high] + data[place:]
            case 4:
                data = data[:place] + random.choice(TOKENS) + data[place:]
            case 5:
                data = data[:low] + random.choice(TOKENS) + data[min(high, low + 12) :]
            case _:
                data = data[:place] + random.randbytes(random.randint(1, 24)) + data[place:]
    return data


def distort(value: Any, random: Random) -> Any:
    """A value of JSON with one or two of its parts replaced, removed, doubled or nested."""
    for _ in range(random.randint(1, 2)):
        value = _distort(value, random)
    return value


def _distort(value: Any, random: Random) -> Any:
    if not isinstance(value, (dict, list)) or not value or random.random() < 0.05:
        return random.choice(VALUES)
    if isinstance(value, list):
        at = random.randrange(len(value))
        match random.randrange(6):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value, value[at]]
            case _:
                return [*value[:at], _distort(value[at], random), *value[at + 1 :]]
    key = random.choice(list(value))
    match random.randrange(10):
        case 0:
            return {name: item for name, item in value.items() if name != key}
        case 1:
            return {**value, random.choice(("more", "", "\ud800", "a" * 300)): random.choice(VALUES)}
        case 2:
            return {**value, key: random.choice(VALUES)}
        case _:
            return {**value, key: _distort(value[key], random)}


def distort_json(data: bytes, random: Random) -> bytes:
    """The same for a text of JSON."""
    return json.dumps(distort(json.loads(data), random)).encode()


def distort_lines(data: bytes, random: Random) -> bytes:
    """The same for one or two lines of JSON; or lines are left out, doubled or moved."""
    lines = data.splitlines()
    for _ in range(random.randint(1, 2)):
        at, to = random.randrange(len(lines)), random.randrange(len(lines))
        match random.randrange(6):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(to, lines[at])
            case _:
                lines[at] = distort_json(lines[at], random)
    return b"\n".join(lines) + b"\n"


def distort_settings(data: bytes, random: Random) -> bytes:
    """The same for lines of TOML."""
    lines = data.splitlines()
    for _ in range(random.randint(1, 2)):
        at = random.choice([number for number, line in enumerate(lines) if b"=" in line])
        lines[at] = lines[at].partition(b"=")[0] + b"= " + random.choice(SETTINGS)
    return b"\n".join(lines) + b"\n"
