"""How seeds are set: from entropy, from a clock, to a constant, in a constructor, or not at all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from reprocheck.diagnosis.source.edit import replace, seed_in_scope, text_of
from reprocheck.diagnosis.source.parse import FunctionNode, Source, last_name, unseeded
from reprocheck.diagnosis.source.random_calls import reseed_edit
from reprocheck.model.explanation import SourceHit

GLOBAL_SEEDS = {"torch.manual_seed", "torch.random.manual_seed", "torch.cuda.manual_seed", "numpy.random.seed",
                "torch.cuda.manual_seed_all", "random.seed"}  # fmt: skip
_ENTROPY_SEEDS = {"torch.seed", "torch.random.seed", "torch.cuda.seed", "torch.cuda.seed_all"}
CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
          "process_time_ns", "now", "utcnow", "today"}  # fmt: skip
_PROCESS = {"getpid", "gethostname", "node", "get_ident", "getppid"}
_ENTROPY = {"urandom", "uuid4", "uuid1", "randbits", "token_bytes", "token_hex", "randbelow", "getrandom"}
_SEED_PARAMETERS = {"seed", "random_seed", "rng_seed", "random_state"}


def find_seeds(source: Source) -> Iterator[SourceHit]:
    """All patterns of this module."""
    for call in source.calls:
        yield from _seed_call(source, call)
    for node in source.nodes:
        if isinstance(node, ast.Assign) and any("seed" in ast.unparse(target).lower() for target in node.targets):
            pattern = _origin(node.value)
            if pattern:
                yield source.hit(pattern, node)
            elif isinstance(node.value, ast.Call) and _draws(source.name(node.value.func)):
                yield source.hit("seed-drawn", node, replace(source, node.value, "0"))
    for function in source.functions:
        yield from _unused_parameter(source, function)
    yield from _unused_option(source)


def is_clock(call: ast.Call) -> bool:
    """`time.time()`, `datetime.now()`, `perf_counter()`."""
    return last_name(call) in CLOCKS and not call.args


def _seed_call(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    name = source.name(call.func)
    if _is_private(name, call) and call.args and _is_constant(source, call.args[0]):
        yield source.hit("constant-stream", call)
    is_seed = name in GLOBAL_SEEDS or last_name(call) in ("manual_seed", "seed_everything", "set_seed", "seed_all")
    method = isinstance(call.func, ast.Attribute) and call.func.attr == "seed"
    if name in _ENTROPY_SEEDS or (method and unseeded(call) and (is_seed or not call.keywords)):
        yield source.hit("entropy-reseed", call, reseed_edit(source, call))
        return
    if not is_seed and not method:
        return
    for arg in (*call.args, *(item.value for item in call.keywords)):
        pattern = _origin(arg)
        if pattern:
            yield source.hit(pattern, call)
    if is_seed and len(call.args) == 1 and _is_constant(source, call.args[0]):
        seed = seed_in_scope(source, call)
        own = isinstance(call.args[0], ast.Name) and call.args[0].id == seed
        edit = replace(source, call.args[0], seed) if seed != "0" and not own else None
        yield source.hit("constant-seed", call, edit)
    yield from _seeds_others(source, call, name)
    function = source.function_of(call)
    if name in GLOBAL_SEEDS and function is not None and function.name == "__init__":
        yield source.hit("constructor-seed", call)


def _is_private(name: str, call: ast.Call) -> bool:
    """It seeds a generator of its own, not a global one."""
    makes = last_name(call) in ("default_rng", "RandomState") or name == "random.Random"
    return makes or (last_name(call) == "manual_seed" and name not in GLOBAL_SEEDS and not name.startswith("torch."))


def _seeds_others(source: Source, call: ast.Call, name: str) -> Iterator[SourceHit]:
    """A line that seeds one generator by itself, changed so that it seeds another one, too."""
    own = _GENERATOR_OF.get(name)
    alone = isinstance(source.parent(call), ast.Expr) and call.lineno == call.end_lineno
    if own is None or not alone or len(call.args) != 1 or not source.lines[call.lineno - 1].strip().endswith(")"):
        return
    seed, text = text_of(source, call.args[0]), text_of(source, call)
    for generator, also in _ALSO.items():
        if generator != own and seed:
            yield source.hit(f"seed-also-{generator}", call, replace(source, call, f"{text}; {also.format(seed)}"))


_GENERATOR_OF = {
    "torch.manual_seed": "torch",
    "torch.random.manual_seed": "torch",
    "numpy.random.seed": "numpy",
    "random.seed": "python",
}
_ALSO = {
    "python": "import random; random.seed({})",
    "numpy": "import numpy; numpy.random.seed({})",
    "torch": "import torch; torch.manual_seed({})",
}


def _draws(name: str) -> bool:
    """`random.randint`, `numpy.random.randint`, `torch.randint`."""
    return bool(
        re.fullmatch(
            r"random\.(randint|randrange|getrandbits|random|choice)"
            r"|numpy\.random\.(randint|random|rand|choice)|torch\.randint",
            name,
        )
    )


def _origin(node: ast.expr) -> str:
    """What a seed is made from: a clock or the process, or entropy."""
    names = {last_name(inner) for inner in ast.walk(node) if isinstance(inner, ast.Call)}
    if names & _ENTROPY:
        return "seed-from-entropy"
    return "seed-from-clock" if names & (CLOCKS | _PROCESS) else ""


def _is_constant(source: Source, node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int)
    values = source.bound(node) if isinstance(node, ast.Name) else []
    function = source.function_of(node)
    parameters = {arg.arg for arg in function.args.args} if function is not None else set()
    if isinstance(node, ast.Name) and node.id in parameters:
        return False
    return bool(values) and all(isinstance(value, ast.Constant) and isinstance(value.value, int) for value in values)


def _unused_parameter(source: Source, function: FunctionNode) -> Iterator[SourceHit]:
    body = [statement for statement in function.body if not isinstance(statement, (ast.Pass, ast.Raise))]
    if all(isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) for statement in body):
        return  # a stub
    read = {node.id for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    for arg in (*function.args.args, *function.args.kwonlyargs):
        if arg.arg in _SEED_PARAMETERS and arg.arg not in read and "locals" not in read:
            yield source.hit("seed-parameter-unused", function)


def _unused_option(source: Source) -> Iterator[SourceHit]:
    """`--seed` is parsed and `args.seed` is never read."""
    options = [call for call in source.calls if last_name(call) == "add_argument" and _names_seed(call)]
    parsed = {
        target.id
        for node in source.nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if last_name(node.value) in ("parse_args", "parse_known_args")
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if not options or not parsed:
        return
    uses = [node for node in source.nodes if isinstance(node, ast.Name) and node.id in parsed]
    for use in uses:
        above = source.parent(use)
        if isinstance(use.ctx, ast.Store) or (isinstance(above, ast.Attribute) and above.attr != "seed"):
            continue
        return  # read, or handed on whole
    wrong = [call for call in source.calls if "seed" in last_name(call).lower() and call.args and _at_top(source, call)]
    yield source.hit("seed-parameter-unused", (wrong or options)[0])


def _names_seed(call: ast.Call) -> bool:
    return any(isinstance(arg, ast.Constant) and arg.value in ("--seed", "--random-seed") for arg in call.args)


def _at_top(source: Source, call: ast.Call) -> bool:
    """Not inside the function that sets the seeds."""
    function = source.function_of(call)
    return function is None or "seed" not in function.name.lower()
