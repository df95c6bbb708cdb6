"""A statement, and what `reprocheck verify` found, as JSON."""

from __future__ import annotations

import json

from reprocheck.commands.attest.model import Attested, Verification
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import plain

VERIFY_VERSION = 1


def render_statement(made: Attested, style: Style) -> str:
    """The statement itself, as it is in its file."""
    return json.dumps(made.statement, indent=2, sort_keys=True, allow_nan=False) + "\n"


def render_verification(found: Verification, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    content = {
        "verify_version": VERIFY_VERSION,
        "exit_code": int(found.exit_code),
        "verdict": found.verdict,
        "checks": [{"what": one.what, "holds": one.held.value, "detail": one.detail} for one in found.checks],
        "volatile": {"directory": found.directory or None},
    }
    return json.dumps(plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n"
