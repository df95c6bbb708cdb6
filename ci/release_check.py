"""`make release-check`: sdist and wheel, built and installed in fresh environments, and a smoke audit in each.

For every Python of `PYTHONS` that is at hand, and every PyTorch of `TORCHES` (or of the environment variable TORCH) of
which pip finds a build for the CPU alone. A Python without one gets an audit of a training without PyTorch. The README
has what was tested, in a table between two marks: `--write` writes it, and without that it is an error if the table
claims what was not seen here. Standard library only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TORCHES = ("2.6.0", "2.9.1", "2.13.0", "2.14.1")
NONE = "without"
WITHOUT = "only a training without it"
"""What the README says of such a Python."""
START, END = "<!-- tested: make release-check -->", "<!-- end of tested -->"
NEEDED = ("reprocheck/report/writers/page/page.css", "reprocheck/report/writers/page/page.js", "reprocheck/py.typed")
"""Files of the package that are no Python."""

TRAINING = """
import os
{imports}

def train(seed=0):
    {body}

def differs(seed=0):
    value = train(seed)
    return {{"value": value, "run": os.environ["REPROCHECK_RUN"]}}
"""
BODIES = {
    True: (
        "import torch",
        "model = torch.nn.Linear(2, 1)\n    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "    for _ in range(3):\n        optimizer.zero_grad()\n        model(torch.randn(4, 2)).sum().backward()\n"
        "        optimizer.step()\n    return model",
    ),
    False: ("import numpy as np", 'return {"loss": float(np.random.default_rng(seed).normal())}'),
}


@dataclass
class Row:
    """One environment."""

    python: str
    torch: str
    source: str
    result: str
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.result == "passed"


def main() -> int:
    write = sys.argv[1:] == ["--write"]
    if sys.argv[1:] and not write:
        print("usage: release_check.py [--write]", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="reprocheck-release-") as folder:
        work = Path(folder)
        sdist, wheel = build(work)
        rows = []
        for python in PYTHONS:
            rows += check_python(python, sdist if needs_sdist(wheel, python, rows) else wheel, work)
    print(table(rows))
    return claims(rows, write)


def needs_sdist(wheel: Path, python: str, rows: list[Row]) -> bool:
    """The first environment gets the sdist, and so does one that the wheel is not made for."""
    fits = any(f"-{tag}-" in wheel.name for tag in ("py3-none", "cp" + python.replace(".", "")))
    return not any(row.passed for row in rows) or not fits


def build(work: Path) -> tuple[Path, Path]:
    """Both, by the build backend itself."""
    python = environment(sys.executable, work / "build")
    call(python, "-m", "pip", "install", "-q", "hatchling")
    call(python, "-m", "hatchling", "build", "-d", str(work / "dist"), cwd=ROOT)
    (sdist,), (wheel,) = (work / "dist").glob("*.tar.gz"), (work / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        missing = [name for name in NEEDED if name not in archive.namelist()]
    if missing:
        raise SystemExit(f"the wheel lacks {', '.join(missing)}")
    print(f"built {sdist.name} and {wheel.name}", flush=True)
    return sdist, wheel


def check_python(version: str, source: Path, work: Path) -> list[Row]:
    """Every PyTorch with one Python."""
    executable = find(version)
    if executable is None:
        return [Row(version, "-", "-", "not at hand")]
    rows = []
    for torch in os.environ.get("TORCH", " ".join(TORCHES)).split():
        if has_cpu_build(executable, torch, work):
            rows.append(check(executable, version, torch, source, work))
        else:
            rows.append(Row(version, torch, "-", "no build for the CPU alone at hand"))
        print(line(rows[-1]), flush=True)
    if not any(row.source != "-" for row in rows):
        rows.append(check(executable, version, NONE, source, work))
        print(line(rows[-1]), flush=True)
    return rows


def find(version: str) -> str | None:
    """A Python of this version that starts."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python")))]
    for place in filter(None, places):
        asked = subprocess.run([place, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True)
        if asked.stdout.decode().strip() == version:
            return place
    return None


def has_cpu_build(executable: str, torch: str, work: Path) -> bool:
    """pip looks, and downloads nothing but what says so."""
    python = environment(executable, work / f"look-{Path(executable).parent.parent.name}")
    asked = subprocess.run(
        [*python, "-m", "pip", "install", "-q", "--dry-run", "--no-deps", "--only-binary=:all:", pinned(torch)],
        capture_output=True,
    )
    return asked.returncode == 0


def pinned(torch: str) -> str:
    """On Linux the builds of the default index bring CUDA; those for the CPU alone are marked."""
    return f"torch=={torch}+cpu" if sys.platform == "linux" else f"torch=={torch}"


def check(executable: str, version: str, torch: str, source: Path, work: Path) -> Row:
    """Install, and audit two trainings: one that reproduces, and one that does not."""
    started = time.monotonic()
    row = Row(version, torch, "sdist" if source.name.endswith(".gz") else "wheel", "passed")
    place = work / f"{version}-{torch}"
    try:
        python = environment(executable, place)
        if torch == NONE:
            call(python, "-m", "pip", "install", "-q", "--no-deps", str(source))
            call(python, "-m", "pip", "install", "-q", *requirements(python))
        else:
            (place / "constraints.txt").write_text(f"{pinned(torch)}\n")
            call(python, "-m", "pip", "install", "-q", "-c", str(place / "constraints.txt"), str(source))
        smoke(python, place, torch)
    except Failed as error:
        row.result = str(error)
    row.seconds = time.monotonic() - started
    shutil.rmtree(place, ignore_errors=True)
    return row


def requirements(python: list[str]) -> list[str]:
    """What the installed package requires, but PyTorch."""
    code = "import importlib.metadata as m; print('\\n'.join(m.requires('reprocheck')))"
    found = [line for line in call(python, "-c", code).splitlines() if "extra ==" not in line]
    return [line for line in found if not re.match(r"torch\b", line)]


def smoke(python: list[str], place: Path, torch: str) -> None:
    imports, body = BODIES[torch != NONE]
    (place / "t.py").write_text(TRAINING.format(imports=imports, body=body))
    if torch != NONE:
        found = call(python, "-c", "import torch; print(torch.__version__)").strip()
        if found.partition("+")[0] != torch:
            raise Failed(f"pip installed torch {found}")
    command = [*python, "-m", "reprocheck"]
    call(command, "--version", cwd=place)
    call(command, "run", "--help", cwd=place)
    call(command, "run", "-q", "t.py:train", "-o", "html=t.html", cwd=place)
    call(command, "run", "-q", "--no-explain", "t.py:differs", cwd=place, code=1)


class Failed(Exception):
    """The last line that a command wrote."""


def environment(executable: str, folder: Path) -> list[str]:
    """A new virtual environment, unless it is there; the start of a command with its Python."""
    if not folder.exists():
        call([executable], "-m", "venv", str(folder))
    return [str(folder / "bin" / "python")]


def call(start: list[str], *arguments: str, cwd: Path | None = None, code: int = 0) -> str:
    # NOTE: the checkout must not be importable instead of what was installed.
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    ran = subprocess.run([*start, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=1800)
    if ran.returncode != code:
        last = ([""] + [one.strip() for one in (ran.stdout + ran.stderr).splitlines() if one.strip()])[-1]
        words = " ".join(arguments[:4])
        raise Failed(f"`{words}` ended with {ran.returncode} instead of {code}: {last[:200]}")
    return ran.stdout


def line(row: Row) -> str:
    time_taken = f"{row.seconds:.0f} s" if row.seconds else "-"
    return f"| {row.python} | {row.torch} | {row.source} | {row.result} | {time_taken} |"


def table(rows: list[Row]) -> str:
    head = ["", "| Python | PyTorch | installed from | audits | time |", "| --- | --- | --- | --- | ---: |"]
    return "\n".join([*head, *map(line, rows), ""])


def matrix(rows: list[Row]) -> str:
    """What the README says: only what passed."""
    passed = [row for row in rows if row.passed]
    lines = ["| Python | PyTorch |", "| --- | --- |"]
    for python in dict.fromkeys(row.python for row in passed):
        torches = [row.torch for row in passed if row.python == python]
        lines.append(f"| {python} | {', '.join(WITHOUT if one == NONE else one for one in torches)} |")
    return "\n".join(lines)


def claims(rows: list[Row], write: bool) -> int:
    """Whether the README claims what was seen here."""
    text = README.read_text(encoding="utf-8")
    before, mark, rest = text.partition(START)
    said, other, after = rest.partition(END)
    if not mark or not other:
        print(f"README.md has no table between {START} and {END}", file=sys.stderr)
        return 1
    failed = [row for row in rows if row.source != "-" and not row.passed]
    for row in failed:
        print(f"failed: Python {row.python}, PyTorch {row.torch}: {row.result}", file=sys.stderr)
    if failed:
        return 1
    seen = matrix(rows)
    if write:
        README.write_text(f"{before}{START}\n{seen}\n{END}{after}", encoding="utf-8")
        return 0
    missing = sorted(claimed(said) - claimed(seen))
    for python, torch in missing:
        print(f"README.md claims what was not seen here: Python {python}, PyTorch {torch}", file=sys.stderr)
    return 1 if missing else 0


def claimed(text: str) -> set[tuple[str, str]]:
    """Pairs in such a table. Where PyTorch was there, nobody has to try without it."""
    rows = [[cell.strip() for cell in one.strip("| ").split("|")] for one in text.strip().splitlines()[2:]]
    return {(row[0], torch) for row in rows for torch in (*row[-1].split(", "), WITHOUT)}


if __name__ == "__main__":
    sys.exit(main())
