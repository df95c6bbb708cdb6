"""Entry of a run: `python .../reprocheck/worker/__main__.py RUN_FOLDER`, or of a template that forks runs.

Started by path, so that neither the target's folder nor the current one can shadow what we import; import-safe,
because children that the target spawns may import it as their main module.
"""

import sys


def main() -> None:
    if not getattr(sys.flags, "safe_path", False):
        # Python put this file's folder first on the path; a module of the target must not find ours there.
        sys.path.pop(0)
    try:
        import reprocheck.worker  # noqa: F401
    except ModuleNotFoundError:  # not installed, but run from its source folder
        sys.path.append(__file__.rsplit("/", 3)[0])
    from reprocheck.worker.private import install

    install()
    folder = sys.argv[1]
    if folder == "--supervised":
        from reprocheck.worker.bootstrap.supervisor import supervise

        folder = sys.argv[2]
        supervise(int(sys.argv[3]))
    from reprocheck.worker.run import run

    if folder == "--template":
        from reprocheck.worker.bootstrap.template import serve

        folder = serve(int(sys.argv[2]), int(sys.argv[3]))
    elif folder == "--templates":
        from reprocheck.worker.bootstrap.template import serve_templates

        folder = serve_templates(int(sys.argv[2]), int(sys.argv[3]))
    run(folder)


if __name__ == "__main__":
    main()
