"""What outlives a run or depends on its environment: files of earlier runs, clocks, paths."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reprocheck.diagnosis.source.edit import replace
from reprocheck.diagnosis.source.parse import FunctionNode, Source, keyword, last_name
from reprocheck.diagnosis.source.seeds import is_clock
from reprocheck.model.explanation import SourceHit

_EXISTS = {"exists", "isfile", "is_file", "isdir", "is_dir", "glob", "listdir"}
_LOADS = {"load", "load_state_dict", "loads", "read_csv", "read_parquet", "read_text", "load_model", "open",
          "load_checkpoint", "load_from_checkpoint", "from_pretrained", "restore", "read_pickle"}  # fmt: skip
_DIGESTS = {"zlib.crc32", "zlib.adler32", "binascii.crc32"}
_CACHES = {"functools.lru_cache", "functools.cache"}


def find_state(source: Source) -> Iterator[SourceHit]:
    """All patterns of this module."""
    for call in source.calls:
        yield from _append(source, call)
        name = source.name(call.func)
        if name in _DIGESTS or name.startswith("hashlib."):
            yield source.hit("path-hash", call)
        if name.startswith("tempfile."):
            yield source.hit("tempdir", call)
    for node in source.nodes:
        if isinstance(node, ast.If):
            yield from _guarded(source, node)
        if isinstance(node, (ast.While, ast.If)):
            yield from _budget(source, node)
        if isinstance(node, ast.Compare) or (
            isinstance(node, ast.Call) and last_name(node) in ("min", "max", "sorted")
        ):
            yield from _decision(source, node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _has_clock(node.left):
            yield source.hit("elapsed", node)
        if isinstance(node, ast.Global):
            yield source.hit("module-state", node)
    for function in source.functions:
        yield from _updated(source, function)
        yield from _kept(source, function)


def _append(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    if last_name(call) != "open":
        return
    position = (
        0 if isinstance(call.func, ast.Attribute) and source.name(call.func) not in ("io.open", "gzip.open") else 1
    )
    mode = keyword(call, "mode") or (call.args[position] if len(call.args) > position else None)
    if isinstance(mode, ast.Constant) and isinstance(mode.value, str) and mode.value.startswith("a"):
        yield source.hit("append-open", call, replace(source, mode, f'"w{mode.value[1:]}"'))


def _guarded(source: Source, node: ast.If) -> Iterator[SourceHit]:
    """`if exists(path): ... load(path)`. A body of one statement is named itself, a longer one by its guard."""
    if not any(isinstance(inner, ast.Call) and last_name(inner) in _EXISTS for inner in ast.walk(node.test)):
        return
    loads = [
        inner
        for statement in node.body
        for inner in ast.walk(statement)
        if isinstance(inner, ast.Call) and last_name(inner) in _LOADS
    ]
    if not loads:
        return
    yield source.hit("load-guard", node)
    yield source.hit("guarded-load", loads[0] if len(node.body) == 1 else node)
    returns = any(isinstance(statement, ast.Return) for statement in node.body)
    if returns or node.orelse:
        yield source.hit("cache-guard", node)


def _budget(source: Source, node: ast.While | ast.If) -> Iterator[SourceHit]:
    """A clock decides whether to go on."""
    if not _has_clock(node.test) and not _is_elapsed(source, node.test):
        return
    leaves = (ast.Break, ast.Return)
    if isinstance(node, ast.While) or any(
        isinstance(inner, leaves) for statement in node.body for inner in ast.walk(statement)
    ):
        yield source.hit("clock-loop", node)
        for value in _readings(source, node.test):
            if value.lineno != node.lineno:
                yield source.hit("clock-loop-reading", value)


def _decision(source: Source, node: ast.Compare | ast.Call) -> Iterator[SourceHit]:
    """A clock decides whether something is done, or which of several things: not whether to go on."""
    if isinstance(node, ast.Call):
        timed = [name for name in ast.walk(node) if isinstance(name, ast.Name) and _timings(source, name)]
        if timed and (keyword(node, "key") is not None or any(isinstance(arg, ast.Starred) for arg in node.args)):
            yield source.hit("clock-choice", node)
            for name in timed:
                yield from (source.hit("clock-choice-reading", value) for value in _timings(source, name))
        return
    sides = [(side, _readings(source, side)) for side in (node.left, *node.comparators)]
    read = [value for _, values in sides for value in values]
    if not read or _ends(source, node):
        return
    if _ends_where_called(source, node):
        yield source.hit("clock-loop", node)
        return
    pattern = "clock-choice" if all(_took(source, side) for side, _ in sides) else "clock-branch"
    yield source.hit(pattern, node)
    for value in read:
        if value.lineno != node.lineno:
            yield source.hit(f"{pattern}-reading", value)


def _ends(source: Source, node: ast.expr) -> bool:
    """The comparison is a test of whether to go on."""
    above = source.statement(node)
    if isinstance(above, (ast.While, ast.Assert)):
        return True
    leaves = (ast.Break, ast.Return, ast.Raise)
    inside = above.body if isinstance(above, ast.If) else []
    return any(isinstance(inner, leaves) for statement in inside for inner in ast.walk(statement))


def _ends_where_called(source: Source, node: ast.expr) -> bool:
    """The comparison is what a function returns, and a call of it a test of whether to go on: `should_stop()`."""
    if not isinstance(source.statement(node), ast.Return):
        return False
    function = source.function_of(node)
    tests = (one.test for one in source.nodes if isinstance(one, (ast.While, ast.If)) and _ends(source, one.test))
    calls = (inner for test in tests for inner in ast.walk(test) if isinstance(inner, ast.Call))
    return function is not None and any(last_name(call) == function.name for call in calls)


def _readings(source: Source, node: ast.expr, depth: int = 0) -> list[ast.expr]:
    """Where a value comes from a clock: calls, as far as names lead to them."""
    found: list[ast.expr] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and is_clock(inner):
            found.append(inner)
        elif isinstance(inner, (ast.Name, ast.Attribute)) and depth < 3:
            for value in source.bound(inner):
                if value is not node:
                    found += _readings(source, value, depth + 1)
    return found


def _took(source: Source, node: ast.expr) -> bool:
    """A value that says how long something took."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return bool(_readings(source, node.left)) and bool(_readings(source, node.right))
    if isinstance(node, ast.Call):
        function = source.definition(node.func)
        inside = [] if function is None else [inner for one in function.body for inner in ast.walk(one)]
        return any(isinstance(one, ast.Return) and one.value is not None and _took(source, one.value) for one in inside)
    return any(_took(source, value) for value in source.bound(node) if value is not node)


def _timings(source: Source, name: ast.Name) -> list[ast.expr]:
    """Values of a dictionary or list that say how long something took: `times[key] = clock() - start`."""
    found = []
    for node in source.nodes:
        value: ast.expr | None = None
        if isinstance(node, ast.Assign) and any(_item_of(target, name.id) for target in node.targets):
            value = node.value
        elif isinstance(node, ast.Call) and last_name(node) == "append" and node.args:
            of = node.func.value if isinstance(node.func, ast.Attribute) else None
            value = node.args[0] if isinstance(of, ast.Name) and of.id == name.id else None
        elif isinstance(node, ast.Assign) and any(_is_named(target, name.id) for target in node.targets):
            value = _element(node.value)
        if value is not None:
            parts = value.elts if isinstance(value, ast.Tuple) else [value]
            if any(_took(source, part) for part in parts):
                found += [reading for part in parts for reading in _deep(source, part)]
    return found


def _deep(source: Source, node: ast.expr) -> list[ast.expr]:
    """Readings in an expression, or in the function of this file that it calls."""
    found = _readings(source, node)
    function = source.definition(node.func) if isinstance(node, ast.Call) else None
    inside = [] if function is None else [inner for one in function.body for inner in ast.walk(one)]
    return found + [inner for inner in inside if isinstance(inner, ast.Call) and is_clock(inner)]


def _element(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.DictComp):
        return node.value
    return node.elt if isinstance(node, (ast.ListComp, ast.GeneratorExp)) else None


def _is_named(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _item_of(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Subscript) and _is_named(node.value, name)


def _is_elapsed(source: Source, test: ast.expr) -> bool:
    """The test compares a name that was bound to a clock's answer."""
    names = [node for node in ast.walk(test) if isinstance(node, ast.Name)]
    return any(_has_clock(value) for name in names for value in source.bound(name))


def _has_clock(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Call) and is_clock(inner) for inner in ast.walk(node))


def _updated(source: Source, function: FunctionNode) -> Iterator[SourceHit]:
    """State that is read from a file, changed and written back."""
    inner = [node for statement in function.body for node in ast.walk(statement)]
    loaded = {
        ast.unparse(target)
        for node in inner
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and last_name(node.value) in ("load", "loads")
        for target in node.targets
    }
    dumped = {
        ast.unparse(arg)
        for node in inner
        if isinstance(node, ast.Call) and last_name(node) in ("dump", "dumps", "save", "savez", "write_text")
        for arg in node.args
    }
    for node in inner:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, (ast.Subscript, ast.Attribute, ast.Name)):
            base = node.target.value if isinstance(node.target, (ast.Subscript, ast.Attribute)) else node.target
            if ast.unparse(base) in loaded & dumped:
                yield source.hit("state-update", node)


def _kept(source: Source, function: FunctionNode) -> Iterator[SourceHit]:
    """State of the process: a cached function, a mutable default."""
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        if source.name(target) in _CACHES:
            yield source.hit("module-state", function)
    if any(isinstance(default, (ast.List, ast.Dict, ast.Set)) for default in function.args.defaults):
        yield source.hit("module-state", function)
