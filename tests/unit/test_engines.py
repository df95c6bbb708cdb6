"""Jobs on engines: what they are told, what is said of those that are lost, and how they are cancelled."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reprocheck.api import make_order
from reprocheck.commands.collect.explain import Class, Explainer, Judged
from reprocheck.commands.elsewhere import audit as on_engine
from reprocheck.commands.elsewhere import follow as following
from reprocheck.commands.elsewhere.audit import audit_on_engine
from reprocheck.commands.elsewhere.follow import message_of
from reprocheck.commands.elsewhere.whole import run_whole, without_engine
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import SilentProgress
from reprocheck.engine.remote.engines import THREADS, Ended, Job, Setting, open_engine
from reprocheck.engine.remote.job import run_command
from reprocheck.engine.remote.local import LocalEngine
from reprocheck.engine.remote.slurm import LIMIT_MINUTES, parameters
from reprocheck.errors import Interrupted, NoVerdictError, UsageError
from reprocheck.model import Audit, Divergence, Status, Verdict
from reprocheck.model.kinds import Stage
from reprocheck.model.plan import PlannedRun
from reprocheck.protocol.plan_files import STARTED_FILE
from tests.support.plans import TRAIN, make_result


@dataclass
class Pretended:
    """An engine whose jobs are over at once: `ends` says how, by run; None: with a result."""

    ends: dict[int, Ended | None]
    words: dict[int, str] = field(default_factory=dict)
    is_elsewhere: bool = True
    jobs: list[Job] = field(default_factory=list)
    cancelled: bool = False
    interrupts: bool = False

    def submit(self, jobs: Sequence[Job]) -> None:
        self.jobs += jobs
        if self.interrupts:
            raise KeyboardInterrupt
        for number, job in enumerate(jobs):
            place = Path(job.arguments[2])
            if self.ends.get(number) is None:
                start = make_result(place.parent, number, word=self.words.get(number, ""))
                (place / STARTED_FILE).write_text(f'{{"start": "{start.name}", "host": "n", "at": "now"}}')

    def ended(self, job: Job) -> Ended | None:
        return self.ends.get(self.jobs.index(job)) or Ended(code=0, text="")

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        pass


class Told(SilentProgress):
    def __init__(self) -> None:
        self.ended: list[tuple[str, Status]] = []

    def run_ended(self, run_id: str, status: Status, seconds: float, steps: int) -> None:
        self.ended.append((run_id, status))


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "LATE_SECONDS", 0.0)
    Path("train.py").write_text(TRAIN)


def audited(engine: Pretended, monkeypatch: pytest.MonkeyPatch, told: Told | None = None, **options: Any) -> Audit:
    monkeypatch.setattr(on_engine, "open_engine", lambda name, setting: engine)
    order = make_order("train.py:train", None, (), {"engine": "slurm", "explain": False, **options}, None)
    return audit_on_engine(order.request, order.target, order.options, told or Told())


def test_runs_are_submitted_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, told = Pretended({}), Told()
    audit = audited(engine, monkeypatch, told, repeats=3)
    assert (audit.verdict, audit.exit_code) == (Verdict.REPRODUCIBLE, 0)
    assert [job.name for job in engine.jobs] == ["run-0", "run-1", "run-2"]
    assert sorted(told.ended) == [(f"s0r{number}", Status.COMPLETED) for number in range(3)]
    assert (audit.directory / "audit.json").is_file()
    assert audit.directory.parent == Path.cwd() / ".reprocheck" / "audits"
    assert not engine.cancelled


def test_a_lost_node_is_a_lost_run(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Ended(code=None, text="job 7_1 ended as node_fail")
    told = Told()
    audit = audited(Pretended({1: lost}), monkeypatch, told, repeats=3)
    assert (audit.verdict, audit.exit_code) == (Verdict.NO_VERDICT, 3)
    assert [run.reason for run in audit.seeds[0].runs] == ["", "was lost: job 7_1 ended as node_fail", ""]
    assert ("s0r1", Status.LOST) in told.ended
    audit = audited(Pretended({1: lost}, words={2: "other"}), monkeypatch, repeats=3)  # the rest is judged
    assert (audit.verdict, audit.exit_code) == (Verdict.DIFFERENT, 1)
    assert "1 of 3 runs are missing: run-1" in audit.summary


REFUSED = "reprocheck: error: the code in /x is not that of the plan: a.py is missing\nreprocheck:   help: copy it\n"


def test_what_no_worker_starts_is_an_error_of_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Ended(code=2, text=REFUSED)
    assert message_of(REFUSED) == ("the code in /x is not that of the plan: a.py is missing", "copy it")
    with pytest.raises(UsageError, match=r"a\.py is missing") as raised:
        audited(Pretended({0: refused, 1: refused}), monkeypatch)
    assert raised.value.hint == "copy it"
    audit = audited(Pretended({1: refused}), monkeypatch)  # one machine alone
    assert audit.verdict is Verdict.NO_VERDICT
    assert "refused by its worker: the code in /x is not that of the plan" in audit.seeds[0].reason


def test_what_was_submitted_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Pretended({}, interrupts=True)
    with pytest.raises(Interrupted):
        audited(engine, monkeypatch)
    assert engine.cancelled


@pytest.mark.parametrize("option", ["against", "baseline", "fail_fast", "cached"])
def test_what_does_not_go_with_an_engine_is_refused(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = True if option in ("fail_fast", "cached") else "x"
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} does not go with --engine slurm"):
        audited(Pretended({}), monkeypatch, **{option: value})


@pytest.mark.parametrize(("engine", "module"), [("slurm", "submitit"), ("ray", "ray")])
def test_a_missing_extra_says_what_to_install(engine: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == module:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as raised:
        open_engine(engine, Setting(folder=Path("jobs"), jobs=1, seconds=None))
    assert raised.value.message == f"--engine {engine} needs {module}: pip install 'reprocheck[{engine}]'"
    assert raised.value.hint is None
    assert raised.value.exit_code == 2


def test_submitit_is_told_in_its_own_words() -> None:
    assert parameters({"partition": "gpu", "mem_gb": 8, "slurm_qos": "low"}, "slurm", None) == {
        "name": "reprocheck",
        "slurm_partition": "gpu",
        "mem_gb": 8,
        "slurm_qos": "low",
        "timeout_min": LIMIT_MINUTES,
    }
    assert parameters({}, "slurm", 90.0)["timeout_min"] == 12
    assert "timeout_min" not in parameters({"time": 30}, "slurm", 90.0)
    assert parameters({"timeout_min": 7}, "local", None)["timeout_min"] == 7


def test_the_local_engine_takes_no_arguments() -> None:
    with pytest.raises(UsageError, match="takes no --engine-arg partition"):
        open_engine("local", Setting(folder=Path("jobs"), jobs=1, seconds=None, arguments={"partition": "gpu"}))


def test_the_command_of_a_job_is_the_same_without_the_engine() -> None:
    words = ["vary", "a.py", "--engine", "slurm", "--seed", "3", "--engine-arg=a=b", "--", "--engine", "x"]
    assert without_engine(words) == ("vary", "a.py", "--seed", "3", "--engine", "none", "--", "--engine", "x")
    assert without_engine(["cost", "--engine=ray", "a.py"]) == ("cost", "a.py", "--engine", "none")


def job_here(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """`python -m reprocheck` in the current folder is this script."""
    Path("reprocheck").mkdir()
    Path("reprocheck/__init__.py").touch()
    Path("reprocheck/__main__.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))


def test_a_job_has_the_threads_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    job_here(monkeypatch, f"import os, sys\nprint([os.environ.get(n) for n in {THREADS[:2]}], sys.argv[1:])\nexit(5)")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as Ray does
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    variables = {"OMP_NUM_THREADS": "7", "MKL_NUM_THREADS": None}
    assert run_command(["worker", "x"], os.getcwd(), variables, "out", "err") == (5, "")
    assert Path("out").read_text() == "['7', None] ['worker', 'x']\n"


def test_a_whole_command_is_one_job(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    job_here(monkeypatch, "import sys\nprint(sys.argv[1:])\nprint('reprocheck: run 1', file=sys.stderr)\nexit(1)")
    order = make_order("train.py:train", None, (), {}, None)
    words = ["cost", "train.py:train", "--engine", "local"]
    assert run_whole(words, order.request, "local", {}, SilentProgress()) == 1
    out, err = capfdbinary.readouterr()
    assert out.decode() == "['cost', 'train.py:train', '--engine', 'none']\n"
    assert err.decode() == "reprocheck: run 1\n"
    Path("reprocheck/__main__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(NoVerdictError, match="the job was lost: signal 9 ended its job"):
        run_whole(words, order.request, "local", {}, SilentProgress())


WAITS = """\
import os, signal, sys, time
def end(number, frame):
    open("ended", "w").close()
    sys.exit(130)
signal.signal(signal.SIGTERM, end)
open("started", "w").write(str(os.getpid()))
time.sleep(600)
"""


def until_there(name: str) -> None:
    end = time.monotonic() + 120
    while not Path(name).exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert Path(name).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="a process ends with its parent on Linux only")
def test_a_job_ends_with_the_process_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    job_here(monkeypatch, WAITS)
    code = "from reprocheck_job import run_command; run_command(['x'], '.', {}, 'out', 'err')"
    import reprocheck.engine.remote.job as module

    Path("reprocheck_job.py").write_text(Path(module.__file__).read_text())
    engine = subprocess.Popen([sys.executable, "-c", code])
    until_there("started")
    engine.kill()
    engine.wait()
    until_there("ended")


def test_the_local_engine_ends_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    job_here(monkeypatch, WAITS)
    engine = LocalEngine(Setting(folder=Path.cwd(), jobs=1, seconds=None))
    jobs = [Job(name=name, arguments=("x",), folder=Path.cwd()) for name in ("a", "b")]
    engine.submit(jobs)
    until_there("started")
    assert engine.ended(jobs[0]) is None
    engine.cancel()
    assert Path("ended").exists()
    assert engine.ended(jobs[0]) == Ended(code=130, text="")


def test_what_is_not_explained_here_says_where_it_can_be() -> None:
    order = make_order("train.py:train", None, (), {}, None)
    planner = Planner(request=order.request, environ={}, cwd=Path.cwd(), directory=Path.cwd(), tmp=Path.cwd())
    divergence = Divergence(stage=Stage.STEP, step=3, kind="gradients", names=(), tensors=(), runs=("s0r0", "s0r1"))
    runs = tuple(PlannedRun(number=number, id=f"s0r{number}", seed=0, repeat=number) for number in range(2))
    facts = {"torch": "2.13.0", "cpu": "EPYC", "threads": 8}
    judged = Judged(of_class=Class("B", facts), divergence=divergence, runs=runs, equal=())
    explainer = Explainer(
        planner=planner, progress=SilentProgress(), folder=Path("sweep"), why_not=lambda judged: "cpu Xeon, not EPYC"
    )
    (said,) = explainer(judged, lambda runs: []).not_done
    assert said.what == "explanation"
    assert said.reason.startswith("not explained here: the runs were made on numerical class B (torch 2.13.0, EPYC, 8")
    assert said.reason.endswith("; cpu Xeon, not EPYC")
    assert said.help == "run `reprocheck collect sweep --explain` on a machine of class B"
