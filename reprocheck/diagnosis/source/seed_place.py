"""Where a seed that is missing at run time could have been given: the calls on the stack, followed outwards.

`np.random.default_rng(seed)` in a class whose `seed=None` nobody gave: the line to change is the one that makes the
object. Sources are parsed, nothing is executed; a stack is read without trust.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from reprocheck.diagnosis.source.edit import add_argument, replace, seed_in_scope, text_of
from reprocheck.diagnosis.source.parse import Source, has_spread, is_none, keyword, last_name, parse
from reprocheck.model import Edit, Location
from reprocheck.model.explanation import Frame, SeedPlace
from reprocheck.model.places import NOTEBOOK, columns_in, is_notebook, short_place
from reprocheck.protocol.reading import read_source

MOST_FRAMES = 24
MOST_BYTES = 1 << 20
_SEED = re.compile(r"(?i)seed|rng|random|generator")
_OF_GENERATORS = ("torch", "numpy", "random", "standard library")
"""What draws for everybody, and takes no seed for a call."""
_FIRST = {
    "numpy.random.default_rng": "seed", "numpy.random.RandomState": "seed", "numpy.random.SeedSequence": "entropy",
    "numpy.random.seed": "seed", "random.Random": "x", "random.seed": "a", "random.Random.seed": "a",
    "numpy.random.PCG64": "seed", "numpy.random.PCG64DXSM": "seed", "numpy.random.MT19937": "seed",
    "numpy.random.Philox": "seed", "numpy.random.SFC64": "seed",
}  # fmt: skip
"""What takes a seed as its first argument, and how that is called."""
_SAMPLED_BY = {"optuna": ("create_study", "load_study")}
"""Libraries that draw from a sampler object, and what makes one where it is given none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One frame of the stack."""

    path: str
    line: int
    position: tuple[int, ...] = ()
    function: str = ""
    library: str = ""
    parameters: tuple[str, ...] = ()
    positional: int = 0
    none: tuple[str, ...] = ()
    """Parameters that are None."""
    spread: tuple[str, ...] = ()
    type: str = ""
    unset: tuple[str, ...] = ()
    """Attributes of self that are None."""


def read_stack(value: object) -> tuple[Call, ...]:
    """The calls in a line of a ledger, innermost first; what is not well formed is left out."""
    if not isinstance(value, list):
        return ()
    calls = []
    for item in value[:MOST_FRAMES]:
        if not isinstance(item, Mapping) or not isinstance(item.get("path"), str) or not _is_line(item.get("line")):
            break
        calls.append(
            Call(
                path=item["path"],
                line=item["line"],
                position=tuple(n for n in _list(item, "position") if isinstance(n, int)),
                function=_text(item, "function"),
                library=_text(item, "library"),
                parameters=_names(item, "parameters"),
                positional=item["positional"] if _is_line(item.get("positional")) else 0,
                none=_names(item, "none"),
                spread=_names(item, "spread"),
                type=_text(item, "type"),
                unset=_names(item, "unset"),
            )
        )
    return tuple(calls)


def _is_line(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _list(item: Mapping[str, Any], name: str) -> list[Any]:
    value = item.get(name)
    return value[:100] if isinstance(value, list) else []


def _names(item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(value[:200] for value in _list(item, name) if isinstance(value, str))


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value[:200] if isinstance(value, str) else ""


def seed_place(stack: Sequence[Call], name: str, *, is_draw: bool = False) -> SeedPlace | None:
    """Where the seed of a generator could be given that `name` made without one; None where that is not known.

    `is_draw`: from a generator that processes share. Then it is a library that could seed it, if it takes a seed.
    """
    if is_draw:
        stack = [call for call in stack if call.library not in _OF_GENERATORS]
    inner = next((number for number, call in enumerate(stack) if not call.library), None)
    if inner is None:
        return None
    if inner == 0:
        if is_draw:
            return None
        parameter = _FIRST.get(name)
        return None if parameter is None else _Search(stack).climb(0, parameter, 0)
    return _in_library(stack, inner)


def frames_of(stack: Sequence[Call]) -> tuple[Frame, ...]:
    """The user's frames, innermost first."""
    return tuple(
        Frame(location=_location(call), function=call.function, code=_line(call)) for call in stack if not call.library
    )


def _location(call: Call) -> Location:
    columns, source = None, source_at(call.path)
    if source is not None and len(call.position) == 4:
        first, last, start, end = call.position
        columns = columns_in(source.line(first), start, end) if first == last == call.line else None
    return Location(path=call.path, line=call.line, columns=columns)


def _line(call: Call) -> str:
    source = source_at(call.path)
    return "" if source is None else source.line(call.line).strip()


def _in_library(stack: Sequence[Call], inner: int) -> SeedPlace | None:
    """A library was called without a seed, or an object of it was made without one."""
    for call in reversed(stack[:inner]):
        names = [name for name in call.none if _SEED.search(name)]
        if names:
            found = _Search(stack).climb(inner, names[0], _place_of(call, names[0]))
            if found is not None and _is_called(stack[inner], call):
                return found
        elif not call.spread and call.function not in ("__init__", "__call__", "__new__", "wrapper", "inner"):
            break
    for call in stack[:inner]:
        if call.unset and call.type:
            for user in (one for one in stack[inner:] if not one.library):
                place = _constructor(user, call.type, call.unset)
                if place is not None:
                    return place
    return _sampler(stack, inner)


def _sampler(stack: Sequence[Call], inner: int) -> SeedPlace | None:
    """A study draws its parameters from the sampler that it was made with, or that it made for itself."""
    samplers = [call.type for call in stack[:inner] if call.library in _SAMPLED_BY and call.type.endswith("Sampler")]
    for user in (one for one in stack[inner:] if not one.library) if samplers else ():
        source = source_at(user.path)
        if source is None:
            continue
        library = next(call.library for call in stack[:inner] if call.library in _SAMPLED_BY)
        calls = [call for call in source.calls if source.name(call.func).split(".")[0] == library]
        for name in reversed(samplers):  # the one that the study has first, what that one uses after it
            if any(last_name(call) == name for call in calls):
                return _constructor(user, name, ("seed",))
        made = [call for call in calls if last_name(call) in _SAMPLED_BY[library] and keyword(call, "sampler") is None]
        if len(made) == 1:
            return _study(source, made[0], samplers[-1])
    return None


def _study(source: Source, call: ast.Call, sampler: str) -> SeedPlace:
    module = text_of(source, call.func.value) if isinstance(call.func, ast.Attribute) else ""
    argument = f"sampler={module}.samplers.{sampler}(seed={seed_in_scope(source, call)})"
    edit = add_argument(source, call, argument) if module and not has_spread(call) else None
    return _place(source, call, edit, f"the study makes a `{sampler}` for itself, without a seed")


def _is_called(user: Call, library: Call) -> bool:
    """Whether a line of the user's calls this function of a library, as far as its name shows."""
    source = source_at(user.path)
    call = None if source is None else _call_at(source, user)
    if call is None:
        return False
    return last_name(call) in (library.function, library.type) or not library.type


def _constructor(user: Call, name: str, unset: Sequence[str]) -> SeedPlace | None:
    """The only call in the user's file that makes an object of this class and gives it no seed."""
    source = source_at(user.path)
    if source is None:
        return None
    for attribute in unset:
        parameter = attribute.lstrip("_")
        calls = [call for call in source.calls if last_name(call) == name]
        open_ = [call for call in calls if is_none(keyword(call, parameter) or ast.Constant(value=None))]
        if len(open_) == 1:
            there = keyword(open_[0], parameter)
            seed = seed_in_scope(source, open_[0])
            edit = add_argument(source, open_[0], f"{parameter}={seed}") if there is None else None
            edit = edit or (replace(source, there, seed) if there is not None else None)
            return _place(source, open_[0], edit, f"`{name}` is made here without `{parameter}`")
    return None


def _place_of(call: Call, parameter: str) -> int | None:
    """The position at which callers give a parameter; None for one that has to be named."""
    if parameter not in call.parameters:
        return None
    index = call.parameters.index(parameter)
    if index >= call.positional:
        return None
    bound = call.parameters[:1] in (("self",), ("cls",))
    return index - bound


class _Search:
    """Follows one argument outwards through the calls that passed it on."""

    def __init__(self, stack: Sequence[Call]) -> None:
        self._stack = stack

    def climb(self, number: int, parameter: str, position: int | None) -> SeedPlace | None:
        """The place for `parameter` of what the call of frame `number` calls."""
        frame = self._stack[number]
        source = source_at(frame.path)
        call = None if source is None else _call_at(source, frame)
        if source is None or call is None:
            return None
        argument = keyword(call, parameter)
        if argument is None and position is not None and position < len(call.args):
            argument = call.args[position]
        if isinstance(argument, ast.Starred) or any(isinstance(arg, ast.Starred) for arg in call.args):
            return self._outwards(number, frame, parameter) or _place(source, call, None, f"`{parameter}` is None here")
        if argument is None:
            return self._missing(number, source, call, parameter)
        return self._given(number, source, call, argument)

    def _missing(self, number: int, source: Source, call: ast.Call, parameter: str) -> SeedPlace | None:
        frame = self._stack[number]
        for item in call.keywords:
            if item.arg is None:  # **options
                if isinstance(item.value, ast.Name) and item.value.id in frame.spread:
                    return self._outwards(number, frame, parameter)
                return _in_mapping(source, call, item.value, parameter, self._seed(source, call, frame))
        seed = self._seed(source, call, frame)
        text = seed if number == 0 and not call.args and not call.keywords else f"{parameter}={seed}"
        return _place(source, call, add_argument(source, call, text), f"`{parameter}` is not given here")

    def _given(self, number: int, source: Source, call: ast.Call, argument: ast.expr) -> SeedPlace | None:
        """The argument is there, and its value is None."""
        frame = self._stack[number]
        seed = self._seed(source, call, frame)
        if is_none(argument):
            return _place(source, call, replace(source, argument, seed), "None is given here")
        text = text_of(source, argument)
        message = f"`{text}` is None here" if text else "the seed is None here"
        if isinstance(argument, ast.Name) and argument.id in frame.parameters:
            outer = self._outwards(number, frame, argument.id)
            if outer is not None:
                return outer
        fallback = replace(source, argument, f"{seed} if {text} is None else {text}") if text else None
        made = _defined(source, argument, seed, [one.path for one in self._stack if not one.library])
        if made is not None:
            edit, where = made
            return _place(source, call, edit or fallback, f"{message}: {where}")
        return _place(source, call, fallback, message)

    def _outwards(self, number: int, frame: Call, parameter: str) -> SeedPlace | None:
        """Whoever called the function of this frame could have given it, if that is the user's code."""
        outer = number + 1
        if outer >= len(self._stack) or self._stack[outer].library:
            return None
        return self.climb(outer, parameter, _place_of(frame, parameter))

    def _seed(self, source: Source, call: ast.Call, frame: Call) -> str:
        name = seed_in_scope(source, call)
        return "0" if name in frame.none else name


def _in_mapping(source: Source, call: ast.Call, spread: ast.expr, parameter: str, seed: str) -> SeedPlace | None:
    """`make(**options)`: where the options say None, or do not name it."""
    for value in (spread, *source.bound(spread)):
        if isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == parameter and is_none(item):
                    return _place(source, item, replace(source, item, seed), f"`{parameter}` is None here")
        elif isinstance(value, ast.Call) and last_name(value) == "dict":
            there = keyword(value, parameter)
            if there is not None and is_none(there):
                return _place(source, value, replace(source, there, seed), f"`{parameter}` is None here")
            if there is None:
                edit = add_argument(source, value, f"{parameter}={seed}")
                return _place(source, value, edit, f"`{parameter}` is not given here")
    return _place(source, call, add_argument(source, call, f"{parameter}={seed}"), f"`{parameter}` is not given here")


def _defined(source: Source, argument: ast.expr, seed: str, paths: Sequence[str]) -> tuple[Edit | None, str] | None:
    """Where a name, an attribute or an option got its None, and how that line is changed."""
    for value in source.bound(argument):
        if is_none(value):
            return replace(source, value, seed), f"it is set to None at {_where(source, value)}"
        if isinstance(value, (ast.Attribute, ast.Subscript, ast.Call)):
            argument = value
    name = _key(argument)
    if not name:
        return None
    found = [one for path in dict.fromkeys((source.path, *paths)) for one in _definitions(source_at(path), name)]
    if len(found) != 1:
        return None
    of, node, edit, message = found[0]
    return edit, f"{message} at {_where(of, node)}"


def _key(node: ast.expr) -> str:
    """`seed` of `args.seed`, `config["seed"]` and `config.get("seed")`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript):
        key = node.slice
    elif isinstance(node, ast.Call) and last_name(node) in ("get", "pop", "getattr") and node.args:
        key = node.args[1] if last_name(node) == "getattr" and len(node.args) > 1 else node.args[0]
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _definitions(source: Source | None, name: str) -> Iterator[tuple[Source, ast.AST, Edit | None, str]]:
    """Lines that leave `name` None: a field of a class, an option without a default, an entry of a dictionary."""
    if source is None:
        return
    for node in source.nodes:
        if isinstance(node, (ast.AnnAssign, ast.Assign)) and isinstance(source.parent(node), ast.ClassDef):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value is not None and is_none(node.value) and any(_is_name(target, name) for target in targets):
                yield source, node, replace(source, node.value, "0"), f"its default, `{name}`, is None"
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name and is_none(value):
                    yield source, value, replace(source, value, "0"), "it is None"
        elif isinstance(node, ast.Call):
            yield from _of_call(source, node, name)


def _of_call(source: Source, call: ast.Call, name: str) -> Iterator[tuple[Source, ast.AST, Edit | None, str]]:
    if last_name(call) in ("add_argument", "option", "Option"):
        flags = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        wanted = [flag for flag in flags if flag.lstrip("-").replace("-", "_") == name]
        default = keyword(call, "default")
        if wanted and (default is None or is_none(default)):
            edit = add_argument(source, call, "default=0") if default is None else replace(source, default, "0")
            yield source, call, edit, f"`{wanted[0]}` has no default"
        return
    there = keyword(call, name)
    if there is not None and is_none(there):
        yield source, call, replace(source, there, "0"), f"`{name}=None` is given"


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _where(source: Source, node: ast.AST) -> str:
    return short_place(source.path, getattr(node, "lineno", 0))


def _place(source: Source, node: ast.expr, edit: Edit | None, message: str) -> SeedPlace:
    return SeedPlace(
        location=source.place(node),
        code=source.line(node.lineno).strip(),
        message=message,
        edit=edit,
    )


def _call_at(source: Source, frame: Call) -> ast.Call | None:
    """The call that a frame was in: by its place in the line, else the only one there."""
    if len(frame.position) == 4:
        first, last, start, end = frame.position
        for call in source.calls:
            if (call.lineno, call.end_lineno, call.col_offset, call.end_col_offset) == (first, last, start, end):
                return call
        return None
    found = [call for call in source.calls if call.lineno <= frame.line <= (call.end_lineno or call.lineno)]
    return found[0] if len(found) == 1 else None


def source_at(path: str) -> Source | None:
    file = Path(path)
    try:
        status = file.stat()
        if file.suffix not in ("", ".py", NOTEBOOK) or not file.is_file():
            return None
        if status.st_size > MOST_BYTES and not is_notebook(path):  # a notebook has pictures, too
            return None
        return _parsed(path, status.st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=64)
def _parsed(path: str, changed: int) -> Source | None:
    return parse(path, read_source(path))
