"""Configuration files, and who wins: options, configuration or defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reprocheck.config.settings import build_request, find_pyproject, load_config, merge
from reprocheck.errors import UsageError
from reprocheck.model import AmbientMode, Compare, Deterministic, Request, Seeding, Target, TargetKind


def write_config(folder: Path, body: str) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(body, encoding="utf-8")
    return path


class TestFind:
    def test_the_nearest_file_upward_is_found(self, tmp_path: Path) -> None:
        outer, inner = tmp_path / "a", tmp_path / "a" / "b" / "c"
        inner.mkdir(parents=True)
        file = write_config(outer, "")
        write_config(tmp_path, "")
        assert find_pyproject(inner) == file
        assert find_pyproject(file) == file

    def test_a_folder_of_that_name_is_passed_over(self, tmp_path: Path) -> None:
        file = write_config(tmp_path, "")
        (tmp_path / "a" / "pyproject.toml").mkdir(parents=True)
        assert find_pyproject(tmp_path / "a") == file

    def test_a_relative_start_goes_up_past_the_working_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = write_config(tmp_path, "")
        (tmp_path / "a").mkdir()
        monkeypatch.chdir(tmp_path / "a")
        assert find_pyproject(Path()) == file


class TestLoad:
    def test_all_keys_with_hyphens_or_underscores(self, tmp_path: Path) -> None:
        path = write_config(
            tmp_path,
            """
            [tool.reprocheck]
            seeds = 3
            max-steps = 5
            memory_fraction = 0.5
            evidence = "runs"
            output = ["json=out/a.json"]
            [tool.reprocheck.env]
            A = "1"
            [tool.reprocheck.arg]
            lr = 0.1
            """,
        )
        assert load_config(path) == {
            "seeds": 3,
            "max_steps": 5,
            "memory_fraction": 0.5,
            "evidence": tmp_path / "runs",
            "output": (("json", tmp_path / "out/a.json"),),
            "env": (("A", "1"),),
            "arg": (("lr", 0.1),),
        }

    @pytest.mark.parametrize("body", ["", "[project]\nname = 'x'\n", "[tool.other]\nseeds = 'x'\n"])
    def test_a_file_without_the_table_sets_nothing(self, tmp_path: Path, body: str) -> None:
        assert load_config(write_config(tmp_path, body)) == {}

    @pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
    def test_windows_files(self, tmp_path: Path, start: bytes) -> None:
        path = tmp_path / "pyproject.toml"
        path.write_bytes(start + b"[tool.reprocheck]\r\nrepeats = 3\r\n")
        assert load_config(path) == {"repeats": 3}

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("[tool.reprocheck]\nmax-stepz = 1", "[tool.reprocheck] has no key 'max-stepz'"),
            ("[tool.reprocheck]\nrepeats = 'x'", "`repeats` must be an integer from 1 to 100000, not 'x'"),
            ("[tool.reprocheck]\nrepeats = true", "`repeats` must be an integer from 1 to 100000, not true"),
            ("[tool.reprocheck]\nseeds = 2\nseed = [1]", "`seed` and `seeds` exclude each other"),
            ("[tool.reprocheck]\nmax-steps = 2\nmax_steps = 1", "`max-steps` is given twice"),
            ("[tool.reprocheck.arg]\nday = 2020-01-01", "for day, not datetime.date(2020, 1, 1)"),
            ("[tool]\nreprocheck = 3", "[tool.reprocheck] must be a table"),
            ("[[tool.reprocheck]]\nrepeats = 3", "[tool.reprocheck] must be a table"),
            ("tool = 3", "[tool.reprocheck] must be a table"),
        ],
    )
    def test_a_mistake_names_the_file_and_the_key(self, tmp_path: Path, body: str, expected: str) -> None:
        path = write_config(tmp_path, body)
        with pytest.raises(UsageError) as caught:
            load_config(path)
        assert caught.value.message.startswith(f"{path}: ")
        assert expected in caught.value.message

    @pytest.mark.parametrize(
        ("key", "hint"),
        [
            ("max-stepz", "did you mean `max-steps`?"),
            ("cudnn_determinstic", "did you mean `cudnn-deterministic`?"),
            ("zzz", "the keys are seeds, seed, "),
        ],
    )
    def test_an_unknown_key_is_answered_with_the_nearest(self, tmp_path: Path, key: str, hint: str) -> None:
        path = write_config(tmp_path, f"[tool.reprocheck]\n{key} = 1\n")
        with pytest.raises(UsageError) as caught:
            load_config(path)
        assert str(caught.value.hint).startswith(hint)

    @pytest.mark.parametrize(
        ("data", "place", "why"),
        [
            (b"a = 1\nb = ]\n", ":2: ", "not valid TOML"),
            (b"a = 1\n\nb = 'caf\xe9'\n", ":3: ", "not UTF-8"),
            ("[tool]".encode("utf-16"), ":1: ", "not UTF-8"),
            (b"a = " + b"9" * 5000, ": ", "not valid TOML"),
            (b"a = " + b"[" * 100_000, ": ", "not valid TOML"),
        ],
        ids=["syntax", "latin-1", "utf-16", "digits", "depth"],
    )
    def test_an_unreadable_file_names_the_line(self, tmp_path: Path, data: bytes, place: str, why: str) -> None:
        path = tmp_path / "pyproject.toml"
        path.write_bytes(data)
        with pytest.raises(UsageError) as caught:
            load_config(path)
        assert caught.value.message.startswith(f"{path}{place}{why}")

    def test_a_missing_file_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
            load_config(tmp_path / "pyproject.toml")

    def test_a_file_that_may_not_be_read_is_a_usage_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: Path, limit: int, *, follow: bool) -> bytes:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("reprocheck.config.settings.read_whole", refuse)  # root may read every file
        with pytest.raises(UsageError, match=r"cannot read .*: Permission denied"):
            load_config(write_config(tmp_path, ""))


class TestMerge:
    def test_without_arguments_everything_is_the_models_default(self) -> None:
        target = Target(text="a.py", kind=TargetKind.SCRIPT)
        assert build_request(target, merge({}, {})) == Request(target=target)

    def test_drift_is_a_part_of_an_explanation(self) -> None:
        target = Target(text="a.py", kind=TargetKind.SCRIPT)
        assert build_request(target, merge({"drift": True}, {})).drift is True
        assert build_request(target, merge({"drift": False, "explain": False}, {})).drift is False
        with pytest.raises(UsageError, match="--drift and --no-explain exclude each other"):
            build_request(target, merge({"drift": True, "explain": False}, {}))

    def test_options_win_over_configuration_and_that_over_defaults(self) -> None:
        merged = merge({"repeats": 5, "jobs": None}, {"repeats": 3, "jobs": 4})
        assert (merged["repeats"], merged["jobs"], merged["keep"]) == (5, 4, 10)

    @pytest.mark.parametrize("absent", [None, [], ()])
    def test_a_repeatable_option_that_was_not_given_leaves_the_configuration(self, absent: object) -> None:
        assert merge({"ignore": absent}, {"ignore": ("a",)})["ignore"] == ("a",)

    def test_false_and_zero_and_the_empty_string_were_given(self) -> None:
        merged = merge({"tf32": False, "seed": [0], "device": ""}, {"tf32": True, "seed": (9,), "device": "1"})
        assert (merged["tf32"], merged["seed"], merged["device"]) == (False, (0,), "")

    def test_an_option_is_checked_and_a_right_one_converted(self) -> None:
        assert merge({"compare": ["files"]}, {})["compare"] == (Compare.FILES,)
        with pytest.raises(UsageError, match="--memory-fraction must be in"):
            merge({"memory_fraction": 1.5}, {})

    @pytest.mark.parametrize(
        ("given", "config", "expected"),
        [
            ({}, {}, (0,)),
            ({"seeds": 2}, {"seed": (7, 8, 9)}, (0, 1)),
            ({"seed": [5]}, {"seeds": 3}, (5,)),
            ({}, {"seeds": 3}, (0, 1, 2)),
            ({}, {"seed": (7,)}, (7,)),
        ],
    )
    def test_seeds(self, given: dict[str, Any], config: dict[str, Any], expected: tuple[int, ...]) -> None:
        merged = merge(given, config)
        assert merged["seed"] == expected
        assert "seeds" not in merged

    def test_seed_and_seeds_at_once_are_refused(self) -> None:
        with pytest.raises(UsageError, match="--seed and --seeds exclude each other"):
            merge({"seed": [1], "seeds": 2}, {})

    def test_named_values_win_name_by_name(self) -> None:
        merged = merge({"env": ["B=x", "C=z"], "arg": ["b=2"]}, {"env": (("A", "a"), ("B", "b")), "arg": (("b", 1),)})
        assert merged["env"] == (("A", "a"), ("B", "x"), ("C", "z"))
        assert merged["arg"] == (("b", 2),)

    def test_every_option_reaches_the_request(self) -> None:
        given: dict[str, Any] = {
            "seed": [4],
            "repeats": 3,
            "jobs": 2,
            "ambient": "fixed",
            "seeding": "torch",
            "cudnn_deterministic": True,
            "cudnn_benchmark": False,
            "deterministic": "error",
            "tf32": True,
            "threads": 2,
            "device": "1",
            "memory_fraction": 0.5,
            "env": ["A=1"],
            "timeout": 9,
            "max_steps": 7,
            "compare": ["stdout"],
            "ignore": ["x*"],
            "keep": 3,
            "evidence": "runs",
        }
        request = build_request(Target(text="a.py", kind=TargetKind.SCRIPT), merge(given, {}))
        settings = request.settings
        assert settings.env == (("A", "1"),)
        assert (settings.cudnn_deterministic, settings.cudnn_benchmark, settings.tf32) == (True, False, True)
        assert (settings.seeding, settings.deterministic) == (Seeding.TORCH, Deterministic.ERROR)
        assert (settings.threads, settings.device, settings.memory_fraction) == (2, "1", 0.5)
        assert (settings.timeout, settings.max_steps) == (9.0, 7)
        assert (request.seeds, request.repeats, request.jobs, request.keep) == ((4,), 3, 2, 3)
        assert (request.ambient, request.compare) == (AmbientMode.FIXED, (Compare.STDOUT,))
        assert (request.ignore, request.evidence) == (("x*",), Path("runs"))
