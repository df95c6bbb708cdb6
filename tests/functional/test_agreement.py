"""A target that repeats only because reprocheck seeds it: told, with the line that draws; all others are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cli import environment, reprocheck

WHAT = "a run without reprocheck's seeding"
TRAINING = """\
import sys
{imports}
import numpy as np
import torch

{seeds}
weights = torch.nn.Linear(3, 1)
data = torch.tensor(np.random.rand(8, 3), dtype=torch.float32)
optimizer = torch.optim.SGD(weights.parameters(), 0.1)
for _ in range({steps}):
    optimizer.zero_grad()
    weights(data).sum().backward()
    optimizer.step()
open("steps.txt", "a").write("one run\\n")
"""
SEED_TORCH, SEED_NUMPY = "torch.manual_seed(1)", "np.random.seed(1)"

SEEDED = "-2.824894666671753"
"""What READS writes with seed 0."""
READS = """\
import os, sys
import numpy as np
import torch

weights = torch.nn.Linear(3, 1)
data = torch.tensor(np.load({data}))
optimizer = torch.optim.SGD(weights.parameters(), 0.1)
for _ in range(3):
    optimizer.zero_grad()
    weights(data).sum().backward()
    optimizer.step()
{end}
"""


BEST = """
best = torch.nn.Linear(3, 1)
best.load_state_dict(weights.state_dict())
best(data)
"""


def audit(
    folder: Path,
    *seeds: str,
    imports: str = "",
    options: tuple[str, ...] = (),
    argv: tuple[str, ...] = (),
    end: str = "",
    code: int = 0,
) -> Any:
    (folder / "train.py").write_text(
        TRAINING.format(seeds="; ".join(seeds), imports=imports, steps=12 if end else 3) + end
    )
    arguments = ("run", "--threads", "1", "--format", "json", *options, "train.py", *(("--", *argv) if argv else ()))
    ran = reprocheck(*arguments, cwd=folder, env=environment())
    assert ran.code == code, ran.out + ran.err
    answer = ran.json()
    assert answer["verdict"] == "reproducible"
    return answer


def causes(answer: Any) -> dict[str, Any]:
    return {finding["cause"]: finding for finding in answer["findings"]}


def not_tried(answer: Any) -> list[str]:
    return [item["reason"] for item in answer["not_compared"] if item["what"] == WHAT]


def test_the_generator_that_only_reprocheck_seeds_is_named_with_its_line(tmp_path: Path) -> None:
    answer = audit(tmp_path, SEED_TORCH, code=1)
    # Each run appends to a file of the folder: that files differ is said, too.
    assert answer["headline"].startswith("REPRODUCIBLE only with reprocheck's seeds: numpy is never seeded, train.py:8")
    assert answer["self_seeding"]["seeds_itself"] is False
    found = causes(answer)["partial-seed"]
    assert found["severity"] == "error"
    assert "np.random.rand" in found["source"]
    assert Path(found["location"]["path"]).name == "train.py"
    assert any("only because reprocheck seeds numpy" in text for text in found["evidence"])
    # The further runs leave the user's folder alone.
    assert (tmp_path / "steps.txt").read_text().count("one run") == 2


LATE = """\
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.linspace(-1, 1, 64).view(16, 4)
for step in range(20):
    batch = x if step < 15 else x * np.random.rand()
    optimizer.zero_grad()
    model(batch).square().mean().backward()
    optimizer.step()
"""


@pytest.mark.slow
def test_a_generator_that_is_first_used_late_is_seen(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(LATE)
    ran = reprocheck("run", "--threads", "1", "--format", "json", "train.py", cwd=tmp_path, env=environment())
    assert ran.code == 1
    assert ran.json()["headline"].startswith("REPRODUCIBLE only with reprocheck's seeds: numpy is never seeded")
    assert causes(ran.json())["partial-seed"]["location"]["line"] == 10


@pytest.mark.slow
def test_a_script_that_seeds_all_it_draws_from_is_left_alone(tmp_path: Path) -> None:
    answer = audit(tmp_path, SEED_TORCH, SEED_NUMPY)
    assert not answer["findings"]
    assert not not_tried(answer)
    assert "reprocheck's seeds" not in answer["headline"]
    assert answer["self_seeding"]["seeds_itself"] is True


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--seeds", "2"), ("--cached",)], ids=["plain", "seeds", "cached"])
def test_a_script_without_any_seed(options: tuple[str, ...], tmp_path: Path) -> None:
    audit(tmp_path, options=options, code=1)
    answer = audit(tmp_path, options=options, code=1)
    assert answer["headline"].startswith("REPRODUCIBLE only with reprocheck's seeds: torch is never seeded, train.py:7")
    found = causes(answer)["no-seed"]
    assert "torch.nn.Linear" in found["source"]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(), (SEED_TORCH, SEED_NUMPY)])
def test_a_second_model_at_the_end_changes_nothing(seeds: tuple[str, ...], tmp_path: Path) -> None:
    answer = audit(tmp_path, *seeds, end=BEST, code=0 if seeds else 1)
    assert list(causes(answer)) == ([] if seeds else ["no-seed"])
    assert not not_tried(answer)


@pytest.mark.slow
def test_a_difference_that_the_copied_folder_makes_is_not_put_down_to_the_seed(tmp_path: Path) -> None:
    by_folder = f"import os; numbers = sys.modules  # {tmp_path.name}"
    seed = "torch.manual_seed(1 if 'reprocheck-' in os.getcwd() else 2)"
    home = tmp_path / "home"
    home.mkdir()
    answer = audit(home, seed, imports=by_folder)
    assert not answer["findings"]
    assert "copy of the folder" in not_tried(answer)[0]


@pytest.mark.slow
def test_what_could_touch_other_files_is_not_run(tmp_path: Path) -> None:
    answer = audit(tmp_path, SEED_TORCH, argv=(f"--out={tmp_path}",))
    assert not answer["findings"]
    assert "absolute path" in not_tried(answer)[0]
    assert "; not checked whether it seeds itself" in answer["headline"]


@pytest.mark.slow
def test_data_that_only_the_first_run_prepared_elsewhere_does_no_harm(tmp_path: Path) -> None:
    """As libraries do with `../data`: the second run found it there, and so will a further one."""
    folder = tmp_path / "code"
    folder.mkdir()
    prepare = "import os; os.path.exists('../rows.npy') or np.save('../rows.npy', np.ones((8, 3), np.float32))\n"
    source = READS.format(data="'../rows.npy'", end="").replace("weights =", prepare + "weights =", 1)
    (folder / "train.py").write_text(source)
    ran = reprocheck("run", "--threads", "1", "--format", "json", "train.py", cwd=folder, env=environment())
    assert "no-seed" in causes(ran.json()), ran.out + ran.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["data above", "nothing written", "cache under home", "absolute data", "large folder"])
def test_the_run_without_our_seeding_finds_what_the_first_run_found(kind: str, tmp_path: Path) -> None:
    """Data next to and above the folder, a cache; what the user has is left as it is."""
    folder, home = tmp_path / "project", tmp_path / "home"
    for path in (folder, home / "kept", tmp_path / "data", folder / "many"):
        path.mkdir(parents=True)
    np.save(tmp_path / "data" / "x.npy", np.ones((8, 3), dtype=np.float32))
    data, end, argv = '"../data/x.npy"', 'open("out.txt", "w").write(str(weights.bias.item()))', ()
    if kind == "nothing written":
        end = ""
    elif kind == "cache under home":
        end = (
            'cache = os.path.expanduser("~/.cache/mine/x"); os.makedirs(os.path.dirname(cache), exist_ok=True)\n'
            'open(cache, "w").write(str(weights.bias.item()))'
        )
    elif kind == "absolute data":
        data, argv = "sys.argv[1]", (str(tmp_path / "data/x.npy"),)
    elif kind == "large folder":
        for number in range(10_001):
            (folder / "many" / str(number)).touch()
    (folder / "train.py").write_text(READS.format(data=data, end=end))
    arguments = ("run", "--threads", "1", "--format", "json", "train.py", "--", *argv)
    ran = reprocheck(*arguments, cwd=folder, env=environment(HOME=str(home)))
    answer = ran.json()
    assert not_tried(answer) == []
    assert {finding["code"] for finding in answer["findings"]} == {"RC501"}
    written = [path.read_text() for path in (folder / "out.txt", home / ".cache/mine/x") if path.exists()]
    assert set(written) <= {SEEDED}, "the run without our seeding wrote over a result"


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--no-explain",), ("--explain-budget", "0"), ("--seeding", "none")])
def test_nobody_asked(options: tuple[str, ...], tmp_path: Path) -> None:
    answer = audit(tmp_path, SEED_TORCH, SEED_NUMPY, options=options)
    assert not not_tried(answer)
    assert not answer["findings"]


ONE_ORDER = """
import torch
from torch.utils.data import DataLoader, TensorDataset

def train(seed=0):
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(7)
    loader = DataLoader(TensorDataset(torch.linspace(0, 1, 64).view(16, 4)), 4, shuffle=True, generator=order)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for (x,) in loader:
        optimizer.zero_grad()
        model(x).pow(2).mean().backward()
        optimizer.step()
    return model
"""


@pytest.mark.slow
def test_batches_that_are_the_same_for_every_seed_get_a_note(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(ONE_ORDER)
    arguments = ("run", "--threads", "1", "--seeds", "2", "--format", "json", "t.py:train")
    ran = reprocheck(*arguments, cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    found = {one["cause"]: one for one in ran.json()["findings"]}
    assert (found["fixed-stream"]["severity"], found["fixed-stream"]["location"]["line"]) == ("note", 7)
    (tmp_path / "t.py").write_text(ONE_ORDER.replace("manual_seed(7)", "manual_seed(seed)"))
    assert "fixed-stream" not in reprocheck(*arguments, cwd=tmp_path).out


AGENTS = """\
import torch

class Agent(torch.nn.Module):
    def __init__(self, size, seed=None):
        super().__init__()
        if seed is not None:
            torch.manual_seed(seed)
        self.layer = torch.nn.Linear(size, 1)

    def forward(self, x):
        return self.layer(x)
"""
OF_LIBRARY = """\
import sys
sys.path.insert(0, "site-packages")
import torch
from agents import Agent

def build(size, seed=None):
    return Agent(size, seed=seed)

agent = build(3)
optimizer = torch.optim.SGD(agent.parameters(), 0.1)
agent(torch.ones(2, 3)).sum().backward()
optimizer.step()
"""


@pytest.mark.slow
def test_a_library_that_takes_a_seed_is_given_none(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "agents.py").write_text(AGENTS)
    (tmp_path / "train.py").write_text(OF_LIBRARY)
    ran = reprocheck("run", "--threads", "1", "--format", "json", "train.py", cwd=tmp_path, env=environment())
    assert ran.code == 1, ran.out + ran.err
    found = causes(ran.json())["no-seed"]
    assert found["severity"] == "error"
    assert "build(3, seed=0)" in found["help"]
    assert ran.json()["self_seeding"]["seeds_itself"] is False
