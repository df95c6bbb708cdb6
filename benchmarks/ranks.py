"""What the observation of a rank's step costs beside the plain step: two ranks of DistributedDataParallel, gloo, one
thread each. Both ranks are observed or plain together; rank 0 is timed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from benchmarks.figures import Line, against, figure
from benchmarks.steps import Observed
from benchmarks.workloads import BLOCK, build

LIMIT = 1.05
RANKS = 2
WORKLOADS = ("cnn", "gpt")


def lines(quick: bool) -> Iterator[Line]:
    """On each workload."""
    for name in WORKLOADS[:1] if quick else WORKLOADS:
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(rank_main, (name, folder, quick), nprocs=RANKS)
            ratios = json.loads(Path(folder, "ratios.json").read_text(encoding="utf-8"))
        group = f"observation of a rank's step, {name}, {RANKS} ranks"
        yield figure(group, "all kinds", ratios["ours"], target=LIMIT)
        yield figure(group, "plain against plain (noise)", ratios["again"])


def rank_main(rank: int, name: str, folder: str, quick: bool) -> None:
    """One of the ranks."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=RANKS)
    step, count = build(name, DistributedDataParallel), 1 if quick else 2 * BLOCK[name]
    observed = Observed(Path(folder, f"rank {rank}"))

    def block() -> None:
        for _ in range(count):
            step()

    def ours() -> None:
        with observed.on():
            block()

    ratios = against(block, {"ours": ours, "again": block}, 1 if quick else 11)
    if rank == 0:
        Path(folder, "ratios.json").write_text(json.dumps(ratios), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()
