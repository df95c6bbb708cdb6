"""Stop-and-resume as a row: the question of `reprocheck resume`, asked half way."""

from __future__ import annotations

from reprocheck.commands.resume.answer import resume
from reprocheck.commands.resume.model import ResumeOrder
from reprocheck.commands.vary.model import Row, Status
from reprocheck.commands.vary.variations.again import RESUME
from reprocheck.engine.progress import Progress
from reprocheck.model import Divergence, Request, Verdict
from reprocheck.model.kinds import Stage

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
            stage=Stage.STEP,
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
