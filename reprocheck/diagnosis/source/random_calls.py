"""Where random numbers come from a generator that nobody seeded, or that entropy, a clock or a constant seeds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reprocheck.diagnosis.source.edit import add_argument, replace, seed_in_scope, set_argument, text_of
from reprocheck.diagnosis.source.parse import (
    FunctionNode,
    Source,
    has_spread,
    is_none,
    is_true,
    keyword,
    last_name,
    unseeded,
)
from reprocheck.model import Edit
from reprocheck.model.explanation import SourceHit

CONSTRUCTORS = {
    "numpy.random.default_rng",
    "numpy.random.RandomState",
    "numpy.random.SeedSequence",
    "numpy.random.PCG64",
    "numpy.random.MT19937",
    "numpy.random.Philox",
    "numpy.random.SFC64",
    "random.Random",
    "torch.Generator",
}
_SHUFFLERS = {"KFold", "StratifiedKFold", "GroupKFold", "StratifiedGroupKFold"}
"""They draw only with shuffle=True."""
_RANDOM_STATE = {"train_test_split", "ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit", "RepeatedKFold",
                 "RepeatedStratifiedKFold", "resample", "KMeans", "MiniBatchKMeans", "RandomForestClassifier",
                 "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor", "MLPClassifier",
                 "MLPRegressor", "RandomizedSearchCV", "TSNE", "make_blobs", "make_moons", "make_circles",
                 "make_classification", "make_regression", "BaggingClassifier", "GaussianMixture"}  # fmt: skip
_SEEDED_BY_SEED = {"Sobol", "Halton", "LatinHypercube", "PoissonDisk", "TPESampler", "RandomSampler", "CmaEsSampler"}

_DROPOUTS = (".dropout", ".dropout1d", ".dropout2d", ".dropout3d", ".alpha_dropout", ".feature_alpha_dropout")

_DRAWING = _SHUFFLERS | _RANDOM_STATE | _SEEDED_BY_SEED | {"sample"}


def find_random(source: Source) -> Iterator[SourceHit]:
    """All patterns of this module."""
    for call in source.calls:
        yield from _constructor(source, call)
        yield from _third_party(source, call)
        yield from _dropout(source, call)
        jobs = keyword(call, "n_jobs")
        if isinstance(jobs, (ast.Constant, ast.UnaryOp)) and ast.unparse(jobs) not in ("1", "None"):
            yield source.hit("n-jobs", call, replace(source, jobs, "1"))
    for function in source.functions:
        for default in (*function.args.defaults, *(item for item in function.args.kw_defaults if item is not None)):
            for call in (node for node in ast.walk(default) if isinstance(node, ast.Call)):
                if source.name(call.func) in CONSTRUCTORS:
                    yield source.hit("default-argument-rng", call, _seeded(source, call))


def _constructor(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    name = source.name(call.func)
    if name not in CONSTRUCTORS:
        return
    above = source.parent(call)
    if isinstance(above, ast.Attribute) and above.attr == "manual_seed":
        return
    function = source.function_of(call)
    if function is not None and function.name == "reset":
        yield source.hit("reset-rng", call, _reset_edit(source, call, function))
    in_class = isinstance(source.parent(above), ast.ClassDef) if isinstance(above, ast.stmt) else False
    if in_class:
        yield source.hit("class-body-rng", call, _seeded(source, call))
    if unseeded(call) or name == "torch.Generator":
        if name == "torch.Generator" and _seeded_later(source, call):
            return
        yield source.hit("unseeded-generator", call, _seeded(source, call))


def _seeded(source: Source, call: ast.Call) -> Edit | None:
    """The same generator from the run's seed."""
    seed = seed_in_scope(source, call)
    if source.name(call.func) == "torch.Generator":
        text = text_of(source, call)
        return replace(source, call, f"{text}.manual_seed({seed})") if text else None
    if call.args:
        return replace(source, call.args[0], seed) if is_none(call.args[0]) else None
    return add_argument(source, call, seed) if not call.keywords else None


def _reset_edit(source: Source, call: ast.Call, function: FunctionNode) -> Edit | None:
    parameters = {arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)}
    if len(call.args) == 1 and isinstance(call.args[0], ast.Name) and call.args[0].id in parameters:
        name = call.args[0].id
        return replace(source, call.args[0], f"0 if {name} is None else {name}")
    return _seeded(source, call) if unseeded(call) else None


def _seeded_later(source: Source, call: ast.Call) -> bool:
    """`g = torch.Generator()` and then `g.manual_seed(...)` or `g.set_state(...)`."""
    above = source.parent(call)
    if not isinstance(above, ast.Assign):
        return False
    name = ast.unparse(above.targets[0])
    return any(
        isinstance(other.func, ast.Attribute)
        and other.func.attr in ("manual_seed", "set_state")
        and ast.unparse(other.func.value) == name
        for other in source.calls
    )


def _third_party(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    name = last_name(call)
    if has_spread(call) or name not in _DRAWING:
        return
    seed = seed_in_scope(source, call)
    if name in _RANDOM_STATE or (name in _SHUFFLERS and is_true(keyword(call, "shuffle"))):
        if keyword(call, "random_state") is None or is_none(keyword(call, "random_state")):
            yield source.hit("random-state-none", call, set_argument(source, call, "random_state", seed))
    elif name in _SEEDED_BY_SEED and source.name(call.func).split(".")[0] in ("scipy", "optuna"):
        if keyword(call, "seed", "rng", "random_state") is None:
            yield source.hit("random-state-none", call, add_argument(source, call, f"seed={seed}"))
    elif name == "sample" and keyword(call, "frac", "n") is not None and keyword(call, "random_state") is None:
        yield source.hit("random-state-none", call, add_argument(source, call, f"random_state={seed}"))


def _dropout(source: Source, call: ast.Call) -> Iterator[SourceHit]:
    """`F.dropout(x)` without `training=` is always on."""
    name = source.name(call.func)
    if not name.startswith("torch.nn.functional.") or not name.endswith(_DROPOUTS):
        return
    if len(call.args) < 3 and keyword(call, "training") is None and not has_spread(call):
        function = source.function_of(call)
        has_self = function is not None and function.args.args[:1] and function.args.args[0].arg == "self"
        edit = add_argument(source, call, "training=self.training") if has_self else None
        yield source.hit("functional-dropout", call, edit)


def reseed_edit(source: Source, call: ast.Call) -> Edit | None:
    """`torch.seed()` → `torch.manual_seed(seed)`; `np.random.seed(None)` → `np.random.seed(seed)`."""
    seed = seed_in_scope(source, call)
    name = source.name(call.func)
    if name in ("numpy.random.seed", "random.seed"):
        return replace(source, call.args[0], seed) if call.args else add_argument(source, call, seed)
    if call.args or not isinstance(call.func, ast.Attribute):
        return None
    text = text_of(source, call.func.value)
    return replace(source, call, f"{text}.manual_seed({seed})") if text else None
