"""The steps of action.yml: `python ci/action.py install`, `run` and `comment`. Standard library only.

Everything comes in by the environment (INPUT_*, GITHUB_*, RUNNER_TEMP), and no shell ever reads it: words are split
here, with quotes as in a shell, and nothing in them is expanded.
"""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

LAST_LINES = 20
"""Lines of standard error that the summary shows when there is no report."""
LONGEST_COMMENT = 65_000
"""Characters; GitHub takes 65 536."""
MOST_PAGES = 30
"""Of a hundred comments each, in which the own one is looked for."""
MOST_SUGGESTIONS = 10


def main() -> int:
    steps = {"install": install, "run": run, "comment": comment}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        print("usage: action.py install|run|comment", file=sys.stderr)
        return 2
    try:
        return steps[sys.argv[1]]()
    except ValueError as error:  # from shlex: a quote is open
        print(f"::error title=reprocheck::{escaped(f'an input cannot be split into arguments: {error}')}")
        return 2


def install() -> int:
    """Install what the input says; by default the action's own checkout."""
    what = given("install")
    if what == "none":
        return 0
    parts = shlex.split(what) if what else [os.environ["GITHUB_ACTION_PATH"]]
    return subprocess.run([sys.executable, "-m", "pip", "install", *parts], check=False).returncode


def run() -> int:
    """Run the audit; leave reports, outputs and a summary; end with the exit code of the audit."""
    folder = Path(os.environ["RUNNER_TEMP"]).absolute() / "reprocheck"
    folder.mkdir(parents=True, exist_ok=True)
    code, stderr_tail = audit(command(folder))
    report = read_report(folder / "report.json")
    if not report:
        text = without_report(code, stderr_tail)
        (folder / "report.md").write_text(text, encoding="utf-8")
    baseline = given("baseline")
    if baseline and os.path.isfile(baseline):
        shutil.copy(baseline, folder / "baseline" / os.path.basename(baseline))
    sarif = folder / "report.sarif"
    set_outputs(
        {
            "exit-code": str(code),
            "verdict": str(report.get("verdict", "no_verdict")),
            "folder": str(folder),
            "report": str(folder / "report.json") if report else "",
            "sarif": str(sarif) if sarif.is_file() else "",
        }
    )
    return code


def command(folder: Path) -> list[str]:
    """What is run. Options of the user come last, so that they take precedence."""
    outputs = {"json": folder / "report.json", "markdown": folder / "report.md", "text": folder / "report.txt"}
    if given("sarif") == "true":
        outputs["sarif"] = folder / "report.sarif"
    parts = ["--format", "github", "--evidence", str(folder / "evidence")]
    for form, path in outputs.items():
        path.unlink(missing_ok=True)  # a self-hosted runner may have an older one
        parts += ["--output", f"{form}={path}"]
    if given("baseline"):
        (folder / "baseline").mkdir(exist_ok=True)
        parts += ["--baseline", given("baseline")]
    if given("update-baseline") == "true":
        parts.append("--update-baseline")
    arguments = shlex.split(given("args"))
    target = [*shlex.split(given("target")), *(["--", *arguments] if arguments else [])]
    return [sys.executable, "-m", "reprocheck", "run", *parts, *shlex.split(given("options")), *target]


def audit(parts: list[str]) -> tuple[int, list[str]]:
    """Its exit code and the end of its standard error, which is passed on as it comes."""
    lines: list[str] = []
    with subprocess.Popen(parts, stderr=subprocess.PIPE, encoding="utf-8", errors="backslashreplace") as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            lines = [*lines, line.rstrip("\n")][-LAST_LINES:]
    return (process.returncode if process.returncode >= 0 else 4), lines


def read_report(path: Path) -> dict[str, object]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def without_report(code: int, stderr_tail: list[str]) -> str:
    """Nothing was audited: say so where the report would have stood."""
    text = "\n".join(stderr_tail) or "it said nothing"
    print(f"::error title=reprocheck::{escaped(f'no verdict reached, exit code {code}: {text}')}")
    shown = "\n".join(f"    {line}" for line in text.splitlines())
    written = f"### reprocheck: no verdict reached (exit code {code})\n\n{shown}\n"
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with open(summary, "a", encoding="utf-8") as stream:
            stream.write(written)
    return written


def comment() -> int:
    """The report as one comment on the pull request, which every later run replaces; and suggestions for changed lines.

    It is an extra: whatever goes wrong is a warning.
    """
    folder = Path(given("folder"))
    try:
        with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as stream:
            pull = json.load(stream)["pull_request"]
        number, head = int(pull["number"]), str(pull["head"]["sha"])
        report = (folder / "report.md").read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return unable("there is no pull request or no report to comment on", error)
    mark = f"<!-- reprocheck {own_key()} -->"
    try:
        replace_comment(number, mark, f"{mark}\n{report}"[:LONGEST_COMMENT])
        suggest(number, head, mark, read_report(folder / "report.json"))
    except (OSError, ValueError) as error:  # what urllib raises
        return unable("cannot comment on the pull request (does the job have pull-requests: write?)", error)
    return 0


def own_key() -> str:
    """Of this audit in this pull request: a matrix or several audits have a comment each."""
    parts = [os.environ.get(name, "") for name in ("GITHUB_WORKFLOW", "GITHUB_JOB")]
    parts += [given(name) for name in ("artifact", "target", "args", "working-directory")]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def replace_comment(number: int, mark: str, body: str) -> None:
    """Change the comment of an earlier run; write a new one where there is none, or where it is somebody else's."""
    for one in listed(f"issues/{number}/comments"):
        if str(one.get("body", "")).startswith(mark):
            try:
                ask("PATCH", f"issues/comments/{int(one['id'])}", {"body": body})
                return
            except urllib.error.HTTPError as error:
                if error.code not in (403, 404):
                    raise
    ask("POST", f"issues/{number}/comments", {"body": body})


def suggest(number: int, head: str, mark: str, report: dict[str, object]) -> None:
    """The changed lines with which runs agreed, where GitHub offers to apply them: on lines of the pull request."""
    edits = tried_edits(report)
    if not edits:
        return
    known = {(one.get("path"), str(one.get("body")).strip()) for one in listed(f"pulls/{number}/comments")}
    for path, line, after, runs in edits[:MOST_SUGGESTIONS]:
        longest = max([2, *map(len, "".join(char if char == "`" else " " for char in after).split())])
        fence = "`" * (longest + 1)
        body = f"{mark}\n{runs} runs of the audit agreed with this line.\n\n{fence}suggestion\n{after}\n{fence}\n"
        if (path, body.strip()) in known:
            continue
        place = {"commit_id": head, "path": path, "line": line, "side": "RIGHT"}
        try:
            ask("POST", f"pulls/{number}/comments", {"body": body, **place})
        except urllib.error.HTTPError as error:
            if error.code != 422:  # no line of this pull request: the comment has the suggestion, too
                raise


def tried_edits(report: dict[str, object]) -> list[tuple[str, int, str, int]]:
    """Path in the repository, line, changed line and runs, of the tried fix with the fewest lines and nothing else."""
    try:
        trials = (report.get("explanation") or {})["trials"]  # type: ignore[index]
        alone = [one for one in trials if one["works"] and all(r["edits"] and not r["hides"] for r in one["remedies"])]
        best = min(alone, key=lambda one: sum(len(r["edits"]) for r in one["remedies"]), default=None)
        edits = [] if best is None else [(edit, int(best["runs"])) for r in best["remedies"] for edit in r["edits"]]
        top = os.path.realpath(os.environ.get("GITHUB_WORKSPACE", "."))
        found = []
        for edit, runs in edits:
            path = os.path.relpath(os.path.realpath(str(edit["path"])), top)
            after = str(edit["after"])
            if path.startswith(os.pardir) or "\n" in after or "\r" in after:
                return []
            found.append((path.replace(os.sep, "/"), int(edit["line"]), after, runs))
        return found
    except (KeyError, TypeError, ValueError, AttributeError):
        return []


def listed(path: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for page in range(1, MOST_PAGES + 1):
        part = ask("GET", f"{path}?per_page=100&page={page}")
        if not isinstance(part, list):
            break
        found += [one for one in part if isinstance(one, dict)]
        if len(part) < 100:
            break
    return found


def ask(method: str, path: str, content: object = None) -> object:
    """A call of GitHub's API for this repository. Raises OSError or ValueError."""
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    url = f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data=data, method=method)
    request.add_header("Accept", "application/vnd.github+json")
    request.add_header("Authorization", f"Bearer {os.environ['GITHUB_TOKEN']}")
    request.add_header("X-GitHub-Api-Version", "2022-11-28")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def unable(what: str, error: Exception) -> int:
    print(f"::warning title=reprocheck::{escaped(f'{what}: {error}')}")
    return 0


def set_outputs(outputs: dict[str, str]) -> None:
    path = os.environ.get("GITHUB_OUTPUT")
    if path:
        with open(path, "a", encoding="utf-8") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in outputs.items())


def given(name: str) -> str:
    """An input, as action.yml puts it into the environment."""
    return os.environ.get("INPUT_" + name.upper().replace("-", "_"), "").strip()


def escaped(text: str) -> str:
    """A message of an annotation: one line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    sys.exit(main())
