"""`reprocheck attest` and `reprocheck verify` for a person."""

from __future__ import annotations

from reprocheck.commands.attest.model import Attested, Held, Verification
from reprocheck.engine.console import clip
from reprocheck.errors import ExitCode
from reprocheck.report.document import Document, Headline, Role, Span, Table, document, indented
from reprocheck.report.wording import count, shown_path

_ROLES = {Held.YES: Role.SUCCESS, Held.NO: Role.ERROR, Held.UNKNOWN: Role.WARNING}
_MOST = 50


def attested_document(made: Attested) -> Document:
    """What was written."""
    statement = made.statement
    predicate = statement["predicate"]
    subjects = statement["subject"]
    rows = tuple((clip(str(one["name"])), clip(str(one["digest"]["sha256"]))) for one in subjects[:_MOST])
    files = count(len(predicate["evidence"]), "file")
    return document(
        "reprocheck attest",
        [
            Headline(
                Span("ATTESTED", Role.SUCCESS),
                clip(str(predicate["target"]["text"])),
                f"{predicate['verdict'].replace('_', ' ')}, {count(predicate['runs'], 'run')}, "
                f"in {clip(shown_path(made.file))}",
            )
        ],
        indented([Table(rows, ("subject", "sha256"))]),
        [f"digests of {files} of evidence; not signed: sign it with cosign, actions/attest or sigstore"],
    )


def verified_document(found: Verification) -> Document:
    """Check by check."""
    words = {
        ExitCode.OK: Span("VERIFIED", Role.SUCCESS),
        ExitCode.DIFFERENT: Span("NOT VERIFIED", Role.ERROR),
        ExitCode.NO_VERDICT: Span("NO VERDICT", Role.WARNING),
    }
    asked = {Held.YES: "yes", Held.NO: "no", Held.UNKNOWN: "not checked"}
    rows = tuple((clip(one.what), Span(asked[one.held], _ROLES[one.held]), clip(one.detail)) for one in found.checks)
    said = f"a statement that says {clip(found.verdict.replace('_', ' '))}"
    return document(
        "reprocheck verify",
        [Headline(words[found.exit_code], clip(shown_path(found.file)), said)],
        indented([Table(rows, ("check", "holds", ""))]),
        [f"evidence of the runs made here: {clip(shown_path(found.directory))}"] if found.directory else [],
    )
