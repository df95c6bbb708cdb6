"""Where threads and processes race: completion order, shared queues, draws and updates outside the main thread."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reprocheck.diagnosis.source.edit import add_argument, rename, replace, text_of
from reprocheck.diagnosis.source.parse import FunctionNode, Source, is_false, is_true, keyword, last_name, unseeded
from reprocheck.diagnosis.source.seeds import GLOBAL_SEEDS
from reprocheck.model import Edit
from reprocheck.model.explanation import SourceHit

_UPDATES = {"sub_", "add_", "mul_", "copy_", "addcdiv_", "addcmul_", "lerp_", "index_add_"}
_ADDS = {"add_", "sub_", "index_add_", "lerp_"}
_TORCH_DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "rand_like", "randn_like"}
_POOLS = {"ThreadPoolExecutor", "ThreadPool", "ProcessPoolExecutor", "Pool"}
_SPREADS = {"map", "imap", "imap_unordered", "starmap", "map_async", "starmap_async", "apply", "apply_async", "submit"}


def find_parallel(source: Source) -> Iterator[SourceHit]:
    """All patterns of this module."""
    spawning = _spawns(source)
    yield from _epochs(source)
    for call in source.calls:
        name, last = source.name(call.func), last_name(call)
        if last == "as_completed":
            plain = name.startswith("concurrent.futures") and len(call.args) == 1 and not call.keywords
            yield source.hit(
                "as-completed", call, replace(source, call, text_of(source, call.args[0])) if plain else None
            )
        elif last == "imap_unordered":
            yield source.hit("imap-unordered", call, rename(source, call, "imap"))
        elif last == "share_memory":
            yield source.hit("share-memory", call)
        elif last in ("get", "get_nowait") and not call.args and isinstance(call.func, ast.Attribute):
            yield from _queue_get(source, call)
        elif last == "Thread":
            yield from _thread(source, call)
        elif last in _POOLS:
            yield source.hit("pool-workers", call, _one_worker(source, call, last))
        elif last == "DistributedSampler" and not is_false(keyword(call, "shuffle")):
            yield source.hit("sampler-without-epoch", call)
        elif last == "set_epoch":
            yield source.hit("set-epoch", call)
        elif last in ("to", "cpu", "copy_") and is_true(keyword(call, "non_blocking")):
            yield source.hit("non-blocking-copy", call)
        yield from _in_children(source, call, spawning)


def _one_worker(source: Source, call: ast.Call, last: str) -> Edit | None:
    name = "max_workers" if last.endswith("Executor") else "processes"
    given = call.args[0] if call.args else keyword(call, name)
    if isinstance(given, ast.Starred) or (isinstance(given, ast.Constant) and given.value == 1):
        return None
    return add_argument(source, call, f"{name}=1") if given is None else replace(source, given, "1")


def _epochs(source: Source) -> Iterator[SourceHit]:
    """A loop over a loop that trains."""
    for node in source.nodes:
        if isinstance(node, (ast.For, ast.While)):
            loops = [inner for inner in ast.walk(node) if isinstance(inner, ast.For) and inner is not node]
            calls = (call for loop in loops for call in ast.walk(loop) if isinstance(call, ast.Call))
            if any(last_name(call) == "backward" for call in calls):
                yield source.hit("epoch-loop", node)


def _queue_get(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    function, owner = source.function_of(call), source.class_of(call)
    if owner is not None and function is not None and function.name in ("__iter__", "__next__", "__getitem__"):
        yield source.hit("dataset-queue-get", call)
        return
    for above in source.parents(call):
        if isinstance(above, ast.AugAssign) or (isinstance(above, ast.Call) and last_name(above) == "sum"):
            yield source.hit("queue-sum", call)
            return
        if isinstance(above, ast.Call) and last_name(above) in _ADDS and above is not call:
            yield source.hit("queue-sum", call)
            return
        if isinstance(above, ast.stmt):
            break
    yield source.hit("queue-sum" if _is_added(source, call) else "queue-get", call)


def _is_added(source: Source, call: ast.Call) -> bool:
    """What was taken is added up in the same turn of the loop: `grads = queue.get(); p.grad.add_(grads[name])`."""
    taking = source.statement(call)
    loop = next((above for above in source.parents(call) if isinstance(above, (ast.For, ast.While))), None)
    if loop is None or not isinstance(taking, (ast.Assign, ast.AnnAssign)):
        return False
    targets = taking.targets if isinstance(taking, ast.Assign) else [taking.target]
    taken = {name for target in targets for name in _names(target)}
    for node in (inner for statement in loop.body for inner in _in_order(statement)):
        if isinstance(node, ast.For) and taken & _names(node.iter):
            taken |= _names(node.target)
        elif isinstance(node, ast.Assign) and node is not taking and taken & _names(node.value):
            if isinstance(node.value, ast.BinOp) and ast.unparse(node.targets[0]) == ast.unparse(node.value.left):
                return True
            taken |= {name for target in node.targets for name in _names(target)}
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub)):
            if taken & _names(node.value) and not isinstance(node.value, ast.List):
                return True
        elif isinstance(node, ast.Call) and last_name(node) in _ADDS and any(taken & _names(arg) for arg in node.args):
            return True
    return False


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _thread(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    target = keyword(call, "target")
    function = source.definition(target) if target is not None else None
    if function is None:
        return
    inside = [node for statement in function.body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    if any(last_name(inner) == "put" for inner in inside):
        yield source.hit("thread-producer", call)
    for inner in inside:
        if isinstance(inner.func, ast.Attribute) and inner.func.attr in _UPDATES:
            yield source.hit("thread-update", inner)
        elif draws_from(source, inner):
            yield source.hit("thread-draw", inner)
    if not any(isinstance(inner.func, ast.Attribute) and inner.func.attr in _UPDATES for inner in inside):
        for inner in inside:
            if last_name(inner) == "step" and isinstance(inner.func, ast.Attribute) and not inner.args:
                yield source.hit("thread-update", inner)


def draws_from(source: Source, call: ast.Call) -> str:
    """The global generator that a call draws from: python, numpy or torch; empty for none."""
    name, last = source.name(call.func), last_name(call)
    if keyword(call, "generator") is not None:
        return ""
    if name.startswith("torch.") and name.count(".") == 1 and last in _TORCH_DRAWS:
        return "torch"
    if name.startswith("numpy.random.") and name.count(".") == 2 and last[0].islower():
        return "" if last in ("default_rng", "seed", "get_state", "set_state") else "numpy"
    if name.startswith("random.") and name.count(".") == 1 and last[0].islower():
        return "" if last in ("seed", "getstate", "setstate") else "python"
    return ""


def _spawns(source: Source) -> bool:
    """The file asks for processes that start afresh."""
    return any(
        isinstance(arg, ast.Constant) and arg.value in ("spawn", "forkserver")
        for call in source.calls
        if last_name(call) in ("get_context", "set_start_method")
        for arg in call.args
    )


def _in_children(source: Source, call: ast.Call, spawning: bool) -> Iterator[SourceHit]:
    """Draws in a function that runs in a fresh process, from a generator that it does not seed itself."""
    last = last_name(call)
    if source.name(call.func).endswith(("multiprocessing.spawn", "mp.spawn")) and call.args:
        worker, pattern = source.definition(call.args[0]), "rank-draw"
    elif last == "Process" and spawning:
        target = keyword(call, "target")
        worker, pattern = (source.definition(target) if target is not None else None), "rank-draw"
    elif last in _SPREADS and isinstance(call.func, ast.Attribute) and call.args and spawning:
        worker, pattern = source.definition(call.args[0]), "spawn-draw"
    else:
        return
    if worker is not None:
        yield from _unseeded_draws(source, worker, pattern)


def _unseeded_draws(source: Source, worker: FunctionNode, pattern: str) -> Iterator[SourceHit]:
    inside = [node for statement in worker.body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    seeded = {
        {"torch": "torch", "numpy": "numpy", "random": "python"}[source.name(call.func).split(".")[0]]
        for call in inside
        if source.name(call.func) in GLOBAL_SEEDS and call.args
    }
    for call in inside:
        by_entropy = source.name(call.func) in ("torch.seed", "numpy.random.seed", "random.seed") and unseeded(call)
        generator = draws_from(source, call)
        if by_entropy or (generator and generator not in seeded):
            yield source.hit(pattern, call)
            if by_entropy:
                return
