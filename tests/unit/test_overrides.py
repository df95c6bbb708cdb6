"""Arguments that a run gives to what the target makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """\
import torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP
from reprocheck.model import Interventions
from reprocheck.worker.bootstrap import overrides

dist.init_process_group("gloo", init_method="file://" + __file__ + ".store", rank=0, world_size=1)
overrides.apply(Interventions(), watch=True)
plain = DDP(torch.nn.Linear(2, 2), bucket_cap_mb=3)
print(sorted(overrides.applied), plain.bucket_bytes_cap >> 20, plain.gradient_as_bucket_view, plain.static_graph)
changed = Interventions(bucket_cap_mb=0.5, gradient_as_bucket_view=True, static_graph=True)
overrides.apply(changed, watch=False)
ours = DDP(torch.nn.Linear(2, 2), bucket_cap_mb=3)
print(ours.bucket_bytes_cap >> 10, ours.gradient_as_bucket_view, ours.static_graph)
"""


def test_arguments_of_data_parallel(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(SCRIPT)
    ran = subprocess.run([sys.executable, "t.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.stdout.splitlines() == ["['ddp'] 3 False False", "512 True True"], ran.stderr
