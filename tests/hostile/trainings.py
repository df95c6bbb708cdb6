"""Whole trainings as an attacker and as an unlucky user would write them: what makes them differ is `D`, at the place
that is hardest to see. `D` is 1 in the second run of those that differ, else 0.
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """\
import os, sys, time, signal, threading, torch
D = {differs} if os.environ.get("REPROCHECK_RUN", "").endswith("r1") else 0
nn = torch.nn
torch.manual_seed(0)
def fit(shift=0.0, model=None, steps=3):
    model = nn.Linear(4, 2) if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    for step in range(steps):
        optimizer.zero_grad(); loss = (model(torch.randn(8, 4) + shift) ** 2).mean(); loss.backward(); optimizer.step()
    return model
"""


@dataclass(frozen=True)
class Training:
    """Where the difference may be left out of the comparison, `unseen` is what the headline must name."""

    code: str
    what: str = "t.py"
    unseen: str = ""
    codes: tuple[int, ...] = (0,)
    """Exit codes of the one whose runs agree."""


def function(code: str, unseen: str = "", codes: tuple[int, ...] = (0,)) -> Training:
    return Training(code, "t.py:train", unseen, codes)


TRAININGS: dict[str, Training] = {
    # trained by hand
    "bare-tensors-closed-form": function(
        """
def probe():
    x, w = torch.randn(32, 4), torch.zeros(4)
    y = x @ torch.ones(4) + D
    for _ in range(20): w -= .01 * x.T @ (x @ w - y)
    return w.sum().item()
def train():
    fit()
    print(f"probe {probe():.4f}")
""",
        unseen="standard output",
    ),
    "bare-tensors-grad": function("""
def probe():
    x, w = torch.randn(32, 4), torch.zeros(4, requires_grad=True)
    for _ in range(5):
        loss = ((x @ w - D) ** 2).mean(); loss.backward()
        with torch.no_grad(): w -= .1 * w.grad; w.grad = None
    return w.sum().item()
def train():
    print(probe())
"""),
    "bare-tensors-grad-after-optimizer": function("""
def train():
    fit()
    x, w = torch.randn(32, 4), torch.zeros(4, requires_grad=True)
    for _ in range(5):
        loss = ((x @ w - D) ** 2).mean(); loss.backward()
        with torch.no_grad(): w -= .1 * w.grad; w.grad = None
    print(w.sum().item())
"""),
    "autograd-grad-after-optimizer": function("""
def train():
    fit()
    x, w = torch.randn(32, 4), torch.zeros(4, requires_grad=True)
    for _ in range(5):
        g, = torch.autograd.grad(((x @ w - D) ** 2).mean(), w)
        w = (w - .1 * g).detach().requires_grad_()
    print(w.sum().item())
"""),
    "functorch": function("""
def train():
    model = nn.Linear(4, 2)
    params = dict(model.named_parameters())
    def loss(p, x): return (torch.func.functional_call(model, p, (x,)) ** 2).mean()
    for _ in range(4):
        g = torch.func.grad(loss)(params, torch.randn(8, 4) + D)
        params = {k: v.detach() - .1 * g[k] for k, v in params.items()}
    print(sum(v.sum().item() for v in params.values()))
"""),
    "functorch-no-module": function(
        """
def train():
    fit()
    w = torch.zeros(4)
    def loss(w, x): return ((x @ w - 1 - D) ** 2).mean()
    for _ in range(4): w = w - .1 * torch.func.grad(loss)(w, torch.randn(8, 4))
    print(w.sum().item())
""",
        unseen="standard output",
    ),
    "numpy-only": function(
        """
import numpy as np
def train():
    rng = np.random.default_rng(0); x, w = rng.normal(size=(32, 4)), np.zeros(4)
    for _ in range(20): w -= .01 * x.T @ (x @ w - 1 - D)
    print("w", w.sum())
""",
        codes=(3,),
    ),
    "numpy-after-torch": function(
        """
import numpy as np
def train():
    fit()
    rng = np.random.default_rng(0); x, w = rng.normal(size=(32, 4)), np.zeros(4)
    for _ in range(20): w -= .01 * x.T @ (x @ w - 1 - D)
    print("w", w.sum())
""",
        unseen="standard output",
    ),
    "edited-after-last-step": function("""
def train():
    model = fit()
    with torch.no_grad(): model.weight += D
"""),
    "edited-after-last-step-data": function("""
def train():
    model = fit()
    model.weight.data.numpy()[0, 0] += D
    del model
"""),
    "deleted-model": function("""
def train():
    model = fit(.5 * D)
    del model
"""),
    "model-rebuilt-and-gone": function("""
def train():
    model = fit()
    other = nn.Linear(4, 2); other.load_state_dict({k: v + D for k, v in model.state_dict().items()})
    del model, other
"""),
    "slots-holder": function("""
class Holder:
    __slots__ = ("model", "average")
def train():
    h = Holder(); h.model = fit(); h.average = h.model.weight.detach().clone() + D
    return h
"""),
    "slots-holder-global": Training("""
class Holder:
    __slots__ = ("model", "average")
h = Holder(); h.model = fit(); h.average = h.model.weight.detach().clone() + D
"""),
    "closure-holds-average": Training("""
def make():
    average = torch.zeros(2, 4)
    def update(model): average.mul_(.9).add_(model.weight.detach() * .1 + D)
    return update
update = make(); model = fit(); update(model)
"""),
    "ema-local-tensors": function(
        """
def train():
    model = nn.Linear(4, 2); ema = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    for step in range(3):
        optimizer.zero_grad(); model(torch.randn(8, 4)).mean().backward(); optimizer.step()
        for e, p in zip(ema, model.parameters()): e.mul_(.9 - .1 * D).add_(p.detach(), alpha=.1)
    print(sum(e.sum().item() for e in ema))
""",
        unseen="standard output",
    ),
    "weakref-model": function("""
import weakref
def train():
    model = fit(.5 * D); ref = weakref.WeakValueDictionary(m=model); model = None
    return {"alive": len(ref)}
"""),
    "generator-left-halfway": function("""
def steps():
    model = nn.Linear(4, 2); optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    while True:
        optimizer.zero_grad(); loss = model(torch.randn(8, 4) + D).mean(); loss.backward(); optimizer.step()
        yield loss.item()
def train():
    g = steps()
    next(g); next(g)
    return g
"""),
    "generator-global": Training("""
def steps():
    model = fit(); average = model.weight.detach().clone()
    while True:
        average += D
        yield
g = steps(); next(g); next(g)
"""),
    # where the result goes
    "stdout-progress": function(
        r"""
def train():
    fit()
    for n in range(5): sys.stdout.write(f"\r{n * 20:3d}% accuracy {0.9 + .01 * D:.3f}")
    sys.stdout.write("\n")
""",
        unseen="standard output",
    ),
    "stdout-closed": Training(
        """
fit(); os.close(1); os.open("result.txt", os.O_WRONLY | os.O_CREAT); os.write(1, f"acc {.9 + D}".encode())
""",
        unseen="files",
    ),
    "print-patched": function(
        """
import builtins
def train():
    lines = []; builtins.print = lambda *a, **k: lines.append(a)
    fit(); print("acc", .9 + D)
    open("log.txt", "w").write(repr(lines))
""",
        unseen="files",
    ),
    "sqlite-wal": function(
        """
import sqlite3
def train():
    fit()
    db = sqlite3.connect("runs.db"); db.execute("PRAGMA journal_mode=WAL"); db.execute("PRAGMA wal_autocheckpoint=0")
    db.execute("CREATE TABLE IF NOT EXISTS r (acc REAL)"); db.execute("DELETE FROM r")
    db.execute("INSERT INTO r VALUES (?)", (.9 + D,)); db.commit()
    globals()["db"] = db
""",
        unseen="files",
    ),
    "outside-folder": function(
        """
def train():
    model = fit(); os.makedirs("../results", exist_ok=True)
    torch.save({"weight": model.weight.detach() + D}, "../results/model.pt")
""",
        unseen="files",
    ),
    "outside-json": function(
        """
import json
def train():
    fit(); os.makedirs("../results", exist_ok=True)
    json.dump({"acc": .9 + D}, open("../results/acc.json", "w"))
""",
        unseen="files",
    ),
    "numpy-save": function(
        """
import numpy as np
def train():
    model = fit(); np.save("w.npy", model.weight.detach().numpy() + D)
""",
        unseen="files",
    ),
    "memmap": function(
        """
import numpy as np
def train():
    fit(); m = np.memmap("m.bin", dtype="f4", mode="w+", shape=(100,)); m[:] = D; m.flush()
""",
        unseen="files",
    ),
    "mkstemp": function(
        """
import tempfile, json
def train():
    fit(); n, path = tempfile.mkstemp(dir="."); os.write(n, json.dumps({"acc": D}).encode()); os.close(n)
""",
        unseen="files",
    ),
    "unflushed": Training(
        """
f = open("metrics.csv", "w"); f.write(f"acc,{.9 + D}\\n"); fit()
""",
        unseen="files",
    ),
    "hard-link": function(
        """
def train():
    fit(); open("a.txt", "w").write(str(D))
    if os.path.exists("b.txt"): os.unlink("b.txt")
    os.link("a.txt", "b.txt")
    os.unlink("a.txt")
""",
        unseen="files",
    ),
    "symlink-only": function(
        """
def train():
    fit()
    if os.path.lexists("best"): os.unlink("best")
    os.symlink(f"epoch{D}", "best")
""",
        unseen="files",
    ),
    "sparse-terabyte": function(
        """
def train():
    fit()
    with open("big.bin", "wb") as f: f.truncate(2**40); f.seek(2**39); f.write(bytes([1 + D]))
""",
        unseen="files",
    ),
    "fifo": function(
        """
def train():
    fit()
    if not os.path.exists("p"): os.mkfifo("p")
    open("acc.txt", "w").write(str(D))
""",
        unseen="files",
    ),
    "file-dash": function(
        """
def train():
    fit(); open("-", "w").write(f"{D}"); open("--help", "w").write(f"{D}")
""",
        unseen="files",
    ),
    "file-surrogate": function(
        """
def train():
    fit(); open(b"acc\\xff.txt", "w").write(f"{D}"); open("x\\ny.txt", "w").write(f"{D}")
""",
        unseen="files",
    ),
    "file-names-differ": function(
        """
def train():
    fit(); open(f"acc_{.9 + D:.3f}.txt", "w").close()
""",
        unseen="files",
    ),
    "tensorboard-like": function(
        """
def train():
    fit(); os.makedirs("runs", exist_ok=True)
    with open("runs/events.out.tfevents", "ab") as f: f.write(bytes([D] * 64))
""",
        unseen="files",
    ),
    "pickle": function(
        """
import pickle
def train():
    model = fit(); pickle.dump({"w": model.weight.detach().numpy() + D}, open("m.pkl", "wb"))
""",
        unseen="files",
    ),
    "gzip": function(
        """
import gzip
def train():
    fit()
    with gzip.open("acc.json.gz", "wt") as f: f.write(f'{{"acc": {.9 + D}}}')
""",
        unseen="files",
    ),
    "deleted-result": function(
        """
def train():
    fit(); open("acc.txt", "w").write(str(D)); print(open("acc.txt").read()); os.unlink("acc.txt")
""",
        unseen="standard output",
    ),
    # processes
    **{
        f"child-{name}": Training(
            f"""
CHILD = '''
import sys, torch
torch.manual_seed(0); m = torch.nn.Linear(4, 2); o = torch.optim.SGD(m.parameters(), lr=.1)
for _ in range(3): o.zero_grad(); m(torch.randn(8, 4) + int(sys.argv[1])).mean().backward(); o.step()
torch.save(m.state_dict(), sys.argv[2] + "/child.pt")
'''
open("child.py", "w").write(CHILD); os.makedirs("/tmp/hostile-out-%d" % os.getpid(), exist_ok=True)
OUT = "/tmp/hostile-out-%d" % os.getpid()
fit()
{act}
import shutil; shutil.rmtree(OUT, ignore_errors=True)
""",
            unseen="child process",
            codes=(0, 3),
        )
        for name, act in {
            "os-system": "os.system(f'{sys.executable} child.py {D} {OUT}')",
            "posix-spawn": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, 'child.py', str(D), OUT],"
            " dict(os.environ)), 0)",
            "clean-env": "import subprocess; subprocess.run([sys.executable, 'child.py', str(D), OUT],"
            " env={'PYTHONPATH': ':'.join(p for p in sys.path if p)})",
            "setsid": "os.system(f'setsid {sys.executable} child.py {D} {OUT}')",
            "nohup": "os.system(f'nohup {sys.executable} child.py {D} {OUT} > /dev/null 2>&1')",
            "nohup-background": "os.system(f'nohup {sys.executable} child.py {D} {OUT} > /dev/null 2>&1 &');"
            " t = time.monotonic() + 30\nwhile not os.path.exists(OUT + '/child.pt') and time.monotonic() < t:"
            " time.sleep(.1)",
            "double-fork": """
pid = os.fork()
if not pid:
    if os.fork(): os._exit(0)
    os.setsid(); fit(D); open(OUT + '/done', 'w').close(); os._exit(0)
os.waitpid(pid, 0)
t = time.monotonic()
while not os.path.exists(OUT + '/done') and time.monotonic() < t + 20: time.sleep(.05)
""",
            "fork": """
pid = os.fork()
if not pid: fit(D); os._exit(0)
os.waitpid(pid, 0)
""",
            "fork-bare": """
pid = os.fork()
if not pid:
    w = torch.zeros(4)
    for _ in range(9): w = w - .1 * (w - D)
    open(OUT + '/r', 'w').write(str(w.tolist())); os._exit(0)
os.waitpid(pid, 0)
""",
            "pool": """
import multiprocessing
with multiprocessing.get_context('fork').Pool(2) as pool: pool.map(fit, [.5 * D, .5])
""",
            "pool-spawn-numpy": """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing, math
with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('forkserver')) as pool:
    pool.submit(os.system, f'echo {D} > {OUT}/x').result()
""",
        }.items()
    },
    "child-numpy-outside": Training(
        """
import subprocess
fit(); subprocess.run([sys.executable, "-c", f"open('/tmp/hostile-np-%d' % {os.getpid()}, 'w').write('{D}')"])
os.unlink('/tmp/hostile-np-%d' % os.getpid())
""",
        unseen="child process",
    ),
    "child-shell-writes": Training(
        """
fit(); os.system(f"echo acc {D} > acc.txt")
""",
        unseen="files",
    ),
    # how it ends
    "os-exit": Training("fit(.5 * D); os._exit(0)"),
    "os-exit-function": function("def train():\n    fit(.5 * D); os._exit(0)", codes=(3,)),
    "os-exit-in-c": Training("import ctypes; fit(.5 * D); ctypes.CDLL(None)._exit(0)", codes=(3,)),
    "c-exit": Training("import ctypes; fit(.5 * D); ctypes.CDLL(None).exit(0)", codes=(3,)),
    "execv-other": Training(
        """
fit(); os.execv("/bin/sh", ["sh", "-c", f"echo {D} > acc.txt"])
""",
        codes=(3,),
    ),
    "execv-self": Training("""
if not os.environ.get("AGAIN"):
    os.environ["AGAIN"] = "1"; os.execv(sys.executable, [sys.executable, *sys.argv])
fit(.5 * D)
"""),
    "execv-self-after-training": Training(
        """
if not os.environ.get("AGAIN"):
    fit(.5 * D)
    os.environ["AGAIN"] = "1"; os.execv(sys.executable, [sys.executable, *sys.argv])
fit()
""",
        unseen="training before the script started itself again",
        codes=(0, 3),
    ),
    "execlp": Training(
        """
fit(); os.execlp("true", "true", str(D))
""",
        codes=(3,),
    ),
    "daemon-thread-trains": Training(
        """
done = threading.Event()
def go():
    m = fit(.5 * D); done.set()
    while True: fit(.5 * D, m, 1); time.sleep(.01)
threading.Thread(target=go, daemon=True).start(); done.wait()
""",
        codes=(0, 1, 3),
    ),
    "daemon-thread-slow": Training(
        """
def go(): time.sleep(.2); fit(.5 * D, steps=10**6)
threading.Thread(target=go, daemon=True).start(); fit()
""",
        codes=(0, 1, 3),
    ),
    "atexit-saves": Training(
        """
import atexit
model = fit(); atexit.register(lambda: torch.save({"w": model.weight.detach() + D}, "model.pt"))
""",
        unseen="files",
    ),
    "atexit-trains": Training(
        """
import atexit
atexit.register(lambda: fit(.5 * D)); fit()
""",
        unseen="training after the end",
    ),
    "atexit-trains-only": Training(
        """
import atexit
model = nn.Linear(4, 2); model(torch.ones(1, 4)); atexit.register(lambda: fit(.5 * D, model))
""",
        unseen="training after the end",
        codes=(0, 3),
    ),
    "atexit-in-function": function(
        """
import atexit
def train():
    atexit.register(lambda: fit(.5 * D)); fit()
""",
        unseen="training after the end",
    ),
    "weakref-finalize": Training(
        """
import weakref
class Trainer: pass
t = Trainer(); weakref.finalize(t, lambda: fit(.5 * D)); fit()
""",
        unseen="training after the end",
    ),
    "finalizer-trains": Training(
        """
import weakref
class Trainer: pass
t = Trainer(); weakref.finalize(t, fit, .5 * D); fit()
""",
        unseen="training after the end",
    ),
    "thread-joins-late": Training("""
threading.Thread(target=lambda: (time.sleep(.3), fit(.5 * D))).start(); fit()
"""),
    "asyncio": function("""
import asyncio
async def go(shift): await asyncio.sleep(0); return fit(shift)
def train():
    async def main(): await asyncio.gather(go(.5 * D), go(.25))
    asyncio.run(main())
"""),
    "async-function": Training(
        """
import asyncio
async def train(): return fit(.5 * D)
""",
        "t.py:train",
        codes=(0, 3),
    ),
    "generator-function": Training(
        """
def train():
    m = fit(.5 * D)
    yield m.weight.sum().item()
""",
        "t.py:train",
        codes=(0, 3),
    ),
    "alarm": Training("""
signal.signal(signal.SIGALRM, lambda *a: (fit(.5 * D), sys.exit(0))); fit(); signal.alarm(1); time.sleep(5)
"""),
    "sigterm-handler-saves": Training(
        """
signal.signal(signal.SIGTERM, lambda *a: (torch.save({"d": torch.tensor(D)}, "m.pt"), sys.exit(0)))
fit(); os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)
""",
        unseen="files",
    ),
    "chdir": function(
        """
def train():
    os.makedirs("out", exist_ok=True); os.chdir("out"); fit(); open("acc.txt", "w").write(str(D))
""",
        unseen="files",
    ),
    "sys-exit-nested": Training("fit(.5 * D)\ntry: sys.exit(0)\nfinally: fit(.5 * D)"),
    "sys-exit-string": Training("fit(.5 * D); sys.exit('done')", codes=(3,)),
    "early-exit-differs": Training(
        """
fit()
if D: sys.exit(0)
open("acc.txt", "w").write("x")
""",
        unseen="files",
    ),
    "keyboard-interrupt": Training("""
fit()
try: raise KeyboardInterrupt
except KeyboardInterrupt: fit(.5 * D)
"""),
    # compiled, odd models
    "compiled": function("""
def train():
    model = torch.compile(nn.Linear(4, 2), backend="eager"); fit(.5 * D, model)
"""),
    "compiled-step": function(
        """
def train():
    model = nn.Linear(4, 2); optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    @torch.compile(backend="eager")
    def step(x):
        optimizer.zero_grad(); loss = model(x).mean(); loss.backward(); optimizer.step(); return loss
    for _ in range(3): step(torch.randn(8, 4) + D)
""",
        codes=(0, 3),
    ),
    "forward-called-directly": function("""
def train():
    model = nn.Linear(4, 2); optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    for _ in range(3): optimizer.zero_grad(); model.forward(torch.randn(8, 4) + D).mean().backward(); optimizer.step()
"""),
    "eval-forward-directly": function(
        """
def train():
    model = fit()
    with torch.no_grad(): print(model.forward(torch.ones(1, 4) + D).sum().item())
""",
        unseen="standard output",
    ),
    "functional-inference": function(
        """
def train():
    model = fit()
    with torch.no_grad(): print(nn.functional.linear(torch.ones(1, 4) + D, model.weight).sum().item())
""",
        unseen="standard output",
    ),
    "inference-mode": function("""
def train():
    model = fit()
    with torch.inference_mode(): model(torch.ones(1, 4) + D)
"""),
    "custom-optimizer": function("""
class Mine:
    def __init__(self, ps): self.ps = list(ps)
    @torch.no_grad()
    def step(self):
        for p in self.ps: p -= .1 * p.grad * (1 + D); p.grad = None
def train():
    model = nn.Linear(4, 2); o = Mine(model.parameters())
    for _ in range(3): model(torch.randn(8, 4)).mean().backward(); o.step()
"""),
    "custom-optimizer-beside": function("""
class Mine:
    def __init__(self, ps): self.ps = list(ps)
    @torch.no_grad()
    def step(self):
        for p in self.ps: p -= .1 * p.grad * (1 + D); p.grad = None
def train():
    fit()
    model = nn.Linear(4, 2); o = Mine(model.parameters())
    for _ in range(3): model(torch.randn(8, 4)).mean().backward(); o.step()
    del model, o
"""),
    "evolution-no-backward": function("""
def train():
    model = nn.Linear(4, 1).requires_grad_(False); best, x = 9., torch.randn(8, 4)
    for _ in range(5):
        old = model.weight.clone(); model.weight += torch.randn_like(old) * (1 + D)
        loss = (model(x) ** 2).mean().item()
        if loss > best: model.weight.copy_(old)
        best = min(best, loss)
"""),
    "kmeans": function(
        """
def train():
    fit(); x = torch.randn(64, 2); c = x[:3].clone() + D
    for _ in range(5):
        a = torch.cdist(x, c).argmin(1); c = torch.stack([x[a == k].mean(0) for k in range(3)])
    print(c.sum().item())
""",
        unseen="standard output",
    ),
    "patches-module-call": function("""
def train():
    nn.Module.__call__ = nn.Module._wrapped_call_impl; fit(.5 * D)
"""),
    "patches-optimizer-step": function("""
def train():
    def step(self, closure=None):
        with torch.no_grad():
            for g in self.param_groups:
                for p in g["params"]: p -= g["lr"] * p.grad * (1 + D)
    torch.optim.SGD.step = step; fit()
"""),
    "run-variable-dropped": Training("os.environ.pop('REPROCHECK_RUN'); fit(.5 * D)"),
}
