"""Runs with changed lines, settings and several calls: the files themselves stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprocheck.evidence.run import load_evidence
from reprocheck.model import Edit, Interventions, Status
from reprocheck.model.run_spec import PLAIN
from reprocheck.protocol import count_steps
from tests.support.probed import probed, result_of

HELPED = "import inspect\nfrom helper import value\n\ndef train():\n    return value(), inspect.getsource(value)\n"
HELPER = "def value():\n    return 1\n"


def edit(path: Path, line: int, before: str, after: str) -> Edit:
    return Edit(path=str(path), line=line, before=before, after=after)


@pytest.mark.parametrize("cached", [False, True])
def test_an_imported_file(tmp_path: Path, cached: bool) -> None:
    helper = tmp_path / "helper.py"
    helper.write_text(HELPER)
    if cached:
        assert result_of(tmp_path, HELPED, name="plain")["[0]"] == "1"
    changes = Interventions(edits=(edit(helper, 2, "    return 1", "    return 2"),))
    changed = result_of(tmp_path, HELPED, changes, name="changed")
    assert changed["[0]"] == "2"
    assert changed["[1]"].count("return 1") == 1  # what inspect shows is the file
    assert helper.read_text() == HELPER
    assert result_of(tmp_path, HELPED, name="after")["[0]"] == "1"  # no changed bytecode is left behind


def test_the_target_itself(tmp_path: Path) -> None:
    source = "def train():\n    x = 'grün'\n    return x\n"
    changes = Interventions(edits=(edit(tmp_path / "target.py", 2, "    x = 'grün'", "    x = 'rot'"),))
    assert result_of(tmp_path, source, changes) == {"": "rot"}


def test_a_script(tmp_path: Path) -> None:
    source = "x = 1\nassert x == 2\n"
    changed = probed(
        tmp_path, source, Interventions(edits=(edit(tmp_path / "target.py", 1, "x = 1", "x = 2"),)), script=True
    )
    assert changed.status is Status.COMPLETED


def test_children(tmp_path: Path) -> None:
    source = (
        "import multiprocessing as mp\n\ndef work(queue):\n    queue.put(1)\n\n"
        "def train():\n    found = []\n    for method in ('fork', 'spawn'):\n"
        "        context = mp.get_context(method)\n        queue = context.SimpleQueue()\n"
        "        child = context.Process(target=work, args=(queue,))\n        child.start()\n"
        "        found.append(queue.get())\n        child.join()\n    return sum(found)\n"
    )
    changes = Interventions(edits=(edit(tmp_path / "target.py", 4, "    queue.put(1)", "    queue.put(10)"),))
    assert result_of(tmp_path, source, changes) == {"": "20"}


@pytest.mark.parametrize(("line", "before"), [(2, "    return 3"), (9, "    return 1"), (0, "")])
def test_another_line_is_not_changed(tmp_path: Path, line: int, before: str) -> None:
    source = "def train():\n    return 1\n"
    outcome = probed(
        tmp_path, source, Interventions(edits=(edit(tmp_path / "target.py", line, before, "    return 2"),))
    )
    assert outcome.status is Status.FAILED
    assert f"target.py:{line}" in outcome.reason


def test_a_change_that_does_not_compile(tmp_path: Path) -> None:
    changes = Interventions(edits=(edit(tmp_path / "target.py", 2, "    return 1", "    return ("),))
    outcome = probed(tmp_path, "def train():\n    return 1\n", changes)
    assert outcome.status is Status.FAILED
    assert "cannot be compiled" in outcome.reason


def test_sorted_listings(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for name in "qazwsxedc":
        (folder / name).touch()
    source = (
        "import glob, os, pathlib\n\ndef train():\n    names = os.listdir('d')\n"
        "    paths = [path.name for path in pathlib.Path('d').iterdir()]\n"
        "    return [''.join(names), ''.join(paths), ''.join(os.path.basename(p) for p in glob.glob('d/*'))]\n"
    )
    assert set(result_of(tmp_path, source, Interventions(sorted_listings=True)).values()) >= {"acdeqswxz"}
    values = result_of(tmp_path, source, Interventions(sorted_listings=True), name="two")
    assert [values[f"[{n}]"] for n in range(3)] == ["acdeqswxz"] * 3


LOADER = """\
import torch
from torch.utils.data import DataLoader, get_worker_info

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return 0 if get_worker_info() is None else get_worker_info().num_workers

def train():
    loader = DataLoader(Data(), 2, True, num_workers=2, prefetch_factor=2, persistent_workers=True,
                        multiprocessing_context="fork", timeout=30)
    plain = DataLoader(Data())
    return torch.cat(list(loader)).max().item(), torch.cat(list(plain)).max().item(), loader.batch_size
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_loader_workers(tmp_path: Path, workers: int) -> None:
    values = result_of(tmp_path, LOADER, Interventions(loader_workers=workers))
    assert [values[f"[{n}]"] for n in range(3)] == [str(workers), str(workers), "2"]


@pytest.mark.slow
@pytest.mark.parametrize("fill", [False, True])
def test_fill_memory(tmp_path: Path, fill: bool) -> None:
    source = (
        "import torch\n\ndef train():\n    torch.use_deterministic_algorithms(True)\n"
        "    return bool(torch.empty(100).isnan().all())\n"
    )
    assert result_of(tmp_path, source, Interventions(fill_memory=fill)) == {"": str(fill)}


CALLED = """\
import random
import torch
from torch import nn

calls = []

def train(seed, sizes=(1,)):
    calls.append(seed)
    model = nn.Linear(2, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        model(torch.randn(4, 2)).sum().backward()
        opt.step()
    return len(calls), random.random(), model.weight
"""


@pytest.mark.slow
def test_several_calls_in_one_process(tmp_path: Path) -> None:
    """Seeded again before each; what is recorded is the last."""
    runs = [
        load_evidence(probed(tmp_path, CALLED, Interventions(calls=n), instruments=PLAIN, name=f"n{n}")) for n in (1, 3)
    ]
    once, thrice = ({leaf.name: leaf.text or leaf.digest for leaf in run.outputs} for run in runs)
    assert (once.pop("[0]"), thrice.pop("[0]")) == ("1", "3")
    assert once == thrice
    assert [count_steps(run.steps) for run in runs] == [3, 3]
    assert runs[0].steps == runs[1].steps
    assert runs[0].initial == runs[1].initial


def test_a_script_is_called_once(tmp_path: Path) -> None:
    outcome = probed(tmp_path, "x = 1\n", Interventions(calls=2), script=True)
    assert outcome.status is Status.FAILED
    assert "only a function can be called 2 times" in outcome.reason
