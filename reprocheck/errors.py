"""Errors that end a command, and the exit codes.

ReprocheckError          carries a message, a hint and an exit code
├── UsageError           2: bad arguments, configuration or target; nothing was run
│   └── NestedAudit         an audit that is asked for inside an audited run
├── NoVerdictError       3: the audit could not be made
└── Interrupted          130: Ctrl-C, SIGTERM or SIGHUP

A difference between runs is a value, never an exception.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of the process. The one table; help and README are tested against it."""

    OK = 0
    DIFFERENT = 1
    USAGE = 2
    NO_VERDICT = 3
    INTERNAL = 4
    INTERRUPTED = 130


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "no difference: every comparison was made and none differed",
    ExitCode.DIFFERENT: "difference: something that decides differed between runs",
    ExitCode.USAGE: "usage: bad arguments, configuration or target; nothing was audited",
    ExitCode.NO_VERDICT: "no verdict: a run failed, hung or left no evidence, or nothing was compared",
    ExitCode.INTERNAL: "internal error: a bug in reprocheck",
    ExitCode.INTERRUPTED: "interrupted: the evidence so far is kept",
}


class ReprocheckError(Exception):
    """Something that a user can act on. `message` says what and where, `hint` what to do."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Both, for who sees no more than the error itself."""
        return self.message + (f"\nhelp: {self.hint}" if self.hint else "")


class UsageError(ReprocheckError):
    """The request cannot be carried out as written."""

    exit_code = ExitCode.USAGE


class NestedAudit(UsageError):
    """A notebook goes on with its next cell."""


class NoVerdictError(ReprocheckError):
    """The request was sound, but no verdict can be reached."""

    exit_code = ExitCode.NO_VERDICT


class Interrupted(ReprocheckError):
    """The user or the system asked us to stop."""

    exit_code = ExitCode.INTERRUPTED
