"""Audits built by hand, for tests of the reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reprocheck.engine.console import Style
from reprocheck.model import (
    Audit,
    Divergence,
    Edit,
    Finding,
    Informational,
    Location,
    MetricSummary,
    NotCompared,
    Request,
    RunSummary,
    SeedAudit,
    Status,
    StepGrid,
    SummaryPart,
    Target,
    TargetKind,
    TensorDifference,
    Verdict,
)
from reprocheck.model.explanation import Arm, Attribution, Explanation, Frame, OpCall, Origin, Remedy, Trial
from reprocheck.model.kinds import SummaryKind
from reprocheck.model.values import ValueDifference

PLAIN = Style()
A, B = "a" * 32, "b" * 32
HOSTILE = "[red]x[/] :smile: \x1b[31m\x9b2J\r\n\u202e \udcff"


def run(repeat: int = 0, **changes: Any) -> RunSummary:
    given = {
        "id": f"s0r{repeat}",
        "repeat": repeat,
        "status": Status.COMPLETED,
        "reason": "",
        "stderr_tail": "",
        "init": A,
        "steps_digest": A,
        "steps": 20,
        "output": A,
        "metrics": {"accuracy": 0.8},
        "seconds": 1.25,
        "memory": {"rss_peak": 312 * 2**20, "cuda": {"0": {"allocated_peak": 2**30, "reserved_peak": 2**31}}},
        "settings": {"threads": 4},
        "ambient": {"hash_seed": 123},
        "stopped_at": None,
        "directory": f"/evidence/audit-1/s0r{repeat}",
    }
    return RunSummary(**{**given, **changes})


def audit(**changes: Any) -> Audit:
    """A reproducible audit of two runs, or what is changed of it."""
    informational = (
        Informational(what="stdout", same=False, detail="took 1.23 s", only_times=True),
        Informational(what="files", same=True, detail="2"),
    )
    seed = SeedAudit(
        seed=0,
        verdict=Verdict.REPRODUCIBLE,
        reason="",
        runs=(run(0), run(1)),
        divergence=None,
        informational=informational,
    )
    given = {
        "request": Request(target=Target(text="gcn.py:train", kind=TargetKind.FILE_FUNCTION, function="train")),
        "verdict": Verdict.REPRODUCIBLE,
        "exit_code": 0,
        "summary": "no difference observed in 2 runs",
        "seeds": (seed,),
        "divergence": None,
        "findings": (),
        "metrics": (MetricSummary(name="accuracy", seeds=1, mean=0.8, std=None, within=0.0),),
        "compared": ("initial parameters", "steps"),
        "not_compared": (NotCompared(what="loss", reason="never seen"),),
        "varied": ("hash seed", "heap contents"),
        "not_varied": (NotCompared(what="listing order", reason="no shuffling here"),),
        "manifest": {"torch": "2.9", "volatile": {"host": "h", "pids": [1]}},
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 3.5,
        "directory": Path("/evidence/audit-1"),
    }
    given |= changes
    summary = given.pop("summary")
    return Audit(**{"summary_parts": (SummaryPart(kind=SummaryKind.WHOLE, text=summary),), **given})


def different(divergence: Divergence, second: RunSummary, **changes: Any) -> Audit:
    seed = SeedAudit(seed=0, verdict=Verdict.DIFFERENT, reason="", runs=(run(0), second), divergence=divergence)
    given = {"verdict": Verdict.DIFFERENT, "exit_code": 1, "summary": "runs differ", "seeds": (seed,)}
    return audit(**{**given, "divergence": divergence, **changes})


def metric_over_seeds(name: str = "loss", **changes: Any) -> MetricSummary:
    """Three seeds of two runs each."""
    given = {"seeds": 3, "mean": 0.5, "std": 0.1, "within": 0.01, "runs": 6, "minimum": 0.4, "maximum": 0.6}
    values = ((0, (0.4, 0.405)), (1, (0.5, 0.5)), (2, (0.6, 0.61)))
    return MetricSummary(name=name, **{**given, "interval": (0.25, 0.75), "values": values, **changes})


def grid(**changes: Any) -> StepGrid:
    """Five steps, of which the gradients differ from the fourth on, and a sixth that one run lacks."""
    rows = (("batch", "=====?"), ("gradients", "===!!?"), ("parameters", "===!!?"), ("generators", "......"))
    return StepGrid(**{"runs": ("s0r0", "s0r1"), "steps": 6, "width": 1, "rows": rows, **changes})


def tensor(name: str, **changes: Any) -> TensorDifference:
    values = ValueDifference(
        different=118,
        total=4096,
        max_abs=2.4e-07,
        max_ulp=3,
        index=(12, 7),
        samples=(((0, 1), "0.5", "0.6"),),
    )
    given = {"name": name, "kind": "parameter", "dtype": "float32", "shape": (64, 64), "a": A, "b": B}
    return TensorDifference(**{**given, "values": values, **changes})


def divergence(**changes: Any) -> Divergence:
    given = {
        "stage": "step",
        "step": 3,
        "kind": "gradients",
        "names": ("fc.weight",),
        "tensors": (tensor("fc.weight"),),
        "runs": ("s0r0", "s0r1"),
        "note": "the batch was equal",
        "op": "aten::index_add_",
        "location": Location(path="gcn.py", line=41),
    }
    return Divergence(**{**given, **changes})


LINE = Location(path="gcn.py", line=41, columns=(4, 13))
CODE = "h = x[source]"


def call(**changes: Any) -> OpCall:
    given = {
        "op": "aten::_index_put_impl_",
        "step": 3,
        "phase": "backward",
        "module": "conv1",
        "frames": (
            Frame(location=LINE, function="GCN.forward", code=CODE),
            Frame(location=Location(path="gcn.py", line=88), function="train", code="loss = step(model, x)"),
        ),
    }
    return OpCall(**{**given, **changes})


def origin(**changes: Any) -> Origin:
    """An operation with equal inputs and another output, or what is changed of it."""
    values = ValueDifference(
        different=118,
        total=4096,
        max_abs=2.4e-07,
        max_ulp=3,
        index=(12, 7),
        samples=(((0, 1), "0.51725066", "0.5172507"), ((12, 7), "-0.0031", "-0.0032"), ((13, 0), "1.5", "1.6"),
                 ((14, 0), "2.5", "2.6")),
    )  # fmt: skip
    given = {
        "kind": "op",
        "call": call(),
        "runs": ("s0t0", "s0t1"),
        "dtype": "float32",
        "shape": (64, 64),
        "values": values,
        "deterministic_note": "index_put_ with accumulate adds in the order of threads",
        "compared_ops": 1204,
    }
    return Origin(**{**given, **changes})


def arm(name: str, agreed: int, differed: int, **changes: Any) -> Arm:
    given = {"name": name, "question": f"what of {name}?", "runs": 2, "seconds_ratio": 1.01}
    return Arm(**{**given, "agreed": agreed, "differed": differed, **changes})


def attribution(**changes: Any) -> Attribution:
    given = {"kind": "intrinsic", "arms": (arm("control", 1, 3),), "rate": (3, 4)}
    return Attribution(**{**given, **changes})


def trial(
    *texts: str, agreed: int = 2, runs: int = 2, time: float | None = 0.97, failed: str = "", **remedy: Any
) -> Trial:
    remedies = tuple(Remedy(text=text, **remedy) for text in texts)
    return Trial(remedies=remedies, agreed=agreed, runs=runs, time_ratio=time, failed=failed)


def cause(**changes: Any) -> Finding:
    given = {
        "code": "RC541",
        "cause": "index-backward-race",
        "severity": "error",
        "confidence": "high",
        "message": "the backward of indexing adds gradients in the order of threads",
        "location": LINE,
        "source": CODE,
        "evidence": ("`aten::_index_put_impl_` had equal inputs and gave other values",),
        "help": "run on one thread, or use deterministic algorithms",
    }
    return Finding(**{**given, **changes})


def place_finding(**changes: Any) -> Finding:
    """The finding that says where, as every audit that differs has it."""
    given = {
        "code": "RC303",
        "cause": "undiagnosed",
        "severity": "error",
        "confidence": "high",
        "message": "training step differs between s0r0 and s0r1",
        "evidence": ("equal inputs gave other numbers",),
        "help": "try --deterministic warn, or --threads 1, and see which of them helps",
    }
    return Finding(**{**given, **changes})


def edit(**changes: Any) -> Edit:
    given = {
        "path": "data.py",
        "line": 12,
        "before": "    for name in set(names):",
        "after": "    for name in sorted(set(names)):",
    }
    return Edit(**{**given, **changes})


def explanation(**changes: Any) -> Explanation:
    given = {
        "seed": 0,
        "attribution": attribution(),
        "origin": origin(),
        "trials": (trial("--threads 1"), trial("--deterministic warn", agreed=0)),
        "replays": (2, 2),
        "runs": 9,
        "excluded": ("changing only the heap contents changes nothing",),
    }
    return Explanation(**{**given, **changes})


def explained(**changes: Any) -> Audit:
    """An audit whose difference is explained."""
    found = changes.pop("divergence", None) or divergence(tensors=(), note="", location=LINE)
    given = {"findings": (place_finding(), cause()), "explanation": explanation()}
    return different(found, run(1, steps_digest=B, output=B), **{**given, **changes})
