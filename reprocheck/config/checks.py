"""Checks of single option values: each takes what a user wrote and gives what the audit uses, or refuses it.

A refusal is a predicate ("must be ..., not ..."), because only the caller knows whether the value came from
an option or from a configuration file.
"""

from __future__ import annotations

import ast
import datetime
import difflib
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.errors import UsageError
from reprocheck.model import Compare
from reprocheck.model.tolerance import Tolerance
from reprocheck.model.tolerance import parse as parse_tolerance

Check = Callable[[Any], Any]

SEED_LIMIT = 2**32 - 1
ENGINES = ("none", "local", "slurm", "ray")
"""Of --engine; the first one is no engine."""
DOCUMENT_FORMATS = ("html", "json", "markdown", "text")
"""Of the reports of every command."""
FORMATS = tuple(sorted((*DOCUMENT_FORMATS, "github", "junit", "sarif")))
"""Of the report of an audit."""

_SHOWN_LENGTH = 60
_DEVICE_LIMIT = 10_000
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kmgt]i?b?|b|)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1} | {
    f"{letter}{end}": base**power
    for power, letter in enumerate("kmgt", 1)
    for end, base in (("ib", 1024), ("i", 1024), ("", 1024), ("b", 1000))
}
"""6G and 6GiB are 6 * 1024 ** 3 bytes, 6GB are 6 * 10 ** 9."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEVICE = re.compile(r"[0-9]+|(?:GPU|MIG)-[0-9A-Za-z/-]+")


class Refused(UsageError):
    """A value that an option does not take."""


def shown(value: Any) -> str:
    """The value in a message: short, and on one line whatever it is."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        text = repr(value.value if isinstance(value, Enum) else value)
    except ValueError:  # NOTE: Python refuses to print integers of more than 4300 digits; TOML can hold them.
        return "a huge number"
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 3] + "..."


def nearest(word: str, strings: Iterable[str]) -> str | None:
    """A hint with the word that was probably meant."""
    close = difflib.get_close_matches(word, list(strings), n=1)
    return f"did you mean `{close[0]}`?" if close else None


def refuse(allowed: str, value: Any, hint: str | None = None) -> Refused:
    """The refusal of one value."""
    return Refused(f"must be {allowed}, not {shown(value)}", hint)


def is_integer(value: Any) -> bool:
    """Whether it is written as an integer. NOTE: to Python `True` is one; to a user it is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def integer(low: int, high: int, hint: str | None = None) -> Check:
    """Integers from `low` to `high`."""

    def check(value: Any) -> int:
        if not is_integer(value) or not low <= value <= high:
            raise refuse(f"an integer from {low} to {high}", value, hint)
        return int(value)

    return check


def number(high: float, allowed: str, hint: str | None = None) -> Check:
    """Numbers above 0 and up to `high`; NaN is not one."""

    def check(value: Any) -> float:
        if not (is_integer(value) or isinstance(value, float)) or not 0 < value <= high:
            raise refuse(allowed, value, hint)
        return float(value)

    return check


def size(value: Any) -> int:
    """Bytes: a number of them, or one with a unit."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        value = int(float(found[1]) * _UNITS[found[2].lower()])
    if not is_integer(value) or not 0 < value < 2**63:
        raise refuse("a size in memory, as in 6GiB or 500MB", value)
    return int(value)


def boolean(value: Any) -> bool:
    """True or false, nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise refuse("true or false", value)
    return value


def any_of(names: Sequence[str]) -> str:
    """Such as `json, markdown or text`."""
    return " or ".join((", ".join(names[:-1]), names[-1]))


def choice(*strings: str) -> Check:
    """One of several strings."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in strings:
            hint = nearest(value, strings) if isinstance(value, str) else None
            raise refuse(any_of(strings), value, hint)
        return strings[strings.index(value)]

    return check


def member(enum: type[Enum]) -> Check:
    """One of an enum's values, as its member."""
    check = choice(*(item.value for item in enum))
    return lambda value: enum(check(value))


def strings(value: Any) -> tuple[str, ...]:
    """A list of strings."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item for item in value):
        raise refuse('a list of strings, as in ["a", "b"]', value)
    return tuple(value)


def text(what: str) -> Check:
    """Any text that is not empty; `what` it is, as text."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise refuse(what, value)
        return value

    return check


def tolerance(value: Any) -> Tolerance:
    """How far apart values may lie: a list of strings, or one."""
    if isinstance(value, Tolerance):
        return value
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(item, str) for item in given):
        raise refuse('a list of strings, as in ["close", "loss=1%"]', value)
    try:
        return parse_tolerance(given)
    except ValueError as error:
        raise Refused(f"{error}, not {shown(', '.join(given))}") from None


def directory(value: Any) -> Path:
    """A path that an operating system can take."""
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise refuse("a path", value)
    return Path(value)


def seeds(value: Any) -> tuple[int, ...]:
    """One seed or a list of distinct ones."""
    check = integer(0, SEED_LIMIT, "numpy takes no other seeds")
    found = tuple(check(seed) for seed in (value if isinstance(value, (list, tuple)) else [value]))
    if not found:
        raise refuse("at least one seed", value)
    _refuse_repeated("seed", found)
    return found


def comparisons(value: Any) -> tuple[Compare, ...]:
    """What decides on request: a list of strings, or one string with commas between."""
    texts = value if isinstance(value, (list, tuple)) else [value]
    check = member(Compare)
    asked = {check(word) for text in texts for word in (text.split(",") if isinstance(text, str) else [text])}
    return tuple(item for item in Compare if item in asked)


def device(value: Any) -> str:
    """A value for CUDA_VISIBLE_DEVICES.

    NOTE: CUDA hides every device from the first word that it cannot read on, and says nothing.
    """
    text = str(value) if is_integer(value) and -1 <= value < _DEVICE_LIMIT else value
    parts = text.split(",") if isinstance(text, str) else []
    if text in ("", "-1"):
        return str(text)
    if not parts or not all(_DEVICE.fullmatch(part) for part in parts):
        raise refuse(
            'device numbers or UUIDs with commas between, as in "0" or "0,1"',
            value,
            "the value is given to CUDA_VISIBLE_DEVICES; -1 hides every GPU",
        )
    _refuse_repeated("device", parts)
    return ",".join(parts)


def parse_env(text: Any) -> tuple[str, str]:
    """`NAME=VALUE` → an environment variable."""
    name, equals, value = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not equals:
        raise refuse("NAME=VALUE", text)
    return _env_pair(name, value)


def parse_arg(text: Any) -> tuple[str, Any]:
    """`name=value` → a keyword argument; what is not a Python literal is a string."""
    name, equals, value = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not equals:
        raise refuse("NAME=VALUE", text)
    return _arg_pair(name, _literal_or_text(value))


def parse_output(text: Any, formats: Sequence[str] = FORMATS) -> tuple[str, Path]:
    """`FORMAT=FILE` → a report to write, in one of `formats`."""
    form, equals, file = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not equals or not file:
        raise refuse("FORMAT=FILE", text)
    try:
        return str(choice(*formats)(form)), directory(file)
    except Refused as error:
        raise Refused(f"{error.message} in {shown(text)}", error.hint) from None


def env(value: Any) -> tuple[tuple[str, str], ...]:
    """A table of variables, or a list of `NAME=VALUE`."""
    return _pairs(value, "variable", _env_pair, parse_env)


def arguments(value: Any) -> tuple[tuple[str, Any], ...]:
    """A table of arguments, or a list of `name=value`."""
    return _pairs(value, "argument", _arg_pair, parse_arg)


def parse_quarantine(text: Any) -> tuple[str, datetime.date]:
    """`TARGET=DATE` → a target, and the last day of its quarantine."""
    name, equals, day = text.rpartition("=") if isinstance(text, str) else ("", "", "")
    if not equals:
        raise refuse("TARGET=DATE", text)
    return _quarantine_pair(name, day)


def quarantine(value: Any) -> tuple[tuple[str, datetime.date], ...]:
    """A table of targets, or a list of `TARGET=DATE`."""
    return _pairs(value, "target", _quarantine_pair, parse_quarantine)


def _quarantine_pair(name: str, value: Any) -> tuple[str, datetime.date]:
    if not name.strip():
        raise Refused(f"must have a target before the =, not {shown(name)}")
    if type(value) is datetime.date:
        return name, value
    try:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValueError
        return name, datetime.date.fromisoformat(value)
    except ValueError:
        raise Refused(f"must have a day as in 2026-12-31 for {shown(name)}, not {shown(value)}") from None


def outputs(value: Any) -> tuple[tuple[str, Path], ...]:
    """A list of `FORMAT=FILE`, no file twice."""
    found = tuple(parse_output(text) for text in strings(value))
    _refuse_repeated("file", [str(file) for _, file in found])
    return found


def _pairs(
    value: Any,
    what: str,
    pair: Callable[[str, Any], tuple[str, Any]],
    parse: Callable[[Any], tuple[str, Any]],
) -> tuple[tuple[str, Any], ...]:
    if isinstance(value, Mapping):
        found = tuple(pair(name, item) for name, item in value.items())
    elif isinstance(value, (list, tuple)):
        found = tuple(parse(text) for text in value)
    else:
        raise refuse("a table or a list of NAME=VALUE", value)
    _refuse_repeated(what, [name for name, _ in found])
    return found


def _env_pair(name: str, value: Any) -> tuple[str, str]:
    if not _ENV_NAME.fullmatch(name):
        raise Refused(f"must have a variable name of letters, digits and _ before the =, not {shown(name)}")
    if not isinstance(value, str):
        hint = f'write {name} = "{shown(value)}"' if isinstance(value, (int, float)) else None
        raise Refused(f"must have a string as the value of {name}, not {shown(value)}", hint)
    if "\0" in value:
        raise Refused(f"must have a value of {name} without a zero byte")
    return name, value


def _arg_pair(name: str, value: Any) -> tuple[str, Any]:
    if not name.isidentifier():
        raise Refused(f"must have the name of a parameter before the =, not {shown(name)}")
    try:
        ast.literal_eval(repr(value))  # an argument travels to the run as a literal
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise Refused(
            f"must have a value that can be written as a Python literal for {name}, not {shown(value)}",
            "leave the value to the target's own code",
        ) from None
    return name, value


def _literal_or_text(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # the text of a user is no code of ours
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return text


def _refuse_repeated(what: str, values: Iterable[Any]) -> None:
    met = set()
    for value in values:
        if value in met:
            raise Refused(f"must not name {what} {shown(value)} twice")
        met.add(value)
