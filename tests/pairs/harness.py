"""Audits trainings with known causes, and counts which of the causes that were named are true."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from reprocheck.diagnosis.rules.model import CONFIDENCES
from tests.pairs.compose import Training
from tests.support.cli import environment

SECONDS = 600.0
CLAIMS = ("right", "wrong line", "wrong")


@dataclass(frozen=True)
class Result:
    name: str
    code: int | None
    claims: tuple[tuple[str, int | None, str, str], ...] = ()
    """Cause, line, confidence, and what it is: one of CLAIMS."""
    missed: tuple[str, ...] = ()
    may_remain: bool = False
    """The report says that other causes may remain."""
    works: bool = False
    """Something that was tried made the runs agree."""
    runs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of all processes; what other jobs took at the same time is in it."""
    fault: str = ""
    output: str = field(default="", compare=False)
    """The report, as JSON."""

    @property
    def wrong_and_sure(self) -> bool:
        return any(confidence == "high" and kind != "right" for _, _, confidence, kind in self.claims)


def try_all(trainings: Sequence[Training], folder: Path, jobs: int = 2) -> Iterator[Result]:
    """In order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda one: try_one(one, folder / one.name), trainings)


def try_one(training: Training, folder: Path) -> Result:
    """Make the audit in a folder, with a home and a scratch folder of its own."""
    work, home, scratch = folder / "work", folder / "home", folder / "scratch"
    for one in (work / "parts", home, scratch):
        one.mkdir(parents=True)
    (work / "train.py").write_text(training.source.replace("{scratch}", str(scratch)), encoding="utf-8")
    for i in range(16):
        (work / "parts" / f"{i:02}.txt").write_text(f"{(i * 7 % 16) / 16}", encoding="utf-8")
    target = "train.py" if training.is_script else "train.py:train"
    command = [sys.executable, "-m", "reprocheck", "run", "--no-drift", *training.options, "--format", "json", target]
    if any(cause.is_race for cause in training.causes):
        command += ["--repeats", "3"]
    started, cpu = time.monotonic(), _cpu_of_children()
    try:
        done = subprocess.run(
            command, cwd=work, env=environment(HOME=str(home)), capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return Result(training.name, None, seconds=SECONDS, fault="hang")
    seconds = time.monotonic() - started
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return Result(training.name, done.returncode, seconds=seconds, fault=(done.stdout + done.stderr)[-2000:])
    return judged(training, done.returncode, answer, seconds, _cpu_of_children() - cpu)


def judged(training: Training, code: int, answer: dict[str, object], seconds: float = 0.0, cpu: float = 0.0) -> Result:
    """Whether each cause that an audit names is one of the training's."""
    findings, explanation = answer["findings"], answer["explanation"] or {}
    assert isinstance(findings, list)
    assert isinstance(explanation, dict)
    claims, found = [], set()
    for one in findings:
        if one["code"].startswith("RC30") or one["severity"] != "error":
            continue  # what differs, and what stands beside it
        line = one["location"] and one["location"]["line"]
        owners = [cause.name for cause in training.causes if one["cause"] in cause.slugs]
        exact = [
            cause.name
            for cause, lines in zip(training.causes, training.lines, strict=True)
            if one["cause"] in cause.slugs and line in lines
        ]
        found.update(exact or owners)
        claims.append(
            (one["cause"], line, one["confidence"], CLAIMS[0] if exact else CLAIMS[1] if owners else CLAIMS[2])
        )
    text = json.dumps(answer)
    return Result(
        name=training.name,
        code=code,
        claims=tuple(claims),
        missed=tuple(cause.name for cause in training.causes if cause.name not in found),
        may_remain="other causes may remain" in text,
        works=any(
            trial["mends"] and not any(r["hides"] for r in trial["remedies"]) for trial in explanation.get("trials", [])
        ),
        runs=explanation.get("runs", 0),
        seconds=round(seconds, 1),
        cpu_seconds=round(cpu, 1),
        fault="a bug in reprocheck" if "a bug in reprocheck" in text else "",
        output=text,
    )


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(results: Sequence[Result]) -> str:
    """Claims by confidence, and what was missed."""
    lines = [f"{'confidence':12}" + "".join(f"{kind:>12}" for kind in CLAIMS)]
    for confidence in CONFIDENCES:
        counts = [sum(claim[2:] == (confidence, kind) for one in results for claim in one.claims) for kind in CLAIMS]
        lines.append(f"{confidence:12}" + "".join(f"{count:>12}" for count in counts))
    causes = sum(one.name.count("+") + 1 for one in results)
    missed = sum(len(one.missed) for one in results)
    silent = sum(bool(one.missed) and not one.may_remain for one in results)
    lines.append(f"trainings: {len(results)}  causes: {causes}  missed: {missed}")
    lines.append(f"trainings with a missed cause whose report does not say that others may remain: {silent}")
    lines.append(f"verdict not `different`: {sum(one.code != 1 for one in results)}")
    return "\n".join(lines)


def as_line(result: Result) -> str:
    """For a file of results."""
    return json.dumps(asdict(result))


def from_line(line: str) -> Result:
    read = json.loads(line)
    read["claims"] = tuple(tuple(claim) for claim in read["claims"])
    return Result(**{**read, "missed": tuple(read["missed"])})
