"""The GitHub Action, the GitLab template and the pre-commit hook: their own commands, run as their runners run them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.cli import environment

ROOT = Path(__file__).resolve().parents[2]
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")
GITLAB = (ROOT / "ci" / "reprocheck.gitlab-ci.yml").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
QUICK = "--ambient fixed --no-explain"

TARGET = """
import os, sys

def same(seed):
    return {"loss": 0.5 + seed}

def pid():
    return {"loss": float(os.getpid())}

def fails():
    raise ValueError("broken on purpose")

if __name__ == "__main__":
    print(sys.argv[1:])
"""


def section(name: str, text: str = ACTION) -> str:
    """The indented lines under a key at the left edge."""
    found = re.search(rf"^{name}:\n((?:[ #].*\n|\n)*)", text, re.MULTILINE)
    assert found is not None, name
    return found[1]


def inputs() -> dict[str, str]:
    """Input → default."""
    found = re.findall(r"^  ([a-z-]+):\n((?:    .*\n)+)", section("inputs"), re.MULTILINE)
    defaults = {name: re.search(r"^    default: (.*)$", body, re.MULTILINE) for name, body in found}
    return {name: default[1].strip('"') if default else "" for name, default in defaults.items()}


@dataclass
class Step:
    name: str
    run: str
    env: dict[str, str] = field(default_factory=dict)


def steps() -> list[Step]:
    """The steps that run a command, with what they put into its environment."""
    found = []
    for block in section("runs").split("\n    - name: ")[1:]:
        run = re.search(r"^      run: (.*)$", block, re.MULTILINE)
        if run:
            env = dict(re.findall(r"^        (INPUT_\w+): (.*)$", block, re.MULTILINE))
            found.append(Step(block.splitlines()[0], run[1], env))
    return found


@dataclass
class Ended:
    code: int
    out: str
    err: str
    outputs: dict[str, str]
    summary: str
    temp: Path


def act(step_name: str, folder: Path, env: dict[str, str] | None = None, **given: str) -> Ended:
    """One step of the action, as GitHub runs it: bash, expressions filled in, files for outputs and summary."""
    step = next(step for step in steps() if step.name == step_name)
    values = {**inputs(), **{name.replace("_", "-"): value for name, value in given.items()}}
    filled = {
        name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda match: values[match[1]], text)
        for name, text in step.env.items()
    }
    temp = folder / "temp"
    temp.mkdir(exist_ok=True)
    files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.write_text("")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.run],
        cwd=folder,
        env={
            **environment(GITHUB_ACTION_PATH=str(ROOT), RUNNER_TEMP=str(temp), GITHUB_ACTIONS="true"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **{name: str(file) for name, file in files.items()},
            **filled,
            **(env or {}),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    outputs = dict(line.partition("=")[::2] for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    return Ended(done.returncode, done.stdout, done.stderr, outputs, files["GITHUB_STEP_SUMMARY"].read_text(), temp)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "t.py").write_text(TARGET)
    return tmp_path


def test_inputs_never_stand_in_shell_text() -> None:
    assert [step.name for step in steps()] == ["Install reprocheck", "Audit", "Comment"]
    for step in steps():
        assert "${{" not in step.run
    assert "run: |" not in ACTION
    assert "secrets." not in ACTION


def test_actions_are_pinned() -> None:
    """A tag can be moved to other code."""
    docs = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)", ACTION + docs)
    assert len(used) >= 6
    for one in used:
        assert one == "OWNER/reprocheck@REVISION" or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one), one


def test_every_input_is_used_and_documented() -> None:
    docs = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", ACTION)) == set(inputs())
    assert set(re.findall(r"^\| `([a-z-]+)` \|", docs, re.MULTILINE)) >= set(inputs())
    for name in re.findall(r"steps\.audit\.outputs\.([a-z-]+)", ACTION):
        assert f'"{name}": ' in (ROOT / "ci" / "action.py").read_text()


def test_a_training_that_reproduces(project: Path) -> None:
    ended = act("Audit", project, target="t.py:same", options=f"{QUICK} --seeds 2")
    assert ended.code == 0, ended.err
    assert (ended.outputs["verdict"], ended.outputs["exit-code"]) == ("reproducible", "0")
    assert ended.outputs["sarif"] == ""
    report = json.loads(Path(ended.outputs["report"]).read_text())
    assert report["verdict"] == "reproducible"
    assert len(report["seeds"]) == 2
    assert {file.name for file in (ended.temp / "reprocheck").glob("report.*")} == {
        "report.json", "report.md", "report.txt",
    }  # fmt: skip
    assert "t.py:same" in ended.summary
    assert not (project / ".reprocheck").exists()


def test_a_difference_fails_annotates_and_reports_code_scanning(project: Path) -> None:
    ended = act("Audit", project, target="t.py:pid", options=QUICK, sarif="true")
    assert ended.code == 1
    assert (ended.outputs["verdict"], ended.outputs["exit-code"]) == ("different", "1")
    assert ended.out.startswith("::error")
    assert "RC305" in ended.summary
    sarif = json.loads(Path(ended.outputs["sarif"]).read_text())
    assert sarif["version"] == "2.1.0"
    assert sarif["runs"][0]["results"]
    with github() as server:
        (project / "event.json").write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": "c" * 40}}}))
        env = {
            "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "a-token",
            "GITHUB_EVENT_PATH": str(project / "event.json"), "INPUT_FOLDER": ended.outputs["folder"],
        }  # fmt: skip
        assert act("Comment", project, env, target="t.py:pid").out == ""
        assert "### reprocheck: DIFFERENT" in str(server.comments["issues"][0]["body"])


def test_no_verdict_fails_with_its_own_code(project: Path) -> None:
    ended = act("Audit", project, target="t.py:fails", options=QUICK)
    assert (ended.code, ended.outputs["verdict"]) == (3, "no_verdict")
    assert "broken on purpose" in ended.summary


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({"target": "t.py:sam"}, "did you mean same?"),
        ({"target": "t.py:same", "options": "--seeds none"}, "--seeds"),
        ({"target": "gone.py"}, "there is no file gone.py"),
        ({"target": ""}, "no target given"),
        ({"target": "'t.py:same"}, "cannot be split into arguments"),
    ],
)
def test_what_cannot_be_audited_is_reported_and_fails(project: Path, given: dict[str, str], arguments: str) -> None:
    ended = act("Audit", project, **given)
    assert ended.code == 2
    assert "::error title=reprocheck::" in ended.out
    assert arguments in ended.out
    if ended.outputs:
        assert ended.outputs["verdict"] == "no_verdict"
        assert ended.outputs["report"] == ""
        assert "no verdict reached (exit code 2)" in ended.summary


@pytest.mark.slow
def test_an_older_report_is_not_taken_for_this_one_s(project: Path) -> None:
    older = project / "temp" / "reprocheck"
    older.mkdir(parents=True)
    (older / "report.json").write_text('{"verdict": "reproducible"}')
    (older / "report.sarif").write_text("{}")
    ended = act("Audit", project, target="gone.py")
    assert (ended.outputs["verdict"], ended.outputs["report"]) == ("no_verdict", "")
    assert act("Audit", project, target="gone.py", sarif="true").outputs["sarif"] == ""


class GitHub(ThreadingHTTPServer):
    """Its comments, as far as the action asks for them."""

    def __init__(self, refused: dict[str, int] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.refused = refused or {}
        self.comments: dict[str, list[dict[str, object]]] = {"issues": [], "pulls": []}
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: GitHub

    def _act(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/repos/o/r/")
        self.server.calls.append(f"{self.command} {path}")
        content = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        assert self.headers["Authorization"] == "Bearer a-token"
        kind = path.partition("/")[0]
        found = self.server.comments[kind]
        code = self.server.refused.get(f"{self.command} {kind}", 200)
        answer: object = content
        if self.command == "GET":
            page = int(self.path.partition("&page=")[2])
            answer = found[100 * (page - 1) : 100 * page]
        elif code == 200 and self.command == "POST":
            found.append({"id": len(found), **content})
        elif code == 200:
            next(one for one in found if str(one["id"]) == path.rpartition("/")[2]).update(content)
        data = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = _act

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def github(**refused: int) -> Iterator[GitHub]:
    server = GitHub({name.replace("_", " "): code for name, code in refused.items()})
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def commented(project: Path, server: GitHub, report: dict[str, object] | None = None, **given: str) -> Ended:
    """The step, after an audit that left this."""
    folder = project / "temp" / "reprocheck"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report or {}))
    (project / "event.json").write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": "c" * 40}}}))
    env = {
        "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "a-token", "GITHUB_JOB": "gate",
        "GITHUB_EVENT_PATH": str(project / "event.json"), "GITHUB_WORKSPACE": str(project), "INPUT_FOLDER": str(folder),
    }  # fmt: skip
    return act("Comment", project, env, target="t.py:same", **given)


def tried(after: str = "    x = sorted(x)", **changes: object) -> dict[str, object]:
    edit = {"path": "t.py", "line": 5, "before": "    x = set(x)", "after": after}
    remedy = {"text": "the line", "edits": [edit], "hides": ""}
    return {"explanation": {"trials": [{"works": True, "runs": 3, "remedies": [remedy], **changes}]}}


def test_there_is_one_comment_and_later_runs_change_it(project: Path) -> None:
    report = project / "temp" / "reprocheck" / "report.md"
    report.parent.mkdir(parents=True)
    with github() as server:
        server.comments["issues"] = [{"id": number, "body": "hello"} for number in range(120)]
        for text in ("### DIFFERENT\n", "### REPRODUCIBLE\n"):
            report.write_text(text)
            ended = commented(project, server)
            assert (ended.code, ended.out, ended.err) == (0, "", "")
        (own,) = server.comments["issues"][120:]
        assert re.fullmatch(r"<!-- reprocheck \w{16} -->\n### REPRODUCIBLE\n", str(own["body"]))
        commented(project, server, artifact="another-of-the-matrix")
        assert len(server.comments["issues"]) == 122


def test_a_tried_line_is_suggested_once_on_the_line(project: Path) -> None:
    report = project / "temp" / "reprocheck" / "report.md"
    report.parent.mkdir(parents=True)
    report.write_text("### DIFFERENT\n")
    with github() as server:
        for _ in range(2):
            assert commented(project, server, tried("    x = '```'")).out == ""
        (one,) = server.comments["pulls"]
        assert (one["path"], one["line"], one["side"], one["commit_id"]) == ("t.py", 5, "RIGHT", "c" * 40)
        assert str(one["body"]).endswith("\n\n````suggestion\n    x = '```'\n````\n")
        for other in (tried(works=False), tried("a\nb"), {"explanation": {"trials": 3}}):
            assert commented(project, server, other).out == ""
        assert len(server.comments["pulls"]) == 1


def test_what_github_refuses_is_a_warning_and_no_failure(project: Path) -> None:
    report = project / "temp" / "reprocheck" / "report.md"
    report.parent.mkdir(parents=True)
    report.write_text("### DIFFERENT\n")
    with github(POST_pulls=422) as server:
        assert commented(project, server, tried()).out == ""
        assert len(server.comments["issues"]) == 1
    with github(POST_issues=403) as server:
        ended = commented(project, server)
        assert ended.code == 0
        assert ended.out.startswith("::warning title=reprocheck::cannot comment on the pull request")
    report.unlink()
    with github() as server:
        assert commented(project, server).code == 0
        assert server.calls == []


HOSTILE = """"; touch owned; echo " $(touch owned) `touch owned` ${{ x }} ; touch owned && $HOME * 'a b'"""


@pytest.mark.slow
def test_nothing_in_an_input_is_run_or_expanded(project: Path) -> None:
    args = f"{shlex.quote(HOSTILE)} --seed {{seed}} $(touch owned) ; touch owned 'a b' *"
    options = f"{QUICK} --compare stdout --seed 4"
    ended = act("Audit", project, target="t.py", args=args, options=options)
    assert ended.code == 0, ended.err
    run = json.loads(Path(ended.outputs["report"]).read_text())["volatile"]["runs"]["s4r0"]
    seen = Path(run["directory"], "stdout.txt").read_text()
    assert seen.strip() == repr([HOSTILE, "--seed", "4", "$(touch", "owned)", ";", "touch", "owned", "a b", "*"])
    assert not (project / "owned").exists()


@pytest.mark.slow
def test_a_baseline_is_made_kept_and_compared_with(project: Path) -> None:
    given = {"target": "t.py:same", "options": QUICK, "baseline": "baseline.json"}
    missing = act("Audit", project, **given)
    assert (missing.code, missing.outputs["verdict"]) == (2, "no_verdict")
    made = act("Audit", project, **given, update_baseline="true")
    assert made.code == 0, made.err
    kept = made.temp / "reprocheck" / "baseline" / "baseline.json"
    assert kept.read_bytes() == (project / "baseline.json").read_bytes()
    assert act("Audit", project, **given).code == 0
    (project / "t.py").write_text(TARGET.replace("0.5 + seed", "0.75 + seed"))
    assert act("Audit", project, **given).code == 1


def test_nothing_is_installed_when_nothing_is_asked_for(project: Path) -> None:
    ended = act("Install reprocheck", project, install="none")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_what_is_asked_for_is_installed(project: Path) -> None:
    """pip only looks: an install into this environment is nobody's wish."""
    wheel = project / "some thing-1.0-py3-none-any.whl"
    ended = act("Install reprocheck", project, env={"PIP_NO_INDEX": "1"}, install=f"--dry-run '{wheel}'")
    assert ended.code == 1
    assert "some thing-1.0" in ended.out + ended.err


@pytest.mark.slow
def test_by_default_the_action_installs_itself(project: Path) -> None:
    (project / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'no_such_backend'\n")
    env = environment(GITHUB_ACTION_PATH=str(project), PIP_NO_INDEX="1")
    arguments = [sys.executable, str(ROOT / "ci" / "action.py"), "install"]
    done = subprocess.run(arguments, env=env, capture_output=True, text=True)
    assert done.returncode != 0
    assert "No module named 'no_such_backend'" in done.stdout + done.stderr


def gitlab(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script of the template's job, line by line as GitLab's shell runs it."""
    lines = re.search(r"^  script:\n((?:    - .*\n)+)", GITLAB, re.MULTILINE)
    assert lines is not None
    script = "\n".join(line.removeprefix("    - ") for line in lines[1].splitlines())
    defaults = dict(re.findall(r'^    (REPROCHECK_\w+): "(.*)"$', GITLAB, re.MULTILINE))
    env = {**environment(), **defaults, **variables}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=folder, env=env, capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_gitlab_template_runs_and_fails_as_the_command(project: Path) -> None:
    good = gitlab(project, REPROCHECK_TARGET="t.py:same", REPROCHECK_OPTIONS=f"{QUICK} --ignore *x*")
    assert good.returncode == 0, good.stderr
    assert 'failures="0" errors="0"' in (project / "reprocheck.xml").read_text()
    assert json.loads((project / "reprocheck.json").read_text())["verdict"] == "reproducible"
    bad = gitlab(project, REPROCHECK_TARGET="t.py:pid", REPROCHECK_OPTIONS=QUICK)
    assert bad.returncode == 1
    assert "<failure" in (project / "reprocheck.xml").read_text()
    script = gitlab(
        project, REPROCHECK_TARGET="t.py", REPROCHECK_ARGS="--a *", REPROCHECK_OPTIONS=f"{QUICK} --compare stdout"
    )
    assert script.returncode == 0, script.stderr
    for name in re.findall(r"reprocheck\.(?:xml|json|md)", section(r"\.reprocheck", GITLAB)):
        assert (project / name).exists()


@pytest.mark.slow
def test_the_pre_commit_hook_runs_with_its_arguments(project: Path) -> None:
    keys = dict(re.findall(r"^(?:- |  )([a-z_]+): (.*)$", HOOKS, re.MULTILINE))
    assert (keys["id"], keys["pass_filenames"], keys["stages"]) == ("reprocheck", "false", "[pre-push, manual]")
    arguments = [str(Path(sys.executable).parent / "reprocheck"), *shlex.split(keys["entry"])[1:]]
    for target, code in (("t.py:same", 0), ("t.py:pid", 1)):
        done = subprocess.run([*arguments, *QUICK.split(), target], cwd=project, env=environment(), capture_output=True)
        assert done.returncode == code, done.stderr
