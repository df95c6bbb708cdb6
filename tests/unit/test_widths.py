"""Reports on terminals of 80, 100 and 120 columns, as they were judged: tests/golden/widths."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.engine.console import Style
from reprocheck.model import Audit, NotCompared
from reprocheck.report import render_html, render_text
from tests.support.audits import (
    audit,
    cause,
    divergence,
    edit,
    explained,
    explanation,
    metric_over_seeds,
    tensor,
    trial,
)
from tests.support.formats import no_verdict
from tests.support.pages import check_page
from tests.unit.test_drift_report import ANSWER
from tests.unit.test_drift_report import audit as drifting
from tests.unit.test_report_explanation import UPDATE

GOLDEN = Path(__file__).parents[1] / "golden" / "widths"
CLASS = {"torch": "2.9", "cpu": "AMD EPYC", "cpu_capability": "AVX512", "threads": 8}
MANIFEST = {"numerical_class": CLASS, "git": {"revision": "0123456789abcdef", "dirty": True}, "python": "3.12.1"}
HELP = (
    "draw the permutation from a generator of its own, torch.Generator().manual_seed(seed), and hand it to the loader"
)


def with_a_cause() -> Audit:
    found = divergence(
        tensors=(tensor("model.encoder.layers.0.attention.query.weight"), tensor("fc.bias", shape=(64,)))
    )
    fixes = (trial("--threads 1"), trial("--deterministic warn", "--seeding all", agreed=0))
    one = explained(
        divergence=found,
        findings=(cause(help=HELP, edit=edit()),),
        explanation=explanation(origin=None, trials=fixes),
        metrics=(metric_over_seeds("validation/accuracy"), metric_over_seeds()),
        manifest=MANIFEST,
        summary="2 of 3 seeds differ between runs",
    )
    seed = one.seeds[0]
    alike = replace(audit().seeds[0], seed=2)
    return replace(one, seeds=(seed, replace(seed, seed=1), alike))


def reproducible() -> Audit:
    one = audit(
        manifest=MANIFEST,
        metrics=(metric_over_seeds(),),
        not_compared=(NotCompared(what="loss", reason="it was never seen " * 6, help="return it from the function"),),
    )
    return replace(one, seeds=tuple(replace(one.seeds[0], seed=seed) for seed in range(3)))


REPORTS = {
    "cause": with_a_cause,
    "drift": lambda: drifting(ANSWER),
    "no-verdict": no_verdict,
    "reproducible": reproducible,
}
CASES = [(name, width, verbose) for name in REPORTS for width in (80, 100, 120) for verbose in (False, True)]


def file_of(name: str, width: int, verbose: bool) -> str:
    return f"{name}-{width}{'-verbose' if verbose else ''}.txt"


@pytest.mark.parametrize(("name", "width", "verbose"), CASES)
def test_the_text_is_as_it_was_judged(name: str, width: int, verbose: bool) -> None:
    text = render_text(REPORTS[name](), Style(wraps=True, width=width, verbose=verbose))
    path = GOLDEN / file_of(name, width, verbose)
    if os.environ.get(UPDATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= width


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {file_of(*case) for case in CASES}


def test_a_reader_in_a_hurry_finds_cause_and_fix_in_the_first_lines() -> None:
    first = render_text(with_a_cause(), Style(wraps=True, width=80)).splitlines()[:24]
    assert first[0].startswith("DIFFERENT  gcn.py:train")
    assert any(line.startswith("  --> gcn.py:41") for line in first[:4])
    assert any("works" in line for line in first)


def test_quiet_is_the_verdict_and_the_cause() -> None:
    brief = Style(wraps=True, width=80, brief=True)
    assert render_text(with_a_cause(), brief).splitlines() == [
        "DIFFERENT  gcn.py:train  2 runs of seed 0 differ first at step 3 in gradients",
        "error[RC541]: the backward of indexing adds gradients in the order of threads",
        "  gcn.py:41",
    ]
    (only,) = render_text(reproducible(), brief).splitlines()
    assert only.startswith("REPRODUCIBLE  gcn.py:train")
    lines = render_text(no_verdict(), brief).splitlines()
    assert lines[0].startswith("fatal: no verdict reached  gcn.py:train")
    assert lines[1].startswith("why: ")


def test_a_run_that_failed_before_it_was_recorded_was_not_made_with_no_torch() -> None:
    failed = replace(no_verdict(), manifest={"numerical_class": {"cpu": "AMD EPYC", "instructions": "avx2"}})
    assert "made with" not in render_text(failed, Style(verbose=True))
    without = replace(failed, manifest={"numerical_class": {"cpu": "AMD EPYC", "platform": "Linux x86_64"}})
    assert "made with no torch, AMD EPYC" in render_text(without, Style())


def test_a_page_says_command_commit_and_class_at_its_verdict() -> None:
    one = with_a_cause()
    asked = replace(one.request, seeds=(0, 1, 2), settings=replace(one.request.settings, threads=2, tf32=False))
    target = replace(asked.target, argv=("--lr", "0.1", "--api-key", "verysecret"))
    shown = check_page(render_html(replace(one, request=replace(asked, target=target)), Style())).words()
    head = shown.partition("error[RC541]")[0]
    assert "reprocheck run gcn.py:train --seeds=3 --no-tf32 --threads=2 -- --lr 0.1 --api-key '***'" in head
    assert "verysecret" not in shown
    assert "torch 2.9, AMD EPYC, AVX512, 8 threads" in head
    assert "commit 012345678 with changes" in head
