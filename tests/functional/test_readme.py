"""README.md and docs/ are true: commands end as they say, tables are those of the code, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from reprocheck.cli import reference
from reprocheck.cli.reference import write_tables
from reprocheck.config.options import OPTIONS
from reprocheck.config.settings import load_config
from reprocheck.errors import EXIT_CODE_MEANINGS

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = (README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
USAGE = TEXTS["docs/usage.md"]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)$")
_INLINE = re.compile(r"(?<!`)`(reprocheck [^`\n]+)`(?!`)")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LIMIT = 300


class Command(NamedTuple):
    line: str
    exit_code: int


def blocks(language: str) -> list[str]:
    return [body for text in TEXTS.values() for found, body in _BLOCK.findall(text) if found == language]


def commands(blocks: list[str]) -> list[Command]:
    found = []
    for body in blocks:
        for line in body.replace("\\\n", " ").splitlines():
            if line.startswith("$ reprocheck "):
                code = _EXIT.search(line)
                found.append(Command(_EXIT.sub("", line)[2:], int(code[1]) if code else 0))
    return found


COMMANDS = list(dict.fromkeys(commands(blocks("console"))))


def other_commands() -> list[str]:
    """Command lines that need a training of the reader's, in blocks of other languages and in running text."""
    lines = [line for body in blocks("shell") for line in body.replace("\\\n", " ").splitlines()]
    inline = [found for name, text in TEXTS.items() if name != "docs/rules.md" for found in _INLINE.findall(text)]
    return list(dict.fromkeys(line.strip() for line in (*lines, *inline) if line.strip().startswith("reprocheck ")))


@pytest.fixture
def checkout(tmp_path):
    """What the commands need of a checkout; its own, so that no evidence is left in ours."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def reprocheck(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "reprocheck", *shlex.split(line)[1:]],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_LIMIT,
    )


def needed_cores(line: str) -> int:
    threads = re.search(r"--threads (\d+)", line)
    return int(threads[1]) if threads else 1


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=[command.line for command in COMMANDS])
def test_command_ends_as_the_page_says(command, checkout):
    if needed_cores(command.line) > available_cores():
        pytest.skip("the race needs as many cores as threads")
    done = reprocheck(command.line, checkout)
    assert done.returncode == command.exit_code, done.stdout + done.stderr


def test_manual_has_the_commands_that_it_is_about():
    lines = " ".join(command.line for command in COMMANDS)
    for arguments in ("run examples/digits.py:train", "run examples/gcn.py:train", "wine_mlp.py", "gpu-info", "doctor"):
        assert arguments in lines
    assert {command.exit_code for command in COMMANDS} == {0, 1, 2, 3}


def test_exit_code_is_read_from_the_comment():
    found = commands(["$ reprocheck run a.py:f  # exit 1\noutput\n$ reprocheck \\\n  gpu-info\n$ make demo\n"])
    assert [(shlex.split(line), code) for line, code in found] == [
        (["reprocheck", "run", "a.py:f"], 1),
        (["reprocheck", "gpu-info"], 0),
    ]


@pytest.mark.parametrize("page", ["README.md", "docs/usage.md"])
def test_exit_code_table_is_that_of_the_code(page):
    section = TEXTS[page].partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [(str(int(code)), meaning) for code, meaning in EXIT_CODE_MEANINGS.items()]


def test_help_states_every_exit_code(tmp_path):
    done = reprocheck("reprocheck --help", tmp_path)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"[\s│|]+", " ", done.stdout)
    for code, meaning in EXIT_CODE_MEANINGS.items():
        assert re.search(rf"(?<!\d){int(code)}\W+{re.escape(meaning)}", text), f"{int(code)} {meaning}"


def test_option_tables_are_those_of_the_command_line():
    """`make docs` writes them."""
    with_tables = {name: text for name, text in TEXTS.items() if "<!-- options: " in text}
    assert {name: write_tables(text) for name, text in with_tables.items()} == with_tables


def test_every_command_has_a_page_with_its_options():
    for name in reference.commands():
        page = TEXTS[f"docs/commands/{name}.md"]
        assert f"<!-- options: {name} -->" in page or not list(reference.options(name))
        assert f"](docs/commands/{name}.md)" in TEXTS["README.md"]


@pytest.mark.parametrize("name", OPTIONS)
def test_usage_has_every_option(name):
    assert re.search(rf"^\| `(-\w, )?--{name}[ `]", USAGE, re.MULTILINE)


@pytest.mark.parametrize("line", other_commands())
def test_other_command_lines_are_understood(line):
    arguments = shlex.split(line, comments=True)[1:]
    if arguments[0].isupper():  # COMMAND stands for any of them
        return
    known = reference.commands()
    assert arguments[0] in known or arguments[0].startswith("--")
    if arguments[0] in known:
        flags = {word.partition("=")[0] for word in arguments[1 : arguments.index("--") if "--" in arguments else None]}
        accepted = {flag for option in known[arguments[0]].params for flag in (*option.opts, *option.secondary_opts)}
        assert {flag for flag in flags if flag.startswith("-")} <= accepted | {"--help"}


@pytest.mark.parametrize("name", TEXTS)
def test_relative_links_lead_somewhere(name):
    for link in _LINK.findall(re.sub(r"^```.*?^```$", "", TEXTS[name], flags=re.MULTILINE | re.DOTALL)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_pages_of_the_manual_link_only_into_the_manual():
    """The site is built from docs/ alone."""
    for name in set(TEXTS) - {"README.md", "CONTRIBUTING.md"}:
        for link in _LINK.findall(TEXTS[name]):
            if "://" not in link:
                target = ((ROOT / name).parent / link.partition("#")[0]).resolve()
                assert target.is_relative_to(ROOT / "docs"), f"{name}: {link}"


def test_every_page_is_in_the_navigation_of_the_site():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    assert {f"docs/{page}" for page in re.findall(r"- (\S+\.md)$", navigation, re.MULTILINE)} == {
        name for name in TEXTS if name.startswith("docs/")
    }


def test_readme_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= 170


def anchors(text: str) -> set[str]:
    titles = (re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in _HEADING.findall(text))
    return {*titles, *re.findall(r'<a id="([^"]+)">', text)}


def test_configuration_of_the_manual_is_valid(tmp_path):
    file = tmp_path / "pyproject.toml"
    found = {}
    for example in blocks("toml"):
        file.write_text(example, encoding="utf-8")
        found |= load_config(file)
    assert found["seeds"] == 3
    assert dict(found["quarantine"])
