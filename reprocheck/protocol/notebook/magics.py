"""Lines of IPython in a cell → Python: what only shows something is left out, what cannot be repeated is refused."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SHOWS_ONLY = frozenset(
    {
        *("aimport", "autocall", "automagic", "autoreload", "autosave", "colors", "conda", "config", "debug", "dirs"),
        *(
            "doctest_mode",
            "env",
            "hist",
            "history",
            "ldir",
            "less",
            "lf",
            "lk",
            "ll",
            "load_ext",
            "ls",
            "lsmagic",
            "lx",
        ),
        *("magic", "mamba", "man", "matplotlib", "more", "page", "pdb", "pdef", "pdoc", "pfile", "pinfo", "pinfo2"),
        *("pip", "precision", "psearch", "psource", "pwd", "pycat", "quickref", "reload_ext", "set_env", "tb"),
        *("tensorboard", "unload_ext", "uv", "watermark", "who", "who_ls", "whos", "xmode"),
    }
)
"""Line magics that show something, or arrange how things are shown: a run does without them."""
SHOWN_CELLS = frozenset({"html", "HTML", "javascript", "js", "latex", "markdown", "svg", "SVG"})
"""Cell magics that hand a cell to the browser."""
_AROUND = frozenset({"capture", "time", "wandb"})
"""Cell magics that run the cell as it stands."""
_INSTALLS = re.compile(r"(sudo\s+)?(uv\s+pip|pip3?|conda|mamba|apt|apt-get|python3?\s+-m\s+pip)\s")
_LOOKS = re.compile(
    r"(cat|date|df|du|echo|free|head|hostname|ls|lscpu|nvidia-smi|pwd|tail|tree|uname|wc|which|whoami)(\s|$)"
)
_CHAINS = re.compile(r"[<>|;&`]|\$\(")
_BARE = re.compile(r"(pip3?|conda|mamba)\s+(install|uninstall|list|show|freeze)\b")
_ASSIGNED = re.compile(r"[\w.,\s\[\]'\"]+=\s*(?=[!%][^=])")
_STARTS = re.compile(r"%{1,2}[A-Za-z_]|![^=]|\?")
_HELP = re.compile(r"\?{1,2}[\w.*%]+$|%{0,2}[\w.*]+\?{1,2}$")
_ENV = re.compile(r"([A-Za-z_]\w*)(?:\s*=\s*|\s+)(\S.*)$")
_LONGEST = 60
_MARK = "__reprocheck_magic_{}__"
RUN_IT = "give the cell the tag skip-execution and do it once before the audit"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that cannot be run."""

    line: int
    """In its cell, from 1."""
    text: str
    reason: str
    help: str


@dataclass(frozen=True, slots=True)
class Translated:
    """A cell as Python, line by line."""

    lines: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()
    left_out: tuple[tuple[int, str], ...] = ()
    """Line and text of commands that are not run, though they do something."""
    is_shown_only: bool = False
    """Nothing of it is Python."""


def translate(lines: Sequence[str]) -> Translated:
    """Keeps the number of lines. A cell that is plain Python stays as it is."""
    if not any(_may_be_magic(line) for line in lines) or _is_python(lines):
        return Translated(tuple(lines))
    code, refusals, left_out = list(lines), [], []
    first = next(number for number, line in enumerate(lines) if line.strip())
    if lines[first].lstrip().startswith("%%"):
        name, rest = _name_and_rest(lines[first].strip()[2:])
        if name in SHOWN_CELLS:
            return Translated(("",) * len(lines), is_shown_only=True)
        if name not in _AROUND or (name == "capture" and re.search(r"(^|\s)[^-\s]", rest)) or (name == "time" and rest):
            return Translated(("",) * len(lines), (_refused(first + 1, lines[first], name),))
        code[first] = ""
    for number, end in _found(code):
        text = " ".join(part.strip().rstrip("\\").strip() for part in code[number:end])
        indent = code[number][: len(code[number]) - len(code[number].lstrip())]
        made = _translated(text, number + 1)
        if isinstance(made, Refusal):
            refusals.append(made)
            made = "pass"
        elif made == "pass" and _INSTALLS.match(text.lstrip("!%").strip() + " "):
            left_out.append((number + 1, _cut(text)))
        code[number:end] = [indent + made, *[""] * (end - number - 1)]
    return Translated(tuple(code), tuple(refusals), tuple(left_out))


def _may_be_magic(line: str) -> bool:
    text = line.strip()
    return bool(_STARTS.match(text)) or text.endswith("?") or bool(_BARE.match(text)) or bool(_ASSIGNED.match(text))


def _is_python(lines: Sequence[str]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _found(code: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Lines of IPython, each from its first line to behind its last; none that stands in a string or in brackets."""
    candidates = [number for number, line in enumerate(code) if _may_be_magic(line)]
    marked, ends = list(code), {}
    for number in candidates:
        end = number + 1
        while end < len(code) and code[end - 1].rstrip().endswith("\\"):
            end += 1
        ends[number] = end
        indent = code[number][: len(code[number]) - len(code[number].lstrip())]
        marked[number:end] = [indent + _MARK.format(number), *[""] * (end - number - 1)]
    at_work = set()
    try:
        depth, is_first = 0, True
        for token in tokenize.generate_tokens(io.StringIO("\n".join(marked) + "\n").readline):
            if is_first and not depth and token.string.startswith("__reprocheck_magic_"):
                at_work.add(token.start[0] - 1)
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
            if token.type not in (tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT):
                is_first = token.type == tokenize.NEWLINE
    except (tokenize.TokenError, SyntaxError):  # what is wrong is said when it is compiled
        pass
    return iter([(number, ends[number]) for number in candidates if number in at_work])


def _translated(text: str, line: int) -> str | Refusal:
    """Python in one line, or why there is none."""
    if text.startswith("!") or _BARE.match(text):
        command = text.lstrip("!").strip()
        harmless = _INSTALLS.match(command + " ") or (_LOOKS.match(command) and not _CHAINS.search(command))
        return "pass" if harmless else _shell(line, text)
    if _ASSIGNED.match(text):
        return _shell(line, text) if re.search(r"=\s*!", text) else _refused(line, text, "")
    if _HELP.match(text):
        return "pass"
    if not text.startswith("%") or text.startswith("%%"):
        return _refused(line, text, "")
    name, rest = _name_and_rest(text[1:])
    if name == "time":
        return rest or "pass"
    if name in ("env", "set_env") and rest:
        pair = _ENV.match(rest)
        if pair is not None and not re.search(r"[{$]", pair[2]):
            return f'__import__("os").environ[{pair[1]!r}] = {pair[2]!r}'
        return "pass" if pair is None else _refused(line, text, name)
    if name == "cd" and rest and not rest.startswith("-") and not re.search(r"[{$]", rest):
        return f'__import__("os").chdir(__import__("os").path.expanduser({rest.strip(chr(34) + chr(39))!r}))'
    return "pass" if name in SHOWS_ONLY else _refused(line, text, name)


def _name_and_rest(text: str) -> tuple[str, str]:
    name, _, rest = text.strip().partition(" ")
    return name, rest.strip()


def _shell(line: int, text: str) -> Refusal:
    return Refusal(line, _cut(text), "shell commands are not run", f"write it in Python, or {RUN_IT}")


def _refused(line: int, text: str, name: str) -> Refusal:
    if name in ("timeit", "prun", "lprun", "memit", "mprun"):
        reason = "it runs code as often as its clock allows" if name == "timeit" else "profilers are not run"
        return Refusal(line, _cut(text), reason, "take the line out, or give the cell the tag skip-execution")
    if name in ("bash", "sh", "script", "cmd", "system", "sx", "!"):
        return Refusal(line, _cut(text), "shell commands are not run", f"write it in Python, or {RUN_IT}")
    if name in ("writefile", "file"):
        help = f"keep the file beside the notebook: {RUN_IT}"
        return Refusal(line, _cut(text), "files are not written from cells", help)
    return Refusal(line, _cut(text), "this line of IPython is not run", f"write it in Python, or {RUN_IT}")


def _cut(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
