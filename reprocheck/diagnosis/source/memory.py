"""Memory that is allocated without being filled, and parameters that are all filled alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reprocheck.diagnosis.source.edit import add_argument, rename
from reprocheck.diagnosis.source.parse import Source, is_true, keyword, last_name
from reprocheck.model.explanation import SourceHit

_EMPTY = {"empty": "zeros", "empty_like": "zeros_like", "new_empty": "new_zeros"}
_LEGACY = {"torch.Tensor", "torch.FloatTensor", "torch.DoubleTensor", "torch.LongTensor", "torch.IntTensor"}
_FILLING = {"fill_", "zero_", "normal_", "uniform_", "copy_", "random_", "bernoulli_", "exponential_", "fill"}
_FILLED_BY = {"copyto", "recv", "irecv", "broadcast", "scatter", "reduce_scatter", "all_gather_into_tensor"}


def find_memory(source: Source) -> Iterator[SourceHit]:
    """All patterns of this module."""
    filled = _filled(source)
    for call in source.calls:
        pattern = _allocates(source, call)
        if pattern and not _is_filled(source, call, filled):
            new = _EMPTY.get(last_name(call), "")
            yield source.hit(pattern, call, rename(source, call, new) if new else None)
        if source.name(call.func) in ("torch.linalg.lstsq", "torch.lstsq") and keyword(call, "driver") is None:
            yield source.hit("lstsq-default-driver", call, add_argument(source, call, 'driver="gels"'))
        if last_name(call) in ("index_put", "index_put_") and is_true(keyword(call, "accumulate")):
            yield source.hit("index-accumulate", call)
    for node in source.nodes:
        if isinstance(node, ast.For):
            yield from _constant_parameters(source, node)


def _allocates(source: Source, call: ast.Call) -> str:
    name = source.name(call.func)
    last = last_name(call)
    if name in ("numpy.empty", "numpy.empty_like"):
        return "np-empty"
    legacy = name in _LEGACY and call.args and all(_is_size(arg) for arg in call.args)
    if not legacy and name not in ("torch.empty", "torch.empty_like") and last != "new_empty":
        return ""
    around = (last_name(above) for above in source.parents(call) if isinstance(above, ast.Call))
    return "parameter-empty" if "Parameter" in around else "torch-empty"


def _is_size(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and isinstance(node.value, int))


def _filled(source: Source) -> set[str]:
    """What the file writes into as a whole: `nn.init.zeros_(x)`, `x.fill_(0)`, `out=x`, `x[:] = y`, `x[i] = y`."""
    names: set[str] = set()
    loop_names = {
        node.target.id for node in source.nodes if isinstance(node, ast.For) and isinstance(node.target, ast.Name)
    }
    for call in source.calls:
        last, out = last_name(call), keyword(call, "out")
        if out is not None:
            names.add(ast.unparse(out))
        if call.args and (_is_init(source, call) or last in _FILLED_BY):
            names.add(ast.unparse(call.args[0]))
        if isinstance(call.func, ast.Attribute) and last in _FILLING:
            names.add(ast.unparse(call.func.value).removesuffix(".data"))
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            index = node.slice
            whole = isinstance(index, ast.Slice) and not (index.lower or index.upper or index.step)
            whole = whole or (isinstance(index, ast.Constant) and index.value is Ellipsis)
            if whole or (isinstance(index, ast.Name) and index.id in loop_names):
                names.add(ast.unparse(node.value))
    return names


def _is_init(source: Source, call: ast.Call) -> bool:
    name = source.name(call.func)
    return name.startswith("torch.nn.init.") or (name.startswith("init.") and name.endswith("_"))


def _is_filled(source: Source, call: ast.Call, filled: set[str]) -> bool:
    """Filled on the spot, or through the name that it is bound to."""
    for above in source.parents(call):
        if isinstance(above, ast.Attribute) and above.attr in _FILLING:
            return True
        if isinstance(above, ast.Call) and _is_init(source, above):
            return True
        if isinstance(above, ast.Call) and last_name(above) in ("register_buffer", "register_parameter") and above.args:
            name = above.args[0]
            return isinstance(name, ast.Constant) and f"self.{name.value!s}" in filled
        if isinstance(above, ast.stmt):
            targets = above.targets if isinstance(above, ast.Assign) else []
            return any(ast.unparse(target) in filled for target in targets)
    return False


def _constant_parameters(source: Source, loop: ast.For) -> Iterator[SourceHit]:
    """Every parameter of a model gets one and the same number."""
    if not isinstance(loop.target, ast.Name) or not isinstance(loop.iter, ast.Call):
        return
    if last_name(loop.iter) != "parameters":
        return
    own = {loop.target.id, f"{loop.target.id}.data"}
    for statement in loop.body:
        for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
            last = last_name(call)
            by_init = last in ("constant_", "zeros_", "ones_") and call.args and ast.unparse(call.args[0]) in own
            by_method = last in ("fill_", "zero_") and isinstance(call.func, ast.Attribute)
            if by_init or (by_method and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in own):
                yield source.hit("constant-init", call)
