"""The real command: what it refuses and how, and what a target is given. No target here needs PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprocheck import __version__
from reprocheck.errors import EXIT_CODE_MEANINGS
from tests.support.cli import Ran, environment, reprocheck

FUNCTIONS = """\
value = 3


def train(lr: float = 0.1, name: str = "n", sizes: tuple = ()) -> dict:
    return {"lr": lr, "name": name, "kinds": [type(lr).__name__, type(name).__name__, type(sizes).__name__]}


def seeded(seed: int) -> int:
    return seed


def needs(data, more=1):
    return 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.py").write_text(FUNCTIONS)
    return tmp_path


def run(folder: Path, *options: str, code: int = 0) -> Ran:
    """Two runs; nothing varies, so that the second need not wait for the clock."""
    ran = reprocheck("run", "--ambient", "fixed", *options, cwd=folder)
    assert ran.code == code, ran.out + ran.err
    return ran


def refused(folder: Path, *options: str) -> str:
    """Exit code 2, nothing on stdout, one error."""
    ran = run(folder, "-q", *options, code=2)
    assert ran.out == ""
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, ran.err
    assert all(line.startswith(("error: ", "  help: ")) for line in ran.err.splitlines()), ran.err
    return ran.err


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("gone.py:train", "there is no file gone.py"),
        ("t.py:trian", "did you mean train?"),
        ("t.py:value", "value is of type int, not a function"),
        ("t.py:needs", "missing a required argument: 'data'"),
        ("nosuch_pkg.mod:train", "nosuch_pkg.mod: no module of that name"),
    ],
)
def test_a_target_that_cannot_be_run(folder: Path, target: str, says: str) -> None:
    assert says in refused(folder, target)


def test_an_argument_that_the_function_does_not_take(folder: Path) -> None:
    assert "unexpected keyword argument 'lrr'" in refused(folder, "t.py:train", "--arg", "lrr=1")


def test_a_module_that_does_not_exist(folder: Path) -> None:
    assert "-m nosuch_pkg.mod: " in refused(folder, "-m", "nosuch_pkg.mod")


def test_a_syntax_error_has_file_and_line(folder: Path) -> None:
    (folder / "bad.py").write_text("x = 1\n\ndef train(:\n")
    assert "error: bad.py:3: syntax error: " in refused(folder, "bad.py:train")


def test_a_syntax_error_in_a_module_has_file_and_line(folder: Path) -> None:
    (folder / "badmod.py").write_text("x = 1\n\ndef train(:\n")
    message = refused(folder, "badmod:train")
    assert "badmod.py" in message
    assert "line 3" in message or ":3:" in message


def test_a_syntax_error_is_placed_in_the_module_that_has_it(folder: Path) -> None:
    (folder / "good.py").write_text("import badhelper\n\ndef train():\n    return 1\n")
    (folder / "badhelper.py").write_text("x = 1\n\n\n\n\ndef f(:\n")
    ran = reprocheck("run", "--ambient", "fixed", "good:train", cwd=folder)
    assert ran.code in (2, 3)
    assert "badhelper.py" in ran.out + ran.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--seeds", "0"], "--seeds must be an integer from 1"),
        (["--memory-fraction", "1.5"], "--memory-fraction must be in (0, 1], not 1.5"),
        (["--seed", "1", "--seeds", "2"], "exclude each other"),
        (["--env", "novalue"], "--env must be NAME=VALUE"),
        (["--output", "json=none/r.json"], "cannot write json report to none/r.json: there is no folder none"),
        (["--evidence", "t.py/x"], "cannot keep evidence in t.py/x: Not a directory"),
    ],
)
def test_an_option_that_cannot_be_met(folder: Path, options: list[str], says: str) -> None:
    (folder / "mark.py").write_text("def train():\n    open('ran', 'w').close()\n    return 1\n")
    assert says in refused(folder, *options, "mark.py:train")
    assert not (folder / "ran").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    sealed = folder / "sealed"
    sealed.mkdir(mode=0o555)
    assert "cannot keep evidence in sealed" in refused(folder, "--evidence", "sealed", "t.py:train")


def test_options_that_do_not_exist(folder: Path) -> None:
    ran = reprocheck("run", "--nosuch", "t.py:train", cwd=folder)
    assert ran.code == 2
    assert "--nosuch" in ran.err


def test_an_unknown_key_names_the_nearest(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.reprocheck]\nrepeat = 3\n")
    message = refused(folder, "t.py:train")
    assert "has no key 'repeat'" in message
    assert "did you mean `repeats`?" in message


def test_version(tmp_path: Path) -> None:
    ran = reprocheck("--version", cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, f"reprocheck {__version__}\n", "")


@pytest.mark.parametrize("options", [("--help",), ("run", "--help"), ("gpu-info", "--help")], ids=" ".join)
def test_help_lists_every_exit_code(tmp_path: Path, options: tuple[str, ...]) -> None:
    ran = reprocheck(*options, cwd=tmp_path)
    assert ran.code == 0
    text = " ".join(ran.out.split())
    for code, meaning in EXIT_CODE_MEANINGS.items():
        assert f"{int(code)} {meaning}" in text


def test_help_and_refusals_do_not_import_torch(folder: Path) -> None:
    program = (
        "import sys; from reprocheck.cli.app import main\n"
        "sys.argv[0] = 'reprocheck'\n"
        "try: main()\n"
        "finally: print('TORCH', 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    for options in (["--help"], ["run", "--help"], ["run", "--seeds", "0", "t.py:train"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *options], cwd=folder, env=environment(), capture_output=True, text=True
        )
        assert "TORCH False" in done.stdout, done.stdout + done.stderr


def test_configuration_is_used_and_overridden(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        '[tool.reprocheck]\nrepeats = 3\nseed = [4, 7]\nformat = "json"\nevidence = "kept"\n\n'
        '[tool.reprocheck.arg]\nlr = 0.5\nname = "from file"\n'
    )
    (folder / "sub").mkdir()
    answer = reprocheck(
        "run", "-q", "--ambient", "fixed", "--seeds", "1", "--arg", "name=given", "../t.py:train", cwd=folder / "sub"
    ).json()
    assert [seed["seed"] for seed in answer["seeds"]] == [0]
    assert len(answer["seeds"][0]["runs"]) == 3
    assert answer["target"]["arguments"] == {"lr": 0.5, "name": "given"}
    assert (folder / "kept" / "audits").is_dir()
    assert not (folder / "sub" / ".reprocheck").exists()


@pytest.mark.slow
def test_arguments_are_literals_or_text(folder: Path) -> None:
    (folder / "a.py").write_text(
        "import json\ndef train(**given):\n"
        "    json.dump({k: repr(v) for k, v in given.items()}, open('seen.json', 'w'))\n    return 1\n"
    )
    options = [f"--arg={w}" for w in ("lr=1e-3", "n=3", "on=True", "sizes=(1, 2)", "name=adam", "text='3'", "empty=")]
    run(folder, *options, "a.py:train")
    assert json.loads((folder / "seen.json").read_text()) == {
        "lr": "0.001", "n": "3", "on": "True", "sizes": "(1, 2)", "name": "'adam'", "text": "'3'", "empty": "''",
    }  # fmt: skip


@pytest.mark.slow
def test_a_parameter_named_seed_gets_the_seed(folder: Path) -> None:
    answer = run(folder, "--format", "json", "--seed", "5", "--seed", "9", "t.py:seeded").json()
    assert [seed["runs"][0]["metrics"] for seed in answer["seeds"]] == [{"returned value": 5}, {"returned value": 9}]


SCRIPT = """\
import json, sys
if __name__ == "__main__":
    import helper
    with open("seen.json", "w") as file:
        json.dump([sys.argv, __name__, __file__, sys.path[0], helper.X, sys.modules["__main__"].__dict__ is globals()],
                  file)
print("done")
"""


@pytest.mark.slow
def test_a_script_sees_what_python_would_show_it(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "s.py").write_text(SCRIPT)
    (folder / "sub" / "helper.py").write_text("X = 1\n")
    options = ["sub/s.py", "--lr", "0.1", "-q", "a b"]
    subprocess.run([sys.executable, *options], cwd=folder, env=environment(), check=True, capture_output=True)
    expected = json.loads((folder / "seen.json").read_text())
    (folder / "seen.json").unlink()
    run(folder, "--compare", "stdout", options[0], "--", *options[1:])
    assert json.loads((folder / "seen.json").read_text()) == expected


@pytest.mark.slow
def test_the_seed_in_the_arguments_of_a_script(folder: Path) -> None:
    (folder / "s.py").write_text("import sys\nopen('seen' + sys.argv[1], 'w').write(repr(sys.argv[1:]))\nprint(1)\n")
    run(folder, "--seed", "3", "--seed", "8", "--compare", "stdout", "s.py", "--", "{seed}", "--seed={seed}", "{other}")
    assert (folder / "seen3").read_text() == "['3', '--seed=3', '{other}']"
    assert (folder / "seen8").read_text() == "['8', '--seed=8', '{other}']"


def package(folder: Path) -> None:
    (folder / "pkg").mkdir()
    (folder / "pkg" / "__init__.py").write_text("")
    (folder / "pkg" / "other.py").write_text("X = 2\n")
    (folder / "pkg" / "mod.py").write_text(
        "import json, sys\nfrom .other import X\n\n\ndef train():\n    return X\n\n\n"
        "if __name__ == '__main__':\n"
        "    json.dump([sys.argv, __name__, __package__, __file__, sys.path[0], X], open('seen.json', 'w'))\n"
        "    print(X)\n"
    )


@pytest.mark.slow
def test_a_module_sees_what_python_would_show_it(folder: Path) -> None:
    package(folder)
    command = [sys.executable, "-m", "pkg.mod", "--x", "1"]
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
    expected = json.loads((folder / "seen.json").read_text())
    (folder / "seen.json").unlink()
    run(folder, "--compare", "stdout", "-m", "pkg.mod", "--", "--x", "1")
    found = json.loads((folder / "seen.json").read_text())
    assert found == expected


@pytest.mark.slow
def test_a_function_of_a_module(folder: Path) -> None:
    package(folder)
    answer = run(folder, "--format", "json", "pkg.mod:train").json()
    assert answer["verdict"] == "reproducible"
    assert answer["seeds"][0]["runs"][0]["metrics"] == {"returned value": 2}


def test_reports_in_files_and_silence(folder: Path) -> None:
    ran = run(folder, "-qq", "-o", "json=r.json", "-o", "text=r.txt", "t.py:train")
    assert (ran.out, ran.err) == ("", "")
    assert json.loads((folder / "r.json").read_text())["verdict"] == "reproducible"
    assert "REPRODUCIBLE" in (folder / "r.txt").read_text()


def test_an_exception_of_the_target_is_no_verdict(folder: Path) -> None:
    (folder / "e.py").write_text("def train():\n    raise ValueError('no data in it')\n")
    ran = run(folder, "e.py:train", code=3)
    assert "ValueError: no data in it" in ran.out
    assert "e.py:2" in ran.out


def test_secrets_are_neither_shown_nor_kept(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        "import os\ndef train(api_key, lr):\n    return len(api_key + os.environ['X_TOKEN'])\n"
    )
    options = ("run", "t.py:train", "--arg", "api_key='letmein77'", "--arg", "lr=0.5", "--env", "Y_SECRET=sesame99")
    outputs = ("--output", "json=r.json", "--output", "markdown=r.md", "--baseline", "base.json", "--update-baseline")
    environ = environment(X_TOKEN="hunter2222", VISIBLE="kept in no file")
    ran = reprocheck(*options, *outputs, cwd=tmp_path, env=environ)
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "r.json").read_text())["target"]["arguments"] == {"api_key": "***", "lr": 0.5}
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "t.py"]
    assert any(path.name == "spec.json" for path in files)
    for path in files:
        for secret in (b"letmein77", b"sesame99", b"hunter2222", b"kept in no file"):
            assert secret not in path.read_bytes(), path
    runs = [path for path in (tmp_path / ".reprocheck/audits").rglob("*") if "." not in path.name or path.is_file()]
    assert {oct(path.stat().st_mode & 0o077) for path in runs} == {"0o0"}
