"""What a run took from outside stands in its ledger, with the line that took it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from reprocheck.diagnosis.ledger_file import load_entries
from reprocheck.model import Seeding, Status
from reprocheck.model.explanation import LedgerEntry
from reprocheck.model.run_spec import PLAIN as NOTHING_RECORDED
from tests.support.probed import LEDGER, entries_of, probed, result_of

PLAIN = """\
import datetime, glob, os, pathlib, platform, random, secrets, socket, sqlite3, subprocess, tempfile
import multiprocessing, threading, time, uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from random import shuffle

def train():
    random.seed(7)
    random.seed()
    for _ in range(2000):
        random.random()
    items = [1, 2]; shuffle(items)
    private = random.Random()
    seeded = random.Random(3)
    seeded.seed(5)
    system = random.SystemRandom().random()
    t = time.time()
    d = datetime.datetime.now()
    u = datetime.datetime.utcnow()
    today = datetime.date.today()
    year = time.localtime().tm_year
    stamp = time.strftime("%Y")
    fixed = time.gmtime(0)
    os.urandom(4)
    uuid.uuid4()
    secrets.token_hex(4)
    tempfile.mkdtemp()
    fixed = multiprocessing.Lock()
    os.getpid(); platform.node(); socket.gethostname()
    os.makedirs("d", exist_ok=True)
    with open("d/a.txt", "w") as file:
        file.write("a")
    os.listdir("d")
    sorted(glob.glob("d/*"))
    list(pathlib.Path("d").iterdir())
    list(os.walk("d"))
    there = os.path.exists("d/a.txt")
    absent = pathlib.Path("d/none").exists()
    pathlib.Path("d/a.txt").read_text()
    pathlib.Path("before.txt").read_text()
    with open("log.txt", "a") as file:
        file.write("x")
    os.close(os.open("a.lock", os.O_RDWR | os.O_CREAT))
    os.close(os.open("before.txt", os.O_RDWR))
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE p (a)")
    db.execute("SELECT a FROM p ORDER BY a")
    db.execute("SELECT a FROM p")
    db.cursor().execute("SELECT a FROM p ORDER BY RANDOM()")
    subprocess.run(["true"])
    with ThreadPoolExecutor(2) as pool:
        list(as_completed([pool.submit(int)]))
    worker = threading.Thread(target=draw)
    worker.start()
    worker.join()
    os.environ["PYTHONHASHSEED"] = "0"

def draw():
    random.gauss(0, 1)
"""


def at(entries: Iterable[LedgerEntry], kind: str, text: str) -> LedgerEntry:
    """The one tap of this kind on a line with this text."""
    [found] = [entry for entry in entries if entry.kind == kind and text in entry.code]
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[LedgerEntry]:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "before.txt").write_text("b")
    return entries_of(folder, PLAIN)


@pytest.mark.parametrize(
    ("kind", "text", "name", "value", "generator"),
    [
        ("seed", "random.seed(7)", "random.seed", "7", "python"),
        ("seed", "random.seed()", "random.seed", "entropy", "python"),
        ("draw", "random.random()", "random.random", "", "python"),
        ("draw", "shuffle(items)", "random.shuffle", "", "python"),
        ("draw", "random.gauss", "random.gauss", "thread", "python"),
        ("unseeded", "private", "random.Random", "", "random.Random"),
        ("seed", "seeded.seed(5)", "random.Random.seed", "5", "random.Random"),
        ("clock", "t = ", "time.time", "", ""),
        ("clock", "d = ", "datetime.datetime.now", "", ""),
        ("clock", "u = ", "datetime.datetime.utcnow", "", ""),
        ("clock", "today", "time.time", "", ""),
        ("clock", "year", "time.localtime", "", ""),
        ("clock", "stamp", "time.strftime", "", ""),
        ("entropy", "os.urandom", "os.urandom", "", ""),
        ("entropy", "uuid4", "uuid.uuid4", "", ""),
        ("entropy", "token_hex", "secrets.token_hex", "", ""),
        ("entropy", "mkdtemp", "tempfile", "", ""),
        ("listing", "os.listdir", "os.listdir", "d", ""),
        ("listing", "glob.glob", "glob.glob", "d/*", ""),
        ("listing", "iterdir", "pathlib.Path.iterdir", "d", ""),
        ("listing", "os.walk", "os.walk", "d", ""),
        ("probe", "there", "os.path.exists", "d/a.txt", "found"),
        ("probe", "absent", "pathlib.Path.exists", "d/none", "absent"),
        ("write", 'open("d/a.txt"', "open", "d/a.txt", ""),
        ("write", "log.txt", "open", "log.txt", "append"),
        ("write", "a.lock", "open", "a.lock", ""),
        ("write", "before.txt", "open", "before.txt", "append"),
        ("read", 'Path("d/a.txt")', "pathlib.Path.read_text", "d/a.txt", "own"),
        ("read", 'Path("before.txt")', "pathlib.Path.read_text", "before.txt", ""),
        ("read", "sqlite3.connect", "sqlite3.connect", ":memory:", ""),
        ("query", 'FROM p")', "sqlite3.Connection.execute", "SELECT a FROM p", ""),
        ("query", "RANDOM()", "sqlite3.Cursor.execute", "SELECT a FROM p ORDER BY RANDOM()", ""),
        ("subprocess", "subprocess.run", "subprocess.Popen", "['true']", ""),
        ("pool", "ThreadPoolExecutor", "concurrent.futures.ThreadPoolExecutor", "", ""),
        ("pool", "as_completed([", "concurrent.futures.as_completed", "", ""),
        ("environ", "PYTHONHASHSEED", "os.environ", "PYTHONHASHSEED=0", ""),
    ],
)
def test_a_use_has_its_line_and_value(
    plain: list[LedgerEntry], kind: str, text: str, name: str, value: str, generator: str
) -> None:
    entry = at(plain, kind, text)
    assert (entry.name, entry.value, entry.generator, entry.library) == (name, value, generator, entry.library)
    assert entry.location is not None
    assert entry.location.path.endswith("target.py")


def test_several_uses_on_one_line(plain: list[LedgerEntry]) -> None:
    names = {entry.name for entry in plain if entry.kind == "pid"}
    assert names == {"os.getpid", "platform.node", "socket.gethostname"}
    assert {entry.name for entry in plain if entry.kind == "thread"} == {"threading.Thread", "threading.Thread.start"}
    assert {entry.name for entry in plain if "system = " in entry.code} == {"random.SystemRandom"}


def test_calls_are_counted_and_ordered(plain: list[LedgerEntry]) -> None:
    assert at(plain, "draw", "random.random()").count == 2000
    assert [entry.order for entry in plain] == sorted(entry.order for entry in plain)


def test_what_reads_nothing_from_outside_is_not_there(plain: list[LedgerEntry]) -> None:
    assert not [entry for entry in plain if "fixed" in entry.code and entry.kind != "seed"]
    assert at(plain, "seed", "random.Random(3)").value == "3"
    assert not [entry for entry in plain if "ORDER BY a" in entry.value]


def test_our_own_seeding_is_not_there(tmp_path: Path) -> None:
    assert entries_of(tmp_path, "import numpy.random\n\ndef train():\n    return 1\n") == []


NUMPY = """\
import numpy as np
NEGATIVES = np.random.RandomState()

def train(seed=None):
    np.random.seed(3)
    np.random.seed(None)
    np.random.rand(2)
    rng = np.random.default_rng()
    fixed = np.random.default_rng(5)
    sequence = np.random.SeedSequence()
    bits = np.random.Generator(np.random.PCG64())
    sure = np.random.RandomState(4)
    for seed in (4, None, 5):
        mixed = np.random.RandomState(seed)
    late = np.random.RandomState()
    late.seed(6)
    used = np.random.RandomState()
    used.rand()
    used.seed(7)
    return rng.random(), bits.random(), NEGATIVES.rand()
"""


def test_numpy(tmp_path: Path) -> None:
    entries = entries_of(tmp_path, NUMPY)
    made = at(entries, "unseeded", "NEGATIVES")
    assert (made.name, made.in_import) == ("numpy.random.RandomState", True)
    assert at(entries, "seed", "seed(3)").value == "3"
    assert at(entries, "seed", "seed(None)").value == "entropy"
    assert at(entries, "draw", "np.random.rand(2)").generator == "numpy"
    assert at(entries, "unseeded", "rng = ").name == "numpy.random.default_rng"
    assert at(entries, "seed", "fixed = ").value == "5"
    assert at(entries, "unseeded", "sequence = ").name == "numpy.random.SeedSequence"
    assert at(entries, "unseeded", "bits = ").name == "numpy.random.PCG64"
    assert (at(entries, "seed", "sure = ").value, len([entry for entry in entries if "sure = " in entry.code])) == (
        "4",
        1,
    )
    assert at(entries, "unseeded", "mixed = ").count == 1
    assert at(entries, "seed", "late.seed(6)").value == "6"
    assert not [entry for entry in entries if "late = " in entry.code]
    assert at(entries, "unseeded", "used = ").count == 1


TORCH = """\
import os
import torch
from torch import nn
from torch.utils.data import DataLoader, random_split

def train():
    torch.manual_seed(11)
    torch.seed()
    torch.manual_seed(12)
    g = torch.Generator()
    g.manual_seed(13)
    g.seed()
    torch.rand(2, generator=g)
    born = torch.Generator()
    torch.rand(2, generator=born)
    model = nn.Linear(4, 2)
    model.share_memory()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(list(torch.randn(4, 4)), batch_size=2, shuffle=True)
    for x in loader:
        model(x).sum().backward()
        opt.step()
    torch.randint(0, 9, (1,))
    torch.randperm(3, generator=torch.default_generator)
    random_split([1, 2, 3], [2, 1])
    torch.save(model.state_dict(), "m.pt")
    torch.load("m.pt")
    torch.load("old.pt")
    return model
"""


@pytest.mark.slow
def test_torch(tmp_path: Path) -> None:
    entries_of(tmp_path, 'import torch\n\ndef train():\n    torch.save({}, "old.pt")\n', name="before")
    entries = entries_of(tmp_path, TORCH)
    assert at(entries, "seed", "torch.manual_seed(11)").value == "11"
    assert at(entries, "seed", "torch.seed()").value == "entropy"
    assert at(entries, "seed", "g.manual_seed(13)").name == "torch.Generator.manual_seed"
    assert at(entries, "seed", "g.seed()").value == "entropy"
    assert at(entries, "unseeded", "generator=born").value == "default seed"
    assert not [entry for entry in entries if "generator=g" in entry.code]
    linear = at(entries, "draw", "nn.Linear")
    assert (linear.library, linear.step) == ("torch", 0)
    assert at(entries, "draw", "torch.randint").step == 2
    assert at(entries, "draw", "for x in loader").generator == "torch"
    assert at(entries, "draw", "generator=torch.default_generator").generator == "torch"
    assert at(entries, "draw", "random_split(").generator == "torch"
    assert at(entries, "loader", "DataLoader(").value == "shuffle=True"
    assert at(entries, "share_memory", "share_memory()").count == 1
    assert at(entries, "write", "torch.save").value == "m.pt"
    own, old = at(entries, "read", '"m.pt"'), at(entries, "read", '"old.pt"')
    assert (own.name, own.generator, old.generator) == ("torch.load", "own", "")


STATES = """\
import random
import numpy as np
import torch

def train():
    kept = random.getstate(), np.random.get_state(), np.random.get_state(legacy=False), torch.get_rng_state()
    random.random(); np.random.rand(); torch.rand(1)
    random.setstate(kept[0]); np.random.set_state(kept[1]); np.random.set_state(kept[2]); torch.set_rng_state(kept[3])
    with torch.random.fork_rng():
        torch.rand(1)
    for number in range(30):
        kept = torch.get_rng_state()
        torch.manual_seed(number); torch.randn(2)
        if number == 7:
            inner = torch.get_rng_state(); torch.randperm(3); torch.set_rng_state(inner)
        torch.set_rng_state(kept)
    torch.randint(3, (1,))
    torch.set_rng_state(torch.Generator().manual_seed(1).get_state())  # other
    random.setstate(random.Random(1).getstate())  # other
    np.random.set_state(np.random.RandomState(1).get_state())  # other
    return 1
"""


def test_a_state_that_is_put_back_seeds_nothing(tmp_path: Path) -> None:
    entries = entries_of(tmp_path, STATES, seeding=Seeding.NONE)
    drawn = [(entry.name, entry.count) for entry in entries if entry.kind == "draw" and entry.generator == "torch"]
    assert drawn == [("torch.rand", 1), ("torch.rand", 1), ("torch.randint", 1)]
    seeds = [entry for entry in entries if entry.kind == "seed" and entry.location]
    others = [entry for entry in seeds if entry.generator in ("python", "numpy", "torch")]
    assert [(entry.generator, entry.value) for entry in others] == [
        ("torch", "state"),
        ("python", "state"),
        ("numpy", "state"),
    ]
    assert all(entry.value == "state" and "# other" in entry.code for entry in others)


WORKERS = """\
import multiprocessing as mp
import random

def work(queue):
    queue.put(random.random())

def train():
    context = mp.get_context("{method}")
    queue = context.SimpleQueue()
    processes = [context.Process(target=work, args=(queue,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return 1
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children(tmp_path: Path, method: str) -> None:
    entries = entries_of(tmp_path, WORKERS.format(method=method))
    draw = at(entries, "draw", "queue.put(random.random())")
    assert (draw.in_child, draw.count) == (True, 2)
    start = at(entries, "pool", "process.start()")
    assert (start.value, start.count, start.in_child) == (method, 2, False)


def test_a_run_that_is_killed_leaves_its_ledger(tmp_path: Path) -> None:
    outcome = probed(tmp_path, "import os, random\n\ndef train():\n    random.random()\n    os.kill(os.getpid(), 9)\n")
    assert outcome.status is Status.LOST
    assert [entry.kind for entry in load_entries(outcome.spec.directory)] == ["draw", "pid"]


def test_a_run_that_exits_or_fails_leaves_its_counts(tmp_path: Path) -> None:
    source = "import random, sys\nfor _ in range(7):\n    random.random()\nsys.exit({status})\n"
    for status in (0, 3):
        outcome = probed(tmp_path, source.format(status=status), script=True, name=f"exit{status}")
        [entry] = load_entries(outcome.spec.directory)
        assert (entry.count, entry.code) == (7, "random.random()")


def test_a_script_that_changes_its_folder(tmp_path: Path) -> None:
    entries = entries_of(tmp_path, "import os, time\nos.chdir('/')\ntime.time()\n", script=True)
    assert at(entries, "clock", "time.time()").location is not None


def test_no_ledger_unless_asked_for(tmp_path: Path) -> None:
    outcome = probed(tmp_path, "import random\n\ndef train():\n    return random.random()\n", NOTHING_RECORDED)
    assert load_entries(outcome.spec.directory) == ()


@pytest.mark.parametrize("seeding", list(Seeding))
def test_the_ledger_changes_no_result(tmp_path: Path, seeding: Seeding) -> None:
    source = (
        "import random, numpy as np\n\ndef train():\n    random.seed(1)\n    np.random.seed(2)\n"
        "    return [random.random(), np.random.rand(), random.Random(3).random(),\n"
        "            np.random.default_rng(4).random(), type(random.random).__name__ and random.random.__name__]\n"
    )
    plain = result_of(tmp_path, source, NOTHING_RECORDED, seeding=seeding, name="plain")
    assert result_of(tmp_path, source, LEDGER, seeding=seeding, name="probed") == plain


TRANSPARENT = """\
import datetime, inspect, os, pickle, random, time
import torch
from torch import nn

def train():
    functions = [random.random, random.shuffle, time.time, os.getpid, os.listdir, os.walk, torch.rand,
                 torch.manual_seed, torch.Tensor.normal_]
    same = [pickle.loads(pickle.dumps(function)) == function for function in functions[3:]]
    now = datetime.datetime.now()
    plain = [type(now) is datetime.datetime, isinstance(now, datetime.date), str(inspect.signature(random.shuffle))]
    with torch.device("meta"):
        devices = [str(torch.rand(2).device), str(torch.randn(2).device)]

    @torch.jit.script
    def scripted(n: int):
        return torch.rand(n) + torch.randn(n).normal_()

    def fused(x):
        return x * torch.rand(3) + random.randint(1, 5) + torch.randn_like(x)

    compiled = torch.compile(fused, backend="eager", fullgraph=True)(torch.ones(3))
    try:
        torch.rand(2, generator=3)
    except Exception as error:
        plain.append(type(error).__name__)
    dropped = torch.jit.script(nn.Dropout(0.5))(torch.ones(9))
    return same, plain, devices, scripted(3), compiled, dropped, random.random()
"""


@pytest.mark.slow
def test_wrappers_are_seen_through(tmp_path: Path) -> None:
    plain = result_of(tmp_path, TRANSPARENT, NOTHING_RECORDED, name="plain")
    assert result_of(tmp_path, TRANSPARENT, LEDGER, name="probed") == plain


def test_numba_finds_the_originals(tmp_path: Path) -> None:
    """A stand-in: what matters is what a module of that name sees while it is imported."""
    (tmp_path / "numba.py").write_text("import random\nKIND = type(random.random).__name__\n")
    source = (
        "import random\n\ndef train():\n    before = type(random.random).__name__\n    import numba\n"
        "    return before, numba.KIND\n"
    )
    assert list(result_of(tmp_path, source, LEDGER).values())[:2] == ["function", "builtin_function_or_method"]


UNSEEDED = """\
import copy, multiprocessing
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence, default_rng


class Env:
    def __init__(self, make):
        self.rng = make()  # made here
        self.copies = []

    def reset(self, seed):
        self.rng = default_rng(seed)


def train():
    {body}
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Env(default_rng).reset(1)", []),
        (
            "env = Env(lambda: Generator(PCG64(SeedSequence()))); globals()['kept'] = env, copy.deepcopy(env.rng)",
            [],
        ),
        ("env = Env(default_rng); env.rng.random(); env.reset(1)", [8]),
        ("env = Env(default_rng); kept = copy.deepcopy(env.rng); kept.random(); globals()['env'] = env, kept", [8]),
        ("one, other = Env(default_rng), Env(default_rng); other.rng.random()", [8]),
        (
            "env = Env(default_rng); p = multiprocessing.get_context('fork').Process(target=env.rng.random); "
            "p.start(); p.join()",
            [8],
        ),
    ],
)
@pytest.mark.slow
def test_a_generator_that_is_replaced_before_its_first_draw_is_not_used(
    body: str, expected: list[int], tmp_path: Path
) -> None:
    found = [entry for entry in entries_of(tmp_path, UNSEEDED.format(body=body)) if entry.kind == "unseeded"]
    assert [entry.location.line for entry in found if entry.location is not None] == expected
