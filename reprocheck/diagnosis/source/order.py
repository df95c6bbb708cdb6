"""Where the order of something unordered gets out: sets, addresses, hashes, directory listings, queries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from reprocheck.diagnosis.source.edit import needing, replace, text_of, wrap
from reprocheck.diagnosis.source.parse import Source, keyword, last_name
from reprocheck.model import Edit
from reprocheck.model.explanation import SourceHit

_SET_METHODS = {"union", "intersection", "difference", "symmetric_difference"}
_OF_MODULES = {"modules", "parameters", "children", "buffers"}
_ORDERED_BY = {"list", "tuple", "enumerate", "iter", "zip", "map", "filter", "chain", "cycle", "islice", "fromkeys",
               "join", "array", "asarray", "fromiter", "deque", "Series"}  # fmt: skip
_INDIFFERENT = {"sorted", "set", "frozenset", "len", "any", "all", "max", "min", "fsum", "Counter"}
_LISTINGS = {
    "os.listdir": "listdir",
    "os.scandir": "scandir",
    "os.walk": "walk",
    "glob.glob": "glob",
    "glob.iglob": "glob",
}
_PATH_LISTINGS = {"iterdir": "iterdir", "glob": "glob", "rglob": "glob"}
_NUMBERS = {"len", "int", "float", "ord", "round", "range", "abs"}


def find_order(source: Source) -> Iterator[SourceHit]:
    """All patterns of this module."""
    yield from _sets(source)
    for call in source.calls:
        yield from _hash(source, call)
        yield from _by_id(source, call)
        yield from _listing(source, call)
        yield from _query(source, call)
    yield from _hash_seed(source)


def _sets(source: Source) -> Iterator[SourceHit]:
    for node in source.nodes:
        if isinstance(node, (ast.For, ast.AsyncFor)) and is_set(source, node.iter) and not _keyed_constants(node):
            yield _set_hit(source, node.iter, summed=accumulates(node))
        elif isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.DictComp)):
            outer = source.parent(node)
            name = last_name(outer) if isinstance(outer, ast.Call) else ""
            for part in node.generators:
                if name not in _INDIFFERENT and is_set(source, part.iter):
                    yield _set_hit(source, part.iter, summed=name == "sum")
        elif isinstance(node, ast.Call):
            yield from _set_in_call(source, node)
        elif isinstance(node, ast.Starred) and not isinstance(source.parent(node), ast.Set):
            yield from [_set_hit(source, node.value)] if is_set(source, node.value) else []


def _set_in_call(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    name = last_name(call)
    outer = source.parent(call)
    if isinstance(outer, ast.Call) and last_name(outer) in _INDIFFERENT and name != "enumerate":
        return
    if name in _ORDERED_BY or name == "sum":
        for arg in call.args:
            if is_set(source, arg):
                edit = wrap(source, arg, "sorted({})")
                if name == "list" and not _of_modules(source, arg):
                    edit = replace(source, call, f"sorted({text_of(source, arg)})") if text_of(source, arg) else None
                yield _set_hit(source, arg, summed=name == "sum", edit=edit)
    elif name == "pop" and not call.args and isinstance(call.func, ast.Attribute) and is_set(source, call.func.value):
        yield source.hit("set-iteration", call)


def _set_hit(source: Source, node: ast.expr, *, summed: bool = False, edit: Edit | None = None) -> SourceHit:
    if _of_modules(source, node):
        inner = node.args[0] if isinstance(node, ast.Call) and node.args else None
        text = text_of(source, inner) if inner is not None else ""
        return source.hit("module-set", node, replace(source, node, f"dict.fromkeys({text})") if text else None)
    pattern = "set-sum" if summed else "set-iteration"
    return source.hit(pattern, node, edit or wrap(source, node, "sorted({})"))


def is_set(source: Source, node: ast.expr, depth: int = 0) -> bool:
    """Whether an expression is a set whose order depends on hashes that change from run to run."""
    if depth > 3:
        return False
    if isinstance(node, ast.Set):
        return not all(_is_number(item) for item in node.elts)
    if isinstance(node, ast.SetComp):
        return not _is_number(node.elt)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)):
        keys = [_is_keys(side) for side in (node.left, node.right)]
        return any(keys) or is_set(source, node.left, depth + 1) or is_set(source, node.right, depth + 1)
    if isinstance(node, ast.Call):
        name = source.name(node.func)
        if name in ("set", "frozenset"):
            return not (node.args and _is_number(node.args[0]))
        method = isinstance(node.func, ast.Attribute) and node.func.attr in _SET_METHODS
        return method and isinstance(node.func, ast.Attribute) and is_set(source, node.func.value, depth + 1)
    if isinstance(node, (ast.Name, ast.Attribute)):
        values = source.bound(node)
        return bool(values) and all(is_set(source, value, depth + 1) for value in values)
    return False


def _of_modules(source: Source, node: ast.expr) -> bool:
    """A set of modules or parameters: its order is one of addresses."""
    candidates = [node, *source.bound(node)]
    return any(
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in _OF_MODULES
        for candidate in candidates
        for inner in ast.walk(candidate)
    )


def _is_keys(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and last_name(node) in ("keys", "items") and not node.args


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float, bool)) or node.value is None
    return isinstance(node, ast.Call) and last_name(node) in _NUMBERS


def accumulates(loop: ast.For | ast.AsyncFor) -> bool:
    """The body adds to a plain name: `total += f(x)`, `total = total + f(x)`, and does nothing else of effect."""
    inner = [node for statement in loop.body for node in ast.walk(statement)]
    return any(_adds(node) for node in inner) and not any(isinstance(node, (ast.Expr, ast.Delete)) for node in inner)


def _adds(node: ast.AST) -> bool:
    arithmetic = (ast.Add, ast.Sub, ast.Mult)
    if isinstance(node, ast.AugAssign):
        plain = isinstance(node.target, (ast.Name, ast.Attribute)) and not _counts(node.value)
        return plain and isinstance(node.op, arithmetic)
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, arithmetic):
        target = ast.unparse(node.targets[0])
        return target in (ast.unparse(node.value.left), ast.unparse(node.value.right))
    return False


def _counts(node: ast.expr) -> bool:
    """A list, or a number: `n += 1` is the same in any order."""
    return isinstance(node, (ast.List, ast.ListComp)) or (
        isinstance(node, ast.Constant) and isinstance(node.value, int)
    )


def _keyed_constants(loop: ast.For | ast.AsyncFor) -> bool:
    """`for w as text: x[w] = 1`: the order leaves no trace."""
    return all(
        isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Subscript)
        and isinstance(statement.value, ast.Constant)
        for statement in loop.body
    )


def _hash(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    if source.name(call.func) == "hash" and len(call.args) == 1 and not _is_number(call.args[0]):
        function = source.function_of(call)
        if function is None or function.name != "__hash__":
            text = text_of(source, call.args[0])
            edit = needing(source, "zlib", call, f"zlib.crc32(str({text}).encode())") if text else None
            yield source.hit("hash-call", call, edit)


def _by_id(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    if _is_id(source, call) and isinstance(source.parent(call), ast.BinOp):
        yield source.hit("id-sort", call)  # `id(x) % 8` places x
    if last_name(call) not in ("sorted", "sort", "min", "max"):
        return
    key = keyword(call, "key")
    given, form = call.args[0] if call.args else None, "list({})"
    is_of_ids = given is not None and _is_of_ids(source, given)
    if (key is not None and _has_id(source, key)) or is_of_ids:
        if isinstance(given, ast.Call) and last_name(given) in ("set", "frozenset") and len(given.args) == 1:
            given, form = given.args[0], "list(dict.fromkeys({}))"
        text = text_of(source, given) if given is not None else ""
        only_by_id = is_of_ids or (key is not None and source.name(key) == "id")
        plain = last_name(call) == "sorted" and only_by_id and len(call.keywords) <= 1 and text
        yield source.hit("id-sort", call, replace(source, call, form.format(text)) if plain else None)


def _has_id(source: Source, key: ast.expr) -> bool:
    """`id`, or a lambda that calls it: `lambda p: (p.ndim, id(p))`."""
    if source.name(key) == "id":
        return True
    return isinstance(key, ast.Lambda) and any(_is_id(source, node) for node in ast.walk(key.body))


def _is_id(source: Source, node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and source.name(node.func) == "id" and len(node.args) == 1


def _is_of_ids(source: Source, given: ast.expr) -> bool:
    """A collection of ids, or a dict that has them as keys."""
    if isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute) and given.func.attr in ("keys", "items"):
        given = given.func.value
    for node in (given, *source.bound(given)):
        if isinstance(node, ast.DictComp) and _is_id(source, node.key):
            return True
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)) and _is_id(source, node.elt):
            return True
        if isinstance(node, ast.Call) and last_name(node) == "map" and node.args and source.name(node.args[0]) == "id":
            return True
    return False


def _listing(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    name = source.name(call.func)
    pattern = _LISTINGS.get(name, "")
    if not pattern and isinstance(call.func, ast.Attribute) and call.func.attr in _PATH_LISTINGS:
        receiver = source.name(call.func.value)
        takes = 0 if call.func.attr == "iterdir" else 1
        pattern = _PATH_LISTINGS[call.func.attr] if receiver != "glob" and len(call.args) == takes else ""
    if not pattern or _is_sorted(source, call):
        return
    form = {"walk": "", "scandir": "sorted({}, key=lambda entry: entry.name)"}.get(pattern, "sorted({})")
    if isinstance(source.parent(call), ast.withitem):
        form = ""
    yield source.hit(pattern, call, wrap(source, call, form) if form else None)


def _is_sorted(source: Source, call: ast.Call) -> bool:
    """In a call that does not care for order, or bound to a name that is sorted later in the same function."""
    for above in source.parents(call):
        if isinstance(above, ast.Call) and last_name(above) in _INDIFFERENT | {"sum"}:
            return True
        if isinstance(above, ast.Assign) and isinstance(above.targets[0], ast.Name):
            name = above.targets[0].id
            around = source.function_of(call) or source.tree
            return any(_sorts(node, name) for node in ast.walk(around))
        if isinstance(above, ast.stmt):
            return False
    return False


def _sorts(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr == "sort":
        return isinstance(node.func.value, ast.Name) and node.func.value.id == name
    return last_name(node) == "sorted" and any(isinstance(arg, ast.Name) and arg.id == name for arg in node.args)


_RANDOM_ORDER = re.compile(r"\border\s+by\s+rand(om)?\s*\(\s*\)", re.IGNORECASE)


def is_unordered(sql: str) -> bool:
    """A query whose rows come in no promised order."""
    if not re.match(r"\s*(select|with)\b", sql, re.IGNORECASE):
        return False
    if re.search(r"\brand(om)?\s*\(", sql, re.IGNORECASE):
        return True
    single = re.search(r"\bselect\s+(count|sum|min|max|avg|total)\s*\([^)]*\)\s*from\b", sql, re.IGNORECASE)
    return single is None and re.search(r"\border\s+by\b", sql, re.IGNORECASE) is None and " from " in sql.lower()


def _query(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    if last_name(call) not in ("execute", "read_sql", "read_sql_query", "sql") or not call.args:
        return
    query = call.args[0]
    values = [query, *source.bound(query)]
    for node in values:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_unordered(node.value):
            text, edit = text_of(source, node), None
            if source.imports("sqlite3") and _RANDOM_ORDER.search(text):
                edit = replace(source, node, _RANDOM_ORDER.sub("ORDER BY rowid", text))
            yield source.hit("sql-unordered", call, edit)
            return


def _hash_seed(source: Source) -> Iterator[SourceHit]:
    for node in source.nodes:
        if isinstance(node, ast.Constant) and node.value == "PYTHONHASHSEED":
            above = source.parent(node)
            written = isinstance(above, ast.Subscript) and isinstance(above.ctx, ast.Store)
            called = isinstance(above, ast.Call) and last_name(above) in ("setdefault", "putenv")
            if written or called:
                yield source.hit("hashseed-assignment", node)
