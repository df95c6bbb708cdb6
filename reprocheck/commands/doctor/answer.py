"""`reprocheck doctor`, as one page: one run of one seed, all of it observed → findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reprocheck.commands.doctor import memory as growing
from reprocheck.commands.doctor import start
from reprocheck.commands.doctor.model import DoctorReport
from reprocheck.commands.doctor.read import read_doctor_report, with_top_models
from reprocheck.commands.doctor.seeds import generators_of
from reprocheck.commands.params.findings import find
from reprocheck.commands.params.model import ERROR, NOTE, WARNING
from reprocheck.commands.params.ranks import compared
from reprocheck.commands.params.read import read_start
from reprocheck.commands.params.rows import rows_of
from reprocheck.commands.params.to_findings import to_findings
from reprocheck.diagnosis.generators import drawn_before_seeded
from reprocheck.diagnosis.ledger_file import load_entries
from reprocheck.diagnosis.rules import examine
from reprocheck.diagnosis.source.scan import scan
from reprocheck.engine.plan import HEAP_BYTES
from reprocheck.engine.progress import Progress
from reprocheck.engine.session import session
from reprocheck.errors import ExitCode, UsageError
from reprocheck.evidence.ranks import outcomes_of_ranks
from reprocheck.evidence.run import EvidenceUnreadable, load_evidence
from reprocheck.model import AmbientMode, Evidence, Instruments, NotCompared, Outcome, Request, Seeding, Status, as_rank
from reprocheck.model.explanation import Attribution, Case, LedgerEntry
from reprocheck.model.kinds import AttributionKind, Severity, SourceKind
from reprocheck.protocol import count_steps
from reprocheck.protocol.rank_folders import RANKS_FOLDER
from reprocheck.report.sections.ranks import named
from reprocheck.report.wording import count, ending_of

DOCTOR = "doctor"
"""The folder for evidence of these runs: they are no audits."""
HEAP_BYTE = next(byte for byte in HEAP_BYTES if byte is not None)


def examine_training(request: Request, snapshot: Path | None, progress: Progress) -> DoctorReport:
    """Make the run and the answer. Raises UsageError, NoVerdictError or Interrupted."""
    if snapshot is not None and not snapshot.parent.is_dir():
        raise UsageError(f"--memory-snapshot: {snapshot.parent} is no folder")
    request = replace(request, seeds=request.seeds[:1], ambient=AmbientMode.FIXED)
    with session(request, progress, DOCTOR) as one:
        ambient = replace(one.planner.ambient(0), heap_byte=HEAP_BYTE)  # shows uninitialized memory
        instruments = Instruments(
            ledger=True, doctor=True, memory_snapshot=None if snapshot is None else snapshot.absolute()
        )
        progress.started(1)
        (outcome,) = one.launch(
            [one.planner.spec(f"s{request.seeds[0]}", request.seeds[0], 0, ambient, instruments=instruments)]
        )
        answer = replace(_answer(request, outcome), directory=one.folder, seconds=one.seconds)
    if snapshot is not None and not snapshot.is_file():
        note = f"no memory snapshot in {snapshot}: nothing was allocated on a GPU"
        answer = replace(answer, notes=(*answer.notes, note))
    return answer


def _answer(request: Request, outcome: Outcome) -> DoctorReport:
    if outcome.status is not Status.COMPLETED:
        return _failed(request, outcome)
    try:
        evidence = load_evidence(outcome)
        outcome, evidence, notes = _of_the_training(outcome, evidence)
        begun, _ = read_start(outcome)
        layers, memory = read_doctor_report(outcome)
    except EvidenceUnreadable as error:
        return DoctorReport(request=request, exit_code=ExitCode.NO_VERDICT, summary=error.message)
    entries = load_entries(outcome.spec.directory)
    rows = rows_of([begun])
    layers = with_top_models(layers, {row.tensor.root: None for row in rows})
    trained_elsewhere = any(item.kind and item.is_result for item in _not_looked_at(evidence))
    if not count_steps(evidence.steps) and (trained_elsewhere or not (rows or layers.activations)):
        return _nothing_seen(request, evidence, has_model=bool(rows))
    wrong = to_findings(
        (
            *find(rows, request.seeds),
            *start.unwritten(rows, HEAP_BYTE),
            *start.misfits(rows, layers),
            *start.far_off(rows, layers),
            *start.signals(layers),
            *start.slopes(rows, layers),
            *growing.leaks(memory),
        )
    )
    seen = (*examine(_case(request, evidence, entries)), *wrong)
    findings = tuple(sorted(seen, key=lambda finding: (ERROR, WARNING, NOTE).index(finding.severity)))
    found = [finding.severity for finding in findings]
    return DoctorReport(
        request=request,
        exit_code=ExitCode.DIFFERENT if ERROR in found else ExitCode.OK,
        summary=_summary(evidence, found),
        findings=findings,
        rows=rows,
        stage=begun.stage,
        layers=layers,
        generators=generators_of(entries),
        memory=memory,
        steps=count_steps(evidence.steps),
        notes=(
            *evidence.notes,
            *notes,
            *(f"not looked at: {item.what}: {item.reason}" for item in _not_looked_at(evidence)),
        ),
    )


def _of_the_training(outcome: Outcome, run: Evidence) -> tuple[Outcome, Evidence, tuple[str, ...]]:
    """The run itself; where only its ranks took steps, the lowest of them, and what is to be said of the others.
    Raises EvidenceUnreadable."""
    ranks = outcomes_of_ranks(outcome)
    stepped = [one.rank for one in run.ranks if one.rank in ranks and not one.start and count_steps(one.evidence.steps)]
    if count_steps(run.steps) or not stepped:
        return outcome, run, ()
    rank = min(stepped)
    starts = {one: read_start(ranks[one])[0] for one in stepped}
    others = [one for one in stepped if one != rank]
    notes = list(compared({one: start for one, start in starts.items() if start.tensors}))
    if others:
        text = f"layers, seeds and memory are those of rank {rank}; of {named(others)} the training loop alone"
        notes.insert(0, text)
    own = as_rank(run, rank)
    return ranks[rank], replace(own, unobserved=(*own.unobserved, *run.unobserved)), tuple(notes)


def _not_looked_at(evidence: Evidence) -> tuple[NotCompared, ...]:
    """A rank that was not followed is said by `_of_the_training`."""
    return evidence.unobserved if evidence.spec.directory.parent.name == RANKS_FOLDER else evidence.elsewhere


def _nothing_seen(request: Request, evidence: Evidence, *, has_model: bool) -> DoctorReport:
    """Without a model and a step there is nothing that could be healthy, nor where other processes took the steps."""
    elsewhere = [item for item in _not_looked_at(evidence) if item.is_result]
    why = "no optimizer step was seen" if has_model else "no model and no optimizer step was seen"
    if elsewhere:
        why += "; not looked at: " + "; ".join(f"{item.what} ({item.reason})" for item in elsewhere)
    return DoctorReport(request=request, exit_code=ExitCode.NO_VERDICT, summary=why, notes=evidence.notes)


def _failed(request: Request, outcome: Outcome) -> DoctorReport:
    return DoctorReport(
        request=request,
        exit_code=ExitCode.NO_VERDICT,
        summary=f"the run {ending_of(outcome)}",
        stderr_tail=outcome.stderr_tail,
        out_of_memory=outcome.out_of_memory,
    )


def _case(request: Request, evidence: Evidence, entries: tuple[LedgerEntry, ...]) -> Case:
    """What the rules are asked. As if reprocheck had seeded nothing: the target's own seeding is looked at."""
    # What a library draws for names and ids while it is imported is its own business.
    entries = tuple(
        entry for entry in entries if not (entry.kind == SourceKind.DRAW and entry.in_import and entry.library)
    )
    drawn = drawn_before_seeded(entries, Seeding.NONE)
    return Case(
        request=replace(request, settings=replace(request.settings, seeding=Seeding.NONE)),
        divergence=None,
        alone=True,
        attribution=Attribution(kind=AttributionKind.SEEDING, factors=tuple(drawn)) if drawn else None,
        entries=entries,
        hits=scan(Path(path) for path in evidence.sources),
        settings_at_end=evidence.settings_at_end,
        manifest=evidence.manifest,
        facts=evidence.facts,
    )


def _summary(evidence: Evidence, found: list[Severity]) -> str:
    steps = count(count_steps(evidence.steps), "step")
    counts = ", ".join(count(found.count(word), word) for word in (ERROR, WARNING, NOTE) if word in found)
    ended = "ended there by --max-steps" if evidence.stopped_at is not None else "to its end"
    return f"{counts or 'nothing wrong was seen'} in {steps} of seed {evidence.spec.seed}, {ended}"
