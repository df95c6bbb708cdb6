"""Who seeded PyTorch's generator of a rank."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """\
import sys, torch
sys.path.append("site-packages")
from reprocheck.worker.ranks.seeders import seeds_given, watch_seeds

watch_seeds()
watch_seeds()
import library
library.set_seed(5)
torch.manual_seed(torch.tensor(7))

def draw(x):
    torch.manual_seed(3)
    return torch.rand_like(x)

torch.jit.script(draw)(torch.ones(2))
from pickle import dumps, loads
assert loads(dumps(torch.manual_seed)) is torch.manual_seed
import torch._dynamo  # it wraps the function once more
torch.manual_seed(9)
for one in seeds_given():
    print(one.seed, *(code.co_filename.split("/")[-1] for code, _ in one.callers))
"""


def test_the_lines_that_seed(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "library.py").write_text(
        "import torch\ndef set_seed(seed):\n    torch.manual_seed(seed)\n"
    )
    (tmp_path / "t.py").write_text(SCRIPT)
    ran = subprocess.run([sys.executable, "t.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.stdout.splitlines() == ["5 library.py t.py", "7 t.py", "9 t.py"], ran.stderr
