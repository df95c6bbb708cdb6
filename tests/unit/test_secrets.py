"""What looks like a secret is masked, and what machine learning calls a token is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.model import EnvironmentFactors, RunSpec, Settings, Target, TargetKind
from reprocheck.protocol import decode_spec, encode_kept, encode_spec, has_secret_arguments
from reprocheck.protocol.secrets import (
    KEY_FILE,
    MASK,
    is_secret_name,
    key_of,
    make_key,
    mask_arguments,
    mask_argv,
    mask_file,
    mask_text,
    mask_values,
    secrets_of,
)

SECRET_NAMES = (
    *(
        "api_key",
        "apiKey",
        "API_KEY",
        "--api-key",
        "APIKEY",
        "wandb.api_key",
        "hf_token",
        "HF_TOKEN",
        "token",
        "authToken",
    ),
    *("secret", "client_secret", "AWS_SECRET_ACCESS_KEY", "password", "db_passwd", "pwd", "credentials", "private_key"),
    *("access_key", "auth", "bearer", "passphrase", "ssh_key"),
)
PLAIN_NAMES = (
    *("max_tokens", "num_tokens", "tokenizer", "pad_token", "eos_token", "pad_token_id", "token_dropout", "lr", "seed"),
    *(
        "author",
        "key",
        "keys",
        "sort_key",
        "num_keys",
        "authors",
        "data",
        "model",
        "special_token",
        "monkey",
        "secretary",
    ),
)
VALUES = (
    "sk-abcdefghijklmnopqrstuvwx",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "glpat-abcdefghijklmnopqrst",
    "xoxb-123456789012-abcdef",
)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("value", VALUES)
def test_values_by_their_shape(value: str) -> None:
    assert mask_text(f"x {value} y") == "x *** y"


def test_a_url_keeps_all_but_who_asks() -> None:
    assert mask_text("https://me:hunter2@host/x?y") == "https://***@host/x?y"
    assert mask_text("see https://host:80/x@1 and task-abcdefghijklmnopqrstuvw") == (
        "see https://host:80/x@1 and task-abcdefghijklmnopqrstuvw"
    )


def test_arguments_of_a_command_line() -> None:
    options = (
        "--lr",
        "0.1",
        "--api-key",
        "abc",
        "--token=abc",
        "password=abc",
        "--max-tokens",
        "5",
        "--auth",
        "--x",
        "abc",
    )
    assert mask_argv(options) == (
        *(
            "--lr",
            "0.1",
            "--api-key",
            "***",
            "--token=***",
            "password=***",
            "--max-tokens",
            "5",
            "--auth",
            "--x",
            "abc",
        ),
    )


def test_arguments_of_a_function() -> None:
    given = {"lr": 0.1, "api_key": "abc", "config": {"token": "abc", "n": [1]}, "token": None, "url": "a://b:c@d"}
    assert mask_arguments(given) == {
        "lr": 0.1,
        "api_key": "***",
        "config": {"token": "***", "n": [1]},
        "token": None,
        "url": "a://***@d",
    }


def spec(**environment: str) -> RunSpec:
    return RunSpec(
        id="s0r0",
        seed=0,
        repeat=0,
        target=Target(
            text="t.py",
            kind=TargetKind.SCRIPT,
            path=Path("/w/t.py"),
            argv=("--password", "hunter22"),
            arguments=(("api_key", "letmein1"), ("lr", 0.1)),
        ),
        settings=Settings(env=(("HF_TOKEN", "opensesame"),)),
        ambient=EnvironmentFactors(),
        environment=environment,
        cwd=Path("/w"),
        directory=Path("/e"),
    )


def test_no_value_of_the_environment_and_no_secret_is_kept() -> None:
    one = spec(WANDB_API_KEY="sesame123", LANG="de_AT.utf8")
    assert decode_spec(encode_spec(one)) == one
    key = b"k" * 32
    kept = encode_kept(one, key)
    for value in ("sesame123", "de_AT", "hunter22", "letmein1", "opensesame"):
        assert value not in kept
    assert json.loads(kept)["target"]["arguments"][1] == ["lr", "0.1"]
    assert kept == encode_kept(one, key)
    for other in (spec(WANDB_API_KEY="sesame123", LANG="C"), replace(one, settings=Settings())):
        assert kept != encode_kept(other, key)


def test_what_is_kept_cannot_be_found_by_trying_all_short_values() -> None:
    one, other = spec(WANDB_API_KEY="0000", LANG="C"), spec(WANDB_API_KEY="1111", LANG="C")
    kept = encode_kept(one, b"k" * 32)
    assert kept == encode_kept(other, b"k" * 32)
    assert kept != encode_kept(one, b"l" * 32)
    assert json.loads(kept)["target"]["argv"] == ["--password", MASK]
    assert has_secret_arguments(one)
    assert not has_secret_arguments(replace(one, target=replace(one.target, argv=("--lr", "1"), arguments=())))


def test_the_key_of_an_evidence_folder(tmp_path: Path) -> None:
    assert key_of(tmp_path / "audits" / "a" / "s0r0") == key_of(tmp_path)
    make_key(tmp_path)
    key = key_of(tmp_path / "audits" / "a" / "s0r0")
    make_key(tmp_path)
    assert key == key_of(tmp_path / "audits") == (tmp_path / KEY_FILE).read_bytes()
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_output_of_a_run_is_masked_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "stdout.txt"
    lines = b"loss 0.5\nkey sesame123\n" + b"x" * (1 << 20) + b"sesame123\nhf_" + b"A" * 20 + b"\n\xff\n"
    path.write_bytes(lines)
    mask_file(path, ["sesame123"])
    assert path.read_bytes() == lines.replace(b"sesame123", b"***").replace(b"hf_" + b"A" * 20, b"***")
    number = path.stat().st_ino
    mask_file(path, ["sesame123"])
    assert path.stat().st_ino == number
    assert [entry.name for entry in tmp_path.iterdir()] == ["stdout.txt"]


def test_values_that_are_taken_down_are_masked_and_keys_are_not() -> None:
    taken = {"record": ["a sesame123", {"sesame123": 1}], "n": 1}
    assert mask_values(taken, ["sesame123"]) == {"record": ["a ***", {"sesame123": 1}], "n": 1}


def test_secrets_of_a_run_are_found_in_texts() -> None:
    one = spec(WANDB_API_KEY="sesame123", PLAIN="visible")
    text = mask_text("hunter22 letmein1 sesame123 visible", secrets_of(one))
    assert text == "*** *** *** visible"


def test_the_folder_that_a_shell_works_in_is_no_password() -> None:
    one = spec(PWD="/home/me/project", OLDPWD="/home/me/other", DB_PWD="sesame123")
    text = mask_text("/home/me/project/t.py /home/me/other sesame123", secrets_of(one))
    assert text == "/home/me/project/t.py /home/me/other ***"
