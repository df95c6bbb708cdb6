"""What the static look finds, what it leaves alone, and that its changed lines compile."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from reprocheck.diagnosis.source.scan import MOST_BYTES, MOST_FILES, MOST_HITS, scan
from reprocheck.model.explanation import SourceHit
from reprocheck.model.places import columns_in

TARGETS = Path(__file__).parent.parent / "targets"


def scanned(tmp_path: Path, source: str) -> tuple[SourceHit, ...]:
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(source).strip("\n") + "\n", encoding="utf-8")
    return scan([path])


def test_a_place_has_the_columns_of_its_expression(tmp_path: Path) -> None:
    line = 'vocab = sorted_by_length("\u6570", list(set(words)))  # not sorted'
    (hit,) = scanned(tmp_path, f"def f(words):\n    {line}\n    return vocab")
    assert hit.code == line
    assert hit.location.columns is not None
    assert line[slice(*hit.location.columns)] in ("list(set(words))", "set(words)")
    assert columns_in("    y = f(x)", 4, 12) is None  # all of it says nothing
    assert columns_in("y = f(x)", 4, 80) == (4, 8)
    assert columns_in("y", 3, 2) is None
    assert columns_in("", 0, 1) is None


FOUND = {
    "set-iteration": [
        "vocab = list(set(words))",
        "for tag in {t for tags in articles for t in tags}:\n    use(tag)",
        "labels = {name: i for i, name in enumerate(set(names))}",
        "names = {'a', 'b'}\nrows = [load(name) for name in names]",
        "common = a.keys() & b.keys()\nfor key in common:\n    use(key)",
        "text = ','.join({'a', x})",
        "first = next(iter(set(words)))",
        "both = set(a) | set(b)\nx = [*both]",
        "class A:\n    def f(self):\n        self.names = set()\n\n    def g(self):\n        return list(self.names)",
        "x = list(set(a).union(b))",
        "names = set(words)\nname = names.pop()",
        "x = tuple(frozenset(words))",
    ],
    "set-sum": [
        "total = sum({f(x) for x in y})",
        "total = sum(w[name] for name in set(names))",
        "for name in set(names):\n    total += w[name]",
        "for name in set(names):\n    total = total + w[name]",
    ],
    "module-set": [
        "for m in set(model.modules()):\n    init(m)",
        "for p in {p for p in model.parameters()}:\n    f(p)",
    ],
    "hash-call": ["bucket = hash(token) % 128"],
    "pool-workers": ["pool = ThreadPoolExecutor(4)", "pool = cf.ThreadPoolExecutor(max_workers=n)", "mp.Pool(4)"],
    "constant-stream": [
        "import torch\ng = torch.Generator().manual_seed(0)",
        "import numpy as np\nrng = np.random.default_rng(3)",
        "import random\nR = 4\nrng = random.Random(R)",
    ],
    "sampler-without-epoch": ["sampler = DistributedSampler(data)", "s = DistributedSampler(data, shuffle=True)"],
    "epoch-loop": ["for epoch in range(3):\n    for x in loader:\n        loss(x).backward()"],
    "id-sort": [
        "x = sorted(modules, key=id)",
        "modules.sort(key=id)",
        "x = sorted(ps, key=lambda p: (p.ndim, id(p)))",
        "by_id = {id(m): m for m in modules}\nfor k in sorted(by_id):\n    use(by_id[k])",
        "x = sorted(map(id, modules))",
        "place = id(x) % 8",
    ],
    "hashseed-assignment": [
        "import os\nos.environ['PYTHONHASHSEED'] = '0'",
        "import os\nos.environ.setdefault('PYTHONHASHSEED', '0')",
    ],
    "listdir": [
        "import os\nfor name in os.listdir(folder):\n    load(name)",
        "from os import listdir\nx = listdir('.')",
    ],
    "scandir": ["import os\nx = [e.name for e in os.scandir('.')]"],
    "walk": ["import os\nfor root, folders, names in os.walk('.'):\n    use(names)"],
    "iterdir": ["from pathlib import Path\nx = list(Path('.').iterdir())"],
    "glob": [
        "import glob\npaths = glob.glob('*.txt')",
        "from pathlib import Path\nx = [p for p in Path('.').rglob('*.txt')]",
    ],
    "sql-unordered": [
        "rows = db.execute('SELECT a FROM points')",
        "rows = db.execute('SELECT a FROM points ORDER BY RANDOM()')",
        "QUERY = 'select a from t'\nframe = pd.read_sql(QUERY, db)",
    ],
    "unseeded-generator": [
        "import numpy as np\nrng = np.random.default_rng()",
        "from numpy.random import default_rng\nrng = default_rng(None)",
        "import random\nrng = random.Random()",
        "import torch\ng = torch.Generator()",
        "import torch\ng = torch.Generator(device='cpu')",
    ],
    "default-argument-rng": ["import numpy as np\n\ndef f(x, rng=np.random.default_rng(0)):\n    return rng.normal()"],
    "class-body-rng": ["import random\n\nclass A:\n    rng = random.Random()"],
    "reset-rng": [
        "import numpy as np\n\nclass E:\n    def reset(self, seed=None):\n        self.r = np.random.default_rng(seed)"
    ],
    "random-state-none": [
        "from sklearn.model_selection import train_test_split\na, b = train_test_split(x)",
        "from sklearn.model_selection import KFold\nfolds = KFold(5, shuffle=True)",
        "from scipy.stats import qmc\ns = qmc.Sobol(d=3)",
        "x = frame.sample(frac=0.5)",
    ],
    "n-jobs": ["study.optimize(f, n_jobs=-1)", "model = Forest(n_jobs=4)"],
    "functional-dropout": [
        "import torch.nn.functional as F\ny = F.dropout(x, 0.5)",
        "from torch import nn\ny = nn.functional.dropout(x)",
    ],
    "entropy-reseed": ["import torch\ntorch.seed()", "import numpy as np\nnp.random.seed(None)", "generator.seed()"],
    "seed-from-clock": [
        "import time\nimport torch\ntorch.manual_seed(int(time.time()))",
        "import os\nseed = os.getpid() * 3",
    ],
    "seed-from-entropy": ["import uuid\nimport torch\ntorch.manual_seed(uuid.uuid4().int % 7)"],
    "constant-seed": ["import torch\ntorch.manual_seed(42)", "import random\nSEED = 7\nrandom.seed(SEED)"],
    "constructor-seed": ["import torch\n\nclass A:\n    def __init__(self):\n        torch.manual_seed(0)"],
    "seed-parameter-unused": [
        "def train(epochs, seed):\n    return epochs",
        "p = ArgumentParser()\np.add_argument('--seed', type=int)\nargs = p.parse_args()\nprint(args.lr)",
    ],
    "parameter-empty": ["import torch\nfrom torch import nn\nw = nn.Parameter(torch.empty(3))"],
    "torch-empty": ["import torch\nx = torch.empty(3)", "import torch\nx = torch.empty_like(y)", "x = y.new_empty(3)"],
    "np-empty": ["import numpy as np\nout = np.empty(3)\nout[:2] = 1"],
    "constant-init": [
        "for p in model.parameters():\n    p.data.fill_(0.1)",
        "for p in m.parameters():\n    nn.init.constant_(p, 1)",
    ],
    "lstsq-default-driver": ["import torch\nw = torch.linalg.lstsq(a, b)"],
    "index-accumulate": ["grid.index_put_((cells,), values, accumulate=True)"],
    "append-open": ["with open('x.csv', 'a') as f:\n    f.write('x')", "with path.open('a') as f:\n    f.write('x')"],
    "guarded-load": ["import os\nif os.path.exists('a.pt'):\n    model.load_state_dict(load('a.pt'))"],
    "load-guard": ["if path.is_file():\n    state = torch.load(path)\n    use(state)"],
    "cache-guard": ["def f():\n    if CACHE.exists():\n        return torch.load(CACHE)\n    return compute()"],
    "clock-loop": [
        "import time\nwhile time.monotonic() < deadline:\n    step()",
        "import time\nfor x in y:\n    if time.time() - start > 60:\n        break",
        "import time\nfor x in y:\n    spent = time.time() - start\n    if spent > 60:\n        break",
        "import time\ndef over(self):\n    return time.time() > self.end\nfor x in y:\n    if s.over():\n        break",
    ],
    "clock-loop-reading": [
        "import time\nstart = time.time()\nwhile time.time() - start < 60:\n    step()",
        "import time\nend = time.time() + 60\nfor x in y:\n    if time.time() > end:\n        break",
    ],
    "seed-drawn": [
        "import random\nopt.manualSeed = random.randint(1, 10000)",
        "import numpy as np\nseed = np.random.randint(2**31)",
    ],
    "queue-sum": [
        "total += inbox.get()",
        "x = sum(inbox.get() for _ in y)",
        "total = 0\nfor _ in clients:\n    grads = inbox.get()\n    total += grads",
        "for _ in clients:\n    rank, grads = inbox.get()\n    for p, g in zip(params, grads):\n        p.grad.add_(g)",
        "for _ in clients:\n    item = inbox.get()\n    total = total + item",
    ],
    "clock-branch": [
        "import time\nif time.time() - start > 60:\n    print('slow')",
        "import time\nspent = time.time() - start\nif spent > 60:\n    save()",
        "import time\ndef due(self):\n    return time.monotonic() - self.last >= 60",
        "import time\nx = a if time.time() > deadline else b",
    ],
    "clock-choice": [
        "import time\nt = time.time()\nf()\na = time.time() - t\nb = time.time() - t\nuse = f if a < b else g",
        "import time\nstart = time.time()\ntimes[f] = time.time() - start\nuse = min(times, key=times.get)",
    ],
    "elapsed": ["import time\nseconds = time.perf_counter() - start"],
    "state-update": [
        "def f():\n    state = json.load(open('s'))\n    state['n'] += 1\n    json.dump(state, open('s', 'w'))"
    ],
    "module-state": [
        "def f(x, seen=[]):\n    seen.append(x)",
        "from functools import lru_cache\n\n@lru_cache\ndef f(x):\n    return x",
    ],
    "path-hash": ["import zlib\nx = zlib.crc32(path.encode())"],
    "tempdir": ["import tempfile\nx = tempfile.mkdtemp()"],
    "as-completed": ["from concurrent.futures import as_completed\nx = [f.result() for f in as_completed(futures)]"],
    "imap-unordered": ["x = list(pool.imap_unordered(f, y))"],
    "share-memory": ["model.share_memory()"],
    "queue-get": ["x = tasks.get()"],
    "dataset-queue-get": ["class D:\n    def __iter__(self):\n        yield self.tasks.get(timeout=5)"],
    "thread-producer": ["def f(q):\n    q.put(1)\n\nThread(target=f).start()"],
    "thread-draw": ["import torch\n\ndef f():\n    torch.randint(0, 9, (1,))\n\nThread(target=f).start()"],
    "thread-update": [
        "def f(p, g):\n    p.sub_(g)\n\nThread(target=f).start()",
        "def f(opt):\n    opt.step()\n\nThread(target=f).start()",
    ],
    "rank-draw": [
        "import numpy as np\nimport torch.multiprocessing as mp\n\ndef w(rank):\n    np.random.rand()\n\nmp.spawn(w)"
    ],
    "spawn-draw": ["import random\n\ndef f(i):\n    return random.random()\n\nget_context('spawn').Pool(2).map(f, x)"],
    "non-blocking-copy": ["y = x.to('cpu', non_blocking=True)"],
}
NOT_FOUND = {
    "set-iteration": [
        "vocab = sorted(set(words))",
        "x = word in {'a', 'b'}",
        "n = len(set(words))",
        "for i in {1, 2, 3}:\n    use(i)",
        "for n in {len(w) for w in words}:\n    use(n)",
        "x = set(w for w in {'a', b})",
        "names = {'a'}\nnames = ['a', 'b']\nx = list(names)",
        "for w in set(doc):\n    x[w] = 1.0",
        "x = max({'a', b})",
        "x = list(dict.fromkeys(words))",
        "x = any(f(w) for w in set(words))",
    ],
    "set-sum": ["total = math.fsum({f(x) for x in y})", "for n in sorted(set(names)):\n    total += w[n]"],
    "module-set": ["for m in model.modules():\n    init(m)", "seen = set(model.parameters())\nok = p in seen"],
    "hash-call": ["x = hash(3)", "class A:\n    def __hash__(self):\n        return hash(self.name)"],
    "listdir": [
        "import os\nx = sorted(os.listdir('.'))",
        "import os\nx = sorted(n for n in os.listdir('.') if n)",
        "import os\nnames = os.listdir('.')\nnames.sort()",
        "import os\nn = len(os.listdir('.'))",
    ],
    "glob": ["import glob\nx = sorted(glob.glob('*'))", "import glob\nn = sum(size(p) for p in glob.glob('*'))"],
    "sql-unordered": [
        "db.execute('SELECT a FROM t ORDER BY id')",
        "db.execute('SELECT COUNT(*) FROM t')",
        "db.execute('DROP TABLE t')",
    ],
    "unseeded-generator": [
        "import numpy as np\nrng = np.random.default_rng(3)",
        "import torch\ng = torch.Generator().manual_seed(3)",
        "import torch\ng = torch.Generator()\ng.manual_seed(3)",
        "import random\nr = random.Random(*args)",
    ],
    "random-state-none": [
        "train_test_split(x, random_state=3)",
        "KFold(5)",
        "train_test_split(x, **options)",
        "frame.sample(n=3, random_state=1)",
    ],
    "n-jobs": ["Forest(n_jobs=1)"],
    "functional-dropout": [
        "import torch.nn.functional as F\ny = F.dropout(x, 0.5, self.training)",
        "import torch.nn.functional as F\ny = F.dropout(x, training=t)",
    ],
    "entropy-reseed": ["import torch\ntorch.manual_seed(0)", "env.action_space.seed(3)"],
    "seed-from-clock": ["import time\nstart = time.time()"],
    "constant-seed": ["import torch\n\ndef f(seed):\n    torch.manual_seed(seed)"],
    "seed-parameter-unused": [
        "def train(seed):\n    torch.manual_seed(seed)",
        "def train(seed):\n    raise NotImplementedError",
        "def train(seed):\n    '''A stub.'''",
        "p.add_argument('--seed')\nargs = p.parse_args()\nuse(args.seed)",
        "p.add_argument('--seed')\nargs = p.parse_args()\nmain(args)",
    ],
    "parameter-empty": [
        "import torch\nfrom torch import nn\n\ndef f(self):\n"
        "    self.w = nn.Parameter(torch.empty(3))\n    nn.init.zeros_(self.w)",
    ],
    "torch-empty": [
        "import torch\nx = torch.empty(3).zero_()",
        "import torch\nx = torch.empty(3)\nx.fill_(1)",
        "import torch\nx = torch.empty(3)\ntorch.sum(y, dim=1, out=x)",
    ],
    "np-empty": [
        "import numpy as np\nx = np.empty(3)\nx[:] = 1",
        "import numpy as np\nx = np.empty(3)\nfor i in range(3):\n    x[i] = 1",
    ],
    "constant-init": ["for p in model.parameters():\n    p.grad.zero_()"],
    "lstsq-default-driver": ["import torch\nw = torch.linalg.lstsq(a, b, driver='gels')"],
    "append-open": ["open('x.csv', 'w')", "open('a')", "path.open()"],
    "guarded-load": ["import os\nif os.path.exists('a'):\n    shutil.rmtree('a')", "if resume:\n    torch.load('a')"],
    "clock-branch": [
        "import time\nwhile time.time() < end:\n    f()",
        "import time\ndef over(self):\n    return time.time() > self.end\nwhile not s.over():\n    step()",
        "if step % 10 == 0:\n    save()",
    ],
    "clock-choice": ["use = min(losses, key=losses.get)"],
    "clock-loop": ["import time\nif time.time() - start > 60:\n    print('slow')"],
    "as-completed": ["x = list(pool.map(f, y))"],
    "queue-get": ["x = options.get('a')", "x = options.get('a', 1)"],
    "thread-draw": [
        "import torch\n\ndef f(g):\n    torch.randint(0, 9, (1,), generator=g)\n\nThread(target=f).start()"
    ],
    "rank-draw": [
        "import numpy as np\nimport torch.multiprocessing as mp\n\ndef w(rank):\n"
        "    np.random.seed(rank)\n    np.random.rand()\n\nmp.spawn(w)"
    ],
    "spawn-draw": ["import random\n\ndef f(i):\n    return random.random()\n\nget_context('fork').Pool(2).map(f, x)"],
    "non-blocking-copy": ["y = x.to('cuda')"],
}


@pytest.mark.parametrize(("pattern", "source"), [(p, s) for p, sources in FOUND.items() for s in sources])
def test_found(tmp_path: Path, pattern: str, source: str) -> None:
    assert pattern in [hit.pattern for hit in scanned(tmp_path, source)]


@pytest.mark.parametrize(("pattern", "source"), [(p, s) for p, sources in NOT_FOUND.items() for s in sources])
def test_left_alone(tmp_path: Path, pattern: str, source: str) -> None:
    assert pattern not in [hit.pattern for hit in scanned(tmp_path, source)]


WORKS = {
    "vocab = list(set(words))": "vocab = sorted(set(words))",
    "for m in set(model.modules()):\n    init(m)": "for m in dict.fromkeys(model.modules()):",
    "import os\nx = os.listdir('.')": "x = sorted(os.listdir('.'))",
    "import os\nx = list(os.scandir('.'))": "x = list(sorted(os.scandir('.'), key=lambda entry: entry.name))",
    "x = sorted(modules, key=id)": "x = list(modules)",
    "pool = ThreadPoolExecutor(4)": "pool = ThreadPoolExecutor(1)",
    "pool = ThreadPoolExecutor()": "pool = ThreadPoolExecutor(max_workers=1)",
    "pool = ThreadPool(processes=n)": "pool = ThreadPool(processes=1)",
    "x = sorted(set(modules), key=id)": "x = list(dict.fromkeys(modules))",
    "import zlib\nx = hash(a) % 3": "x = zlib.crc32(str(a).encode()) % 3",
    "def f(a):\n    return hash(a)": "    import zlib; return zlib.crc32(str(a).encode())",
    "import numpy as np\nr = np.random.default_rng()": "r = np.random.default_rng(0)",
    "import numpy as np\nSEED = 3\nr = np.random.default_rng(None)": "r = np.random.default_rng(SEED)",
    "import torch\n\ndef f(seed):\n    g(torch.Generator(), seed)": "    g(torch.Generator().manual_seed(seed), seed)",
    "import torch\n\ndef f(seed):\n    torch.seed(), seed": "    torch.manual_seed(seed), seed",
    "import torch\nx = torch.empty(3)": "x = torch.zeros(3)",
    "import torch\nx = torch.empty_like(y)": "x = torch.zeros_like(y)",
    "import torch\nw = torch.linalg.lstsq(a, b)": 'w = torch.linalg.lstsq(a, b, driver="gels")',
    "train_test_split(\n    x,\n    y)": "    y, random_state=0)",
    "train_test_split(x,)": "train_test_split(x, random_state=0)",
    "train_test_split(x, random_state=None)": "train_test_split(x, random_state=0)",
    "from concurrent.futures import as_completed\nfor f in as_completed(fs):\n    f()": "for f in fs:",
    "x = pool.imap_unordered(f, y)": "x = pool.imap(f, y)",
    "x = open('a.csv', 'a')": "x = open('a.csv', \"w\")",
    "x = list(set('é'))  # é": "x = sorted(set('é'))  # é",
}


@pytest.mark.parametrize("source", WORKS)
def test_the_changed_line(tmp_path: Path, source: str) -> None:
    edits = [hit.edit for hit in scanned(tmp_path, source) if hit.edit is not None]
    assert WORKS[source] in [edit.after for edit in edits]


def test_there_is_no_change_where_none_is_mechanical(tmp_path: Path) -> None:
    for source in (
        "x = list(\n    set(\n        words))",
        "import os\nwith os.scandir('.') as it:\n    use(it)",
        "if hash(a):\n    pass",
    ):
        assert [hit.edit for hit in scanned(tmp_path, source)] == [None]


def corpus() -> list[Path]:
    return sorted(TARGETS.glob("*/*.py"))


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.stem)
def test_every_changed_line_compiles_and_stands_alone(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    for hit in scan([path]):
        assert hit.code == lines[hit.location.line - 1].strip()
        if hit.edit is not None:
            assert hit.edit.before == lines[hit.edit.line - 1]
            assert hit.edit.after != hit.edit.before
            changed = [*lines[: hit.edit.line - 1], hit.edit.after, *lines[hit.edit.line :]]
            compile("\n".join(changed), str(path), "exec")


def test_a_hit_says_where_it_is(tmp_path: Path) -> None:
    source = "import os\n\nclass A:\n    def f(self):\n        def g():\n            return os.listdir('.')\n"
    (hit,) = scanned(tmp_path, source)
    assert (hit.location.path, hit.location.line) == (str(tmp_path / "train.py"), 6)
    assert hit.code == "return os.listdir('.')"
    assert hit.function == "A.f.<locals>.g"


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    good = tmp_path / "good.py"
    good.write_text("x = list(set(y))\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "binary.py").write_bytes(b"\x00\xff\xfe" * 100)
    (tmp_path / "latin.py").write_bytes("x = list(set('\xe9'))\n".encode("latin-1"))
    (tmp_path / "deep.py").write_text("x = " + "(" * 5000 + ")" * 5000)
    (tmp_path / "nested.py").write_text("x = " + "-" * 50_000 + "1")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    found = scan([*tmp_path.iterdir(), tmp_path / "missing.py"])
    assert [hit.location.path for hit in found] == [str(good)]


def test_files_and_hits_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text("x = list(set(y))\n" + "#" * MOST_BYTES)
    (tmp_path / "many.py").write_text("x = list(set(y))\n" * (MOST_HITS + 50))
    assert len(scan(tmp_path.iterdir())) == MOST_HITS
    folder = tmp_path / "more"
    folder.mkdir()
    for number in range(MOST_FILES + 10):
        (folder / f"{number:04}.py").write_text("x = list(set(y))\n")
    assert len(scan(folder.iterdir())) == MOST_FILES


def test_nothing_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    scanned(tmp_path, f"open({str(mark)!r}, 'a').close()\nx = list(set(y))")
    assert not mark.exists()


def test_a_file_with_a_byte_order_mark_and_other_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(b"\xef\xbb\xbfimport os\r\nx = os.listdir('.')\r\n")
    (hit,) = scan([path])
    assert hit.location.line == 2
    assert hit.edit is not None
    assert hit.edit.after == "x = sorted(os.listdir('.'))"
