"""One parsed source file and the questions that every scan asks of it."""

from __future__ import annotations

import ast
import warnings
from collections import defaultdict
from collections.abc import Iterator

from reprocheck.model import Edit, Location
from reprocheck.model.explanation import SourceHit
from reprocheck.model.places import columns_in

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module)


class Source:
    """A syntax tree with its lines, its parents, its imports and what its names are bound to."""

    def __init__(self, path: str, lines: list[str], tree: ast.Module) -> None:
        self.path = path
        self.lines = lines
        self.tree = tree
        self.nodes = list(ast.walk(tree))
        self._parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        self.functions = [node for node in self.nodes if isinstance(node, FunctionNode)]
        self._imports = dict(self._imported())
        self._bound: dict[tuple[ast.AST, str], list[ast.expr]] = defaultdict(list)
        for node in self.nodes:
            for target, value in _assignments(node):
                self._bound[self._scope(target), ast.unparse(target)].append(value)

    def parents(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the direct parent to the module."""
        while node in self._parents:
            node = self._parents[node]
            yield node

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._parents.get(node)

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement that holds a node."""
        if isinstance(node, ast.stmt):
            return node
        return next((above for above in self.parents(node) if isinstance(above, ast.stmt)), None)

    def function_of(self, node: ast.AST) -> FunctionNode | None:
        return next((above for above in self.parents(node) if isinstance(above, FunctionNode)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        return next((above for above in self.parents(node) if isinstance(above, ast.ClassDef)), None)

    def qualified(self, node: ast.AST) -> str:
        """Qualified name of the function around a node, as Python writes it; empty at module level."""
        around = [node, *self.parents(node)] if isinstance(node, FunctionNode) else [*self.parents(node)]
        names: list[str] = []
        for above in around:
            if isinstance(above, FunctionNode):
                names += ["<locals>", above.name] if names else [above.name]
            elif isinstance(above, ast.ClassDef) and names:
                names.append(above.name)
        return ".".join(reversed(names))

    def name(self, node: ast.AST) -> str:
        """`np.random.rand` → `numpy.random.rand`; empty for what is not a plain chain of names."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self._imports.get(node.id, node.id))
        return ".".join(reversed(parts))

    def imports(self, module: str) -> bool:
        """Whether the file imports a top-level module, or something from it."""
        return any(name.split(".")[0] == module for name in self._imports.values())

    def bound(self, node: ast.expr) -> list[ast.expr]:
        """Every value that a name, or an attribute of self, is given where `node` can see it."""
        text = ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
        if not text:
            return []
        near = self._bound.get((self._scope(node), text), [])
        return near or self._bound.get((self.tree, text), [])

    def unpacked(self, node: ast.Name) -> list[ast.expr]:
        """Every value of which a name of the same scope takes a part: `value` in `name, other = value`."""
        scope = self._scope(node)
        return [
            assign.value
            for assign in self.nodes
            if isinstance(assign, ast.Assign) and self._scope(assign) is scope
            for target in assign.targets
            if isinstance(target, ast.Tuple)
            and any(isinstance(item, ast.Name) and item.id == node.id for item in target.elts)
        ]

    def definition(self, node: ast.expr) -> FunctionNode | None:
        """The function of this file that an expression names."""
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        return next((function for function in self.functions if function.name == name), None)

    def line(self, number: int) -> str:
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def hit(self, pattern: str, node: ast.expr | ast.stmt | ast.excepthandler, edit: Edit | None = None) -> SourceHit:
        return SourceHit(
            pattern=pattern,
            location=self.place(node),
            code=self.line(node.lineno).strip(),
            function=self.qualified(node),
            edit=edit,
        )

    def place(self, node: ast.expr | ast.stmt | ast.excepthandler) -> Location:
        """The line, and of an expression that is on one line its columns."""
        columns = None
        if isinstance(node, ast.expr) and node.end_lineno == node.lineno and node.end_col_offset is not None:
            columns = columns_in(self.line(node.lineno), node.col_offset, node.end_col_offset)
        return Location(path=self.path, line=node.lineno, columns=columns)

    def _scope(self, node: ast.AST) -> ast.AST:
        kinds: tuple[type[ast.AST], ...] = (ast.ClassDef,) if isinstance(node, ast.Attribute) else _SCOPES
        return next((above for above in self.parents(node) if isinstance(above, kinds)), self.tree)

    def _imported(self) -> Iterator[tuple[str, str]]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for item in node.names:
                    yield (item.asname, item.name) if item.asname else (item.name.split(".")[0],) * 2
            elif isinstance(node, ast.ImportFrom) and node.module:
                for item in node.names:
                    yield item.asname or item.name, f"{node.module}.{item.name}"


def parse(path: str, data: bytes) -> Source | None:
    """None for what is not Python source."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
            encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
            text = data.decode(encoding)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return Source(path, text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), tree)


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _pairs(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, (ast.Name, ast.Attribute)):
        yield target, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for left, right in zip(target.elts, value.elts, strict=True):
            yield from _pairs(left, right)


def last_name(node: ast.Call) -> str:
    """`rand` of `np.random.rand(...)` and of `make().rand(...)`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """The value of the first of these keyword arguments that is there."""
    return next((item.value for item in call.keywords if item.arg in names), None)


def has_spread(call: ast.Call) -> bool:
    """Whether arguments come from `*` or `**`, so that it is unknown what is missing."""
    return any(item.arg is None for item in call.keywords) or any(isinstance(arg, ast.Starred) for arg in call.args)


def is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def unseeded(call: ast.Call) -> bool:
    """No argument, or only None."""
    return not has_spread(call) and all(is_none(arg) for arg in [*call.args, *(item.value for item in call.keywords)])
