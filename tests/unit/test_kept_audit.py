"""An audit out of its JSON report: the same in every format; nothing forged is believed; the history of a target."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.report.command import INDEX_FORMATS
from reprocheck.commands.report.index import make_index
from reprocheck.commands.report.kept import open_kept
from reprocheck.commands.report.model import Results
from reprocheck.compare.baseline.reading import Malformed
from reprocheck.config.checks import FORMATS as NAMES
from reprocheck.engine.console import Style
from reprocheck.engine.store import AUDITS, REPORT_FILE
from reprocheck.errors import UsageError
from reprocheck.model import Audit, Informational, Location, SelfSeeding, UnseededGenerator, Verdict
from reprocheck.model.drift import DriftAnswer, Floor, Jump
from reprocheck.model.explanation import Spread
from reprocheck.model.places import line_in_notebook
from reprocheck.model.values import ValueDifference
from reprocheck.report import FORMATS
from reprocheck.report.json.reading import read_audit
from reprocheck.report.json.v1 import render_json
from tests.support.audits import (
    B,
    arm,
    attribution,
    audit,
    cause,
    divergence,
    edit,
    explained,
    explanation,
    grid,
    metric_over_seeds,
    origin,
    run,
    trial,
)
from tests.support.formats import no_verdict, with_baseline
from tests.support.pages import check_page
from tests.unit.test_drift_report import ANSWER, DRIFT, GROWS
from tests.unit.test_drift_report import audit as drifting

JUMP = Jump(step=9, before=1e-8, after=1e-3, rates=1.0, touched=0.1, signs=True)
IN_CELL = Location(path="nb.ipynb", line=line_in_notebook(7, 3))
FAR_APART: dict[str, Any] = {
    "different": 1,
    "total": 1,
    "max_abs": 2e300,
    "max_ulp": 2**64 - 2**53,
    "index": (0,),
    "samples": (),
}
ARMS = (arm("control", 2, 0), arm("hash seed", 0, 2))
SPREAD = Spread(
    op="allreduce",
    group="0",
    sequence=14,
    step=3,
    forms=("float32[20]",),
    path="train.py",
    line=88,
    ranks=(0, 1),
    gave=(1,),
    got=(0, 1),
    origin_in=1,
)
AUDITS_OF_ALL_KINDS = {
    "reproducible": audit(),
    "explained": explained(),
    "with all of an explanation": explained(
        findings=(cause(edit=edit(), calls=()),),
        explanation=explanation(
            attribution=attribution(kind="ambient", factors=("hash seed",), arms=ARMS, sets=(("hash seed",),)),
            origin=origin(kind="outside", argument="argument 1", is_batch=True),
            spread=SPREAD,
            trials=(trial("--threads 1", "--seeding all", settings=(("threads", 1),), edits=(edit(),)),),
        ),
    ),
    "of a notebook": explained(
        divergence=divergence(part="cell 7", location=IN_CELL),
        findings=(cause(location=IN_CELL, edit=edit(path="nb.ipynb", line=IN_CELL.line)),),
        explanation=explanation(origin=origin(values=ValueDifference(**FAR_APART))),
    ),
    "no verdict": no_verdict(),
    "a drift": drifting(replace(ANSWER, growth=replace(GROWS, jump=JUMP), drift=replace(DRIFT, full=40))),
    "a drift without twins": drifting(replace(ANSWER, floor=Floor(reason="there was no time"), reproduces=False)),
    "a drift of which nothing is known": drifting(DriftAnswer(seed=0, reason="no budget")),
    "against a baseline": with_baseline(Verdict.DIFFERENT),
    "a script that seeds itself too late": audit(
        self_seeding=SelfSeeding(seeds_itself=False, unseeded=(UnseededGenerator(name="numpy", late=True),))
    ),
    "over seeds": audit(
        metrics=(metric_over_seeds(),),
        seeds=tuple(
            replace(
                audit().seeds[0],
                seed=seed,
                runs=tuple(run(x, id=f"s{seed}r{x}", metrics={"loss": value}) for x, value in enumerate(values)),
            )
            for seed, values in metric_over_seeds().values
        ),
    ),
}


def plain(found: Audit) -> Any:
    return json.loads(render_json(found, Style()))


@pytest.mark.parametrize("name", AUDITS_OF_ALL_KINDS)
@pytest.mark.parametrize("form", NAMES)
def test_a_kept_audit_is_the_same_in_every_format(name: str, form: str) -> None:
    found = AUDITS_OF_ALL_KINDS[name]
    style = Style(plots=True)
    assert FORMATS[form](read_audit(plain(found)), style) == FORMATS[form](found, style)


def test_steps_are_drawn_again() -> None:
    seeds = (replace(explained().seeds[0], grids=(grid(),)),)
    page = check_page(FORMATS["html"](read_audit(plain(explained(seeds=seeds))), Style()))
    assert "Steps, kind by kind" in page.words()


def test_a_report_of_an_earlier_version_lacks_what_that_did_not_know() -> None:
    content = plain(explained())
    for seed in content["seeds"]:
        del seed["step_grids"]
        for item in seed["beside"]:
            del item["only_times"]
    del content["explanation"]["further"]
    del content["summary_parts"]
    read = read_audit(content)
    assert read.verdict is Verdict.DIFFERENT
    assert read.summary == content["summary"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema_version",), 99, "written by a newer reprocheck"),
        (("verdict",), "fine", "verdict must be one of"),
        (("seeds",), {}, "seeds must be a list"),
        (("seeds", 0, "runs", 0, "steps", "count"), "many", "must be a whole number"),
        (("seeds", 0, "runs", 0, "id"), [], "must be a text"),
        (("divergence", "tensors", 0, "shape"), [1, "x"], "must be a whole number"),
        (("asked", "tolerance"), ["loss=-1"], "must have a number from 0"),
        (("volatile",), None, "volatile must be a table"),
        (("explanation", "replays"), 3, "replays must be a table"),
    ],
)
def test_a_forged_report_is_refused(path: tuple[Any, ...], value: Any, message: str) -> None:
    content = plain(explained(divergence=divergence()))
    inside = content
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    with pytest.raises(Malformed, match=message):
        read_audit(content)


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(UsageError, match="no JSON report of `reprocheck run`"):
        open_kept(str(tmp_path / "a.json"), tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot read report"):
        open_kept(str(tmp_path / "folder"), tmp_path)
    with pytest.raises(UsageError, match="there is no latest"):
        open_kept("latest", tmp_path)


def keep(evidence: Path, hour: int, found: Audit, commit: str = "a" * 40) -> None:
    folder = evidence / AUDITS / f"2026010{hour}"
    folder.mkdir(parents=True)
    manifest = {"git": {"revision": commit, "dirty": False}, "numerical_class": {"torch": "2.9", "cpu": "c"}}
    started = replace(found, started=f"2026-01-01T0{hour}:00:00+00:00", manifest=manifest)
    (folder / REPORT_FILE).write_text(render_json(started, Style()))


def same(output: str) -> Audit:
    seed = replace(audit().seeds[0], runs=tuple(run(x, output=output) for x in (0, 1)))
    return audit(seeds=(seed,), not_compared=())


def test_the_history_says_since_when_a_target_differs(tmp_path: Path) -> None:
    keep(tmp_path, 1, same("0" * 32))
    keep(tmp_path, 2, same("0" * 32))
    keep(tmp_path, 3, same(B))
    keep(tmp_path, 4, explained(), "b" * 40)
    keep(tmp_path, 5, explained(), "c" * 40)
    index = make_index(tmp_path)
    (history,) = index.histories
    assert history.target == "gcn.py:train"
    assert [entry.record.name for entry in history.entries] == [f"2026010{hour}" for hour in (5, 4, 3, 2, 1)]
    unknown, changed, first = Results.UNKNOWN, Results.CHANGED, Results.FIRST
    assert [entry.results for entry in history.entries] == [unknown, unknown, changed, Results.SAME, first]
    assert history.since == (history.entries[1].record, history.entries[2].record)
    text = INDEX_FORMATS["text"](index, Style())
    assert (
        "differs since 2026-01-01 04:00:00 (commit bbbbbbbbb); reproduced last at 2026-01-01 03:00:00 "
        "(commit aaaaaaaaa); what changed between them: the commit" in text
    )
    assert "at step 3 in gradients; RC541 index-backward-race at gcn.py:41" in text
    page = check_page(INDEX_FORMATS["html"](index, Style()))
    assert page.data()["targets"][0]["audits"][0]["commit"] == "c" * 40


def test_other_classes_and_other_options_are_other_histories_of_results(tmp_path: Path) -> None:
    keep(tmp_path, 1, same("0" * 32))
    asked = replace(same(B).request, settings=replace(same(B).request.settings, threads=1))
    keep(tmp_path, 2, replace(same(B), request=asked))
    (history,) = make_index(tmp_path).histories
    assert history.entries[0].results is Results.FIRST


def test_a_verdict_with_limits_has_a_mark_and_unreadable_audits_are_named(tmp_path: Path) -> None:
    beside = (Informational(what="stdout", same=False, detail="x"),)
    keep(tmp_path, 1, audit(seeds=(replace(audit().seeds[0], informational=beside),)))
    (tmp_path / AUDITS / "broken").mkdir()
    (tmp_path / AUDITS / "broken" / REPORT_FILE).write_text("{")
    text = INDEX_FORMATS["text"](make_index(tmp_path), Style())
    assert "reproducible *" in text
    assert "*: in what was compared" in text
    assert "not read: broken: " in text
    with pytest.raises(UsageError, match="holds no audit"):
        make_index(tmp_path / "none")
