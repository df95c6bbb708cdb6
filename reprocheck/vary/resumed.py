"""Stop-and-resume as a row: the question of `reprocheck resume`, asked half way."""

from __future__ import annotations

from reprocheck.model import Divergence, Request, Verdict
from reprocheck.progress import Progress
from reprocheck.resume.answer import resume
from reprocheck.resume.model import ResumeOrder
from reprocheck.vary.model import Row, Status
from reprocheck.vary.variations.again import RESUME

_STATUS = {
    Verdict.REPRODUCIBLE: Status.SAME,
    Verdict.DIFFERENT: Status.DIFFERS,
    Verdict.NO_VERDICT: Status.NOT_COMPARED,
}


def resumed(request: Request, progress: Progress) -> Row:
    """The row; its runs and evidence are those of `reprocheck resume`."""
    order = ResumeOrder(request=request, at=None, kill=False, grace=5.0)
    answer = resume(order, progress)
    found = answer.found.difference
    divergence = None
    if found is not None:
        note = "; ".join(cause.message for cause in answer.found.causes)
        divergence = Divergence(
            stage="step",
            step=found.step,
            kind=found.kind,
            names=(),
            tensors=(),
            runs=("through", "resumed"),
            note=note,
        )
    return Row(
        names=(RESUME,),
        group=RESUME,
        status=_STATUS[answer.verdict],
        reason="" if answer.verdict is Verdict.REPRODUCIBLE else answer.summary,
        divergence=divergence,
        runs=tuple(run.name for run in answer.runs),
    )
