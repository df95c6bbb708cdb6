"""Notebooks as targets: real runs of their cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import reprocheck
from tests.support.notebooks import code, text, write

LOOP = """\
for step in range(4):
    optimizer.zero_grad()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
"""
MODEL = "model = torch.nn.Linear(8, 1)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nmodel"


def test_a_notebook_runs_as_a_kernel_runs_it(tmp_path: Path) -> None:
    cells = [
        text("# A clean one"),
        "%matplotlib inline\n!pip install nothing\nimport torch\ntorch.manual_seed(0);",
        "from __future__ import annotations\nimport asyncio\nasync def three():\n    return 3\nawait three()",
        "x, y = torch.randn(16, 8), torch.randn(16, 1)\nassert __name__ == '__main__' and '__file__' not in globals()",
        MODEL,
        code("raise SystemError", tags=["skip-execution"]),
        f"%%time\n{LOOP}display('shown')\nget_ipython().run_line_magic('config', 'X.y = 1')\nx.shape",
        "def train(seed):\n    return model",
        "import reprocheck\nanswer = reprocheck.audit(train)\nanswer.verdict",
    ]
    write(tmp_path / "nb.ipynb", cells)
    ran = reprocheck("run", "nb.ipynb:train", "--format", "json", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    found = ran.json()
    assert found["seeds"][0]["runs"][0]["steps"]["count"] == 4
    assert "outputs" in found["compared"]
    notes = json.dumps(found)
    assert "cell 1, line 2 is not run: `!pip install nothing`" in notes
    assert "cell 8 asks for an audit: the rest of it is not run" in notes
    [stdout] = list((tmp_path / ".reprocheck").rglob("s0r0/stdout.txt"))
    assert stdout.read_text() == "3\nLinear(in_features=8, out_features=1, bias=True)\n'shown'\ntorch.Size([16, 8])\n"


def test_an_error_in_a_cell_names_it(tmp_path: Path) -> None:
    write(tmp_path / "nb.ipynb", ["import torch", "def f():\n    return undefined", "\nf()"])
    ran = reprocheck("run", "nb.ipynb", cwd=tmp_path)
    assert ran.code == 3
    assert "nb.ipynb cell 2, line 2" in ran.out
    assert 'nb.ipynb", cell 2, line 2, in f\n' in ran.out
    assert "return undefined" in ran.out  # the traceback shows the source
    assert "20002" not in ran.out + ran.err


FAULT = "rng = np.random.default_rng()"


@pytest.mark.slow
def test_a_planted_fault_in_twenty_cells_is_named_and_mended(tmp_path: Path) -> None:
    cells = [
        text("# Twenty cells"),
        "%load_ext autoreload\n%autoreload 2\n%matplotlib inline",
        "import numpy as np\nimport torch\nfrom torch import nn",
        "torch.manual_seed(0)\nnp.random.seed(0)",
        "COLUMNS = ['a', 'b', 'c', 'd']\nlen(COLUMNS)",
        'def noise(shape):\n    """A little.\n    %timeit is no magic here"""\n    '
        + FAULT
        + "\n    return rng.normal(size=shape)",
        "base = np.random.normal(size=(64, len(COLUMNS)))",
        "features = torch.tensor(base + 0.01 * noise(base.shape), dtype=torch.float32)",
        "labels = features.sum(1, keepdim=True)",
        "features.shape, labels.shape",
        "mean, std = features.mean(0), features.std(0)",
        "features = (features - mean) / std",
        "model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))",
        "model",
        "optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)",
        "losses = []",
        "%time pass",
        "for epoch in range(3):\n    for at in range(0, 64, 16):\n        optimizer.zero_grad()\n"
        "        loss = nn.functional.mse_loss(model(features[at:at + 16]), labels[at:at + 16])\n"
        "        loss.backward()\n        optimizer.step()\n    losses.append(loss.item())",
        "losses[-1]",
        "accuracy = (model(features) - labels).abs().mean().item()",
        "display(accuracy)",
    ]
    path = write(tmp_path / "analysis.ipynb", cells)
    before = path.read_text(encoding="utf-8")
    ran = reprocheck("run", "analysis.ipynb", "--format", "json", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    found = ran.json()
    assert found["divergence"]["part"] == "cell 17"
    assert "those of cell 7: `features`" in found["divergence"]["note"]
    [cause] = [finding for finding in found["findings"] if finding["code"] == "RC503"]
    assert (cause["location"]["cell"], cause["location"]["line"], cause["confidence"]) == (5, 4, "high")
    assert cause["source"] == FAULT
    shown = reprocheck("report", "latest", cwd=tmp_path)
    assert "analysis.ipynb cell 5, line 4" in shown.out
    assert "50004" not in shown.out + shown.err
    annotated = reprocheck("report", "latest", "--format", "github", cwd=tmp_path)
    line = before[: before.index(FAULT)].count("\n") + 1
    assert f"::error file=analysis.ipynb,line={line},title=RC503" in annotated.out
    written = reprocheck("fix", "--write", "--format", "json", cwd=tmp_path)
    assert written.code == 0, written.out + written.err
    assert path.read_text(encoding="utf-8") == before.replace(FAULT, FAULT.replace("()", "(0)"))
    assert written.json()["again"]["verdict"] == "reproducible"


@pytest.mark.slow
def test_a_hidden_order_between_cells_is_named(tmp_path: Path) -> None:
    cells = [
        "import torch\ntorch.manual_seed(0)",
        "words = {'tea', 'milk', 'salt', 'rice', 'corn', 'oats', 'beans', 'figs'}",
        "vocabulary = {word: index for index, word in enumerate(words)}",
        "x = torch.tensor([[float(vocabulary[w])] for w in ('tea', 'milk', 'salt', 'rice')])",
        "model = torch.nn.Linear(1, 1)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.01)",
        "for _ in range(3):\n    optimizer.zero_grad()\n    model(x).pow(2).mean().backward()\n    optimizer.step()",
    ]
    write(tmp_path / "nb.ipynb", cells)
    ran = reprocheck("run", "nb.ipynb", "--format", "json", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    found = ran.json()
    [cause] = [finding for finding in found["findings"] if finding["code"] == "RC531"]
    assert cause["location"]["cell"] == 3
    assert found["divergence"]["part"] == "cell 6"
