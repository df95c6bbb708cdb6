"""Controls: runs with every environment factor equal. What an experiment shows, it shows against these."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.attribution.log import EQUAL_FACTORS, LATER_RUNS, RESERVED, ExperimentLog
from reprocheck.model import Evidence


def compare_controls(log: ExperimentLog) -> None:
    """Runs with every environment factor equal: those of the audit with --ambient fixed, and the traced ones."""
    runner = log.runner
    made = 0
    if log.a.spec.ambient == replace(log.b.spec.ambient, start_gap=log.a.spec.ambient.start_gap):
        log.plain.append((log.a, log.b, False))
    for twin, original in ((log.seen.first, log.a), (log.seen.second, log.b)):
        if twin is not None:
            log.plain.append((original, twin, log.agree(original, twin)))
    originals = [log.a] if not log.plain else []
    if len(log.plain) == 1 and log.plain[0][2] is True:
        originals = [log.b if log.plain[0][0] is log.a else log.a]
    for original in originals:
        if runner.left > RESERVED:
            twin_run = runner.run("control", [runner.spec(original, limit=log.limit, against=(original,))])[0]
            log.plain.append((original, twin_run, log.agree(original, twin_run)))
            made += 1
    log.arm("control", EQUAL_FACTORS, made, [outcome for _, _, outcome in log.plain])


def still_differs(log: ExperimentLog) -> bool:
    """Whether plain pairs differ that do not have one and the same run of the audit in them: the first one finds
    what no run left, and one that differs from all others shows nothing of what they depend on."""
    differing = [(one, twin) for one, twin, outcome in log.plain if outcome is False]
    if len(differing) != 1 or log.runner.left < 2:
        return True
    one, twin = differing[0]
    if not isinstance(twin, Evidence) or (one is log.a and one.spec.repeat):
        return True
    another = log.runner.run("does it still differ?", [log.runner.spec(twin, limit=log.limit, against=(log.a, twin))])[
        0
    ]
    outcome = log.agree(twin, another)
    log.plain.append((twin, another, outcome))
    log.arm("later control", LATER_RUNS, 1, [outcome])
    return outcome is not True


def repeats(log: ExperimentLog) -> bool:
    """Whether one more run with the factors of run a agrees with it. Else plain runs differ, and no factor is
    responsible for that: every one seems enough where run a is one that nothing agrees with."""
    if log.runner.left <= RESERVED // 2:
        return True
    ran = log.runner.run("control", [log.runner.spec(log.a, limit=log.limit, against=(log.a,))])[0]
    same = log.agree(log.a, ran)
    log.plain.append((log.a, ran, same))
    log.arm("later control", LATER_RUNS, 1, [same])
    return same is not False
