"""What the user typed as a target, before anything is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reprocheck.config.target import parse_target
from reprocheck.errors import UsageError
from reprocheck.model import Target, TargetKind


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.py").write_text("import nothing_of_this_name\n\ndef train(): ...\n")
    Path("sub").mkdir()
    Path("sub/no_ending").write_text("def train(): ...\n")
    Path("a:b.py").write_text("pass\n")
    Path("broken.py").write_text("x = 1\ndef train(:\n    pass\n")


def parse(
    text: str | None = None, module: str | None = None, *argv: str, arg: tuple[str, object] | None = None
) -> Target:
    return parse_target(text, module, argv, () if arg is None else (arg,))


def refused(text: str | None = None, module: str | None = None, arg: tuple[str, object] | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        parse(text, module, arg=arg)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_function_of_a_file(tmp_path: Path) -> None:
    target = parse("t.py:train", None, "--x", arg=("lr", 0.1))
    assert target == Target(
        text="t.py:train",
        kind=TargetKind.FILE_FUNCTION,
        path=tmp_path / "t.py",
        function="train",
        argv=("--x",),
        arguments=(("lr", 0.1),),
    )


@pytest.mark.parametrize(
    ("text", "path", "function"),
    [
        ("t.py:Trainer.fit", "t.py", "Trainer.fit"),
        ("./t.py:train", "t.py", "train"),
        ("sub/no_ending:train", "sub/no_ending", "train"),
        ("a:b.py:train", "a:b.py", "train"),
        ("t.py:übung", "t.py", "übung"),
    ],
)
def test_forms_of_a_function_in_a_file(text: str, path: str, function: str, tmp_path: Path) -> None:
    target = parse(text)
    assert (target.kind, target.path, target.function) == (TargetKind.FILE_FUNCTION, tmp_path / path, function)


def test_an_absolute_path(tmp_path: Path) -> None:
    assert parse(f"{tmp_path}/t.py:train").path == tmp_path / "t.py"


def test_a_script(tmp_path: Path) -> None:
    target = parse("t.py", None, "--lr", "{seed}")
    assert (target.kind, target.path, target.argv) == (TargetKind.SCRIPT, tmp_path / "t.py", ("--lr", "{seed}"))
    assert target.function is None


def test_a_script_with_a_colon_in_its_name(tmp_path: Path) -> None:
    target = parse("./a:b.py")
    assert (target.kind, target.path) == (TargetKind.SCRIPT, tmp_path / "a:b.py")


def test_a_function_of_a_module() -> None:
    target = parse("pkg.mod:train", arg=("n", 1))
    assert (target.kind, target.module, target.function) == (TargetKind.MODULE_FUNCTION, "pkg.mod", "train")
    assert (target.path, target.arguments) == (None, (("n", 1),))


def test_a_module() -> None:
    target = parse(None, "pkg.mod", "x")
    assert (target.kind, target.module, target.argv, target.text) == (
        TargetKind.MODULE,
        "pkg.mod",
        ("x",),
        "-m pkg.mod",
    )


def test_the_first_word_after_a_module_is_its_argument() -> None:
    assert parse("a", "pkg.mod", "b").argv == ("a", "b")


def test_a_file_that_is_there_wins_over_a_module_of_its_name(tmp_path: Path) -> None:
    Path("plain").write_text("def train(): ...\n")
    assert parse("plain:train").path == tmp_path / "plain"


@pytest.mark.parametrize("text", [None, ""])
def test_no_target(text: str | None) -> None:
    assert refused(text) == "no target given"


@pytest.mark.parametrize("text", ["gone.py", "gone.py:train", "sub/gone:train", "gone"])
def test_a_file_that_is_not_there(text: str) -> None:
    assert refused(text) == f"there is no file {text.partition(':')[0]}"


def test_a_folder() -> None:
    assert refused("sub") == "sub is a folder"


@pytest.mark.parametrize("text", ["t.py:", "t.py:3", "t.py:a b", "t.py:train()", "t.py:.x"])
def test_no_name_of_a_function(text: str) -> None:
    assert "is not the name of a function" in refused(text)


@pytest.mark.parametrize("text", ["my-mod:train", "a..b:train"])
def test_no_name_of_a_module(text: str) -> None:
    assert "neither a file nor the name of a module" in refused(text)


@pytest.mark.parametrize("name", ["", "a-b", "a..b", ".a", "a/b.py", "1"])
def test_minus_m_takes_the_name_of_a_module(name: str) -> None:
    assert "not the name of a module" in refused(None, name)


@pytest.mark.parametrize("text", ["broken.py", "broken.py:train"])
def test_a_syntax_error_has_its_place(text: str) -> None:
    assert refused(text).startswith("broken.py:2: syntax error: ")


@pytest.mark.parametrize(
    "content", [b"\0\0", b"\xff\xfe\n", b"x = " + b"(" * 5000 + b")" * 5000], ids=["zeros", "encoding", "nesting"]
)
def test_what_is_no_source(content: bytes) -> None:
    Path("odd.py").write_bytes(content)
    assert refused("odd.py").startswith("odd.py")


@pytest.mark.parametrize(("text", "module"), [("t.py", None), (None, "pkg")])
def test_arguments_are_for_functions(text: str | None, module: str | None) -> None:
    assert "--arg is for functions" in refused(text, module, arg=("x", 1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_file() -> None:
    Path("t.py").chmod(0)
    assert "cannot read t.py" in refused("t.py:train")


@pytest.mark.parametrize("ending", ["", ".py", ".py:train", ":1"])
def test_a_name_that_is_too_long_for_the_system(ending: str) -> None:
    refused("x" * 5000 + ending)


def test_a_module_name_that_is_too_long_for_a_file() -> None:
    assert parse("x" * 5000 + ":train").kind is TargetKind.MODULE_FUNCTION
