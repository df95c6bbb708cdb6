"""What `attest` writes and `verify` finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.errors import ExitCode

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:reprocheck:reproducibility:v1"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A statement that was written."""

    file: Path
    statement: Mapping[str, Any]
    exit_code: ExitCode = ExitCode.OK


class Held(Enum):
    """What came of one check."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that a statement says."""

    what: str
    held: Held
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `reprocheck verify` found."""

    file: Path
    verdict: str
    """Of the audit, as the statement has it."""
    checks: tuple[Check, ...]
    directory: str = ""
    """Evidence of the runs that were made again."""

    @property
    def exit_code(self) -> ExitCode:
        """Nothing that was asked and could not be checked passes."""
        held = {one.held for one in self.checks}
        if Held.NO in held:
            return ExitCode.DIFFERENT
        return ExitCode.NO_VERDICT if Held.UNKNOWN in held else ExitCode.OK
