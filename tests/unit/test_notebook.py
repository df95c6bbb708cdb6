"""Notebooks as source: their cells, what of IPython is translated, and lines that are changed in the file."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reprocheck.config.notebook_session import session_target
from reprocheck.config.target import parse_target
from reprocheck.diagnosis.source.scan import scan
from reprocheck.errors import UsageError
from reprocheck.model.places import CELL_LINES, cell_of, line_in_notebook, place_text, shown_line
from reprocheck.protocol.notebook.cells import NotebookError, cells_in, line_in_file, line_spans, with_lines
from reprocheck.protocol.notebook.magics import translate
from reprocheck.protocol.reading import read_source
from tests.support.notebooks import code, notebook, text, write

LINES = ["x = 1", 'é = "\\n\\u20ac"', "", '  # "quo\\"te" \\', "y = [1,\t2]", 's = "𝄞"']


def test_places_name_cell_and_line() -> None:
    assert place_text("a/train.py", 12) == "a/train.py:12"
    assert place_text("a/nb.ipynb", line_in_notebook(7, 3)) == "a/nb.ipynb cell 7, line 3"
    assert place_text("HEAD~1:nb.ipynb", 70003) == "HEAD~1:nb.ipynb cell 7, line 3"
    assert cell_of("nb.ipynb", 70003) == (7, 3)
    assert cell_of("nb.py", 70003) is None
    assert (shown_line("nb.ipynb", 70003), shown_line("nb.py", 70003)) == (3, 70003)


def test_cells_are_numbered_as_jupyter_runs_them() -> None:
    cells = ["a = 1", text("# words"), " \n", code("b = 2", tags=["skip-execution"]), "%%html\n<b>", "c = 3\nd = 4"]
    found = cells_in(json.dumps(notebook(cells)).encode())
    assert [(cell.number, cell.code) for cell in found] == [(1, ("a = 1",)), (4, ("c = 3", "d = 4"))]


def test_the_source_of_a_notebook_has_every_line_at_its_number(tmp_path: Path) -> None:
    path = write(tmp_path / "nb.ipynb", ["import numpy as np", "%matplotlib inline\n\nrng = np.random.default_rng()"])
    lines = read_source(path).decode().split("\n")
    assert lines[CELL_LINES] == "import numpy as np"
    assert lines[2 * CELL_LINES + 2] == "rng = np.random.default_rng()"
    [hit] = [hit for hit in scan([path]) if hit.pattern == "unseeded-generator"]
    assert hit.location.line == line_in_notebook(2, 3)
    assert hit.edit is not None
    assert hit.edit.after == "rng = np.random.default_rng(0)"


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("%matplotlib inline\nimport x", "pass\nimport x"),
        ("!pip install a \\\n  b\nx = 1", "pass\n\nx = 1"),
        ("if True:\n    !pip install a\ny = 2", "if True:\n    pass\ny = 2"),
        ('s = """\n%foo\n!rm\n"""\n%time z = 3', 's = """\n%foo\n!rm\n"""\nz = 3'),
        ("%%time\nx = 1", "\nx = 1"),
        ("%%capture\n%pip install a\nx", "\npass\nx"),
        ("\n%%time\nx = 1", "\n\nx = 1"),
        ("df?\n?df\ndf??", "pass\npass\npass"),
        ("%env A=1", "__import__(\"os\").environ['A'] = '1'"),
        ("pip install torch", "pass"),
        ("!nvidia-smi", "pass"),
        ("a = (1\n%2)\nb = 5 % 3", "a = (1\n%2)\nb = 5 % 3"),
        ("%load_ext autoreload\n%autoreload 2", "pass\npass"),
        ("x = [\n  1,\n]\n%who", "x = [\n  1,\n]\npass"),
    ],
)
def test_what_only_shows_something_is_left_out(cell: str, python: str) -> None:
    made = translate(cell.split("\n"))
    assert not made.refusals
    assert "\n".join(made.lines) == python


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("x = !ls", 1),
        ("import a\n!wget b", 2),
        ("!ls > files.txt", 1),
        ("!cat a; rm b", 1),
        ("%%bash\nls", 1),
        ("%timeit f()", 1),
        ("%%timeit\nf()", 1),
        ("%run other.py", 1),
        ("%%capture out\nf()", 1),
        ("%reset -f", 1),
        ("%%writefile a.py\nx", 1),
        ("%cd {folder}", 1),
    ],
)
def test_what_cannot_be_repeated_is_refused_with_its_line(cell: str, line: int) -> None:
    [refusal] = translate(cell.split("\n")).refusals
    assert refusal.line == line
    assert refusal.text
    assert refusal.reason
    assert refusal.help


def _random_notebook(rng: random.Random) -> str:
    def source() -> Any:
        found = "\n".join(rng.choice(LINES) for _ in range(rng.randint(1, 5)))
        found = found.replace("\n", "\r\n") if rng.random() < 0.2 else found
        way = rng.random()
        if way < 0.3:
            return found
        if way < 0.6:
            return found.splitlines(keepends=True)
        cuts = sorted(rng.randint(0, len(found)) for _ in range(3))
        return [found[a:b] for a, b in zip([0, *cuts], [*cuts, len(found)], strict=True)]

    cells = [
        {"cell_type": rng.choice(["code", "code", "markdown"]), "metadata": {"source": ["no\n"]}, "source": source()}
        for _ in range(3)
    ]
    plain = {"x": [1, {"cells": [{"source": "q"}]}], **notebook([]), "cells": [*cells, code("last")]}
    return json.dumps(plain, indent=rng.choice([None, 1, 4]), ensure_ascii=rng.random() < 0.5)


def test_a_line_is_changed_in_the_file_and_nothing_else() -> None:
    rng = random.Random(0)
    changed = 0
    for _ in range(300):
        before = _random_notebook(rng)
        cells = cells_in(before.encode())
        spans = line_spans(before, {cell.index: cell.number for cell in cells})
        cell = rng.choice(cells)
        number = line_in_notebook(cell.number, rng.randint(1, len(cell.written)))
        old = cell.written[number % CELL_LINES - 1]
        if number not in spans or not old.strip():
            continue
        start, end = spans[number]
        assert json.loads(f'"{before[start:end]}"') == old
        after = with_lines(before, {number: (old, old + '  # "ü"')}, "nb.ipynb")
        assert (after[:start], after[len(after) - len(before) + end :]) == (before[:start], before[end:])
        assert line_in_file(before, number) == before.count("\n", 0, start) + 1
        changed += 1
    assert changed > 200


def test_a_line_that_reads_otherwise_by_now_is_not_changed() -> None:
    before = json.dumps(notebook(["a = 1"]))
    for line, old in ((10001, "a = 2"), (10002, "a = 1"), (20001, "a = 1")):
        with pytest.raises(NotebookError, match="is not the line that the audit saw"):
            with_lines(before, {line: (old, "b")}, "nb.ipynb")


def _refused(data: bytes, folder: Path) -> UsageError:
    path = folder / "nb.ipynb"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        parse_target(str(path), None, (), ())
    assert "\n" not in caught.value.message
    return caught.value


def _with(**more: Any) -> Callable[[], bytes]:
    return lambda: json.dumps({**notebook(["x = 1"]), **more}).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: b"", "not JSON"),
        (lambda: b"\x00\xff\xfe", "not in UTF-8"),
        (lambda: b"[" * 100_000, "nested too deeply"),
        (lambda: json.dumps(notebook(["x"])).encode()[:-20], "not JSON"),
        (lambda: b"[1]", "no notebook"),
        (lambda: b'{"cells": []}', "`nbformat` is missing"),
        (_with(nbformat=3), "its format is 3"),
        (_with(nbformat="4\n"), "its format is"),
        (_with(metadata={"language_info": {"name": "R"}}), "its language is r, not Python"),
        (_with(metadata={"kernelspec": {"language": "julia"}}), "its language is julia"),
        (_with(cells=None), "it has no cells"),
        (_with(cells=[]), "no code cells"),
        (_with(cells=[text("words")]), "no code cells"),
        (_with(cells=[code("x", tags=["skip-execution"])]), "no code cells that are run"),
        (_with(cells=["x"]), "is damaged"),
        (_with(cells=[{"cell_type": "code", "source": [1]}]), "is damaged"),
        (_with(cells=[code("x = 1\n" * CELL_LINES)]), "more code than is read"),
        (_with(cells=[code("a = 1"), code("x = = 2")]), "nb.ipynb cell 2, line 1: syntax error"),
        (_with(cells=[code("a = 1\n!wget b")]), "cell 1, line 2: `!wget b`: shell commands are not run"),
        (_with(cells=[code("!a"), code("!b")]), "and 1 more like it"),
        (_with(cells=[code("x = '\0'")]), "cell 1, line 1"),
    ],
)
def test_what_is_no_notebook_to_run_gets_one_message(data: Callable[[], bytes], message: str, tmp_path: Path) -> None:
    assert message in _refused(data(), tmp_path).message


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    with path.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(UsageError, match="larger than"):
        parse_target(f"{path}:train", None, (), ())


class _Shell:
    """As much of IPython's shell as is looked at."""

    def __init__(self, *cells: str, **names: Any) -> None:
        self.user_ns: dict[str, Any] = dict(names)
        self.history_manager = type("History", (), {"input_hist_raw": ["", *cells]})()


def _in_session(cells: tuple[str, ...], call: str) -> list[str]:
    """What an audit in the last cell would run."""
    shell = _Shell(*cells)
    shell.user_ns.update(__name__="__main__", session_target=session_target, shell=shell, sys=sys)
    for cell in cells:
        exec(compile(cell, "<cell>", "exec"), shell.user_ns)
    path = Path(shell.user_ns[call].rpartition(":")[0])
    return ["\n".join(cell.written) for cell in cells_in(path.read_bytes())]


def test_a_function_of_a_running_notebook_is_what_was_run_so_far() -> None:
    ask = "target = session_target(train, shell, sys._getframe())"
    cells = ("x = 1", "", "def train():\n    return x", f"y = 2\n\n{ask}\nz = 3")
    assert _in_session(cells, "target") == ["x = 1", "#", "def train():\n    return x", "y = 2"]
    ask = "def g():\n    return session_target(train, shell, sys._getframe())\ntarget = g()"
    assert _in_session(("def train(): ...", ask), "target")[1] == ask.rpartition("\n")[0]


def test_what_the_cells_do_not_say_is_refused() -> None:
    def train() -> None: ...

    train.__qualname__ = "train"
    with pytest.raises(UsageError, match="is not what the notebook calls train"):
        session_target(train, _Shell("def train(): ...", train=len), None)
    with pytest.raises(UsageError, match="are not known"):
        session_target(train, _Shell(train=train), None)


def test_places_in_a_running_notebook_are_named_without_their_folder() -> None:
    assert place_text("/tmp/reprocheck-notebook-ab/nb.ipynb", 20003) == "nb.ipynb cell 2, line 3"
