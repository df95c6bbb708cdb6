"""What a training may do to the interpreter, to torch and to itself: while it trains, or after its last step."""

from __future__ import annotations

BOOM = "boom = lambda *a, **k: 1/0; "


def patched(owner: str, *names: str) -> str:
    """Methods that raise."""
    return BOOM + f"[setattr({owner}, n, boom) for n in {names!r}]"


WHILE_IT_TRAINS = {
    "atexit-forks": "import atexit; atexit.register(lambda: os.fork() or time.sleep(300))",
    "atexit-status": "import atexit; atexit.register(sys.exit, 5)",
    "atexit-of-threads-raises": BOOM + "threading._register_atexit(boom)",
    "atexit-of-threads-forks": "threading._register_atexit(lambda: os.fork() or time.sleep(300))",
    "tensor-methods": patched("torch.Tensor", "numpy", "cpu", "tolist", "data_ptr", "__eq__"),
    "tensor-views": patched("torch.Tensor", "untyped_storage", "contiguous", "storage_offset"),
    "tensor-numpy-lies": "import numpy; torch.Tensor.numpy = lambda s, **k: numpy.zeros(s.shape, 'float32')",
    "tensor-detach-lies": "torch.Tensor.detach = lambda s: torch.zeros_like(s)",
    "tensor-contiguous-lies": "torch.Tensor.contiguous = torch.Tensor.cpu = lambda s, **k: torch.zeros_like(s)",
    "torch-functions": BOOM + "torch.is_tensor = torch.equal = torch.frombuffer = torch.get_rng_state = boom",
    "compiling-for-ever": "torch.compiler.is_compiling = lambda: True",
    "module-hooks-cleared": "from torch.nn.modules import module as m; m._global_forward_hooks.clear()",
    "step-hooks-cleared": (
        "from torch.optim import optimizer as o; "
        "o._global_optimizer_pre_hooks.clear(); o._global_optimizer_post_hooks.clear()"
    ),
    "step-unwrapped": "torch.optim.SGD.step = torch.optim.SGD.step.__wrapped__",
    "backward-replaced": "torch.Tensor.backward = lambda s, *a, **k: torch.autograd.backward(s)",
    "engine-replaced": "torch.autograd.Variable._execution_engine = None",
    "limit-cpu": "import resource; resource.setrlimit(resource.RLIMIT_CPU, (60, 60))",
    "limit-data": "import resource; resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, 1 << 20))",
    "temporary-folder-loop": "import tempfile; os.symlink(tempfile.gettempdir(), tempfile.gettempdir() + '/loop')",
    "output-of-64-megabytes": "[os.write(1, b'y' * 2**20) for _ in range(64)]",
    "output-from-a-thread": (
        "threading.Thread(target=lambda: [os.write(2, b'z' * 99) for _ in range(10**9)], daemon=True).start()"
    ),
    "output-in-utf-16": "sys.stdout.reconfigure(encoding='utf-16'); sys.stderr.reconfigure(encoding='ascii')",
    "gc-callback-raises": BOOM + "import gc; gc.callbacks.append(boom)",
    "gc-saves-all": "import gc; gc.set_debug(gc.DEBUG_SAVEALL)",
    "thread-trace-raises": BOOM + "threading.settrace(boom); threading.setprofile(boom)",
    "faulthandler-exits": (
        "import faulthandler as f; f.dump_traceback_later(1e-3, exit=True, file=open('faults', 'w')); time.sleep(.1)"
    ),
    "faulthandler-to-a-file": "import faulthandler; faulthandler.enable(open('faults', 'w'))",
    "generator-never-ends": "g = (1/0 if n else n for n in range(9)); next(g); globals().update(g=g)",
    "generator-deaf": (
        "exec('def g():\\n while 1:\\n  try: yield\\n  except GeneratorExit: pass', globals()); "
        "globals().update(h=globals()['g']()); next(globals()['h'])"
    ),
    "coroutine-never-awaited": "exec('async def c(): 1/0', globals()); globals().update(d=globals()['c']())",
    "del-resurrects": (
        "exec('class D:\\n def __del__(s): globals().update(again=s); 1/0', globals()); "
        "globals().update(d=globals()['D']())"
    ),
    "del-exits": "globals().update(d=type('D', (), {'__del__': lambda s, e=os._exit: e(9)})())",
    "weakref-raises": BOOM + "import weakref; x = type('X', (), {})(); globals().update(w=weakref.ref(x, boom)); del x",
    "module-replaces-itself": (
        "sys.modules[__name__] = sys.modules['__main__'] = type('M', (), {'__getattr__': lambda s, n: 1/0})()"
    ),
    "torch-replaced": "sys.modules['torch'] = type(sys)('torch')",
    "no-import": "sys.meta_path.clear(); sys.path_hooks.clear(); sys.path.clear()",
    "import-raises": BOOM + "sys.meta_path.insert(0, type('F', (), {'find_spec': boom})())",
    "environment-replaced": "os.environ = None",
    "thread-name": "threading.current_thread().name = '\\udcff\\ud800::error::'",
    "arguments-gone": "del sys.argv; sys.executable = None",
    "wakeup-descriptor": "r, w = os.pipe(); os.set_blocking(w, False); signal.set_wakeup_fd(w); os.close(r)",
    "broken-pipe-ends": "signal.signal(signal.SIGPIPE, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGPIPE)",
}
AFTER_ITS_LAST_STEP = {
    "dispatch-mode": (
        "from torch.utils._python_dispatch import TorchDispatchMode as M; "
        "type('B', (M,), {'__torch_dispatch__': lambda *a, **k: 1/0})().__enter__()"
    ),
    "function-mode": (
        "from torch.overrides import TorchFunctionMode as M; "
        "type('B', (M,), {'__torch_function__': lambda *a, **k: 1/0})().__enter__()"
    ),
    "function-mode-lies": (
        "from torch.overrides import TorchFunctionMode as M; "
        "type('B', (M,), {'__torch_function__': lambda *a, **k: None})().__enter__()"
    ),
    "tensors-swapped": "torch.utils.swap_tensors(value[0].weight, nn.Linear(4, 2).weight)",
    "default-device": "torch.set_default_device('meta')",
    "default-dtype": "torch.set_default_dtype(torch.float16)",
    "inference": "torch.inference_mode().__enter__()",
    "step-hooks-cleared": WHILE_IT_TRAINS["step-hooks-cleared"],
    "tensor-methods": BOOM
    + "[setattr(torch.Tensor, n, boom) for n in dir(torch.Tensor) if n.islower() and n[0] != '_']",
    "module-methods": BOOM + "[setattr(nn.Module, n, boom) for n in dir(nn.Module) if n[0] != '_']",
    "optimizer-methods": patched("torch.optim.Optimizer", "state_dict", "__getstate__", "__repr__"),
    "torch-empty": "[delattr(torch, n) for n in dir(torch) if n[0] != '_']",
    "every-module-gone": "[sys.modules.pop(n) for n in list(sys.modules) if n.partition('.')[0] in ('torch', 'numpy')]",
}
