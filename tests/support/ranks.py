"""Trainings of two ranks, with gloo, as users write them; and made-up evidence of ranks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.protocol.rank_folders import RANK_RECORD
from reprocheck.worker.recorder import Recorder
from tests.support.evidence import step_records

DDP = """\
import os, sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

MODE = sys.argv[1] if len(sys.argv) > 1 else "clean"
SECOND = os.environ["REPROCHECK_RUN"].endswith("r1")


def main():
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    if MODE == "hash":
        seeds = [None, None]
        dist.all_gather_object(seeds, hash("a"))
        assert seeds[0] != seeds[1], "one hash seed for all ranks"
    if MODE != "unseeded":
        torch.manual_seed(0)
    data = TensorDataset(torch.randn(32, 8), torch.randn(32, 1))
    sampler = DistributedSampler(data, seed=3)
    loader = DataLoader(data, batch_size=4, sampler=None if MODE == "same" else sampler)
    model = DistributedDataParallel(torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for x, y in loader:
            if MODE == "other" and SECOND and rank == 1:
                x = x + 1  # the second run alone, and rank 1 alone
            optimizer.zero_grad()
            if MODE == "alone":
                with model.no_sync():
                    (model(x) - y).pow(2).mean().backward()
                optimizer.step()
                continue
            (model(x) - y).pow(2).mean().backward()
            optimizer.step()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
"""
BY_HAND = """\
import sys, time
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

MODE = sys.argv[1]


def main():
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(11 + rank if MODE == "other start" else 11)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 1))
    data = torch.Generator().manual_seed(rank)
    if MODE != "same masks":
        torch.manual_seed(100 + rank)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    net = DistributedDataParallel(model) if "masks" in MODE else model
    for step in range(4):
        optimizer.zero_grad()
        net(torch.randn(4, 8, generator=data)).pow(2).mean().backward()
        for p in model.parameters() if MODE in ("clean", "other start") else ():
            dist.all_reduce(p.grad)
            p.grad /= dist.get_world_size()
        optimizer.step()
    if MODE == "averaged later":
        for p in model.parameters():
            dist.all_reduce(p.data)
            p.data /= dist.get_world_size()
    time.sleep(0.3)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
"""
ACCELERATE = """\
import os, sys
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

OTHER = "other" in sys.argv and os.environ["REPROCHECK_RUN"].endswith("r1")


def main():
    accelerator = Accelerator(cpu=True)
    set_seed(42)
    x = torch.randn(32 * accelerator.num_processes, 8)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.1), nn.Linear(8, 1))
    model, optimizer, loader = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.01), loader)
    for step, (a, b) in enumerate(loader):
        optimizer.zero_grad()
        accelerator.backward((model(a + (OTHER and step == 1)) - b).pow(2).mean())
        optimizer.step()
    accelerator.end_training()


main()
"""
LIGHTNING = """\
import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset


class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(8, 1)

    def training_step(self, batch, index):
        return (self.net(batch[0]) - batch[1]).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def main():
    lightning.seed_everything(1)
    x = torch.randn(64, 8)
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_checkpointing=False,
        enable_progress_bar=False,  # more
    )
    trainer.fit(Net(), DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True))


if __name__ == "__main__":
    main()
"""
SAVING = """\
import os, sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def main():
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(3)
    model = DistributedDataParallel(torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    path, first = f"{rank}.pt", 0
    if os.path.exists("0.pt"):
        saved = torch.load("0.pt")
        first = saved["step"]
        model.load_state_dict(saved["model"])
        if rank == 0 or sys.argv[1] == "all":
            optimizer.load_state_dict(saved["optimizer"])
    for step in range(first, 6):
        x = torch.randn(4, 8, generator=torch.Generator().manual_seed(10 * step + rank))
        optimizer.zero_grad()
        model(x).pow(2).mean().backward()
        optimizer.step()
        if rank == 0:
            state = {"step": step + 1, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, "new.pt")
            os.replace("new.pt", "0.pt")
    dist.destroy_process_group()


main()
"""
SPAWN = """\
import os, socket
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel


def rank_main(rank, port, queue, other):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.manual_seed(0)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    model = DistributedDataParallel(torch.nn.Linear(8, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    generator = torch.Generator()
    generator.manual_seed(7) if rank == 0 or not other else generator.seed()
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(16, 8, generator=generator)).pow(2).mean().backward()
        optimizer.step()
    if rank == 0:
        queue.put(float(next(model.parameters()).sum()))
    dist.destroy_process_group()


def train(other=False, method="spawn"):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    queue = mp.get_context(method).SimpleQueue()
    mp.start_processes(rank_main, (port, queue, other), nprocs=2, start_method=method)
    queue.get()
    return {"accuracy": 0.0}
"""


def identity(rank: int, **changed: Any) -> dict[str, Any]:
    """What a rank says of itself."""
    known = {"rank": rank, "local_rank": rank, "world_size": 2, "restarts": 0, "host": "h"}
    return {**known, "left_open": False, "from_start": True, **changed}


def make_rank(
    run: Path,
    rank: int,
    *,
    name: str = "",
    word: str = "",
    steps: int = 3,
    close: bool = True,
    copy: bool = False,
    facts: Mapping[str, tuple[str, ...]] | None = None,
    weight: str = "0",
    words: Mapping[str, str] = {},
    tail: str = "",
    key: str = "1" * 32,
    **changed: Any,
) -> Path:
    """Evidence of a rank in the folder of a made-up run. `name`: of its folder. `facts`: names by kind."""
    folder = run / "ranks" / (name or f"{rank}-0")
    folder.mkdir(mode=0o700, parents=True)
    recorder = Recorder(folder)
    recorder.line("start", run="s0r0", seed=0, pid=1000 + rank, python="3.12.0")
    recorder.line(RANK_RECORD, **identity(rank, **changed))
    weight = {"name": "fc.weight", "kind": "parameter", "dtype": "float32", "shape": [5], "digest": weight * 32}
    recorder.line("initial", stage="step", step=0, root="Net", tensors=[weight])
    recorder.line("optimizer", index=0, key=key, type="SGD")
    if copy and facts is None:
        facts = {"replica-called": (), "replica-stepped": ()}
    if facts is not None:
        place = {"path": "a.py", "line": 3, "count": 1, "step": 0}
        noted = [{"kind": kind, **place, "names": names, "named": len(names)} for kind, names in facts.items()]
        recorder.line("conduct", facts=noted)
    for record in step_records(steps, word, words, tail):
        recorder.step(record)
    recorder.line("rng at end", torch="4" * 32)
    recorder.line("files", files=[])
    recorder.line("settings", settings={})
    recorder.line("memory", memory={})
    recorder.line("manifest", manifest={})
    if close:
        recorder.end(status="finished", returned=False, error="", stopped_at=None, skipped=0)
    else:
        recorder.flush()
    return folder
