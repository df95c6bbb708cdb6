"""Runs that are forked from warm templates are what runs in interpreters of their own are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from reprocheck.engine.plan import Planner, plan_runs
from reprocheck.engine.templates import Template, TemplateLost, Templates
from reprocheck.model import Isolation, Request, RunSpec, Settings, Target, TargetKind
from reprocheck.protocol import STEPS_FILE
from tests.functional.test_corpus import FOLDER, headers
from tests.support.cli import environment, reprocheck

ORIGIN = "import os; print('forked' if '--template' in open(f'/proc/{os.getppid()}/cmdline').read() else 'own')\n"
WORDS = ("run", "--threads", "1", "--no-explain", "--compare", "stdout", "--format", "json")
pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="templates need Linux")
own_templates = pytest.mark.own_templates


def audit(folder: Path, source: str, *arguments: str, env: dict[str, str] | None = None) -> tuple[Any, list[str]]:
    """The answer, and what each run printed."""
    (folder / "target.py").write_text(source)
    ran = reprocheck(*WORDS, *arguments, "target.py", cwd=folder, env=env or environment())
    answer = ran.json()
    latest = max((folder / ".reprocheck" / "audits").iterdir())
    return answer, [path.read_text() for path in sorted(latest.glob("*/stdout.txt"))]


def is_forked(printed: str) -> bool:
    return printed.startswith("forked\n")


def test_no_run_comes_from_a_template_with_isolation_process(tmp_path: Path) -> None:
    _, printed = audit(tmp_path, ORIGIN, "--isolation", "process")
    assert [is_forked(text) for text in printed] == [False, False]


@pytest.mark.parametrize(
    "value",
    [
        *("hash('text')", "np.random.rand()", "os.getpid()"),
        *("id(object())", "random.random()", "torch.rand(1).item()"),
    ],
)
@pytest.mark.slow
@own_templates
def test_what_nobody_fixed_differs_between_two_runs(tmp_path: Path, value: str) -> None:
    """A plain fork of one process would give both runs the same."""
    source = f"{ORIGIN}import random\nimport numpy as np, torch\nopen('value.txt', 'w').write(repr({value}))\n"
    arguments = ("--seeding", "none", "--compare", "stdout,files")
    env = {name: value for name, value in environment().items() if name != "PYTHONHASHSEED"}
    answer, printed = audit(tmp_path, source, *arguments, env=env)
    assert answer["verdict"] == "different"
    assert all(map(is_forked, printed))


@pytest.mark.slow
@own_templates
def test_a_variable_set_before_torch_is_imported_counts(tmp_path: Path) -> None:
    """The run begins again, and leaves what it printed behind once."""
    source = f"{ORIGIN}os.environ['OMP_NUM_THREADS'] = '1'\nimport torch\nprint('threads', torch.get_num_threads())\n"
    (tmp_path / "target.py").write_text(source)
    arguments = (*WORDS[:1], *WORDS[3:])
    ran = reprocheck(*arguments, "target.py", cwd=tmp_path, env=environment())
    assert ran.code == 0, ran.err
    printed = [path.read_text() for path in tmp_path.glob(".reprocheck/audits/*/*/stdout.txt")]
    assert len(printed) == 2
    for text in printed:
        assert text.endswith("threads 1\n")
        assert text.count("\n") == 2


@pytest.mark.slow
@own_templates
def test_a_module_of_the_target_by_the_name_of_an_imported_one_is_found(tmp_path: Path) -> None:
    (tmp_path / "sympy").mkdir()
    (tmp_path / "sympy" / "__init__.py").write_text("OWN = True\n")
    answer, printed = audit(tmp_path, ORIGIN + "import torch, sympy\nprint(sympy.OWN)\n")
    assert answer["verdict"] == "reproducible"
    assert all(text.endswith("True\n") for text in printed)


@pytest.mark.slow
@own_templates
def test_torch_looks_as_if_nobody_had_imported_it(tmp_path: Path) -> None:
    source = ORIGIN + (
        "import sys, importlib.util\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
        "assert importlib.util.find_spec('torch').origin.endswith('__init__.py')\n"
        "assert 'torch' not in sys.modules\n"
        "import torch.nn\n"
        "import numpy, importlib\n"
        "assert torch.__spec__.loader is not None and torch.__spec__.name == 'torch'\n"
        "assert sys.modules['torch'] is torch and sys.modules['numpy'] is numpy\n"
        "assert importlib.util.find_spec('torch') is torch.__spec__\n"
        "from torch.utils.data import DataLoader\n"
        "print(torch.__version__)\n"
    )
    answer, printed = audit(tmp_path, source)
    assert answer["verdict"] == "reproducible", answer
    assert all(map(is_forked, printed))


AT_THE_END = """\
import atexit, ctypes, torch
class Last:
    def __del__(self, open=open):
        open("deleted.txt", "w").write("x")
last = Last()
buffered = open("buffered.txt", "w")
buffered.write("x")
atexit.register(lambda: open("atexit.txt", "w").write("x"))
ctypes.CDLL(None).printf(b"from C\\n")
"""
LIBRARY = """\
#include <stdio.h>
__attribute__((destructor)) static void last(void) { fclose(fopen("destructor.txt", "w")); }
"""


OWN = """\
import tempfile
own = open("/proc/self/environ").read().split("\\0")
assert f'REPROCHECK_RUN={os.environ["REPROCHECK_RUN"]}' in own, own
assert tempfile.gettempdir() == os.environ["TMPDIR"]
assert os.getsid(0) == os.getpid()
"""


@own_templates
def test_a_run_has_its_own_name_folder_and_temporary_directory_and_what_it_leaves_for_its_end_happens(
    tmp_path: Path,
) -> None:
    answer, printed = audit(tmp_path, ORIGIN + OWN + AT_THE_END, "--seeds", "2")
    assert answer["verdict"] == "reproducible", answer
    assert len(printed) == 4
    assert all(map(is_forked, printed))
    assert all("from C\n" in text for text in printed)
    for name in ("deleted", "buffered", "atexit"):
        assert (tmp_path / f"{name}.txt").stat().st_size, name


@own_templates
def test_two_runs_of_a_seed_never_share_a_template_even_where_nothing_varies(tmp_path: Path) -> None:
    source = f"{ORIGIN}import torch\nopen('value.txt', 'w').write(repr(id(torch)))\n"
    answer, printed = audit(tmp_path, source, "--ambient", "fixed", "--compare", "stdout,files")
    assert answer["verdict"] == "different"
    assert all(map(is_forked, printed))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@own_templates
def test_a_library_of_the_target_ends_as_it_wants_to(tmp_path: Path) -> None:
    (tmp_path / "own.c").write_text(LIBRARY)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "own.so", "own.c"], cwd=tmp_path, check=True)
    _, printed = audit(tmp_path, f"{ORIGIN}import ctypes, torch\nown = ctypes.CDLL('./own.so')\n")
    assert all(map(is_forked, printed))
    assert (tmp_path / "destructor.txt").exists()


@pytest.mark.slow
@own_templates
def test_the_runs_of_an_explanation_are_forked_too(tmp_path: Path) -> None:
    """All but the one with a hash seed of its own: no template was born with that."""
    source = ORIGIN + (
        "import torch\n"
        "words = 'the quick brown fox jumps over the lazy dog'.split()\n"
        "torch.manual_seed(0)\n"
        "model = torch.nn.Linear(1, 1)\n"
        "optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
        "for number in [float(words.index(word)) for word in set(words)]:\n"
        "    optimizer.zero_grad()\n"
        "    model(torch.tensor([[number]])).sum().backward()\n"
        "    optimizer.step()\n"
    )
    (tmp_path / "target.py").write_text(source)
    arguments = (word for word in WORDS if word not in ("--no-explain", "--compare", "stdout"))
    ran = reprocheck(*arguments, "target.py", cwd=tmp_path, env=environment())
    answer = ran.json()
    assert [finding["cause"] for finding in answer["findings"]] == ["str-set-order"] * 2
    runs = {path.parent.name: path.read_text() for path in tmp_path.glob(".reprocheck/audits/*/*/stdout.txt")}
    assert [name for name, printed in sorted(runs.items()) if not is_forked(printed)] == ["x03"]


@pytest.mark.slow
@own_templates
def test_a_traced_run_that_begins_again_takes_everything_down_once(tmp_path: Path) -> None:
    source = (
        "import os, time, random\nrandom.seed(time.time_ns())\nos.environ['OMP_NUM_THREADS'] = '1'\nimport torch\n"
        "model = torch.nn.Linear(1, 1)\nmodel.weight.data.fill_(random.random())\n"
        "optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
        "model(torch.ones(1, 1)).sum().backward()\noptimizer.step()\n"
    )
    (tmp_path / "target.py").write_text(source)
    reprocheck("run", "--explain-budget", "2", "target.py", cwd=tmp_path, env=environment())
    lines = next(tmp_path.glob(".reprocheck/audits/*/x01/ledger.jsonl")).read_text().splitlines()
    seeds = [entry for entry in map(json.loads, lines) if entry["kind"] == "seed" and entry["name"] == "random.seed"]
    assert {entry["count"] for entry in seeds} == {1}
    assert len({entry["pid"] for entry in map(json.loads, lines)}) == 1


def planned(folder: Path, seeds: int) -> tuple[RunSpec, ...]:
    (folder / "target.py").write_text("import time, os\ntime.sleep(60)\n")
    target = Target(text="target.py", kind=TargetKind.SCRIPT, path=folder / "target.py")
    request = Request(target=target, settings=Settings(threads=1), seeds=tuple(range(seeds)))
    return plan_runs(
        Planner(request=request, environ=environment(), cwd=folder, directory=folder / "evidence", tmp=folder / "tmp")
    )


@own_templates
def test_one_template_for_the_repeats_of_all_seeds(tmp_path: Path) -> None:
    specs = planned(tmp_path, 3)
    with Templates(Isolation.TEMPLATE) as templates:
        templates.place(specs)
        assert not templates.are_ready(specs)
        until = time.monotonic() + 60
        while not templates.are_ready(specs) and time.monotonic() < until:
            time.sleep(0.05)
        taken = {spec.id: templates.take(spec) for spec in specs}
        assert None not in taken.values()
        assert taken["s0r0"] is taken["s1r0"] is taken["s2r0"]
        assert taken["s0r1"] is taken["s1r1"] is taken["s2r1"]
        assert taken["s0r0"] is not taken["s0r1"]


@own_templates
def test_a_template_that_is_gone_is_reported_and_so_are_its_runs(tmp_path: Path) -> None:
    template = Template(environment(), tmp_path)
    try:
        until = time.monotonic() + 60
        while template.is_warming and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(template._process.pid, signal.SIGKILL)
        template._process.wait()
        with pytest.raises(TemplateLost):
            template.fork(tmp_path)
    finally:
        template.close()


SAME = sorted(
    path
    for path in (FOLDER / "clean").glob("*.py")
    if "target" in (head := headers(path)) and "options" not in head  # no clocks among the values
)


@pytest.mark.slow
@pytest.mark.parametrize("path", SAME[::10], ids=lambda path: path.stem)
def test_isolation_jobs_and_trace_change_no_digest(path: Path, tmp_path: Path) -> None:
    head = headers(path)
    target = str(path) if head["target"] == "script" else f"{path}:{head['target']}"
    steps = []
    for isolation, *arguments in (("template",), ("process", "--jobs", "2", "--trace", "always")):
        folder = tmp_path / isolation
        folder.mkdir()
        ran = reprocheck(*WORDS, "--seed", "3", "--isolation", isolation, *arguments, target, cwd=folder)
        assert ran.code == 0, ran.out
        files = sorted(folder.glob(f".reprocheck/audits/*/s3*/{STEPS_FILE}"))
        steps.append([file.read_bytes() for file in files])
        steps[-1].append(json.dumps(ran.json()["metrics"], sort_keys=True).encode())
    assert steps[0] == steps[1]
