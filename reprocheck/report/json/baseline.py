"""The comparison with a baseline, or of two audits, for JSON."""

from __future__ import annotations

from typing import Any

from reprocheck.model.baseline import BaselineAnswer, First, SeedComparison
from reprocheck.report.wording import shown_path

Plain = dict[str, Any]


def plain_baseline(answer: BaselineAnswer | None) -> Plain | None:
    if answer is None:
        return None
    return {
        "file": shown_path(answer.file),
        "verdict": answer.verdict,
        "reason": answer.reason,
        "updated": answer.updated,
        "numerical_class": answer.class_name,
        "compared_class": answer.compared_class or None,
        "class_differences": [_sides("fact", row) for row in answer.class_differences],
        "packages": [_sides("name", row) for row in answer.packages],
        "tolerance": answer.tolerance.options,
        "seeds": [plain_seed_comparison(one) for one in answer.seeds],
        "kept": answer.kept,
    }


def plain_seed_comparison(one: SeedComparison) -> Plain:
    return {
        "seed": one.seed,
        "first": None if one.first is None else _first(one.first),
        "parts": [{"what": part.what, "state": part.state, "reason": part.reason} for part in one.parts],
        "tensors": [
            {
                "part": pair.part,
                "name": pair.name,
                "form": pair.form,
                "state": pair.state,
                "a": pair.a or None,
                "b": pair.b or None,
                "reason": pair.reason,
            }
            for pair in one.tensors
        ],
        "metrics": [
            {
                "name": pair.name,
                "state": pair.state,
                "a": pair.a,
                "b": pair.b,
                "allowed": pair.allowed or "bitwise",
                "reason": pair.reason,
            }
            for pair in one.metrics
        ],
    }


def _first(first: First) -> Plain:
    return {
        "stage": first.stage,
        "kind": first.kind or None,
        "from_step": first.low,
        "to_step": first.high,
        "names": first.names,
        "note": first.note,
    }


def _sides(key: str, row: tuple[str, str, str]) -> Plain:
    return {key: row[0], "baseline": row[1], "now": row[2]}
