"""For every rule a case that triggers it, at line 10, and a near miss that does not."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.model import Seeding, Settings
from reprocheck.model.explanation import Case, LedgerEntry
from tests.support.cases import INTRINSIC, LEFTOVER, ambient, case, differs, entry, fact, frozen, hit, origin, seeding

GPU = {"gpus": ["NVIDIA H100"], "threads": 2}
UNSEEDED = Settings(seeding=Seeding.NONE)
HASH, HEAP, LISTING = ambient("hash seed"), ambient("heap contents"), ambient("directory order")
TORCH_DRAW = entry("draw", "torch.nn.init.kaiming_uniform_", 12, generator="torch")
SEED_TORCH = entry("seed", "torch.manual_seed", 10, generator="torch", value="1")
CLOCK = entry("clock", "time.time", 10)
LOADER = entry("loader", "torch.utils.data.DataLoader", 3, value="num_workers=2")
CHILD_SEED = entry("seed", "numpy.random.seed", 10, generator="numpy", value="5", in_child=True)
OTHER_CHILD_SEED = entry("seed", "numpy.random.seed", 10, generator="numpy", value="6", in_child=True)
CHILD_DRAW = entry("draw", "numpy.random.normal", 10, generator="numpy", in_child=True)
POOL = entry("pool", "multiprocessing.pool.Pool", 3)
READ = entry("read", "torch.load", 10, value="last.pt")
WRITE = entry("write", "torch.save", 20, value="last.pt")
APPEND = entry("write", "open", 10, value="data.csv", generator="append")
READ_CSV = entry("read", "open", 12, value="data.csv")
START = entry("thread", "threading.Thread.start", 8, count=4)
GET = entry("pool", "queue.Queue.get", 10)

Make = Callable[[], Case]


def seeds(one: str, other: str, line: int = 10) -> tuple[tuple[LedgerEntry, ...], tuple[LedgerEntry, ...]]:
    """A seed that had another value in the other run."""
    return tuple(  # type: ignore[return-value]
        (entry("seed", "torch.manual_seed", line, value=value, generator="torch"),) for value in (one, other)
    )


def with_fact(kind: str, other: str) -> tuple[Make, Make]:
    """A fact that the run noted makes the finding; one that is like it does not. What makes the facts, and what on
    purpose looks the same, is tried with real trainings in tests/functional/test_loop_checks.py."""
    return lambda: case(divergence=None, facts=(fact(kind),)), lambda: case(divergence=None, facts=(fact(other),))


def clocked() -> Case:
    """A clock before a seed that differs."""
    one, other = seeds("1", "2", 12)
    return case(
        attribution=frozen("clock"),
        entries=(CLOCK, *one),
        other_entries=(CLOCK, *other),
        hits=(hit("seed-from-clock"),),
    )


def reseeded(*, marked: bool = True) -> Case:
    """The target's own seed, and then another one that differs."""
    one, other = seeds("1", "2")
    first = entry("seed", "torch.manual_seed", 5, generator="torch", value="7")
    return case(
        attribution=frozen("clock"),
        entries=(first, *one),
        other_entries=(first, *other),
        hits=(hit("constructor-seed"),) if marked else (),
    )


CASES: dict[str, tuple[Make, Make]] = {
    "no-seed": (
        lambda: case(
            settings=UNSEEDED, attribution=seeding("torch"), entries=(entry("draw", "rand", 10, generator="torch"),)
        ),
        lambda: case(attribution=INTRINSIC, entries=(entry("draw", "rand", 10, generator="torch"),)),
    ),
    "partial-seed": (
        lambda: case(
            settings=UNSEEDED,
            attribution=seeding("numpy"),
            entries=(
                entry("seed", "torch.manual_seed", 5, generator="torch", value="1"),
                entry("draw", "normal", 10, generator="numpy"),
            ),
        ),
        lambda: case(
            settings=UNSEEDED,
            attribution=INTRINSIC,
            entries=(
                entry("seed", "numpy.random.seed", 5, generator="numpy", value="1"),
                entry("draw", "normal", 10, generator="numpy"),
            ),
        ),
    ),
    "seed-after-model": (
        lambda: case(
            settings=UNSEEDED,
            divergence=differs("init", step=None),
            attribution=seeding("torch"),
            entries=(
                entry("draw", "kaiming_uniform_", 10, generator="torch"),
                entry("seed", "torch.manual_seed", 12, generator="torch", value="4"),
            ),
        ),
        lambda: case(
            settings=UNSEEDED,
            attribution=seeding("torch"),
            entries=(
                entry("seed", "torch.manual_seed", 8, generator="torch", value="4"),
                entry("draw", "kaiming_uniform_", 10, generator="torch"),
            ),
        ),
    ),
    "numpy-generator-unseeded": (
        lambda: case(attribution=frozen("unseeded"), entries=(entry("unseeded", "numpy.random.default_rng"),)),
        lambda: case(attribution=HASH, entries=(entry("unseeded", "numpy.random.default_rng"),)),
    ),
    "rng-instance-unseeded": (
        lambda: case(attribution=frozen("unseeded"), entries=(entry("unseeded", "random.Random"),)),
        lambda: case(attribution=frozen("clock"), entries=(entry("unseeded", "random.Random"),)),
    ),
    "entropy-reseed": (
        lambda: case(attribution=INTRINSIC, entries=(entry("seed", "torch.seed", value="entropy", generator="torch"),)),
        lambda: case(
            attribution=INTRINSIC, entries=(entry("seed", "torch.manual_seed", value="3", generator="torch"),)
        ),
    ),
    "generator-default-seed": (
        lambda: case(divergence=None, entries=(entry("unseeded", "torch.Generator", value="default seed"),)),
        lambda: case(divergence=None, entries=(entry("seed", "torch.Generator.manual_seed", value="3"),)),
    ),
    "entropy-seed": (
        lambda: case(attribution=frozen("entropy"), entries=(entry("entropy", "uuid.uuid4"),)),
        lambda: case(attribution=INTRINSIC, entries=(entry("entropy", "uuid.uuid4"),)),
    ),
    "clock-or-pid-seed": (
        clocked,
        lambda: case(attribution=INTRINSIC, entries=(CLOCK, SEED_TORCH), other_entries=(CLOCK, SEED_TORCH)),
    ),
    "fixed-stream": (
        lambda: case(divergence=None, equal_batches=((0, 1),), hits=(hit("constant-stream"),)),
        lambda: case(divergence=None, hits=(hit("constant-stream"),)),
    ),
    "sampler-epoch": (
        lambda: case(divergence=None, hits=(hit("sampler-without-epoch"), hit("epoch-loop", 7))),
        lambda: case(divergence=None, hits=(hit("sampler-without-epoch"), hit("epoch-loop", 7), hit("set-epoch", 8))),
    ),
    "process-feature": (
        lambda: case(attribution=frozen("pid"), entries=(entry("pid", "os.getpid"),)),
        lambda: case(attribution=INTRINSIC, entries=(entry("pid", "os.getpid"),)),
    ),
    "env-rng": (
        lambda: case(
            attribution=frozen("unseeded"),
            entries=(entry("unseeded", "numpy.random.default_rng"),),
            hits=(hit("reset-rng"),),
        ),
        lambda: case(
            attribution=frozen("unseeded"),
            entries=(entry("unseeded", "numpy.random.default_rng"),),
            hits=(hit("reset-rng", 40),),
        ),
    ),
    "third-party-rng": (
        lambda: case(attribution=frozen("unseeded"), entries=(entry("unseeded", "scipy.stats.qmc.Sobol"),)),
        lambda: case(attribution=frozen("unseeded"), entries=(entry("unseeded", "numpy.random.RandomState"),)),
    ),
    "import-time-rng": (
        lambda: case(
            attribution=frozen("unseeded"),
            entries=(entry("unseeded", "numpy.random.default_rng", in_import=True),),
            hits=(hit("default-argument-rng"),),
        ),
        lambda: case(
            attribution=frozen("unseeded"), entries=(entry("unseeded", "numpy.random.default_rng", in_import=True),)
        ),
    ),
    "eval-sampling": (
        lambda: case(
            divergence=differs("metric", step=None),
            attribution=frozen("unseeded"),
            entries=(entry("unseeded", "numpy.random.default_rng", step=4),),
        ),
        lambda: case(
            divergence=differs("step", step=6),
            attribution=frozen("unseeded"),
            entries=(entry("unseeded", "numpy.random.default_rng", step=4),),
        ),
    ),
    "worker-init-entropy": (
        lambda: case(attribution=frozen("pid"), entries=(LOADER, CHILD_SEED), other_entries=(LOADER, OTHER_CHILD_SEED)),
        lambda: case(attribution=frozen("pid"), entries=(LOADER, CHILD_SEED), other_entries=(LOADER, CHILD_SEED)),
    ),
    "worker-race": (
        lambda: case(attribution=INTRINSIC, entries=(LOADER,), hits=(hit("dataset-queue-get"),)),
        lambda: case(
            attribution=INTRINSIC,
            entries=(entry("loader", "DataLoader", 3, value="num_workers=0"),),
            hits=(hit("dataset-queue-get"),),
        ),
    ),
    "spawn-worker-entropy": (
        lambda: case(attribution=INTRINSIC, hits=(hit("spawn-draw"),)),
        lambda: case(attribution=HEAP, hits=(hit("spawn-draw"),)),
    ),
    "pool-workers-draw": (
        lambda: case(attribution=INTRINSIC, entries=(POOL, CHILD_DRAW)),
        lambda: case(attribution=INTRINSIC, entries=(POOL, CHILD_DRAW, LOADER)),
    ),
    "worker-epoch-repeat": (
        lambda: case(
            divergence=None,
            entries=(LOADER, entry("seed", "torch.manual_seed", generator="torch", value="0", in_child=True)),
            hits=(hit("constant-seed"),),
        ),
        lambda: case(
            divergence=None,
            entries=(LOADER, entry("seed", "torch.manual_seed", generator="torch", value="0")),
            hits=(hit("constant-seed"),),
        ),
    ),
    "str-set-order": (
        lambda: case(attribution=HASH, hits=(hit("set-iteration", edit=True),)),
        lambda: case(attribution=frozen("clock"), hits=(hit("set-iteration"),)),
    ),
    "builtin-hash": (
        lambda: case(attribution=HASH, hits=(hit("hash-call"),)),
        lambda: case(attribution=LISTING, hits=(hit("hash-call"),)),
    ),
    "unordered-float-sum": (
        lambda: case(attribution=HASH, hits=(hit("set-sum"),)),
        lambda: case(attribution=HEAP, hits=(hit("set-sum"),)),
    ),
    "hashseed-too-late": (
        lambda: case(attribution=HASH, hits=(hit("set-iteration", 5), hit("hashseed-assignment"))),
        lambda: case(attribution=INTRINSIC, hits=(hit("hashseed-assignment"),)),
    ),
    "id-order": (
        lambda: case(attribution=INTRINSIC, hits=(hit("module-set"),)),
        lambda: case(attribution=HASH, hits=(hit("module-set"),)),
    ),
    "listdir-order": (
        lambda: case(
            attribution=LISTING,
            entries=(entry("listing", "os.listdir"), entry("listing", "os.listdir", 30)),
            hits=(hit("listdir"),),
        ),
        lambda: case(attribution=INTRINSIC, entries=(entry("listing", "os.listdir"),), hits=(hit("listdir"),)),
    ),
    "glob-order": (
        lambda: case(attribution=LISTING, entries=(entry("listing", "glob.glob"),), hits=(hit("glob"),)),
        lambda: case(
            attribution=LISTING,
            entries=(entry("listing", "glob.glob", 30), entry("listing", "os.listdir")),
            hits=(hit("listdir"),),
        ),
    ),
    "unordered-query": (
        lambda: case(
            attribution=INTRINSIC,
            entries=(entry("query", "sqlite3.Connection.execute", value="SELECT a FROM t ORDER BY RANDOM()"),),
        ),
        lambda: case(
            attribution=INTRINSIC,
            entries=(entry("query", "sqlite3.Connection.execute", value="SELECT a FROM t ORDER BY id"),),
        ),
    ),
    "data-changed": (
        lambda: case(attribution=LEFTOVER, entries=(APPEND, READ_CSV)),
        lambda: case(attribution=LEFTOVER, entries=(entry("write", "open", 10, value="data.csv"), READ_CSV)),
    ),
    "auto-resume": (
        lambda: case(
            attribution=LEFTOVER,
            divergence=differs("init", step=None),
            entries=(READ, WRITE),
            hits=(hit("guarded-load"),),
        ),
        lambda: case(attribution=INTRINSIC, divergence=differs("init", step=None), entries=(WRITE,)),
    ),
    "cache-shift": (
        lambda: case(
            attribution=LEFTOVER,
            divergence=differs("init", step=None),
            entries=(entry("probe", "Path.exists", 10, value="last.pt"), READ, WRITE),
            hits=(hit("cache-guard"),),
        ),
        lambda: case(
            attribution=LEFTOVER,
            divergence=differs("init", step=None),
            entries=(READ, WRITE),
            hits=(hit("guarded-load"),),
        ),
    ),
    "best-file": (
        lambda: case(
            attribution=LEFTOVER,
            divergence=differs("metric", step=None),
            entries=(READ, WRITE),
            hits=(hit("guarded-load"),),
        ),
        lambda: case(
            attribution=LEFTOVER, divergence=differs("step"), entries=(READ, WRITE), hits=(hit("guarded-load"),)
        ),
    ),
    "module-global": (
        lambda: case(attribution=ambient("process state"), hits=(hit("module-state"),)),
        lambda: case(attribution=INTRINSIC, hits=(hit("module-state"),)),
    ),
    "wall-clock-branch": (
        lambda: case(
            divergence=differs("output"), attribution=frozen("clock"), entries=(CLOCK,), hits=(hit("clock-branch"),)
        ),
        lambda: case(
            divergence=differs("output"),
            attribution=INTRINSIC,
            entries=(entry("clock", "time.time", 11),),
            hits=(hit("clock-branch"),),
        ),
    ),
    "timing-choice": (
        lambda: case(
            divergence=differs("output"), attribution=frozen("clock"), entries=(CLOCK,), hits=(hit("clock-choice"),)
        ),
        lambda: case(
            divergence=differs("output"),
            attribution=INTRINSIC,
            entries=(entry("clock", "time.time", 11),),
            hits=(hit("clock-choice"),),
        ),
    ),
    "seed-drawn": (
        lambda: case(
            settings=UNSEEDED,
            attribution=seeding("python"),
            hits=(hit("seed-drawn"),),
            entries=(
                entry("draw", "random.randint", 10, generator="python"),
                entry("seed", "torch.manual_seed", 11, value="3"),
            ),
        ),
        lambda: case(
            settings=UNSEEDED,
            attribution=seeding("python"),
            entries=(entry("draw", "random.random", 10, generator="python"),),
        ),
    ),
    "wall-clock-budget": (
        lambda: case(
            divergence=differs("step", kind="steps", step=9),
            attribution=frozen("clock"),
            entries=(entry("clock", "time.monotonic"),),
            hits=(hit("clock-loop"),),
        ),
        lambda: case(
            divergence=differs("step"),
            attribution=INTRINSIC,
            entries=(entry("clock", "time.monotonic"),),
            hits=(hit("clock-loop"),),
        ),
    ),
    "wall-clock-schedule": (
        lambda: case(
            divergence=differs("step", kind="parameters"),
            attribution=frozen("clock"),
            entries=(entry("clock", "time.time", 5), entry("clock", "time.time", 10)),
            hits=(hit("elapsed"),),
        ),
        lambda: case(
            divergence=differs("step", kind="loss"), attribution=frozen("clock"), entries=(entry("clock", "time.time"),)
        ),
    ),
    "now-feature": (
        lambda: case(attribution=frozen("clock"), entries=(entry("clock", "datetime.datetime.now"),)),
        lambda: case(attribution=INTRINSIC, entries=(entry("clock", "datetime.datetime.now"),)),
    ),
    "timing-metric": (
        lambda: case(
            divergence=differs("metric", step=None, names=("seconds",)),
            entries=(entry("clock", "time.perf_counter", step=4),),
        ),
        lambda: case(
            divergence=differs("metric", step=None, names=("loss",)),
            entries=(entry("clock", "time.perf_counter", step=4),),
        ),
    ),
    "completion-order": (
        lambda: case(attribution=INTRINSIC, entries=(entry("pool", "concurrent.futures.as_completed"),)),
        lambda: case(attribution=INTRINSIC, entries=(entry("pool", "concurrent.futures.ThreadPoolExecutor"),)),
    ),
    "producer-race": (
        lambda: case(
            attribution=INTRINSIC,
            entries=(entry("thread", "threading.Thread.start", count=4), entry("pool", "queue.Queue.get", 20)),
            hits=(hit("thread-producer"),),
        ),
        lambda: case(
            attribution=INTRINSIC,
            entries=(entry("thread", "threading.Thread.start"), entry("pool", "queue.Queue.get", 20)),
            hits=(hit("thread-producer"),),
        ),
    ),
    "arrival-order-sum": (
        lambda: case(attribution=INTRINSIC, entries=(START, GET), hits=(hit("queue-sum"), hit("thread-producer", 8))),
        lambda: case(attribution=INTRINSIC, entries=(START, GET), hits=(hit("queue-get"),)),
    ),
    "threads-share-rng": (
        lambda: case(
            attribution=INTRINSIC, entries=(entry("draw", "numpy.random.randn", generator="numpy", threads=8),)
        ),
        lambda: case(attribution=INTRINSIC, entries=(entry("draw", "numpy.random.randn", generator="numpy"),)),
    ),
    "background-draw": (
        lambda: case(
            attribution=INTRINSIC,
            entries=(entry("draw", "torch.randint", generator="torch", value="thread"), TORCH_DRAW),
        ),
        lambda: case(attribution=INTRINSIC, entries=(entry("draw", "torch.randint", generator="torch"), TORCH_DRAW)),
    ),
    "hogwild": (
        lambda: case(
            divergence=differs("output", step=None),
            attribution=INTRINSIC,
            entries=(entry("share_memory", "torch.nn.Module.share_memory"),),
        ),
        lambda: case(divergence=differs("output", step=None), attribution=INTRINSIC, hits=(hit("thread-update"),)),
    ),
    "parallel-search": (
        lambda: case(attribution=INTRINSIC, hits=(hit("n-jobs", code="study.optimize(f, n_jobs=4)"),)),
        lambda: case(attribution=INTRINSIC, hits=(hit("n-jobs", code="RandomForestClassifier(n_jobs=4)"),)),
    ),
    "async-copy-race": (
        lambda: case(attribution=INTRINSIC, manifest=GPU, hits=(hit("non-blocking-copy"),)),
        lambda: case(attribution=INTRINSIC, hits=(hit("non-blocking-copy"),)),
    ),
    "cpu-index-accumulate": (
        lambda: case(attribution=INTRINSIC, origin=origin("aten::_index_put_impl_", phase="backward")),
        lambda: case(attribution=HASH, origin=origin("aten::_index_put_impl_", phase="backward")),
    ),
    "index-put-duplicates": (
        lambda: case(attribution=INTRINSIC, origin=origin("aten::index_put_", code="memory[slots] = values")),
        lambda: case(
            attribution=INTRINSIC, origin=origin("aten::index_put_", code="g.index_put_(i, v, accumulate=True)")
        ),
    ),
    "lstsq-and-signs": (
        lambda: case(attribution=HEAP, origin=origin("aten::linalg_lstsq")),
        lambda: case(attribution=HEAP, origin=origin("aten::linalg_lstsq", kind="outside")),
    ),
    "compile-autotune": (
        lambda: case(attribution=INTRINSIC, origin=origin("compiled::Net")),
        lambda: case(attribution=INTRINSIC, origin=origin("compiled::Net", kind="outside")),
    ),
    "empty-parameter": (
        lambda: case(
            divergence=differs("init", step=None), attribution=HEAP, hits=(hit("parameter-empty"), hit("np-empty", 40))
        ),
        lambda: case(divergence=differs("init", step=None), attribution=INTRINSIC, hits=(hit("parameter-empty"),)),
    ),
    "empty-buffer": (
        lambda: case(divergence=differs("step"), attribution=HEAP, hits=(hit("torch-empty"),)),
        lambda: case(divergence=differs("step"), attribution=LISTING, hits=(hit("torch-empty"),)),
    ),
    "np-empty": (
        lambda: case(attribution=HEAP, hits=(hit("np-empty"), hit("torch-empty", 40))),
        lambda: case(attribution=HASH, hits=(hit("np-empty"),)),
    ),
    "fill-masks-cause": (
        lambda: case(attribution=HEAP, hits=(hit("np-empty"),)),
        lambda: case(attribution=INTRINSIC, hits=(hit("np-empty"),)),
    ),
    "tmpdir-dependence": (
        lambda: case(attribution=ambient("temporary directory"), hits=(hit("path-hash"),)),
        lambda: case(attribution=HASH, hits=(hit("path-hash"),)),
    ),
    "atomic-add": (
        lambda: case(attribution=INTRINSIC, manifest=GPU, origin=origin("aten::scatter_add_")),
        lambda: case(attribution=INTRINSIC, origin=origin("aten::scatter_add_")),
    ),
    "interpolate-backward": (
        lambda: case(attribution=INTRINSIC, manifest=GPU, origin=origin("aten::grid_sampler_2d_backward")),
        lambda: case(attribution=INTRINSIC, manifest=GPU, origin=origin("aten::grid_sampler_2d")),
    ),
    "cudnn-benchmark": (
        lambda: case(
            attribution=INTRINSIC,
            manifest=GPU,
            origin=origin("aten::cudnn_convolution"),
            settings_at_end={"cudnn_benchmark": True, "cudnn_deterministic": True},
        ),
        lambda: case(
            attribution=INTRINSIC,
            manifest=GPU,
            origin=origin("aten::cudnn_convolution"),
            settings_at_end={"cudnn_benchmark": False},
        ),
    ),
    "cudnn-algorithm": (
        lambda: case(
            attribution=INTRINSIC,
            manifest=GPU,
            origin=origin("aten::convolution_backward"),
            settings_at_end={"cudnn_deterministic": False},
        ),
        lambda: case(
            attribution=INTRINSIC,
            manifest=GPU,
            origin=origin("aten::convolution_backward"),
            settings_at_end={"cudnn_deterministic": True},
        ),
    ),
    "cublas-workspace": (
        lambda: case(attribution=INTRINSIC, manifest=GPU, origin=origin("aten::addmm")),
        lambda: case(
            attribution=INTRINSIC,
            manifest=GPU,
            origin=origin("aten::addmm"),
            settings_at_end={"cublas_workspace_config": ":4096:8"},
        ),
    ),
    "cudnn-rnn": (
        lambda: case(attribution=INTRINSIC, manifest=GPU, origin=origin("aten::_cudnn_rnn_backward")),
        lambda: case(attribution=INTRINSIC, origin=origin("aten::_cudnn_rnn_backward")),
    ),
    "flash-attention-backward": (
        lambda: case(
            attribution=INTRINSIC, manifest=GPU, origin=origin("aten::_scaled_dot_product_flash_attention_backward")
        ),
        lambda: case(attribution=INTRINSIC, manifest=GPU, origin=origin("aten::_scaled_dot_product_flash_attention")),
    ),
    "first-gpu-only": (
        lambda: case(
            settings=UNSEEDED,
            attribution=seeding("cuda"),
            manifest={"gpus": ["a", "b"]},
            entries=(entry("seed", "torch.cuda.manual_seed", generator="cuda", value="1"),),
        ),
        lambda: case(
            settings=UNSEEDED,
            attribution=seeding("cuda"),
            manifest={"gpus": ["a"]},
            entries=(entry("seed", "torch.cuda.manual_seed", generator="cuda", value="1"),),
        ),
    ),
    "rank-sampler-seed": (
        lambda: case(
            attribution=frozen("entropy"),
            entries=(entry("entropy", "secrets.randbits", code="ShardSampler(data, seed=randbits(32))"),),
        ),
        lambda: case(
            attribution=HASH,
            entries=(entry("entropy", "secrets.randbits", code="ShardSampler(data, seed=randbits(32))"),),
        ),
    ),
    "ranks-unseeded": (
        lambda: case(divergence=differs("output", step=None), attribution=INTRINSIC, hits=(hit("rank-draw"),)),
        lambda: case(divergence=differs("output", step=None), attribution=LEFTOVER, hits=(hit("rank-draw"),)),
    ),
    "library-reseeds": (
        reseeded,
        lambda: reseeded(marked=False),
    ),
    "seed-fixed-inside": (
        lambda: case(
            divergence=None,
            equal_seeds=((0, 1),),
            entries=(entry("seed", "torch.manual_seed", generator="torch", value="42"),),
            hits=(hit("constant-seed"),),
        ),
        lambda: case(
            divergence=None,
            entries=(entry("seed", "torch.manual_seed", generator="torch", value="42"),),
            hits=(hit("constant-seed"),),
        ),
    ),
    "seed-unused": (
        lambda: case(divergence=None, equal_seeds=((0, 1),), hits=(hit("seed-parameter-unused"),)),
        lambda: case(divergence=None, hits=(hit("seed-parameter-unused"),)),
    ),
    "constant-init": (
        lambda: case(divergence=None, equal_starts=((0, 1),), hits=(hit("constant-init"),)),
        lambda: case(divergence=None, hits=(hit("constant-init"),)),
    ),
    "functional-dropout": (
        lambda: case(divergence=None, hits=(hit("functional-dropout"),)),
        lambda: case(divergence=None),
    ),
    "reseed-per-epoch": (
        lambda: case(
            divergence=None,
            entries=(entry("seed", "torch.manual_seed", generator="torch", value="0", count=5, step=3),),
            hits=(hit("constant-seed"),),
        ),
        lambda: case(
            divergence=None,
            entries=(entry("seed", "torch.manual_seed", generator="torch", value="0", count=1),),
            hits=(hit("constant-seed"),),
        ),
    ),
    "train-mode-without-grad": with_fact("train-mode-without-grad", "evaluation-in-train-mode"),
    "evaluation-in-train-mode": with_fact("evaluation-in-train-mode", "train-mode-without-grad"),
    "graph-in-evaluation": with_fact("graph-in-evaluation", "evaluation-in-train-mode"),
    "step-after-evaluation": with_fact("step-after-evaluation", "step-in-eval-mode"),
    "step-in-eval-mode": with_fact("step-in-eval-mode", "step-after-evaluation"),
    "gradients-not-zeroed": with_fact("gradients-not-zeroed", "step-on-old-gradients"),
    "step-on-old-gradients": with_fact("step-on-old-gradients", "step-without-gradients"),
    "step-without-gradients": with_fact("step-without-gradients", "step-on-old-gradients"),
    "scheduler-before-optimizer": with_fact("scheduler-before-optimizer", "step-without-gradients"),
    "parameters-without-gradient": with_fact("parameters-without-gradient", "nothing-is-trained"),
    "nothing-is-trained": with_fact("nothing-is-trained", "parameters-without-gradient"),
    "replicas-differ": with_fact("replicas-differ", "ranks-same-batches"),
    "ranks-same-batches": with_fact("ranks-same-batches", "replicas-differ"),
    "gradients-not-averaged": with_fact("gradients-not-averaged", "replicas-differ"),
    "ranks-other-start": with_fact("ranks-other-start", "gradients-not-averaged"),
    "ranks-same-masks": with_fact("ranks-same-masks", "ranks-same-batches"),
    "gradient-without-optimizer": with_fact("gradient-without-optimizer", "parameters-without-gradient"),
}
