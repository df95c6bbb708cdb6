"""Files outside of the folder that are written by code which raises no audit event are known all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from reprocheck.worker.inputs.files import WrittenFiles
from reprocheck.worker.observe.children import Children
top = Path(sys.argv[1])
files = WrittenFiles((str(top / "run"),), top / "cwd", Children(top / "run"))
files.watch()
import torch
from safetensors.torch import save_file
model = torch.jit.script(torch.nn.Linear(1, 1))
save_file({"a": torch.ones(2)}, top / "a.safetensors")
torch.jit.save(model, str(top / "b.pt"))
model.save(str(top / "c.pt"))
torch.save({}, top / "d.pt")
print([Path(file["path"]).name for file in files.found(top / "cwd", True)["files"]])
"""


def test_they_are_found(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    for name in ("run", "cwd"):
        (tmp_path / name).mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout.split("\n")[0] == "['a.safetensors', 'b.pt', 'c.pt', 'd.pt']", done.stderr
    assert "TorchScript archive" not in done.stderr
