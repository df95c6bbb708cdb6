"""Reports on terminals of 80, 100 and 120 columns, as they were judged: tests/golden/widths."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.engine.console import Style
from reprocheck.model import Audit, NotCompared
from reprocheck.report import render_text
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


REPORTS = {"cause": with_a_cause, "reproducible": reproducible}
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
