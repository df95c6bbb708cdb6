"""One-line changes of source that would fix a pattern. Each one compiles and keeps the number of lines."""

from __future__ import annotations

import ast
import warnings

from reprocheck.diagnosis.source.parse import Source, keyword
from reprocheck.model import Edit

_SEED_NAMES = ("seed", "random_seed", "rng_seed")


def text_of(source: Source, node: ast.expr) -> str:
    """The source of an expression on one line; else empty."""
    if node.end_lineno != node.lineno or node.end_col_offset is None:
        return ""
    return source.line(node.lineno).encode()[node.col_offset : node.end_col_offset].decode(errors="replace")


def replace(source: Source, node: ast.expr, text: str) -> Edit | None:
    """Put `text` in the place of an expression."""
    if node.end_lineno != node.lineno or node.end_col_offset is None or not text:
        return None
    return _splice(source, node.lineno, node.col_offset, node.end_col_offset, text)


def wrap(source: Source, node: ast.expr, form: str) -> Edit | None:
    """Put an expression into `form` in the place of `{}`."""
    text = text_of(source, node)
    return replace(source, node, form.format(text)) if text else None


def rename(source: Source, call: ast.Call, name: str) -> Edit | None:
    """Call another attribute of the same object: `torch.empty(...)` → `torch.zeros(...)`."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.end_lineno is None or function.end_col_offset is None:
        return None
    end = function.end_col_offset
    return _splice(source, function.end_lineno, end - len(function.attr.encode()), end, name)


def add_argument(source: Source, call: ast.Call, argument: str) -> Edit | None:
    """Add a keyword argument at the end of a call."""
    if call.end_lineno is None or call.end_col_offset is None:
        return None
    before = source.line(call.end_lineno).encode()[: call.end_col_offset - 1].decode(errors="replace").rstrip()
    if not before:  # the closing bracket stands alone: after the last argument, on its line
        given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        last = max(given, key=lambda one: (one.end_lineno or 0, one.end_col_offset or 0), default=None)
        if last is None or last.end_lineno is None or last.end_col_offset is None:
            return None
        return _splice(source, last.end_lineno, last.end_col_offset, last.end_col_offset, f", {argument}")
    comma = "" if before.endswith((",", "(")) else ", "
    comma = " " if before.endswith(",") else comma
    return _splice(source, call.end_lineno, call.end_col_offset - 1, call.end_col_offset, f"{comma}{argument})")


def set_argument(source: Source, call: ast.Call, name: str, value: str) -> Edit | None:
    """Give a keyword argument another value, or add it."""
    there = keyword(call, name)
    return add_argument(source, call, f"{name}={value}") if there is None else replace(source, there, value)


def needing(source: Source, module: str, node: ast.expr, text: str) -> Edit | None:
    """Put `text` in the place of an expression; where its module is not imported, import it on the same line."""
    edit = replace(source, node, text)
    if edit is None or source.imports(module):
        return edit
    statement = source.statement(node)
    if statement is None or statement.lineno != node.lineno or hasattr(statement, "body"):
        return None
    indent = len(edit.after) - len(edit.after.lstrip())
    after = f"{edit.after[:indent]}import {module}; {edit.after[indent:]}"
    return _checked(source, Edit(path=edit.path, line=edit.line, before=edit.before, after=after))


def seed_in_scope(source: Source, node: ast.AST) -> str:
    """The run's seed where a node stands, or 0."""
    for above in source.parents(node):
        if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names = [arg.arg for arg in (*above.args.posonlyargs, *above.args.args, *above.args.kwonlyargs)]
            for name in _SEED_NAMES:
                if name in names and above.body and node not in set(above.args.defaults):
                    return name
    above_it = {
        target.id
        for statement in source.tree.body
        if isinstance(statement, ast.Assign) and statement.lineno < getattr(node, "lineno", 0)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    return next((name for name in ("SEED", *_SEED_NAMES) if name in above_it), "0")


def _splice(source: Source, line: int, start: int, end: int, text: str) -> Edit | None:
    before = source.line(line)
    raw = before.encode()
    after = (raw[:start] + text.encode() + raw[end:]).decode(errors="replace")
    return _checked(source, Edit(path=source.path, line=line, before=before, after=after))


def _checked(source: Source, edit: Edit) -> Edit | None:
    if edit.after == edit.before or "\n" in edit.after:
        return None
    lines = [*source.lines]
    lines[edit.line - 1] = edit.after
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile("\n".join(lines), edit.path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return edit
