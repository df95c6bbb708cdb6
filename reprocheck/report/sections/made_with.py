"""What an audit was made with: command, commit, numerical class. In short; all of it behind the line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from reprocheck.compare.baseline.numerical import fact_text, known_class
from reprocheck.engine.console import clip
from reprocheck.model import Audit, Request, Settings, Target, TargetKind
from reprocheck.protocol.plain_json import plain
from reprocheck.protocol.secrets import mask_arguments, mask_argv
from reprocheck.report.document import Block, Fold, Heading, KeyValues, Role, Span, Text, indented
from reprocheck.report.wording import duration, shown_target

_COMMIT = 9
_FACTS = ("python", "platform", "numpy")
_SWITCHES = ("cudnn_deterministic", "cudnn_benchmark", "tf32")


def about_lines(audit: Audit) -> list[Text]:
    """What a page says at its verdict."""
    commit = _commit(_table(audit.manifest.get("git")))
    made = [known_class(audit.manifest), f"commit {commit}" if commit else ""]
    return [Span(clip(command_of(audit)), Role.CODE), *([clip(", ".join(filter(None, made)))] if any(made) else [])]


def made_with_blocks(audit: Audit) -> list[Block]:
    """One line; nothing where nothing is known."""
    name = known_class(audit.manifest)
    commit = _commit(_table(audit.manifest.get("git")))
    short = [name, f"commit {commit}" if commit else ""]
    if not any(short):
        return []
    facts = _table(audit.manifest.get("numerical_class"))
    rows = [
        ("command", command_of(audit)),
        ("started", f"{audit.started}, took {duration(audit.seconds)}"),
        ("commit", commit or "none: no git repository"),
        *((name, fact_text(value)) for name, value in sorted(facts.items())),
        *((name, fact_text(value)) for name in _FACTS if name not in facts and (value := audit.manifest.get(name))),
    ]
    line = clip(f"made with {', '.join(filter(None, short))}")
    pairs = KeyValues(tuple((clip(name), clip(value)) for name, value in rows))
    return [Fold(line, (Heading("made with"), *indented([pairs])))]


def command_of(audit: Audit) -> str:
    """The command line with what decides about the numbers, as far as every report keeps it. Secrets are masked."""
    request, target = audit.request, audit.request.target
    arguments = [f"--arg={name}={_value(value)}" for name, value in mask_arguments(dict(target.arguments)).items()]
    options = [*_options(request), *arguments]
    if audit.against is not None:
        options.append(f"--against={audit.against.text}")
    return command_line(target, options)


def command_line(target: Target, options: Sequence[str]) -> str:
    """`reprocheck run` of it, as it can be typed."""
    named = ["-m", str(target.module)] if target.kind is TargetKind.MODULE else [shown_target(target)]
    own = ["--", *mask_argv(target.argv)] if target.argv else []
    words = ["reprocheck", "run", *named, *options, *own]
    return " ".join(word if word == "--" else shlex.quote(word) for word in words)


def _options(request: Request) -> Iterator[str]:
    """Those that are not by default."""
    default = Request(target=request.target)
    seeds = request.seeds
    if seeds == tuple(range(len(seeds))):
        yield from [f"--seeds={len(seeds)}"] if len(seeds) > 1 else []
    else:
        yield from (f"--seed={seed}" for seed in seeds)
    for name in ("repeats", "ambient"):
        if (value := getattr(request, name)) != getattr(default, name):
            yield f"--{name}={_value(value)}"
    for name in ("compare", "ignore"):
        yield from (f"--{name}={_value(value)}" for value in getattr(request, name))
    if request.tolerance != default.tolerance:
        yield from (f"--tolerance={word}" for word in request.tolerance.options)
    for name in Settings.__dataclass_fields__:
        value, option = getattr(request.settings, name), name.replace("_", "-")
        if name == "env":
            yield from (f"--env={variable}=..." for variable, _ in value)
        elif value != getattr(default.settings, name):
            no = "no-" if name in _SWITCHES and value is False else ""
            yield f"--{no}{option}" if name in _SWITCHES else f"--{option}={_value(value)}"


def _value(value: Any) -> str:
    found = value.value if isinstance(value, Enum) else value
    return found if isinstance(found, str) else json.dumps(plain(found), sort_keys=True)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _commit(git: Mapping[str, Any]) -> str:
    revision = str(git.get("revision") or "")
    return revision[:_COMMIT] + (" with changes" if revision and git.get("dirty") else "")
