"""Sources that give constant answers: two runs then agree, and nothing else changes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reprocheck.model import Interventions, Seeding
from reprocheck.worker.ledger.freeze import Frozen
from tests.support.probed import result_of

POOL = """\
import concurrent.futures as cf
import multiprocessing as mp
import os, time, uuid

SLOW = 3 if os.environ["REPROCHECK_RUN"].endswith("r1") else 0

def work(index):
    answers = [time.time(), uuid.uuid4().hex]
    time.sleep(0.5 if index == SLOW else 0.0)
    return answers

def train():
    with mp.get_context("fork").Pool(2) as pool:
        one = pool.map(work, range(6), chunksize=1)
    with cf.ProcessPoolExecutor(2, mp_context=mp.get_context("fork")) as pool:
        return [*one, *pool.map(work, range(6))]
"""
SOURCES = {
    "clock": [
        "time.time()", "time.time_ns()", "time.monotonic()", "time.perf_counter_ns()", "time.process_time_ns()",
        "str(datetime.datetime.now())", "str(datetime.datetime.utcnow())", "str(datetime.datetime.today())",
        "str(datetime.datetime.now(datetime.timezone.utc))", "time.strftime('%c')", "list(time.localtime())",
        "time.ctime()", "time.asctime()",
    ],
    "entropy": [
        "os.urandom(8).hex()", "uuid.uuid4().hex", "uuid.uuid1().hex", "secrets.token_hex(8)", "secrets.randbits(64)",
        "secrets.choice(range(10**9))", "random.SystemRandom().random()", "os.path.basename(tempfile.mktemp(dir='.'))",
    ],
    "pid": ["os.getpid()", "os.getppid()"],
    "unseeded": [
        "random.Random().random()", "np.random.default_rng().random()", "np.random.RandomState().rand()",
        "np.random.Generator(np.random.PCG64()).random()", "int(np.random.SeedSequence().generate_state(1)[0])",
        "[random.seed(), random.random()]", "[np.random.seed(), np.random.rand()]",
        "[np.random.seed(None), np.random.rand()]",
    ],
}  # fmt: skip
HEAD = "import datetime, os, random, secrets, tempfile, time, uuid\nimport numpy as np\n\ndef train():\n    return [\n"


def source(kind: str) -> str:
    return HEAD + "".join(f"        {line},\n" for line in SOURCES[kind]) + "    ]\n"


@pytest.mark.parametrize("kind", SOURCES)
def test_a_kind(tmp_path: Path, kind: str) -> None:
    """Every line differs between plain runs, and none between frozen ones."""
    plain = [result_of(tmp_path, source(kind), seeding=Seeding.NONE, name=f"plain{n}") for n in (1, 2)]
    names = [f"[{line}]" for line in range(len(SOURCES[kind]))]
    for name in names:
        leaves = [leaf for leaf in plain[0] if leaf.startswith(name)]
        coarse = kind == "clock" or "getppid" in source(kind)  # seconds pass slowly, and both have one parent
        assert coarse or any(plain[0][leaf] != plain[1][leaf] for leaf in leaves), name
    changes = Interventions(frozen=(kind,))
    one, two = (result_of(tmp_path, source(kind), changes, seeding=Seeding.NONE, name=f"f{n}") for n in (1, 2))
    assert one == two
    assert any(one[leaf] != plain[0][leaf] for leaf in one)


def test_one_line_only(tmp_path: Path) -> None:
    text = "import os\n\ndef train():\n    a = os.urandom(8).hex()\n    b = os.urandom(8).hex()\n    return a, b\n"
    changes = Interventions(frozen=(f"entropy@{tmp_path}/target.py:4",))
    one, two = (result_of(tmp_path, text, changes, name=name) for name in ("one", "two"))
    assert [one[name] == two[name] for name in ("[0]", "[1]")] == [True, False]


def test_answers_differ_from_call_to_call(tmp_path: Path) -> None:
    text = (
        "import os, random, time\n\ndef train():\n"
        "    return [len({os.urandom(8) for _ in range(5)}), len({random.Random().random() for _ in range(5)}),\n"
        "            len({time.time() for _ in range(5)}), len(os.urandom(200))]\n"
    )
    values = result_of(tmp_path, text, Interventions(frozen=("clock", "entropy", "unseeded")))
    assert [values[f"[{n}]"] for n in range(4)] == ["5", "5", "5", "200"]


def test_a_time_budget_ends(tmp_path: Path) -> None:
    text = (
        "import time\n\ndef train():\n    start, steps = time.monotonic(), 0\n"
        "    while time.monotonic() - start < 5:\n        steps += 1\n"
        "    waited = time.time()\n    time.sleep(0.2)\n    return steps, time.time() - waited > 0.2\n"
    )
    began = time.monotonic()
    one, two = (result_of(tmp_path, text, Interventions(frozen=("clock",)), name=name) for name in ("one", "two"))
    assert one == two
    assert int(one["[0]"]) > 100
    assert time.monotonic() - began < 60


def test_library_code_keeps_its_clock_and_number(tmp_path: Path) -> None:
    text = (
        "import os, queue, threading, time\n\ndef train():\n    real = os.stat('/proc/self').st_uid\n"
        "    try:\n        queue.Queue().get(timeout=0.05)\n    except queue.Empty:\n        pass\n"
        "    pid = os.fork()\n    if not pid:\n        os._exit(os.getpid() > 2**22)\n"
        "    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
    )
    assert result_of(tmp_path, text, Interventions(frozen=("clock", "pid"))) == {"": "1"}


def test_children(tmp_path: Path) -> None:
    text = (
        "import multiprocessing as mp, os\n\ndef work(queue):\n    queue.put(os.urandom(8).hex())\n\n"
        "def train():\n    found = []\n    for method in ('fork', 'spawn'):\n"
        "        context = mp.get_context(method)\n        queue = context.SimpleQueue()\n"
        "        child = context.Process(target=work, args=(queue,))\n        child.start()\n"
        "        found.append(queue.get())\n        child.join()\n    return found\n"
    )
    one, two = (result_of(tmp_path, text, Interventions(frozen=("entropy",)), name=name) for name in ("one", "two"))
    assert one == two


@pytest.mark.slow
def test_torch(tmp_path: Path) -> None:
    text = (
        "import torch\n\ndef train():\n    first = torch.seed()\n    g = torch.Generator()\n    g.seed()\n"
        "    return first, torch.rand(3), torch.rand(3, generator=g)\n"
    )
    one, two = (result_of(tmp_path, text, Interventions(frozen=("unseeded",)), name=name) for name in ("one", "two"))
    assert one == two


def test_places() -> None:
    frozen = Frozen(("pid", "clock@/a/b.py:3"))
    assert frozen.holds("pid", "/x.py", 1)
    assert not frozen.holds("pid", "", 0)  # no line of the user's code
    assert frozen.holds("clock", "/a/b.py", 3)
    assert not frozen.holds("clock", "/a/b.py", 4)
    assert not frozen.holds("entropy", "/a/b.py", 3)


@pytest.mark.slow
def test_which_process_of_a_pool_takes_a_task_does_not_matter(tmp_path: Path) -> None:
    changes = Interventions(frozen=("clock", "entropy"))
    one, two = (result_of(tmp_path, POOL, changes, seeding=Seeding.NONE, name=name) for name in ("r0", "r1"))
    assert one == two
