"""Audits in experiment trackers: what is written, by the methods that trackers have. None of them is installed here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reprocheck.commands.report.tracking import facts_of, log_audit
from reprocheck.errors import UsageError
from tests.support.audits import audit, explained
from tests.support.formats import hostile


class Calls:
    def __init__(self) -> None:
        self.made: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args: self.made.append((name, *args))


def test_the_facts_are_flat() -> None:
    facts = facts_of(explained())
    assert facts["reprocheck/verdict"] == "different"
    assert facts["reprocheck/reproducible"] == 0
    assert "RC541" in facts["reprocheck/causes"]
    assert all(isinstance(value, (str, int)) for value in facts.values())
    assert any(name.startswith("reprocheck/seed_0/") for name in facts)


def test_a_run_of_wandb_gets_its_summary_updated() -> None:
    calls = Calls()
    written = log_audit(audit(), SimpleNamespace(summary=calls, id="x"))
    assert calls.made == [("update", written)]


def test_mlflow_gets_tags_and_metrics() -> None:
    calls = Calls()
    module = SimpleNamespace(set_tags=calls.set_tags, log_metric=calls.log_metric)
    log_audit(audit(), module)
    name, tags = calls.made[0]
    assert name == "set_tags"
    assert tags["reprocheck/verdict"] == "reproducible"
    assert ("log_metric", "reprocheck/reproducible", 1) in calls.made


def test_tensorboard_gets_scalars_and_a_text() -> None:
    calls = Calls()
    log_audit(audit(), SimpleNamespace(add_scalar=calls.add_scalar, add_text=calls.add_text))
    assert ("add_scalar", "reprocheck/reproducible", 1) in calls.made
    [text] = [call[2] for call in calls.made if call[0] == "add_text"]
    assert "| reprocheck/verdict | `reproducible` |" in text


def test_every_text_can_be_written() -> None:
    written: list[str] = []
    log_audit(hostile(), SimpleNamespace(add_scalar=lambda *_: None, add_text=lambda _, text: written.append(text)))
    for text in (*written, *(value for value in facts_of(hostile()).values() if isinstance(value, str))):
        text.encode()  # a name of a file may be none: trackers' databases refuse it
    assert "\x1b" not in "".join(written)


def test_a_dict_is_filled_and_anything_else_is_refused() -> None:
    facts: dict[str, Any] = {}
    assert log_audit(audit(), facts) == facts
    with pytest.raises(UsageError, match=r"(?s)cannot be written to int.*give wandb.run"):
        log_audit(audit(), 3)


def test_an_audit_has_a_short_repr_and_a_page() -> None:
    import reprocheck.api  # noqa: F401 - it says how an audit is shown

    assert repr(audit()).startswith("<Audit REPRODUCIBLE: ")
    assert len(repr(explained())) < 500
    page = audit()._repr_html_()
    assert page is not None
    assert page.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert "<script" not in page
