"""What an audit was made with: command, commit, numerical class. In short; all of it behind the line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from reprocheck.compare.baseline.numerical import class_name, fact_text
from reprocheck.engine.console import clip
from reprocheck.model import Audit
from reprocheck.protocol.secrets import mask_argv
from reprocheck.report.document import Block, Fold, Heading, KeyValues, indented
from reprocheck.report.wording import duration, shown_target

_COMMIT = 9
_FACTS = ("python", "platform", "numpy")


def made_with_blocks(audit: Audit) -> list[Block]:
    """One line; nothing where nothing is known."""
    facts = _table(audit.manifest.get("numerical_class"))
    commit = _commit(_table(audit.manifest.get("git")))
    short = [class_name(facts) if facts else "", f"commit {commit}" if commit else ""]
    if not any(short):
        return []
    request = audit.request
    words = [shown_target(request.target), *mask_argv(request.target.argv)]
    rows = [
        ("target", " ".join(map(shlex.quote, words))),
        ("started", f"{audit.started}, took {duration(audit.seconds)}"),
        ("commit", commit or "none: no git repository"),
        *((name, fact_text(value)) for name, value in sorted(facts.items())),
        *((name, fact_text(value)) for name in _FACTS if name not in facts and (value := audit.manifest.get(name))),
    ]
    line = clip(f"made with {', '.join(filter(None, short))}")
    pairs = KeyValues(tuple((clip(name), clip(value)) for name, value in rows))
    return [Fold(line, (Heading("made with"), *indented([pairs])))]


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _commit(git: Mapping[str, Any]) -> str:
    revision = str(git.get("revision") or "")
    return revision[:_COMMIT] + (" with changes" if revision and git.get("dirty") else "")
