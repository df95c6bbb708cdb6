"""What outlives a run or hangs on its surroundings: files of earlier runs, clocks, paths."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reprocheck.explain.model import SourceHit
from reprocheck.explain.scan_edit import replace
from reprocheck.explain.scan_seeds import is_clock
from reprocheck.explain.scan_source import FunctionNode, Source, keyword, last_name

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
