"""`reprocheck doctor`: one short run, looked at from all sides. What is wrong is named, what only looks so is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.cli import Ran, reprocheck

HERE = Path(__file__).parent.parent
STARTS = HERE / "targets" / "doctor" / "starts.py"
DIGITS = HERE.parent / "examples" / "digits.py"


def doctor(folder: Path, target: str, *arguments: str, code: int = 0) -> tuple[Ran, Any]:
    ran = reprocheck("doctor", target, "-q", "--format", "json", *arguments, cwd=folder)
    assert ran.code == code, ran.out + ran.err
    return ran, ran.json()


def causes(answer: Any) -> dict[str, Any]:
    return {finding["cause"]: finding for finding in answer["findings"]}


def test_a_sound_training_is_reported_from_all_sides(tmp_path: Path) -> None:
    ran = reprocheck("doctor", f"{DIGITS}:train", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    assert ran.out.startswith("HEALTHY  ")
    assert "nothing wrong was seen in 5 steps of seed 0, ended there by --max-steps" in ran.out
    for section in ("initial weights:", "layers, with the first batch:", "seeds, as the target itself", "memory:"):
        assert f"\n{section}" in ran.out
    assert re.search(r"0\.weight +16x1x3x3 .*default of Conv2d", ran.out)
    assert re.search(r"torch +seeded, then used +torch\.manual_seed\(0\) at \S*digits\.py:\d+", ran.out)
    for phase in ("init", "first step", "further steps"):
        assert re.search(rf"{phase} +\d+ MiB +\d+ MiB", ran.out)
    assert "a further step adds: the process" in ran.out


def test_bad_starts_are_named_with_their_weights(tmp_path: Path) -> None:
    _, answer = doctor(tmp_path, f"{STARTS}:wrong", code=1)
    found = causes(answer)
    shown = {cause: (finding["severity"], finding["evidence"][0]) for cause, finding in found.items()}
    assert shown.pop("xavier-in-front-of-relu") == (
        "warning",
        "XavierRelu.0.weight, XavierRelu.2.weight, XavierLeaky.0.weight, XavierLeaky.2.weight",
    )
    assert "relu (its gain: 1.41), leaky_relu (its gain: 1.39)" in found["xavier-in-front-of-relu"]["message"]
    assert shown.pop("kaiming-in-front-of-tanh") == ("warning", "KaimingTanh.0.weight, KaimingTanh.2.weight")
    assert shown.pop("exploding-activations") == ("warning", "Large.0, Large.10")
    assert shown.pop("vanishing-gradients") == ("warning", "Sigmoids.0.weight, Sigmoids.24.weight")
    assert shown.pop("uninitialised-memory") == ("error", "Unwritten.weight")
    assert shown.pop("activations-not-finite") == ("error", "NoNumber.second")
    severity, names = shown.pop("small-weights")
    assert (severity, names.split(", ")[0]) == ("note", "Small.0.weight")
    assert not shown
    assert all(re.fullmatch(r"RC7[234]\d", finding["code"]) for finding in found.values())
    layer = next(one for one in answer["layers"] if (one["model"], one["name"]) == ("XavierLeaky", "0"))
    assert (layer["goes_into"], layer["negative_slope"]) == ("leaky_relu", 0.2)
    assert layer["gradient_rms"] > 0


@pytest.mark.slow
def test_good_starts_that_look_like_them_are_not(tmp_path: Path) -> None:
    _, answer = doctor(tmp_path, f"{STARTS}:right")
    assert set(causes(answer)) == {"equal-layers"}  # PyTorch's transformers are made of copies of one layer: a note
    assert causes(answer)["equal-layers"]["severity"] == "note"
    goes = {(one["model"], one["name"]): one["goes_into"] for one in answer["layers"]}
    assert goes["Normed", "0"] == "norm"
    assert goes["XavierTanh", "0"] == "tanh"


@pytest.mark.slow
def test_memory_that_grows_is_reported_and_kept_numbers_are_not(tmp_path: Path) -> None:
    _, answer = doctor(tmp_path, f"{STARTS}:leaks")
    assert set(causes(answer)) == {"growing-memory"}
    assert 1e6 < answer["volatile"]["memory"]["growth_per_step"] < 2e6
    _, answer = doctor(tmp_path, f"{STARTS}:keeps_numbers")
    assert answer["findings"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cause", "severity"),
    [
        ("seed_after_model.py:train", "seed-after-model", "warning"),
        ("clock_seed_script.py", "clock-or-pid-seed", "warning"),
        ("partial_seed_random_shuffle.py", "partial-seed", "warning"),
        ("numpy_generator_unseeded.py:train", "numpy-generator-unseeded", "warning"),
        ("seed_unused.py", "seed-unused", "warning"),
        ("generator_default_seed.py:train", "generator-default-seed", "warning"),
        ("no_seed.py:train", "no-seed", "note"),
    ],
)
def test_how_seeds_are_misused_is_seen_in_one_run(name: str, cause: str, severity: str, tmp_path: Path) -> None:
    file = HERE / "targets" / "faulty" / name
    source = Path(str(file).partition(":")[0]).read_text()
    wanted = re.search(r"^# line: (.*)$", source, re.MULTILINE)
    assert wanted is not None
    _, answer = doctor(tmp_path, str(file))
    finding = causes(answer)[cause]
    assert finding["severity"] == severity
    line = source.splitlines()[finding["location"]["line"] - 1]
    assert wanted[1].strip() in line


@pytest.mark.slow
@pytest.mark.parametrize("name", ["accumulates", "plays_against_each_other", "searches_a_line"])
def test_loop_check_that_is_right_is_not_reported(name: str, tmp_path: Path) -> None:
    arguments = ("--arg", "set_to_none=True") if name == "accumulates" else ()
    arguments = ("--arg", "zero_in_place=True") if name == "plays_against_each_other" else arguments
    _, answer = doctor(tmp_path, f"{HERE / 'targets' / 'loop_checks' / 'right.py'}:{name}", *arguments)
    assert set(causes(answer)) <= {"no-seed"}


def test_wrong_loop_check_is_an_error_with_its_line(tmp_path: Path) -> None:
    target = HERE / "targets" / "loop_checks" / "wrong.py"
    _, answer = doctor(tmp_path, f"{target}:train", "--max-steps", "200", code=1)
    found = causes(answer)
    assert {"train-mode-without-grad", "step-after-evaluation", "gradients-not-zeroed"} <= set(found)
    finding = found["gradients-not-zeroed"]
    assert finding["severity"] == "error"
    assert "# gradients-not-zeroed" in target.read_text().splitlines()[finding["location"]["line"] - 1]


@pytest.mark.slow
def test_memory_that_runs_out_is_reported_with_who_asked_and_what_held_it(tmp_path: Path) -> None:
    arguments = (f"{STARTS}:too_large", "--memory-limit", "900MiB")
    _, answer = doctor(tmp_path, *arguments, code=3)
    shown = answer["volatile"]["out_of_memory"]
    line = next(n for n, text in enumerate(STARTS.read_text().splitlines(), 1) if "model(images)" in text)
    assert (shown["device"], shown["requested"], shown["allowed"]) == ("cpu", 800_000_000, 900 * 2**20)
    assert (shown["step"], shown["during"], shown["module"]) == (2, "forward", "Sequential.0 (Linear)")
    assert shown["location"]["line"] == line
    assert shown["tensors"][0]["name"] == "`images` in starts.py, too_large"
    assert shown["tensors"][0]["bytes"] == 400_000_000
    assert "out of memory on cpu in a forward pass, after 2 optimizer steps, starts.py" in answer["summary"]
    text = reprocheck("run", *arguments, "--repeats", "1", cwd=tmp_path)
    assert text.code == 3
    assert "= memory: requested 763 MiB" in text.out
    assert "`images` in starts.py, too_large" in text.out
    assert "help: the cap is reprocheck's own: raise --memory-limit" in text.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.py:train",), "nowhere.py"),
        (("t.py:train", "--memory-limit", "6GX"), "--memory-limit must be a size in memory, as in 6GiB or 500MB"),
        (("t.py:train", "--memory-limit", "20MiB"), "--memory-limit 20MiB is less than what Python and PyTorch take"),
        (
            ("t.py:train", "--memory-limit", "6GiB", "--memory-fraction", "0.5"),
            "--memory-fraction and --memory-limit exclude each other",
        ),
        (("t.py:train", "--memory-snapshot", "no/such/file"), "--memory-snapshot: no/such is no folder"),
        (("t.py:train", "--max-steps", "0"), "--max-steps"),
        (("t.py:train", "--format", "yaml"), "--format"),
    ],
)
def test_bad_input_is_one_message(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("import torch\n\n\ndef train():\n    return torch.ones(1)\n")
    ran = reprocheck("doctor", *arguments, cwd=tmp_path)
    assert ran.code == 2, ran.out + ran.err
    assert message in ran.err
    assert not list(tmp_path.glob(".reprocheck/doctor/*/s0"))


def test_a_target_without_a_model_or_a_gpu_is_reported_so(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("def train():\n    return 1\n")
    _, answer = doctor(tmp_path, "t.py:train", "--memory-snapshot", "snapshot.pickle", "--device", "-1", code=3)
    assert answer["notes"] == ["no memory snapshot in snapshot.pickle: nothing was allocated on a GPU"]
    assert (answer["tensors"], answer["layers"], answer["steps"]) == ([], [], 0)


def test_a_target_that_fails_gets_no_examination(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("def train():\n    raise ValueError('no data here')\n")
    ran = reprocheck("doctor", "t.py:train", cwd=tmp_path)
    assert ran.code == 3
    assert ran.out.startswith("fatal: no examination\n  --> t.py:train\n   = why: the run failed: ValueError: no data")


@pytest.mark.slow
def test_an_audit_reports_what_is_wrong_with_initial_weights(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef train():\n    torch.manual_seed(0)\n"
        "    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))\n"
        "    for p in model.parameters():\n        nn.init.constant_(p, 0.1)\n"
        "    optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
        "    model(torch.randn(4, 8)).square().mean().backward()\n    optimizer.step()\n"
    )
    ran = reprocheck("run", "t.py:train", "--format", "json", "--fail-on", "warning", "-q", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    assert ran.json()["verdict"] == "reproducible"
    (finding,) = [one for one in ran.json()["findings"] if one["cause"] == "constant-weights"]
    assert (finding["code"], finding["severity"]) == ("RC722", "warning")


CLEAN = (
    *("gradient_accumulation", "frozen_backbone", "gan_two_optimizers", "lbfgs_closure", "lr_schedulers"),
    *("ema_and_early_stopping", "transformer_encoder", "cnn_batchnorm_sgd", "lstm_tagger", "unfreeze_add_param_group"),
    *("amp_bf16_autocast", "activation_checkpointing", "weight_sharing", "sparse_embeddings", "compile_eager_backends"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_training_has_no_error_and_no_warning(name: str, tmp_path: Path) -> None:
    _, answer = doctor(tmp_path, f"{HERE / 'targets' / 'clean' / name}.py:train")
    assert {finding["severity"] for finding in answer["findings"]} <= {"note"}


IN_MAIN = """\
import torch
from torch import nn


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.actor = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        self.value = nn.Linear(2, 1)
        nn.init.orthogonal_(self.actor[2].weight, 0.001)

    def forward(self, x):
        return self.critic(x) + self.actor(x).log_softmax(1).sum(1) + self.value(x[:, :2])


def main():
    torch.manual_seed(0)
    agent = Agent()
    parts = (agent,) if {whole} else (agent.critic, agent.actor)
    x = torch.randn(8, 4)
    optimizer = {optimizer}([p for part in parts for p in part.parameters()], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = sum(part(x).log_softmax(-1).pow(2).mean() for part in parts)
        loss.backward()
        return loss

    for step in range(3):
        {step}


main()
"""
PLAIN_STEP = ("torch.optim.SGD", "closure(); optimizer.step()")
CLOSURE_STEP = ("torch.optim.LBFGS", "optimizer.step(closure)")


@pytest.mark.parametrize(
    ("whole", "how"),
    [
        (False, CLOSURE_STEP),
        pytest.param(False, PLAIN_STEP, marks=pytest.mark.slow),
        pytest.param(True, CLOSURE_STEP, marks=pytest.mark.slow),
        pytest.param(True, PLAIN_STEP, marks=pytest.mark.slow),
    ],
)
def test_a_model_that_is_gone_at_the_end_keeps_its_names_and_figures(
    whole: bool, how: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "agent.py").write_text(IN_MAIN.format(whole=whole, optimizer=how[0], step=how[1]))
    _, answer = doctor(tmp_path, "agent.py")
    assert not answer["findings"]
    weights = [(one["model"], one["name"].removeprefix(f"{one['model']}.")) for one in answer["tensors"]]
    assert len(weights) == len(set(weights)) == (10 if whole else 8)
    models = {model for model, _ in weights}
    assert models == ({"Agent"} if whole else {"Agent.critic", "Agent.actor"})
    layers = [one for one in answer["layers"] if one["module"] == "Linear"]
    assert len(layers) == len(weights) // 2
    for one in layers:
        assert (one["model"], f"{one['name']}.weight") in weights
        assert one["gradient_rms"] is not None
    assert [one["goes_into"] for one in layers].count("tanh") == 2


LAYER_BY_LAYER = """\
import torch

torch.manual_seed(0)
x = torch.randn(16, 8)
layers = [torch.nn.Linear(8, 8), torch.nn.Linear(8, 1)]
for layer in layers:
    optimizer = torch.optim.SGD(layer.parameters(), 1.0)
    for _ in range(2):
        optimizer.zero_grad()
        layer.forward(x).square().mean().backward()
        optimizer.step()
for layer in layers:
    x = layer(x[:1])
    x.sum().backward(retain_graph=True)
"""


@pytest.mark.slow
def test_a_model_that_is_called_after_a_further_optimizer_trained_it_has_its_initial_weights(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(LAYER_BY_LAYER)
    _, answer = doctor(tmp_path, "train.py")
    bounds = {one["shape"][0]: one["max"] for one in answer["tensors"] if len(one["shape"]) == 2}
    torch.manual_seed(0)
    torch.randn(16, 8)
    assert bounds == {n: pytest.approx(torch.nn.Linear(8, n).weight.max().item()) for n in (8, 1)}
    text = reprocheck("doctor", "train.py", cwd=tmp_path).out
    assert "not finite" not in text  # the last layer gives one number, which has no deviation


TWO_NETWORKS = """\
import torch

class Q(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))

torch.manual_seed(0)
online, target = Q(), Q()
target.load_state_dict(online.state_dict())
optimizer = torch.optim.SGD(online.parameters(), 0.1)
x = torch.ones(4, 3)
for _ in range(2):
    with torch.no_grad():
        goal = target.network(x) + 1
    loss = (online.network(x) - goal).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.slow
def test_layers_have_the_names_of_their_weights(tmp_path: Path) -> None:
    (tmp_path / "dqn.py").write_text(TWO_NETWORKS)
    text = reprocheck("doctor", "dqn.py", cwd=tmp_path).out
    named = set(re.findall(r"^  (\S+)\.weight ", text, re.MULTILINE))
    layers = set(re.findall(r"^  (\S+) +Linear ", text, re.MULTILINE))
    assert len(named) == 4
    assert len(layers) == 2
    assert layers < named
