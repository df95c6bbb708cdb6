"""Every format and every switch of the gate through the real command; the exit code is that of the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import Ran, environment, reprocheck
from tests.support.formats import check_junit, check_sarif
from tests.support.pages import check_page

TARGET = """\
import os
import torch


def train(pid: bool = False, fail: bool = False, seed: int = 0):
    torch.manual_seed(seed)
    model = torch.nn.Linear(2, 1)
    if pid:
        with torch.no_grad():
            model.weight[0, 0] = os.getpid()
    if fail:
        raise RuntimeError("| broken <b>@here</b> |")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(4, 2)).square().mean().backward()
        optimizer.step()
    return model.state_dict()
"""
DIFFERENT = ("--arg", "pid=True", "--no-explain")
OTHERS = ("github", "html", "json", "junit", "markdown", "sarif", "text")


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Ran:
    target = folder / "t.py"
    if not target.exists():
        target.write_text(TARGET)
    return reprocheck("run", "--threads", "1", *arguments, "t.py:train", cwd=folder, env=env)


def outputs(prefix: str) -> list[str]:
    return [word for form in OTHERS for word in ("--output", f"{form}={prefix}.{form}")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture(scope="module")
def different(folder: Path) -> Ran:
    env = environment(GITHUB_STEP_SUMMARY=str(folder / "summary.md"))
    return run(folder, *DIFFERENT, "--format", "github", *outputs("different"), env=env)


@pytest.fixture(scope="module")
def broken(folder: Path) -> Ran:
    return run(folder, "--arg", "fail=True", *outputs("broken"))


class TestDifferent:
    def test_github(self, different: Ran, folder: Path) -> None:
        assert different.code == 1
        assert different.out.startswith(
            "::error file=t.py,title=RC301%3A initial state differs between s0r0 and s0r1::"
        )
        assert different.out.splitlines()[-1].startswith("::notice title=reprocheck%3A DIFFERENT::t.py:train: ")
        assert (folder / "different.github").read_text() == different.out

    def test_the_step_summary_is_the_markdown_report_once(self, different: Ran, folder: Path) -> None:
        summary = (folder / "summary.md").read_text()
        assert summary == (folder / "different.markdown").read_text()
        assert summary.startswith("### reprocheck: DIFFERENT\n\n`t.py:train`: 1 of 1 seed differs between runs\n")
        assert "**error RC301**: initial state differs" in summary

    def test_html(self, different: Ran, folder: Path) -> None:
        page = check_page((folder / "different.html").read_text())
        assert page.data() == json.loads((folder / "different.json").read_text())
        assert ("title", "reprocheck: DIFFERENT t.py:train") in page.texts

    def test_sarif(self, different: Ran, folder: Path) -> None:
        found = check_sarif(json.loads((folder / "different.sarif").read_text()))
        assert found["invocations"][0]["executionSuccessful"] is True
        assert found["invocations"][0]["exitCode"] == different.code
        (result,) = found["results"]
        assert (result["ruleId"], result["level"]) == ("RC301", "error")
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "t.py"

    def test_junit(self, different: Ran, folder: Path) -> None:
        suite = check_junit((folder / "different.junit").read_text())
        failure = suite.find("testcase[@name='seed 0']/failure")
        assert failure is not None
        assert "error[RC301]: parameters differ" in str(failure.text)

    def test_known_findings_do_not_fail_and_the_report_says_so(self, different: Ran, folder: Path) -> None:
        # The line moves down: it is still the same finding.
        (folder / "t.py").write_text("# a comment\n" + TARGET)
        again = run(folder, *DIFFERENT, "--only-new", "different.json", "--format", "json")
        assert (again.code, again.json()["exit_code"], again.json()["verdict"]) == (0, 0, "different")
        assert again.json()["summary"].endswith("; known from different.json: RC301")

    @pytest.mark.slow
    def test_what_a_report_does_not_hold_fails(self, different: Ran, folder: Path) -> None:
        run(folder, "--format", "json", "--output", "json=clean.json")
        again = run(folder, *DIFFERENT, "--only-new", "clean.json")
        assert again.code == 1
        assert "not known from clean.json: RC301" in again.out


class TestNoVerdict:
    def test_every_format_says_so(self, broken: Ran, folder: Path) -> None:
        assert broken.code == 3
        found = check_sarif(json.loads((folder / "broken.sarif").read_text()))
        assert found["invocations"][0]["executionSuccessful"] is False
        suite = check_junit((folder / "broken.junit").read_text())
        assert suite.find("testcase[@name='seed 0']/error") is not None
        assert (folder / "broken.github").read_text().startswith("::error file=t.py,title=reprocheck%3A no verdict")
        assert (folder / "broken.markdown").read_text().startswith("### reprocheck: NO VERDICT\n")
        assert json.loads((folder / "broken.json").read_text())["exit_code"] == 3

    @pytest.mark.slow
    def test_no_switch_makes_a_pass_of_it(self, folder: Path) -> None:
        ran = run(folder, "--arg", "fail=True", "--fail-on", "never", "--exit-zero", "--format", "json")
        assert (ran.code, ran.json()["exit_code"]) == (3, 3)


class TestReproducible:
    def test_every_format_says_so(self, folder: Path) -> None:
        ran = run(folder, *outputs("same"), "--format", "sarif")
        assert ran.code == 0
        found = check_sarif(json.loads(ran.out))
        assert (found["invocations"][0]["executionSuccessful"], found["results"]) == (True, [])
        assert (folder / "same.sarif").read_text() == ran.out
        assert check_junit((folder / "same.junit").read_text()).attrib["failures"] == "0"
        assert (folder / "same.github").read_text().startswith("::notice title=reprocheck%3A REPRODUCIBLE::")
        assert (folder / "same.markdown").read_text().startswith("### reprocheck: REPRODUCIBLE\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--fail-on", "warning", "--arg", "seed=5", "--seeds", "2", "--no-explain"), 1),
        ((*DIFFERENT, "--fail-on", "never"), 0),
        ((*DIFFERENT, "--exit-zero"), 0),
    ],
    ids=["warning", "never", "exit-zero"],
)
def test_switches(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    ran = run(tmp_path, *arguments, "--format", "json")
    assert (ran.code, ran.json()["exit_code"]) == (code, code), ran.out + ran.err
    assert "failing: --" in ran.json()["summary"]


@pytest.mark.slow
def test_the_configuration_may_hold_the_switches(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.reprocheck]\nfail-on = "never"\nformat = "junit"\n')
    ran = run(tmp_path, *DIFFERENT)
    assert ran.code == 0
    assert check_junit(ran.out).attrib["failures"] == "1"


@pytest.mark.parametrize("content", [None, "not json", '{"schema_version": 99}'])
def test_a_report_that_cannot_be_used_is_a_usage_error_before_anything_runs(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "before.json").write_text(content)
    ran = run(tmp_path, "--only-new", "before.json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: --only-new")
    assert not (tmp_path / ".reprocheck").exists()
