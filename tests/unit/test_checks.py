"""Single values of options: each rule, and the hints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reprocheck.config.checks import parse_arg, parse_env, parse_output
from reprocheck.config.options import OPTIONS
from reprocheck.config.settings import validate
from reprocheck.errors import UsageError
from reprocheck.model import AmbientMode, Compare, Deterministic, Seeding


def refusal(name: str, value: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        validate(name, value)
    return caught.value


GOOD: list[tuple[str, Any, Any]] = [
    ("seeds", 1, 1),
    ("repeats", 100_000, 100_000),
    ("ambient", "fixed", AmbientMode.FIXED),
    ("ambient", AmbientMode.VARY, AmbientMode.VARY),
    ("seeding", "none", Seeding.NONE),
    ("deterministic", "warn", Deterministic.WARN),
    ("tf32", False, False),
    ("device", 1, "1"),
    ("device", "0,1", "0,1"),
    ("device", "", ""),
    ("device", -1, "-1"),
    ("device", "MIG-GPU-3e5c/1/0,GPU-8f-2a", "MIG-GPU-3e5c/1/0,GPU-8f-2a"),
    ("memory-fraction", 1, 1.0),
    ("memory-fraction", 5e-324, 5e-324),
    ("timeout", 0.5, 0.5),
    ("seed", [0, 2**32 - 1], (0, 2**32 - 1)),
    ("seed", 7, (7,)),
    ("compare", "files,stdout", (Compare.STDOUT, Compare.FILES)),
    ("compare", ["files", "files"], (Compare.FILES,)),
    ("ignore", ["a.*"], ("a.*",)),
    ("env", {"A": "1"}, (("A", "1"),)),
    ("env", ["A=b=c", "B="], (("A", "b=c"), ("B", ""))),
    ("arg", {"lr": 0.1, "sizes": [1, 2]}, (("lr", 0.1), ("sizes", [1, 2]))),
    ("arg", ["lr=0.1", "name=plain"], (("lr", 0.1), ("name", "plain"))),
    ("evidence", "runs", Path("runs")),
    ("output", ["json=a=b.json"], (("json", Path("a=b.json")),)),
    ("format", "json", "json"),
    ("color", "never", "never"),
]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_a_right_value_comes_out_as_the_audit_uses_it(name: str, value: Any, expected: Any) -> None:
    checked = validate(name, value)
    assert checked == expected
    assert type(checked) is type(expected)


BAD: list[tuple[str, Any, str]] = [
    ("seeds", 0, "--seeds must be an integer from 1 to 100000, not 0"),
    ("seeds", 10**18, "--seeds must be an integer from 1 to 100000, not 1000000000000000000"),
    ("seeds", int("f" * 5000, 16), "--seeds must be an integer from 1 to 100000, not a huge number"),
    ("repeats", True, "--repeats must be an integer from 1 to 100000, not true"),
    ("repeats", 2.0, "--repeats must be an integer from 1 to 100000, not 2.0"),
    ("jobs", 0, "--jobs must be an integer from 1 to 100000, not 0"),
    ("threads", "4", "--threads must be an integer from 1 to 100000, not '4'"),
    ("max-steps", 0, "--max-steps must be an integer from 1 to 2147483647, not 0"),
    ("keep", 0, "--keep must be an integer from 1 to 2147483647, not 0"),
    ("seed", [-1], "--seed must be an integer from 0 to 4294967295, not -1"),
    ("seed", [2**32], "--seed must be an integer from 0 to 4294967295, not 4294967296"),
    ("seed", [True], "--seed must be an integer from 0 to 4294967295, not true"),
    ("seed", [3, 1, 3], "--seed must not name seed 3 twice"),
    ("seed", [], "--seed must be at least one seed, not []"),
    ("memory-fraction", 1.5, "--memory-fraction must be in (0, 1], not 1.5"),
    ("memory-fraction", 0, "--memory-fraction must be in (0, 1], not 0"),
    ("memory-fraction", float("nan"), "--memory-fraction must be in (0, 1], not nan"),
    ("memory-fraction", True, "--memory-fraction must be in (0, 1], not true"),
    ("timeout", 0, "--timeout must be seconds, more than 0 and at most 2000000, not 0"),
    ("timeout", float("inf"), "--timeout must be seconds, more than 0 and at most 2000000, not inf"),
    ("timeout", 10**400, "--timeout must be seconds, more than 0 and at most 2000000, not 1000"),
    ("tf32", 1, "--tf32 must be true or false, not 1"),
    ("cudnn-benchmark", "yes", "--cudnn-benchmark must be true or false, not 'yes'"),
    ("ambient", 3, "--ambient must be vary or fixed, not 3"),
    ("compare", "stdout,", "--compare must be stdout, stderr, files or variables, not ''"),
    ("compare", 3, "--compare must be stdout, stderr, files or variables, not 3"),
    ("ignore", "a.*", "--ignore must be a list of strings"),
    ("device", "cuda:0", "--device must be device numbers or UUIDs"),
    ("device", -2, "--device must be device numbers or UUIDs"),
    ("device", int("f" * 5000, 16), "not a huge number"),
    ("device", False, "not false"),
    ("device", "0,0", "--device must not name device '0' twice"),
    ("env", ["NOVALUE"], "--env must be NAME=VALUE, not 'NOVALUE'"),
    ("env", [3], "--env must be NAME=VALUE, not 3"),
    ("env", ["A-B=1"], "--env must have a variable name of letters, digits and _ before the =, not 'A-B'"),
    ("env", ["=1"], "not ''"),
    ("env", {"A": 1}, "--env must have a string as the value of A, not 1"),
    ("env", ["A=\0"], "--env must have a value of A without a zero byte"),
    ("env", ["A=1", "A=2"], "--env must not name variable 'A' twice"),
    ("env", "A=1", "--env must be a table or a list of NAME=VALUE, not 'A=1'"),
    ("arg", ["lr"], "--arg must be NAME=VALUE, not 'lr'"),
    ("arg", ["a b=1"], "--arg must have the name of a parameter before the =, not 'a b'"),
    ("arg", ["a=1", "a=2"], "--arg must not name argument 'a' twice"),
    ("arg", ["a=1e999"], "--arg must have a value that can be written as a Python literal for a, not inf"),
    ("arg", {"a": int("f" * 5000, 16)}, "not a huge number"),
    ("evidence", "", "--evidence must be a path, not ''"),
    ("evidence", "a\0b", "--evidence must be a path"),
    ("output", ["json"], "--output must be FORMAT=FILE, not 'json'"),
    ("output", ["json="], "--output must be FORMAT=FILE, not 'json='"),
    ("output", ["jsn=a"], "not 'jsn' in 'jsn=a'"),
    ("output", ["json=a", "text=a"], "--output must not name file 'a' twice"),
    ("color", "auto\nmatic", r"not 'auto\nmatic'"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD, ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(BAD)])
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: Any, expected: str) -> None:
    message = refusal(name, value).message
    assert expected in message
    assert message.startswith(f"--{name} ")
    assert len(message) < 250
    assert "\n" not in message


def test_hints_say_what_to_write() -> None:
    assert refusal("seed", [2**32]).hint == "numpy takes no other seeds"
    assert refusal("deterministic", "wran").hint == "did you mean `warn`?"
    assert refusal("env", {"A": 1}).hint == 'write A = "1"'
    assert "-1 hides every GPU" in str(refusal("device", "cpu").hint)


def test_every_option_accepts_its_own_default() -> None:
    for option in OPTIONS.values():
        if option.default is not None:
            assert validate(option.name, option.default) == option.default


class TestParts:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("lr=0.1", ("lr", 0.1)),
            ("n= 3", ("n", 3)),
            ("betas=(0.9, 0.99)", ("betas", (0.9, 0.99))),
            ("flag=True", ("flag", True)),
            ("flag=true", ("flag", "true")),
            ("quoted='3'", ("quoted", "3")),
            ("text=a=b", ("text", "a=b")),
            ("empty=", ("empty", "")),
            ("unhashable={[]: 1}", ("unhashable", "{[]: 1}")),
            ("escape='\\d'", ("escape", "\\d")),
            ("zero=a\0b", ("zero", "a\0b")),
            ("code=__import__('os')", ("code", "__import__('os')")),
        ],
    )
    def test_an_argument_is_a_literal_or_a_string(self, text: str, expected: tuple[str, Any]) -> None:
        assert parse_arg(text) == expected

    def test_a_literal_nested_too_deep_is_a_string(self) -> None:
        deep = "[" * 100_000
        assert parse_arg(f"deep={deep}") == ("deep", deep)

    def test_an_environment_variable_keeps_its_value_as_written(self) -> None:
        assert parse_env("A= b=c ") == ("A", " b=c ")

    def test_an_output_names_format_and_file(self) -> None:
        assert parse_output("json=out/x.json") == ("json", Path("out/x.json"))
