"""The steps of action.yml: `python ci/action.py install` and `python ci/action.py run`. Standard library only.

Everything comes in by the environment (INPUT_*, GITHUB_*, RUNNER_TEMP), and no shell ever reads it: words are split
here, with quotes as in a shell, and nothing in them is expanded.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

LAST_LINES = 20
"""Lines of standard error that the summary shows when there is no report."""


def main() -> int:
    steps = {"install": install, "run": run}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        print("usage: action.py install|run", file=sys.stderr)
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
        print_without_report(code, stderr_tail)
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


def print_without_report(code: int, stderr_tail: list[str]) -> None:
    """Nothing was audited: say so where the report would have stood."""
    text = "\n".join(stderr_tail) or "it said nothing"
    print(f"::error title=reprocheck::{escaped(f'no verdict reached, exit code {code}: {text}')}")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        shown = "\n".join(f"    {line}" for line in text.splitlines())
        with open(summary, "a", encoding="utf-8") as stream:
            stream.write(f"### reprocheck: no verdict reached (exit code {code})\n\n{shown}\n")


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
