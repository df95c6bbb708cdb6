"""The targets: what a training does at its second step, once in two equal runs and once in two that truly differ.

Runs that differ (the second one trains on other data from its second step on, after the target has done its worst) must
never be called the same, whatever else the target does.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.hostile.trainings import HEAD, TRAININGS
from tests.hostile.tricks import AFTER_ITS_LAST_STEP, WHILE_IT_TRAINS

PRELUDE = """\
import os, sys, time, signal, threading, torch
R = 1 if os.environ.get("REPROCHECK_RUN", "").endswith("r1") else 0
nn = torch.nn
def small(seed=0, act=None, shift=0.0):
    torch.manual_seed(seed)
    model = nn.Linear(4, 2); optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    for step in range(3):
        if step == 1: act()
        batch = torch.randn(8, 4) + (shift if step else 0.)
        optimizer.zero_grad(); loss = (model(batch) ** 2).mean(); loss.backward(); optimizer.step()
    return model, loss.item()
def evidence(name):
    run = os.environ["REPROCHECK_RUN"].split("/")[-1]
    import glob
    return glob.glob(f".reprocheck/audits/*/{run}/{name}")[0]
"""

GREEN_OR_NONE, DIFFERENT_OR_NONE, NONE = (0, 3), (1, 3), (3,)


@dataclass(frozen=True)
class Hostile:
    """One target, and what may come of it."""

    name: str
    code: str
    what: str = "t.py"
    codes: tuple[int, ...] = GREEN_OR_NONE
    """Exit codes that are right."""
    says: str = ""
    differs: bool = False
    """The two runs truly differ."""
    unseen: str = ""
    """What of the result the target puts out of sight: where nothing else differs, the headline must name it."""
    options: tuple[str, ...] = ()
    prelude: str = PRELUDE


EVIDENCE = {
    "deletes-evidence": "import shutil; shutil.rmtree('.reprocheck')",
    "truncates-evidence": "import glob; [open(p, 'w').close() for p in glob.glob('.reprocheck/audits/*/*/*')]",
    **{
        f"{word}-{name.split('.')[0]}": f"p = evidence({name!r}); {code}"
        for name in ("evidence.jsonl", "steps.bin", "stdout.txt", "spec.json")
        for word, code in {
            "deletes": "os.unlink(p)",
            "pipe": "os.unlink(p); os.mkfifo(p)",
            "zero": "os.unlink(p); os.symlink('/dev/zero', p)",
            "folder": "os.unlink(p); os.mkdir(p)",
            "garbage": "open(p, 'wb').write(os.urandom(5000))",
        }.items()
    },
    "evidence-huge-number": "open(evidence('evidence.jsonl'), 'a').write('{\"record\": \"note\", \"text\": 1e999}\\n')",
    "evidence-many-digits": "open(evidence('evidence.jsonl'), 'a').write('[' + '9' * 9999 + ']\\n')",
    "evidence-deep": "open(evidence('evidence.jsonl'), 'a').write('[' * 100000 + '\\n')",
    "evidence-forged-end": (
        "open(evidence('evidence.jsonl'), 'a').write("
        '\'{"record": "end", "status": "finished", "records": NaN, "steps": -1}\\n\'); os.kill(os.getpid(), 9)'
    ),
    "evidence-link": (
        "os.rename('.reprocheck/audits', 'moved'); os.symlink(os.path.abspath('moved'), '.reprocheck/audits')"
    ),
    "evidence-no-rights": "os.chmod(os.path.dirname(evidence('spec.json')), 0)",
    "removes-temporary-folder": "import shutil, tempfile; shutil.rmtree(os.path.dirname(tempfile.gettempdir()))",
}
PATCHES = {
    "patches-json": "import json; json.dumps = json.JSONEncoder.encode = lambda *a, **k: 1/0",
    "patches-json-encoder": "import json.encoder as e; e.c_make_encoder = e.isinstance = None",
    **{
        f"patches-builtin-{name}": f"import builtins; builtins.{name} = lambda *a, **k: 1/0"
        for name in ("open", "print", "sorted", "len", "isinstance", "getattr", "str", "__import__")
    },
    **{
        f"patches-{name.replace('.', '-')}": f"import {name.partition('.')[0]}; {name} = lambda *a, **k: 1/0"
        for name in (
            *("os.getpid", "os.write", "os.fstat", "os.open", "os.listdir", "os.path.dirname", "os.stat", "os.scandir"),
            *("time.monotonic", "time.perf_counter", "time.time", "gc.collect", "traceback.print_exception"),
            *("sys.exit", "sys.excepthook", "threading.enumerate", "platform.python_version", "resource.getrusage"),
        )
    },
    "empties-sys-modules": "sys.modules.clear()",
    "drops-reprocheck-modules": "[sys.modules.pop(n) for n in list(sys.modules) if n.startswith('reprocheck')]",
    "replaces-json-module": "sys.modules['json'] = sys.modules['os.path'] = None",
    "audit-hook-raises": "sys.addaudithook(lambda event, args: 1/0 if event == 'open' else None)",
    "audit-hook-raises-always": "sys.addaudithook(lambda event, args: 1/0)",
    "settrace-raises": "sys.settrace(lambda *a: 1/0)",
    "setprofile": "sys.setprofile(lambda *a: None)",
    "gc-off": "import gc; gc.disable(); gc.set_threshold(0)",
}
EXCEPTIONS = {
    "raise-str-raises": "raise type('Bad', (Exception,), {'__str__': lambda s: 1/0, '__repr__': lambda s: 1/0})()",
    "raise-surrogate": "raise ValueError('\\udcff\\ud800 \\x1b[2J ::error::')",
    "raise-huge-text": "raise ValueError('x' * 10**7)",
    "raise-keyboard-interrupt": "raise KeyboardInterrupt",
    "raise-base-exception": "raise type('Mine', (BaseException,), {})('gone')",
    "raise-generator-exit": "raise GeneratorExit",
    "raise-stopped": "raise type('TargetStopped', (BaseException,), {})('not yours')",
    "raise-recursion": "f = lambda: f(); f()",
    "raise-chain": "e = ValueError(); e.__cause__ = e; raise e",
    "raise-group": "raise RuntimeError(*['x'] * 9999)",
    "exit-object": "raise SystemExit(type('Bad', (), {'__repr__': lambda s: 1/0, '__str__': lambda s: 1/0})())",
    "exit-huge": "raise SystemExit(10**5000)",
    "exit-3": "sys.exit(3)",
    "interrupts-main": "import _thread; _thread.interrupt_main(); time.sleep(1)",
    "excepthook-raises": "sys.excepthook = threading.excepthook = lambda *a: 1/0; raise ValueError('boom')",
}
ENDS = {
    "os-exit-0": "os._exit(0)",
    "os-exit-7": "os._exit(7)",
    "abort": "os.abort()",
    "segfault": "import ctypes; ctypes.string_at(0)",
    "kill-self": "os.kill(os.getpid(), signal.SIGKILL)",
    "terminate-self": "os.kill(os.getpid(), signal.SIGTERM)",
    "stop-self": "os.kill(os.getpid(), signal.SIGSTOP)",
    "becomes-sleep": "os.execvp('true', ['true'])",
}
PROCESSES = {
    "stops-parent": "os.kill(os.getppid(), signal.SIGSTOP)",
    "kills-parent": "os.kill(os.getppid(), signal.SIGKILL)",
    "terminates-parent": "os.kill(os.getppid(), signal.SIGTERM)",
    "interrupts-group": "os.killpg(os.getpgid(os.getppid()), signal.SIGINT)",
    "child-clean-env": "import subprocess; subprocess.Popen(['sleep', '300'], env={}, start_new_session=True)",
    "child-holds-output": "import subprocess; subprocess.Popen(['sleep', '300'])",
    "child-stopped": "import subprocess; os.kill(subprocess.Popen(['sleep', '300']).pid, signal.SIGSTOP)",
    "child-deaf": "import subprocess; subprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP INT; sleep 300; sleep 300'])",
    "daemon": "os.fork() or (os.setsid(), os.fork() and os._exit(0), os.environ.clear(), time.sleep(300))",
    "forks-and-returns": "os.fork()",
    "forks-many": "[os.fork() or (time.sleep(300), os._exit(0)) for _ in range(20)]",
    "zombies": "[os.fork() or os._exit(0) for _ in range(20)]",
    "ignores-terminate": "[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]",
    "blocks-signals": "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
    "alarm-raises": "signal.signal(signal.SIGALRM, lambda *a: 1/0); signal.setitimer(signal.ITIMER_REAL, .05, .05)",
    "setsid": "os.fork() or (os.setsid(), time.sleep(300))",
    "setpgid": "os.getpgid(0) == os.getpid() or os.setpgid(0, 0)",
    "reaps-nothing": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
}
LIMITS = {
    **{
        f"limit-{name.lower()}": f"import resource; resource.setrlimit(resource.RLIMIT_{name}, ({value}, {value}))"
        for name, value in {"NOFILE": 3, "FSIZE": 0, "AS": 1 << 20, "NPROC": 0, "CORE": 0, "STACK": 1 << 16}.items()
    },
    "recursion-limit": "sys.setrecursionlimit(60)",
    "umask": "os.umask(0o777)",
    "setuid": "os.getuid() or os.setuid(65534)",
    "nice": "os.nice(5)",
    "locale": "import locale; locale.setlocale(locale.LC_ALL, 'C'); os.environ.update(LC_ALL='xx', PYTHONUTF8='0')",
    "cwd-deleted": "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
    "cwd-root": "os.chdir('/')",
    "chroot": "os.getuid() or (os.mkdir('jail'), os.chroot('jail'))",
    "environment-cleared": "os.environ.clear()",
    "default-dtype": "torch.set_default_dtype(torch.float64) if 0 else torch.set_num_threads(1)",
    "int-digits": "sys.set_int_max_str_digits(640)",
}
OUTPUT = {
    "stdout-none": "sys.stdout = sys.stderr = None",
    "stdout-closed": "sys.stdout.close(); sys.stderr.close()",
    "stdout-raises": "sys.stdout = sys.stderr = type('Out', (), {'write': lambda *a: 1/0, 'flush': lambda *a: 1/0})()",
    "stdout-descriptor-closed": "os.close(1); os.close(2)",
    "all-descriptors-closed": "os.closerange(0, 1024)",
    "descriptors-taken": "os.closerange(3, 1024); globals().update(f=[open(f'm{i}', 'w') for i in range(12)])",
    "stdout-binary": "os.write(1, bytes(range(256)) * 100)",
    "stdout-long-line": "print('x' * 10**7)",
    "stdout-commands": "print('::set-output name=a::b\\n##[error]x\\x1b]0;t\\x07')",
}
THREADS = {
    "thread-daemon": "threading.Thread(target=time.sleep, args=(300,), daemon=True).start()",
    "thread-raises": "threading.excepthook = lambda *a: 1/0; threading.Thread(target=lambda: 1/0).start()",
    "thread-late": "threading.Thread(target=lambda: (time.sleep(.3), open('late', 'w').close())).start()",
    "atexit-raises": "import atexit; atexit.register(lambda: 1/0)",
    "atexit-exits": "import atexit; atexit.register(os._exit, 9)",
    "atexit-kills": "import atexit; atexit.register(os.kill, os.getpid(), 9)",
    "del-raises": "globals().update(d=type('D', (), {'__del__': lambda s: 1/0})())",
}
FILES = {
    "file-pipe": "os.mkfifo('pipe')",
    "file-loop": "os.symlink('loop', 'loop'); os.symlink('.', 'self')",
    "file-zero-link": "os.symlink('/dev/zero', 'zero')",
    "file-odd-names": "[open(n, 'w').close() for n in (b'\\xff\\xfe', 'a\\nb', '::error::', ' ', '-rf', 'x' * 255)]",
    "file-no-rights": "os.mkdir('locked'); open('locked/f', 'w').close(); os.chmod('locked', 0)",
    "file-sparse": "open('sparse', 'w').truncate(2**40)",
    "file-socket": "import socket; socket.socket(socket.AF_UNIX).bind('sock')",
    "deletes-source": "R and os.unlink('t.py')",
    "deep-folders": "[(os.mkdir('d'), os.chdir('d')) for _ in range(200)]",
}
IN_OWN_FOLDER = "here = os.getcwd(); own = f'own{R}'; os.mkdir(own); os.chdir(own); {}; os.chdir(here)"
"""The second run must not end by what it finds of the first one."""
ENDED = NONE
FAMILIES: dict[str, dict[str, str]] = {
    "evidence": EVIDENCE, "patches": PATCHES, "exceptions": EXCEPTIONS, "ends": ENDS, "processes": PROCESSES,
    "limits": LIMITS, "output": OUTPUT, "threads": THREADS, "files": FILES,
    "tricks": WHILE_IT_TRAINS,
}  # fmt: skip

VALUES = {
    "ret-key-repr-raises": "{type('X', (), {'__repr__': lambda s: 1/0})(): 1}",
    "ret-repr-raises": "type('X', (), {'__repr__': lambda s: 1/0, '__str__': lambda s: 1/0})()",
    "ret-len-huge": "type('X', (list,), {'__len__': lambda s: 2**62})()",
    "ret-iter-endless": "type('X', (list,), {'__iter__': lambda s: __import__('itertools').count()})()",
    "ret-generator-endless": "__import__('itertools').count()",
    "ret-dict-endless": "type('X', (dict,), {'items': lambda s: ((n, n) for n in __import__('itertools').count())})()",
    "ret-getattr-raises": "type('X', (), {'__getattribute__': lambda s, n: 1/0})()",
    "ret-hash-raises": "type('X', (), {'__hash__': lambda s: 1/0, '__eq__': lambda s, o: 1/0})()",
    "ret-cycle": "(lambda a: (a.append(a), a)[1])([])",
    "ret-deep": "__import__('functools').reduce(lambda a, _: [a], range(100000), 1)",
    "ret-huge-int": "10**10000",
    "ret-nan": "[float('nan'), float('inf'), -0.0]",
    "ret-surrogate": "'\\udcff\\ud800'",
    "ret-module": "os",
    "ret-class-raises": "type('X', (), {'__class__': property(lambda s: 1/0)})()",
    "ret-laughs": "__import__('functools').reduce(lambda a, _: [a, a], range(60), 1)",
    "ret-expanded": "torch.zeros(1).expand(10**12)",
    "ret-dead-proxy": "__import__('weakref').proxy(type('X', (), {})())",
    "ret-generator-deaf": "(lambda g: (next(g), g)[1])(n for n in range(9))",
    "ret-bytes": "b'x' * 10**6",
    "ret-meta-tensor": "torch.empty(3, device='meta')",
    "ret-lambda": "lambda: 0",
    "ret-exception": "ValueError(type('X', (), {'__repr__': lambda s: 1/0})())",
}  # fmt: skip

UNSEEN_HEAD = """\
def boom(*a, **k): raise ValueError("mine")
class Odd(torch.Tensor):
    grad_fn = property(boom)
class Opaque(dict):
    get = items = boom
class Nameless(nn.Linear):
    named_parameters = modules = buffers = boom
def train(R=R):
    torch.manual_seed(0)
    model = nn.Linear(4, 2); optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    model.register_buffer("seen", torch.zeros(2))
    for step in range(3):
        batch, plain = torch.randn(8, 4), lambda t: t.as_subclass(torch.Tensor)
        optimizer.zero_grad()
        {}
        optimizer.step()
"""
UNSEEN = {
    "batch": ("inputs of a model", "(plain(model((batch + R).as_subclass(Odd))) * 0.).sum().backward()"),
    "loss": ("a loss", "(model(batch).mean() + R).as_subclass(Odd).backward()"),
    "buffer": ("inputs of a model", "model.seen += R; model.__class__ = Nameless; model(batch).mean().backward()"),
    "optimizer-state": (
        "the state of SGD",
        "model(batch).mean().backward(); optimizer.state = Opaque({model.weight: {'own': torch.ones(2) + R}})",
    ),
}
"""What differs only where the target's own code raises when it is looked at: its name in the headline, the code."""


def _targets() -> list[Hostile]:
    made = []
    number = 0
    for family, acts in FAMILIES.items():
        for name, act in acts.items():
            for differs in (False, True):
                number += 1
                codes = DIFFERENT_OR_NONE if differs else GREEN_OR_NONE
                own = IN_OWN_FOLDER if family == "files" and name != "deletes-source" else "{}"
                head = f"def act():\n    {own.replace('{}', act, 1)}\n"
                call = f"small(act=act, shift={'.5 * R' if differs else '0.'})"
                is_function = number % 4 < 2
                made.append(
                    Hostile(
                        name=f"{family}/{name}{'/differs' if differs else ''}".replace("/", "--"),
                        code=head + (f"def train():\n    return {call}\n" if is_function else f"{call}\n"),
                        what="t.py:train" if is_function else "t.py",
                        codes=(int(differs),)
                        if family == "files"
                        else ENDED
                        if family == "exceptions" or (family == "ends" and is_function)
                        else codes,
                        differs=differs,
                    )
                )
    for number, (name, act) in enumerate(AFTER_ITS_LAST_STEP.items()):
        for differs in (False, True):
            call = f"small(act=lambda: None, shift={'.5 * R' if differs else '0.'})"
            code = f"def train():\n    value = {call}\n    {act}\n    return value\n"
            is_function = (number + differs) % 2 == 0
            made.append(
                Hostile(
                    name=f"after--{name}{'--differs' if differs else ''}",
                    code=code + ("" if is_function else "train()\n"),
                    what="t.py:train" if is_function else "t.py",
                    codes=DIFFERENT_OR_NONE if differs else GREEN_OR_NONE,
                    differs=differs,
                )
            )
    for name, value in VALUES.items():
        for differs in (False, True):
            shift = ".5 * R" if differs else "0."
            code = f"def train():\n    small(act=lambda: None, shift={shift})\n    return {value}\n"
            made.append(
                Hostile(
                    name=f"values--{name}{'--differs' if differs else ''}",
                    code=code,
                    what="t.py:train",
                    codes=DIFFERENT_OR_NONE if differs else GREEN_OR_NONE,
                    differs=differs,
                )
            )
    for name, (unseen, act) in UNSEEN.items():
        for differs in (False, True):
            code = UNSEEN_HEAD.replace("{}", act) if differs else UNSEEN_HEAD.replace("{}", act).replace("R=R", "R=0")
            full = f"unseen--{name}{'--differs' if differs else ''}"
            codes = (0, 1) if differs else (0,)
            made.append(Hostile(full, code, "t.py:train", codes, says=unseen, differs=differs, unseen=unseen))
    for name, training in TRAININGS.items():
        for differs in (False, True):
            made.append(
                Hostile(
                    name=f"trainings--{name}{'--differs' if differs else ''}",
                    prelude=HEAD.replace("{differs}", str(int(differs))),
                    code=training.code,
                    what=training.what,
                    codes=DIFFERENT_OR_NONE if differs else training.codes,
                    differs=differs,
                    unseen=training.unseen,
                )
            )
    return made


TARGETS = tuple(_targets())
