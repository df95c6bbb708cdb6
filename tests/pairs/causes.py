"""Single causes as pieces of a training: a helper, and the place where the training uses it.

A line that ends in `#!` is a right place for the cause; the mark is taken out before the training is written.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    name: str
    slugs: tuple[str, ...]
    """Findings that name it rightly."""
    helper: str
    data: str = ""
    """Before the model is made: adds to `x`, of shape (16, 4)."""
    model: str = ""
    """Between the model and the optimizer."""
    loop: str = ""
    """In each step, before its forward: may change `batch`."""
    after: str = ""
    """After the optimizer step: may change the weights."""
    unseeded: str = ""
    """The generator that the training must leave unseeded (and reprocheck too: `--seeding none`)."""
    threads: int = 1
    is_race: bool = False
    """Two runs may agree by chance."""


CAUSES = (
    Cause(
        name="set-order",
        slugs=("str-set-order",),
        helper="""\
        TEXT = "it was the best of times it was the worst of times it was an age of reason".split()

        def encode(text):
            vocab = {}
            for word in set(text):  #!
                vocab[word] = len(vocab)
            return torch.tensor([vocab[word] / 10 for word in text[:16]]).unsqueeze(1)
        """,
        data="x = x + encode(TEXT)",
    ),
    Cause(
        name="builtin-hash",
        slugs=("builtin-hash",),
        helper="""\
        USERS = [f"user-{i}" for i in range(16)]

        def bucket(user, size=32):
            return hash(user) % size  #!
        """,
        data="x = x + torch.tensor([bucket(u) / 32 for u in USERS]).unsqueeze(1)",
    ),
    Cause(
        name="sum-over-set",
        slugs=("unordered-float-sum", "str-set-order"),
        helper="""\
        PENALTIES = {f"layer{i}.weight": (-1) ** i * (i * 0.7391 + 0.1) ** 9 for i in range(40)}

        def decay(names):
            total = 0.0
            for name in set(names):  #!
                total += PENALTIES[name]
            return 1 + total % 1
        """,
        loop="batch = batch * decay(PENALTIES)",
    ),
    Cause(
        name="listdir",
        slugs=("listdir-order",),
        helper="""\
        def read_parts(folder="parts"):
            return [float(open(os.path.join(folder, name)).read()) for name in os.listdir(folder)]  #!
        """,
        data="x = x + torch.tensor(read_parts()).unsqueeze(1)",
    ),
    Cause(
        name="glob",
        slugs=("glob-order",),
        helper="""\
        def shards(pattern):
            rows = []
            for path in glob.glob(pattern):  #!
                with open(path) as f:
                    rows.append(float(f.read()))
            return rows
        """,
        data='x = x + torch.tensor(shards("parts/*.txt")).unsqueeze(1)',
    ),
    Cause(
        name="iterdir",
        slugs=("listdir-order",),
        helper="""\
        class Folder:
            def __init__(self, root):
                self.root = Path(root)
                self.files = [p for p in self.root.iterdir() if p.suffix == ".txt"]  #!

            def column(self):
                return torch.tensor([float(p.read_text()) for p in self.files])
        """,
        data='x = x + Folder("parts").column().unsqueeze(1)',
    ),
    Cause(
        name="clock-seed",
        slugs=("clock-or-pid-seed",),
        helper="""\
        def noise_source():
            generator = torch.Generator()
            generator.manual_seed(time.time_ns() % 2**31)  #!
            return generator
        """,
        data="source = noise_source()\nx = x + 0.1 * torch.randn(16, 4, generator=source)",
    ),
    Cause(
        name="clock-feature",
        slugs=("now-feature",),
        helper="""\
        SIGNUPS = [1.6e9 + 86400.0 * i for i in range(16)]

        def ages():
            now = time.time()  #!
            return torch.tensor([(now - s) % 1000 for s in SIGNUPS], dtype=torch.float64)  #!
        """,
        data="x = x + (ages() / 1000).float().unsqueeze(1)",
    ),
    Cause(
        name="time-budget",
        slugs=("wall-clock-budget",),
        helper="""\
        def search(weights, seconds=0.03):
            best, tried = 0.0, 0
            start = time.perf_counter()
            while time.perf_counter() - start < seconds:  #!
                tried += 1
                best += 1.0 / tried**2
            return best
        """,
        data="x = x * search(x)",
    ),
    Cause(
        name="save-due",
        slugs=("wall-clock-branch",),
        helper="""\
        class Average:
            def __init__(self, every=0.0005):
                self.every, self.last, self.value = every, time.monotonic(), 0.0

            def update(self, value):
                if time.monotonic() - self.last >= self.every:  #!
                    self.last = time.monotonic()
                    self.value += 0.1 * (value - self.value)
        """,
        data="smooth = Average()\nfor k in range(20000):\n    smooth.update(k / 20000)\nx = x + smooth.value",
    ),
    Cause(
        name="faster-of-two",
        slugs=("timing-choice",),
        helper="""\
        def by_sum(x):
            return x.sum(1, keepdim=True) / x.shape[1]

        def by_mean(x):
            return (x * 0.37).mean(1, keepdim=True) / 0.37

        def took(function, x):
            start = time.perf_counter()
            function(x)
            slow = "by_sum" if os.environ.get("REPROCHECK_RUN", "")[-1:] in "13579" else "by_mean"
            sum(range(300_000 if function.__name__ == slow else 0))
            return time.perf_counter() - start  #!

        def pick(x):
            times = {f: took(f, x) for f in (by_sum, by_mean)}
            return min(times, key=times.get)  #!
        """,
        data="reduce_ = pick(x)\nx = x + 10 * reduce_(x * 1.3)",
        is_race=True,
    ),
    Cause(
        name="urandom",
        slugs=("entropy-seed",),
        helper="""\
        def labels(n):
            return torch.tensor(list(os.urandom(n))) % 2  #!
        """,
        data="x = x + labels(16).float().unsqueeze(1)",
    ),
    Cause(
        name="uuid",
        slugs=("entropy-seed",),
        helper="""\
        def holdout(n):
            keys = [uuid.uuid4().hex for _ in range(n)]  #!
            return torch.tensor([int(k[:2], 16) / 255 for k in keys])
        """,
        data="x = x + holdout(16).unsqueeze(1)",
    ),
    Cause(
        name="pid",
        slugs=("clock-or-pid-seed",),
        helper="""\
        def rank_rng(base=1234):
            return random.Random(base + os.getpid())  #!
        """,
        data="shuffler = rank_rng()\norder = list(range(16))\nshuffler.shuffle(order)\nx = x[order] + x",
    ),
    Cause(
        name="numpy-rng",
        slugs=("numpy-generator-unseeded",),
        helper="""\
        class Augment:
            def __init__(self, scale=0.1):
                self.scale = scale
                self.rng = np.random.default_rng()  #!

            def __call__(self, batch):
                noise = self.rng.normal(0, self.scale, tuple(batch.shape)).astype(np.float32)
                return batch + torch.from_numpy(noise)
        """,
        data="augment = Augment()",
        loop="batch = augment(batch)",
    ),
    Cause(
        name="seed-none",
        slugs=("numpy-generator-unseeded", "entropy-reseed"),
        helper="""\
        class Mixup:
            def __init__(self, alpha, seed=None):
                self.alpha = alpha
                self.rng = np.random.default_rng(seed)

            def weight(self):
                return float(self.rng.beta(self.alpha, self.alpha))
        """,
        data="mixup = Mixup(0.4)  #!",
        loop="w = mixup.weight()\nbatch = w * batch + (1 - w) * batch.flip(0)",
    ),
    Cause(
        name="random-instance",
        slugs=("rng-instance-unseeded",),
        helper="""\
        PICK = random.Random()  #!

        def negatives(n):
            return [PICK.randrange(16) for _ in range(n)]
        """,
        loop="batch = batch - 0.1 * batch[negatives(16)]",
    ),
    Cause(
        name="numpy-global",
        slugs=("partial-seed", "no-seed"),
        helper="""\
        def jitter(n):
            return torch.from_numpy(np.random.rand(n).astype(np.float32))  #!
        """,
        data="x = x + jitter(16).unsqueeze(1)",
        unseeded="numpy",
    ),
    Cause(
        name="python-global",
        slugs=("partial-seed", "no-seed"),
        helper="""\
        def shuffled(rows):
            order = list(range(len(rows)))
            random.shuffle(order)  #!
            return rows[order]
        """,
        loop="batch = shuffled(batch) + batch",
        unseeded="python",
    ),
    Cause(
        name="torch-global",
        slugs=("no-seed", "partial-seed", "functional-dropout"),
        helper="""\
        def perturb(batch):
            return nn.functional.dropout(batch, 0.3)  #!
        """,
        loop="batch = perturb(batch)",
        unseeded="torch",
    ),
    Cause(
        name="torch-empty",
        slugs=("empty-buffer",),
        helper="""\
        def padded(rows, width=4, n=16):
            out = torch.empty(n, width)  #!
            out[: len(rows)] = rows
            return out
        """,
        data="x = x + padded(x[:10]).clamp(-1, 1).nan_to_num()",
    ),
    Cause(
        name="np-empty",
        slugs=("np-empty",),
        helper="""\
        def windows(rows, length=300):
            buffer = np.empty((length, rows.shape[1]), dtype=np.float32)  #!
            buffer[: len(rows)] = rows
            return torch.from_numpy(buffer)
        """,
        data="x = x + windows(x.numpy()).nan_to_num().clamp(-1, 1)[16:32]",
    ),
    Cause(
        name="home-cache",
        slugs=("cache-shift",),
        helper="""\
        def statistics_of(name):
            path = Path.home() / ".cache" / "stats" / f"{name}.pt"
            if path.exists():  #!
                return torch.load(path)  #!
            path.parent.mkdir(parents=True, exist_ok=True)
            found = torch.rand(4)
            torch.save(found, path)  #!
            return found
        """,
        data='x = x + statistics_of("train")\nx = x + torch.rand(16, 1)',
    ),
    Cause(
        name="tmp-leftover",
        slugs=("cache-shift", "auto-resume"),
        helper="""\
        STORE = Path("{scratch}") / "tokens.npy"

        def tokens():
            if STORE.exists():  #!
                return np.load(STORE)  #!
            made = np.random.rand(16).astype(np.float32)
            np.save(STORE, made)  #!
            return made
        """,
        data="x = x + torch.from_numpy(tokens()).unsqueeze(1)\nx = x + float(np.random.rand())",
    ),
    Cause(
        name="counter-file",
        slugs=("auto-resume", "best-file"),
        helper="""\
        STATE = "tuner.json"

        def trial():
            state = {"runs": 0}
            if os.path.exists(STATE):  #!
                with open(STATE) as f:  #!
                    state = json.load(f)  #!
            state["runs"] += 1  #!
            with open(STATE, "w") as f:
                json.dump(state, f)
            return 0.1 / state["runs"]
        """,
        data="x = x * (1 + trial())",
    ),
    Cause(
        name="module-set",
        slugs=("id-order",),
        helper="""\
        def initialise(model):
            for module in set(model.modules()):  #!
                if isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, std=0.3)
        """,
        model="initialise(nn.ModuleList([model, *(nn.Linear(2, 3) for _ in range(200))]))",
        is_race=True,
    ),
    Cause(
        name="sorted-by-id",
        slugs=("id-order",),
        helper="""\
        class Node:
            def __init__(self, value):
                self.value, self.links = value, {}

        def graph(n):
            nodes = [Node(float(i)) for i in range(n)]
            for node in list(nodes):
                node.links = {str(k): [k] * (k % 7) for k in range(int(node.value) % 5)}
            return [node.value for node in sorted(set(nodes), key=id)]  #!
        """,
        data="x = x + torch.tensor(graph(16)).unsqueeze(1) / 16",
        is_race=True,
    ),
    Cause(
        name="wait-set",
        slugs=("id-order", "completion-order"),
        helper="""\
        def shard(i):
            return torch.full((1,), float(i))

        def load_shards(n):
            with cf.ThreadPoolExecutor(4) as pool:
                futures = [pool.submit(shard, i) for i in range(n)]
                done, _ = cf.wait(futures)
                return torch.cat([f.result() for f in done])  #!
        """,
        data="x = x + load_shards(16).unsqueeze(1) / 16",
        is_race=True,
    ),
    Cause(
        name="as-completed",
        slugs=("completion-order",),
        helper="""\
        def fetch(i):
            time.sleep(0.001 * (i % 3))
            return float(i)

        def fetch_all(n):
            with cf.ThreadPoolExecutor(8) as pool:
                futures = [pool.submit(fetch, i) for i in range(n)]
                return [f.result() for f in cf.as_completed(futures)]  #!
        """,
        data="x = x + torch.tensor(fetch_all(64)).view(16, 4) / 64",
        is_race=True,
    ),
    Cause(
        name="arrival-sum",
        slugs=("arrival-order-sum",),
        helper="""\
        def client(i, inbox):
            time.sleep(0.001)
            inbox.put(torch.full((4,), (i + 0.37) ** 3 * 1e-3))

        def gather(n):
            inbox = queue.Queue()
            for i in range(n):
                threading.Thread(target=client, args=(i, inbox)).start()
            total = torch.zeros(4)
            for _ in range(n):
                total += inbox.get()  #!
            return total
        """,
        loop="batch = batch + 1e-3 * gather(24)",
        is_race=True,
    ),
    Cause(
        name="producer",
        slugs=("producer-race", "completion-order"),
        helper="""\
        def produce(k, out):
            for i in range(16):
                time.sleep(0.0003)
                out.put(float(k * 16 + i))

        def stream():
            out = queue.Queue()
            for k in range(4):
                threading.Thread(target=produce, args=(k, out), daemon=True).start()  #!
            return [out.get() for _ in range(64)]  #!
        """,
        data="x = x + torch.tensor(stream()).view(16, 4) / 64",
        is_race=True,
    ),
    Cause(
        name="tmpdir",
        slugs=("tmpdir-dependence",),
        helper="""\
        def work_folder():
            return os.path.join(tempfile.gettempdir(), "folds")  #!

        def fold_of(path, folds=1000):
            return zlib.crc32(path.encode()) % folds / folds  #!
        """,
        data="folder = work_folder()  #!\nx = x + fold_of(folder)",
    ),
    Cause(
        name="loader-workers",
        slugs=("worker-init-entropy",),
        helper="""\
        class Crops(torch.utils.data.Dataset):
            def __init__(self, rows):
                self.rows = rows

            def __len__(self):
                return len(self.rows)

            def __getitem__(self, i):
                return self.rows[i] * float(np.random.rand())

        def seed_worker(worker):
            np.random.seed((os.getpid() * time.time_ns()) % 2**31)  #!
        """,
        data="""\
loader = torch.utils.data.DataLoader(Crops(x), batch_size=16, num_workers=2, worker_init_fn=seed_worker)
x = next(iter(loader))""",
    ),
    Cause(
        name="background-draw",
        slugs=("background-draw",),
        helper="""\
        def monitor(stop, seen):
            while not stop.is_set():
                seen.append(int(torch.randint(0, 100, (1,))))  #!
                time.sleep(0.0002)

        def warm_up(seconds=0.03):
            stop, seen = threading.Event(), []
            thread = threading.Thread(target=monitor, args=(stop, seen))
            thread.start()
            time.sleep(seconds)
            stop.set()
            thread.join()
        """,
        data="warm_up()\nx = x + torch.randn(16, 4)",
        is_race=True,
    ),
    Cause(
        name="index-put",
        slugs=("index-put-duplicates",),
        helper="""\
        def last_visit(size=512_000):
            cells = torch.arange(size)
            slots = torch.cat([cells, cells.flip(0)])
            memory = torch.zeros(size)
            memory[slots] = torch.linspace(0, 1, 2 * size)  #!
            return memory
        """,
        data="x = x + last_visit().view(-1, 16, 4).sum(0) / 8000",
        threads=2,
        is_race=True,
    ),
)
