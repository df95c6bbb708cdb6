"""The pytest plugin in real pytest sessions. Targets do without torch where it is not the point: they start faster."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reprocheck.config.settings import tomllib
from tests.support.cli import environment

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "reprocheck.pytest_plugin"
QUICK = 'ambient="fixed", explain=False'
"""Marker options of audits that need no pause between their runs."""


@dataclass(frozen=True)
class Session:
    code: int
    out: str
    outcomes: dict[str, tuple[str, str]]
    """Test → passed, failure, error or skipped, and the text that came with it."""


def pytest_session(folder: Path, *arguments: str, load: bool = True) -> Session:
    installed = {entry.value for entry in importlib.metadata.entry_points(group="pytest11")}
    plugin = ("-p", PLUGIN) if load and PLUGIN not in installed else ()
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "--junitxml=report.xml", f"--basetemp={folder / 'base'}", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=400,
    )
    report = folder / "report.xml"
    outcomes = {}
    for case in ElementTree.parse(report).getroot().iter("testcase") if report.exists() else ():
        children = [child for child in case if child.tag in ("failure", "error", "skipped")]
        found = (children[0].tag, str(children[0].get("message")) + str(children[0].text)) if children else None
        outcomes[str(case.get("name"))] = found or ("passed", "")
    return Session(done.returncode, done.stdout + done.stderr, outcomes)


MARKED = f"""
import functools, os, sys, unittest
import pytest
import helper

quick = pytest.mark.reproducible({QUICK})
THERE = os.path.dirname(os.path.abspath(__file__))


def note(name, *values):
    with open(os.path.join(THERE, name), "a") as f:
        f.write(" ".join(map(str, values)) + chr(10))


@pytest.mark.reproducible(seeds=3, repeats=2, {QUICK})
def test_same(seed):
    note("same", os.getpid(), seed)
    return {{"loss": helper.HALF + seed}}


@quick
def test_pid():
    return {{"loss": float(os.getpid())}}


@quick
def test_returns_a_training():
    def training():
        return {{"loss": float(os.getpid())}}
    return training


@quick
def test_returns_a_partial():
    return functools.partial(dict, loss=1.0)


@quick
@pytest.mark.parametrize(("rate", "name"), [(0.1, "a"), (0.2, "b")])
def test_parameters(rate, name, seed, tmp_path, other=4):
    assert (rate, name) in ((0.1, "a"), (0.2, "b")) and other == 4 and seed == 0
    assert not list(tmp_path.iterdir())
    (tmp_path / "x").write_text("x")
    return rate


@quick
def test_assertion():
    assert 1 == 2, "worse than chance"


@quick
def test_skips_inside():
    pytest.skip("no data")


@quick
def test_nothing_to_compare():
    pass


@quick
def test_fixture(capsys):
    return 1


@quick
@pytest.mark.parametrize("value", [object()])
def test_no_literal(value):
    return 1


@pytest.fixture
def wrapped(request):
    return request.param


@quick
@pytest.mark.parametrize("wrapped", [1], indirect=True)
def test_indirect(wrapped):
    return 1


@quick
@pytest.mark.usefixtures("capsys")
def test_used_fixture():
    return 1


@pytest.mark.reproducible(seedz=3)
def test_unknown_option():
    return 1


@pytest.mark.reproducible(repeats=0)
def test_wrong_value():
    return 1


@pytest.mark.reproducible(3)
def test_positional():
    return 1


@pytest.mark.reproducible(arg={{"a": 1}})
def test_arg():
    return 1


class TestCase(unittest.TestCase):
    @quick
    def test_of_unittest(self):
        return 1


@quick
async def test_coroutine():
    return 1


@quick
@pytest.mark.skip(reason="asked for")
def test_skipped():
    note("skipped")


def test_seed_without_mark(seed):
    pass


def test_ordinary():
    assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Path]:
    folder = tmp_path_factory.mktemp("marked")
    (folder / "test_marked.py").write_text(MARKED)
    (folder / "helper.py").write_text("HALF = 0.5\n")
    return pytest_session(folder), folder


@pytest.mark.slow
def test_a_training_that_reproduces_passes(marked: tuple[Session, Path]) -> None:
    session, _ = marked
    for name in ("test_same", "test_returns_a_partial", "test_parameters[0.1-a]", "test_parameters[0.2-b]"):
        assert session.outcomes[name] == ("passed", ""), session.out


def test_it_runs_in_processes_of_its_own_with_every_seed(marked: tuple[Session, Path]) -> None:
    _, folder = marked
    lines = [line.split() for line in (folder / "same").read_text().splitlines()]
    assert [seed for _, seed in lines] == ["0", "1", "2", "0", "1", "2"]
    assert len({pid for pid, _ in lines}) == 6


@pytest.mark.parametrize("name", ["test_pid", "test_returns_a_training"])
def test_a_difference_fails_with_the_diagnostic_of_the_command(marked: tuple[Session, Path], name: str) -> None:
    session, _ = marked
    kind, text = session.outcomes[name]
    assert kind == "failure"
    assert f"DIFFERENT  test_marked.py::{name}" in text
    assert "error[RC305]: metric differ" in text
    assert "evidence: " in text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("test_assertion", "AssertionError: worse than chance"),
        ("test_skips_inside", "Skipped: no data"),
        ("test_nothing_to_compare", "nothing was compared"),
        ("test_fixture", "the fixture capsys cannot reach a run in another process"),
        ("test_used_fixture", "the fixture capsys cannot reach a run in another process"),
        ("test_indirect[1]", "the fixture wrapped cannot reach a run in another process"),
        ("test_no_literal[value0]", "a parametrized value must have a value that can be written as a Python literal"),
        ("test_unknown_option", "@pytest.mark.reproducible has no option seedz"),
        ("test_wrong_value", "--repeats must be an integer from 1"),
        ("test_positional", "takes its options by name"),
        ("test_arg", "use @pytest.mark.parametrize"),
        ("test_of_unittest", "only a test function or a method of a plain class"),
        ("test_coroutine", "only a test function or a method of a plain class"),
        ("test_seed_without_mark", "for tests marked reproducible"),
    ],
)
def test_what_has_no_verdict_is_an_error(marked: tuple[Session, Path], name: str, arguments: str) -> None:
    kind, text = marked[0].outcomes[name]
    assert kind == "error"
    assert arguments in text


def test_marks_that_skip_still_skip(marked: tuple[Session, Path]) -> None:
    session, folder = marked
    assert session.outcomes["test_skipped"][0] == "skipped"
    assert not (folder / "skipped").exists()


def test_torch_is_not_imported_and_nothing_is_left_behind(marked: tuple[Session, Path]) -> None:
    session, folder = marked
    assert session.outcomes["test_ordinary"][0] == "passed"
    assert not (folder / ".reprocheck").exists()


PACKAGE = f"""
import pytest
from .data import HALF
from pkg.data import HALF as again


@pytest.mark.reproducible({QUICK})
def test_relative():
    return HALF + again
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_modules_of_packages_are_imported_as_pytest_does(tmp_path: Path, mode: str) -> None:
    package = tmp_path / "inner" / "pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "data.py").write_text("HALF = 0.5\n")
    (package / "test_it.py").write_text(PACKAGE)
    if mode == "importlib":  # it puts nothing on the path
        (tmp_path / "conftest.py").write_text("import sys\nsys.path.insert(0, 'inner')\n")
    session = pytest_session(tmp_path, f"--import-mode={mode}")
    assert session.outcomes["test_relative"] == ("passed", ""), session.out


FIXTURE = """
import os, pytest
import reprocheck as package

THERE = os.path.dirname(__file__)


@pytest.mark.parametrize("number", range(3))
def test_audit(reprocheck, number, tmp_path):
    (tmp_path / "t.py").write_text("import os\\ndef train(): return float(os.getpid())\\n")
    audit = reprocheck(f"{tmp_path}/t.py:train", explain=False, ambient="fixed")
    assert (audit.verdict, audit.exit_code) == ("different", 1)
    assert isinstance(audit, package.Audit)
    assert str(audit.directory).startswith(str(tmp_path.parent))
    with open(os.path.join(THERE, "folders"), "a") as file:
        file.write(f"{audit.directory}\\n")


@pytest.mark.parametrize("number", range(3))
@pytest.mark.reproducible(ambient="fixed", explain=False)
def test_marked(number):
    return number
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [pytest.param((), id="alone"), pytest.param(("-n", "2"), id="xdist")])
def test_fixture_and_marks_keep_their_evidence_apart(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "test_fixture.py").write_text(FIXTURE)
    session = pytest_session(tmp_path, *arguments)
    assert session.code == 0, session.out
    folders = (tmp_path / "folders").read_text().splitlines()
    assert len(folders) == len(set(folders)) == 3
    assert len({Path(folder).parents[1] for folder in folders}) == 3


def test_nothing_shows_when_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    with_plugin, without = (pytest_session(tmp_path, "-p", "no:randomly", load=load) for load in (True, False))
    shown = [
        [line for line in one.out.splitlines() if "===" not in line and not line.startswith("plugins: ")]
        for one in (with_plugin, without)
    ]
    assert shown[0] == shown[1]
    assert "reprocheck" not in "".join(shown[0])


def test_loading_it_imports_nothing_heavy() -> None:
    code = f"import sys, {PLUGIN}; print([n for n in ('torch', 'numpy', 'typer', 'rich') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_it_is_declared_as_a_plugin() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert declared == {"reprocheck": PLUGIN}


TORCH = """
import pytest, torch
from torch import nn

UNSEEDED = torch.Generator()
UNSEEDED.seed()


def fit(generator):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        loss = model(torch.randn(8, 4, generator=generator)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


@pytest.mark.reproducible(seeds=2, threads=1)
def test_good():
    return fit(None)


@pytest.mark.reproducible(threads=1)
def test_bad():
    return fit(UNSEEDED)
"""


@pytest.mark.slow
def test_a_real_training_fails_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "test_torch.py").write_text(TORCH)
    session = pytest_session(tmp_path)
    assert session.outcomes["test_good"] == ("passed", ""), session.out
    kind, text = session.outcomes["test_bad"]
    assert kind == "failure"
    assert "batch differs between run s0r0 and run s0r1" in text
    assert "test_torch.py:" in text


STOPPED = f"""
import pytest, torch

@pytest.mark.reproducible({QUICK}, max_steps=2)
def test_trains():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    return model

@pytest.mark.reproducible({QUICK}, max_steps=2, strict=True)
def test_is_strict():
    return test_trains()
"""


@pytest.mark.slow
def test_what_was_not_reached_is_not_compared(tmp_path: Path) -> None:
    (tmp_path / "test_stopped.py").write_text(STOPPED)
    session = pytest_session(tmp_path)
    assert session.outcomes["test_trains"][0] == "passed"
    assert session.outcomes["test_is_strict"][0] == "error"
    assert "= reprocheck: not compared =" in session.out
    line = "test_stopped.py::test_trains: REPRODUCIBLE in what was compared; not compared: the returned value"
    assert line in session.out


BASELINES = f"""
import os
import pytest

OPTIONS = dict({QUICK})


def training(seed=0):
    return {{"loss": float(os.environ.get("LOSS", "0.5")) + seed}}


@pytest.mark.parametrize("number", [1, 2])
def test_kept(reprocheck_baseline, number):
    reprocheck_baseline(training, **OPTIONS)


class TestOfAClass:
    half = 0.5

    @pytest.mark.reproducible(baseline="marked.json", {QUICK})
    def test_method(self, seed):
        return {{"loss": self.half * seed}}

    @pytest.mark.reproducible({QUICK})
    def test_differs(self):
        return {{"loss": float(os.getpid())}}
"""


@pytest.mark.slow
def test_baselines_are_kept_for_each_test_and_written_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_it.py").write_text(BASELINES)
    missing = pytest_session(tmp_path, "-k", "kept or method")
    assert {outcome for outcome, _ in missing.outcomes.values()} == {"failure", "error"}
    assert "run pytest --reprocheck-update, and commit it" in missing.outcomes["test_kept[1]"][1]
    written = pytest_session(tmp_path, "--reprocheck-update", "-k", "kept or method", "--reprocheck-option=seeds=2")
    assert written.code == 0, written.out
    assert "3 audits: 3 reproducible" in written.out
    names = sorted(path.name for path in (tmp_path / "__reprocheck__").iterdir())
    assert names == ["test_it-test_kept-1.json", "test_it-test_kept-2.json"]
    assert (tmp_path / "marked.json").exists()
    monkeypatch.setenv("LOSS", "0.25")
    moved = pytest_session(tmp_path, "--reprocheck-option=seeds=2")
    outcomes = {name: outcome for name, (outcome, _) in moved.outcomes.items()}
    assert outcomes == {
        "test_kept[1]": "failure",
        "test_kept[2]": "failure",
        "test_method": "passed",
        "test_differs": "failure",
    }
    assert "4 audits: 3 different, 1 reproducible" in moved.out


@pytest.mark.parametrize(
    ("arguments", "ini", "message"),
    [
        (["--reprocheck-option=seedz=2"], "", "seedz"),
        (["--reprocheck-option=seeds"], "", "--reprocheck-option"),
        ([], "reprocheck_options=seeds=none at all", "seeds"),
    ],
)
def test_wrong_options_of_a_session_are_an_error(tmp_path: Path, arguments: list[str], ini: str, message: str) -> None:
    (tmp_path / "test_it.py").write_text(BASELINES)
    options = [f"--override-ini={ini.strip()}"] if ini else []
    session = pytest_session(tmp_path, "-k", "differs", *options, *arguments)
    outcome, text = session.outcomes["test_differs"]
    assert outcome == "error"
    assert message in text
