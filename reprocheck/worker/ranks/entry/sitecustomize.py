"""The way into every Python that a run starts: its folder comes first on PYTHONPATH, for the children of a run alone.

It takes itself off the path, waits until the process imports torch, and then hands over to `reprocheck.worker.ranks`. A
process that a launcher made a rank, or started alone, is one from its start. The `sitecustomize` that this one hides
runs as ever.
"""

import os
import sys
from importlib.util import find_spec, module_from_spec

_OWN = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(_OWN)))


class _AtTorch:
    """A meta path finder that enters right before the first import of torch."""

    @staticmethod
    def find_spec(name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name != "torch" or _AtTorch not in sys.meta_path:
            return None
        sys.meta_path.remove(_AtTorch)
        _enter()
        return find_spec(name)


def _enter() -> None:
    path = list(sys.path)
    try:
        sys.path.insert(0, os.path.dirname(_PACKAGE))
        from reprocheck.worker.private import install

        install()
        from reprocheck.worker.ranks.child import enter
    except Exception as error:  # another Python, or one without what we need: it is still the user's child
        print(f"reprocheck: this child is not followed: {error}", file=sys.stderr)
        return
    finally:
        sys.path[:] = path
    enter()


def _is_of_run() -> bool:
    """Not the process of a run, which may start itself again, nor a worker of torch's compiler."""
    words = getattr(sys, "orig_argv", [])[1:]
    worker = os.path.join(_PACKAGE, "worker", "__main__.py")
    return "REPROCHECK_RUN_FOLDER" in os.environ and not any(word == worker or "_inductor" in word for word in words)


def _is_launched() -> bool:
    """A program that a launcher started: torchrun and its like, or `accelerate launch`, which may give it no rank."""
    words = getattr(sys, "orig_argv", [])[1:]
    if "--multiprocessing-fork" in words:
        return False
    while words and words[0].startswith("-") and words[0] not in ("-c", "-m"):
        words = words[2 if words[0] in ("-W", "-X") else 1 :]
    helps = words[:1] == ["-c"]  # multiprocessing starts such for itself, with the environment of its process
    return "WORLD_SIZE" in os.environ or ("ACCELERATE_DYNAMO_BACKEND" in os.environ and not helps)


def _chain() -> None:
    """Run the one that is hidden."""
    own = sys.modules.pop("sitecustomize", None)
    found = find_spec("sitecustomize")
    if found is None or found.loader is None:
        if own is not None:
            sys.modules["sitecustomize"] = own
        return
    module = module_from_spec(found)
    sys.modules["sitecustomize"] = module
    found.loader.exec_module(module)


sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != _OWN]
if _is_of_run():
    if _is_launched():
        _enter()
    else:
        sys.meta_path.insert(0, _AtTorch)
_chain()
