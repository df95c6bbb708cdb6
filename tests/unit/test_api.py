"""The Python API where nothing has to be run: names, fingerprints, seeds, orders."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch

import reprocheck
from reprocheck.api import ONLY_COMMAND_LINE, Options, make_order, target_text
from reprocheck.config.options import OPTIONS
from reprocheck.engine.store import create_audit_folder, prune
from reprocheck.engine.workspace import workspace
from reprocheck.errors import UsageError
from reprocheck.model import Request, Seeding, Target, TargetKind


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_all_is_sorted_and_is_what_is_there() -> None:
    assert reprocheck.__all__ == sorted(reprocheck.__all__)
    for name in reprocheck.__all__:
        assert getattr(reprocheck, name) is not None
    assert set(reprocheck._HOMES) | {"__version__", "audit"} == set(reprocheck.__all__)
    assert set(reprocheck.__all__) <= set(dir(reprocheck))


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'audits'"):
        _ = reprocheck.audits


@pytest.mark.parametrize(
    "code",
    ["import reprocheck", "import reprocheck; reprocheck.checkpoint('x', 1)", "import reprocheck; reprocheck.Audit"],
)
def test_importing_is_light(code: str) -> None:
    heavy = "('torch', 'numpy', 'typer', 'rich', 'subprocess')"
    assert run(f"import sys\n{code}\nprint([name for name in {heavy} if name in sys.modules])") == "[]"


def test_keyarguments_are_the_options_of_the_command_line() -> None:
    expected = {option.key for option in OPTIONS.values() if option.name not in ONLY_COMMAND_LINE}
    assert set(Options.__annotations__) == expected
    assert set(ONLY_COMMAND_LINE) <= set(OPTIONS)


def top(seed: int = 0) -> int:
    return seed


def test_a_function_inside_a_package_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lone_package").mkdir()
    (tmp_path / "lone_package" / "part.py").write_text("class Holder:\n    @staticmethod\n    def train(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    part = importlib.import_module("lone_package.part")
    assert target_text(part.Holder.train) == "lone_package.part:Holder.train"
    monkeypatch.delitem(sys.modules, "lone_package.part")
    monkeypatch.delitem(sys.modules, "lone_package")


def test_a_function_of_a_file_becomes_path_and_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lone_module.py").write_text("def train(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    lone_module = importlib.import_module("lone_module")
    assert target_text(lone_module.train) == f"{tmp_path}/lone_module.py:train"
    monkeypatch.chdir(tmp_path)
    assert target_text(lone_module.train) == "lone_module.py:train"
    monkeypatch.delitem(sys.modules, "lone_module")


def local_function() -> Any:
    def local() -> None: ...

    return local


@pytest.mark.parametrize(
    "function",
    [lambda: 1, local_function(), Path().exists, len],
    ids=["lambda", "local function", "method", "built-in"],
)
def test_what_another_process_cannot_import_is_refused(function: Any) -> None:
    with pytest.raises(UsageError) as error:
        reprocheck.audit(function)
    assert error.value.hint is not None


def test_options_are_checked_as_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("def train(rate): pass\n")
    given = {"seeds": 3, "seeding": "torch", "env": {"A": "1"}, "arg": {"rate": 0.5}, "ignore": ["x*"], "tf32": False}
    order = make_order(f"{tmp_path}/t.py:train", None, ["a"], given, None)
    assert order.request.seeds == (0, 1, 2)
    assert order.request.settings.seeding is Seeding.TORCH
    assert order.request.settings.env == (("A", "1"),)
    assert order.request.settings.tf32 is False
    assert order.request.target.arguments == (("rate", 0.5),)
    assert order.request.target.argv == ("a",)
    assert order.request.ignore == ("x*",)


def test_no_file_is_read_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.py").write_text("def train(): pass\n")
    (tmp_path / "pyproject.toml").write_text("[tool.reprocheck]\nseeds = 4\n")
    monkeypatch.chdir(tmp_path)
    assert len(make_order("t.py:train", None, (), {}, None).request.seeds) == 1
    assert len(make_order("t.py:train", None, (), {}, tmp_path / "pyproject.toml").request.seeds) == 4
    assert len(make_order("t.py:train", None, (), {"seeds": 2}, tmp_path / "pyproject.toml").request.seeds) == 2


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"seedz": 1}, "audit() has no option seedz"),
        ({"color": "never"}, "audit() has no option color"),
        ({"seeds": 0}, "--seeds must be an integer"),
        ({"seeds": 2, "seed": 1}, "exclude each other"),
        ({"output": ["yaml=x"]}, "--output must be"),
    ],
)
def test_bad_options_are_refused_before_anything_runs(tmp_path: Path, options: dict[str, Any], parts: str) -> None:
    (tmp_path / "t.py").write_text("def train(): raise SystemExit(1)\n")
    with pytest.raises(UsageError) as error:
        reprocheck.audit(tmp_path / "t.py", **options)
    assert parts in error.value.message


def test_an_audit_inside_a_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROCHECK_RUN", "x/s0r0")
    with pytest.raises(UsageError, match="inside an audited run"):
        reprocheck.audit(top)


def test_seed_everything_seeds_every_generator() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert reprocheck.seed_everything(7) is None  # type: ignore[func-returns-value]
    first = draw()
    between = draw()
    reprocheck.seed_everything(7)
    assert draw() == first
    assert all(one != other for one, other in zip(first, between, strict=True))
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    assert draw() == first


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, "1", None])
def test_seeds_that_not_every_generator_takes_are_refused(seed: Any) -> None:
    with pytest.raises(UsageError, match="seed must be an integer from 0"):
        reprocheck.seed_everything(seed)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_seed_everything_seeds_every_cuda_device() -> None:
    devices = range(torch.cuda.device_count())
    reprocheck.seed_everything(7)
    first = [torch.rand(3, device=f"cuda:{device}").tolist() for device in devices]
    reprocheck.seed_everything(7)
    assert [torch.rand(3, device=f"cuda:{device}").tolist() for device in devices] == first


@dataclass
class Result:
    loss: float
    weights: Any


def nested() -> Any:
    torch.manual_seed(0)
    return {
        "model": torch.nn.Linear(3, 2),
        "arrays": [np.arange(4), np.float32(0.5)],
        "result": Result(0.25, torch.ones(2, 3)),
        "texts": ("a", None, True, {"x", "y"}),
        "many": list(range(20)),
    }


FINGERPRINT = "a155e4ce5747b36cf37f5a6b6d68e4dd"
"""Of a plain value: stored fingerprints stay good."""


def test_a_fingerprint_is_the_same_everywhere() -> None:
    plain = {"weights": [1, 2.5, "a", None], "set": {"x", "y"}}
    code = f"import reprocheck; print(reprocheck.fingerprint({plain!r}))"
    here = reprocheck.fingerprint(plain)
    assert len(here) == 32
    assert run(code) == here
    assert here == FINGERPRINT


def test_equal_values_have_equal_fingerprints() -> None:
    assert reprocheck.fingerprint(nested()) == reprocheck.fingerprint(nested())
    x = torch.arange(12.0).reshape(3, 4)
    assert reprocheck.fingerprint(x.t().contiguous().t()) == reprocheck.fingerprint(x)
    assert reprocheck.fingerprint(x[:, ::2]) == reprocheck.fingerprint(x[:, ::2].clone())
    assert reprocheck.fingerprint(np.asfortranarray(x.numpy())) == reprocheck.fingerprint(x.numpy())
    assert reprocheck.fingerprint(OrderedDict(b=1, a=2)) == reprocheck.fingerprint({"a": 2, "b": 1})
    model = torch.nn.Linear(2, 2)
    assert reprocheck.fingerprint(model) == reprocheck.fingerprint(model.state_dict())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (1, 1.0),
        (1, "1"),
        ([1], [1, 1]),
        ({"a": 1}, {"b": 1}),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (torch.tensor([0.0]), torch.tensor([-0.0])),
        (torch.zeros(2), np.zeros(2, dtype=np.float32)),
        ([], {"x": []}),
    ],
)
def test_other_values_have_other_fingerprints(one: Any, other: Any) -> None:
    assert reprocheck.fingerprint(one) != reprocheck.fingerprint(other)


def test_nan_equals_the_same_nan() -> None:
    assert reprocheck.fingerprint(float("nan")) == reprocheck.fingerprint(float("nan"))


@pytest.mark.parametrize("value", [object(), {"model": [object()]}, torch.empty(2, device="meta")])
def test_what_has_no_fingerprint_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no fingerprint of this value"):
        reprocheck.fingerprint(value)


def test_audits_within_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = [create_audit_folder(tmp_path) for _ in range(3)]
    assert len(set(folders)) == 3
    prune(tmp_path, 2)
    assert sum(folder.exists() for folder in folders) == 2


def test_what_is_no_audit_is_kept_between_audits(tmp_path: Path) -> None:
    folders = [create_audit_folder(tmp_path) for _ in range(2)]
    own = folders[0].parent / "0-notes"
    own.mkdir()
    prune(tmp_path, 1)
    assert own.exists()
    assert sum(folder.exists() for folder in folders) == 1


def test_where_a_target_put_a_link_no_audit_is_removed(tmp_path: Path) -> None:
    evidence, other = tmp_path / "evidence", tmp_path / "other"
    earlier = [create_audit_folder(other) for _ in range(3)]
    target = Target(text="t.py", kind=TargetKind.SCRIPT)
    with workspace(Request(target=target, evidence=evidence, keep=1)) as space:
        space.folder.parent.rename(tmp_path / "moved")
        space.folder.parent.symlink_to(other / "audits")
    assert all(folder.exists() for folder in earlier)


def test_render_refuses_a_format_that_is_none() -> None:
    with pytest.raises(UsageError, match="format must be"):
        reprocheck.render(None, "yaml")  # type: ignore[arg-type]


def test_types_are_there() -> None:
    assert (Path(reprocheck.__file__).parent / "py.typed").exists()
    for name in ("seed_everything", "fingerprint", "checkpoint", "render"):
        function = getattr(reprocheck, name)
        hints = get_type_hints(function, {**vars(sys.modules[function.__module__]), "Audit": reprocheck.Audit})
        assert "return" in hints
