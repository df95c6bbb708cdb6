"""Entry of a run: `python .../reprocheck/worker/__main__.py RUN_FOLDER`.

Started by path, so that neither the target's folder nor the current one can shadow what we import; import-safe,
because children that the target spawns may import it as their main module.
"""

import sys


def main() -> None:
    if not getattr(sys.flags, "safe_path", False):
        # Python put this file's folder first on the path; a module of the target must not find ours there.
        sys.path.pop(0)
    try:
        from reprocheck.worker.run import run
    except ModuleNotFoundError:  # not installed, but run from its source folder
        sys.path.append(__file__.rsplit("/", 3)[0])
        from reprocheck.worker.run import run
    run(sys.argv[1])


if __name__ == "__main__":
    main()
