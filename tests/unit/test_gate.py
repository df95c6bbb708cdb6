"""The gate: every switch against every outcome, what makes a finding known, and earlier reports that are no reports."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.run import gate
from reprocheck.commands.run.gate import FailOn, Known, Switches, decide, load_known, read_switches, ruled
from reprocheck.config.options import OPTIONS
from reprocheck.config.settings import load_config, merge
from reprocheck.errors import UsageError
from reprocheck.model import Against, Audit, Location, Verdict
from reprocheck.report.json.v1 import render_json, to_plain
from tests.support.audits import PLAIN, audit, call, cause, different, divergence, explained, explanation, origin, run
from tests.support.audits import place_finding as place
from tests.support.formats import no_verdict, unjudged, with_baseline


def warned() -> Audit:
    """A reproducible audit with a warning."""
    return audit(findings=(cause(code="RC401", severity="warning", location=None, source=""),))


def half_judged() -> Audit:
    """One seed differs, another has no verdict."""
    answer = explained()
    return replace(answer, seeds=(*answer.seeds, unjudged(1)))


def uncompared(allowed: bool = False) -> Audit:
    """It differs, so that it could not be compared with the other revision."""
    other = Against(
        text="main", commit="c" * 40, verdict=Verdict.NO_VERDICT, reason="the current state does not reproduce",
        seeds=(), differing=(), divergence=None, shifts=(), allowed=allowed,
    )  # fmt: skip
    return replace(explained(), against=other)


def unbased() -> Audit:
    """It differs, so that it could not be compared with its baseline."""
    return with_baseline(Verdict.NO_VERDICT, explained())


def known_from(answer: Audit, folder: Path) -> Known:
    file = folder / "before.json"
    file.write_text(render_json(answer, PLAIN))
    return load_known(file)


class TestSwitches:
    @pytest.mark.parametrize(
        ("make", "fail_on", "expected"),
        [
            (audit, FailOn.ERROR, 0),
            (audit, FailOn.WARNING, 0),
            (audit, FailOn.NEVER, 0),
            (warned, FailOn.ERROR, 0),
            (warned, FailOn.WARNING, 1),
            (warned, FailOn.NEVER, 0),
            (explained, FailOn.ERROR, 1),
            (explained, FailOn.WARNING, 1),
            (explained, FailOn.NEVER, 0),
            (no_verdict, FailOn.ERROR, 3),
            (no_verdict, FailOn.WARNING, 3),
            (no_verdict, FailOn.NEVER, 3),
            (half_judged, FailOn.ERROR, 1),
            (half_judged, FailOn.NEVER, 3),
            (uncompared, FailOn.ERROR, 1),
            (uncompared, FailOn.NEVER, 3),
            (unbased, FailOn.ERROR, 1),
            (unbased, FailOn.NEVER, 3),
        ],
    )
    def test_fail_on_and_exit_zero(self, make: Any, fail_on: FailOn, expected: int) -> None:
        assert decide(make(), Switches(fail_on=fail_on)).exit_code == expected
        softened = {1: {3} if make in (half_judged, uncompared, unbased) else {0}}.get(expected, {expected})
        assert {decide(make(), Switches(fail_on=fail_on, exit_zero=True)).exit_code} == softened

    def test_a_difference_from_a_revision_that_is_allowed_hides_no_verdict(self) -> None:
        assert decide(uncompared(allowed=True), Switches(fail_on=FailOn.NEVER)).exit_code == 0

    @pytest.mark.parametrize("code", [2, 3, 4, 130])
    def test_nothing_softens_another_code(self, code: int) -> None:
        for fail_on, exit_zero in itertools.product(FailOn, (False, True)):
            known = Known(name="k", findings=frozenset(), differences=frozenset())
            switches = Switches(fail_on=fail_on, exit_zero=exit_zero, known=known)
            assert decide(audit(exit_code=code), switches).exit_code == code

    def test_without_switches_nothing_changes(self) -> None:
        for make in (audit, warned, explained, no_verdict, half_judged):
            assert ruled(make(), Switches()) == make()

    def test_the_report_says_what_the_switches_did(self) -> None:
        softened = ruled(half_judged(), Switches(exit_zero=True))
        assert softened.exit_code == to_plain(softened)["exit_code"] == 3
        assert softened.verdict is Verdict.DIFFERENT
        assert softened.summary == (
            "runs differ; not failing: --exit-zero; no pass either: seed 1 has no verdict: run s1r0 failed"
        )
        assert decide(explained(), Switches(fail_on=FailOn.NEVER)).notes == ("not failing: --fail-on never",)
        assert decide(warned(), Switches(fail_on=FailOn.WARNING)).notes == ("failing: --fail-on warning: RC401",)

    def test_a_note_never_fails(self) -> None:
        noted = audit(findings=(cause(severity="note"),))
        assert decide(noted, Switches(fail_on=FailOn.WARNING)).exit_code == 0


class TestOptions:
    def test_the_arguments_of_the_option_are_those_of_the_gate(self) -> None:
        for word in FailOn:
            assert OPTIONS["fail-on"].check(word.value) == word.value
        assert OPTIONS["fail-on"].default == FailOn.ERROR.value

    def test_without_arguments_the_gate_is_as_it_was(self) -> None:
        assert read_switches(merge({}, {})) == Switches()

    def test_all_of_them_may_stand_in_the_configuration(self, tmp_path: Path) -> None:
        known_from(explained(), tmp_path)
        file = tmp_path / "pyproject.toml"
        file.write_text('[tool.reprocheck]\nfail-on = "warning"\nonly-new = "before.json"\nexit-zero = true\n')
        switches = read_switches(merge({}, load_config(file)))
        assert (switches.fail_on, switches.exit_zero) == (FailOn.WARNING, True)
        assert switches.known is not None
        assert switches.known.name == str(tmp_path / "before.json")
        given = read_switches(merge({"fail_on": "never", "exit_zero": False}, load_config(file)))
        assert (given.fail_on, given.exit_zero) == (FailOn.NEVER, False)

    @pytest.mark.parametrize(
        "line", ['fail-on = "sometimes"', "fail-on = true", "only-new = 3", 'exit-zero = "yes"', "exit-zero = 1"]
    )
    def test_a_mistake_is_a_usage_error(self, tmp_path: Path, line: str) -> None:
        (tmp_path / "pyproject.toml").write_text(f"[tool.reprocheck]\n{line}\n")
        with pytest.raises(UsageError, match=line.split()[0]):
            load_config(tmp_path / "pyproject.toml")


class TestOnlyNew:
    def code(self, before: Audit, now: Audit, folder: Path, **switches: Any) -> int:
        return decide(now, Switches(known=known_from(before, folder), **switches)).exit_code

    def moved(self, lines: int) -> Audit:
        """The explained audit after an edit above its line."""
        spot = Location(path="gcn.py", line=41 + lines)
        frames = tuple(replace(frame, location=spot) for frame in call().frames[:1])
        begun = explanation(origin=origin(call=call(frames=frames)))
        first = divergence(tensors=(), note="", location=spot, step=3 + lines)
        return explained(divergence=first, findings=(place(), cause(location=spot)), explanation=begun)

    def test_what_was_known_does_not_fail_wherever_its_line_is_now(self, tmp_path: Path) -> None:
        known = known_from(self.moved(0), tmp_path)
        decision = decide(self.moved(9), Switches(known=known))
        assert decision.exit_code == 0
        assert decision.notes == (f"known from {tmp_path}/before.json: RC303, RC541 gcn.py",)

    def test_a_new_cause_fails(self, tmp_path: Path) -> None:
        now = replace(self.moved(0), findings=(*self.moved(0).findings, cause(code="RC542")))
        decision = decide(now, Switches(known=known_from(self.moved(0), tmp_path)))
        assert decision.exit_code == 1
        assert decision.notes[0] == f"not known from {tmp_path}/before.json: RC542 gcn.py"

    @pytest.mark.parametrize(
        "changes",
        [{"source": "h = y[source]"}, {"location": Location(path="other.py", line=41)}, {"code": "RC542"}],
    )
    def test_another_line_file_or_code_is_new(self, tmp_path: Path, changes: dict[str, Any]) -> None:
        now = replace(self.moved(0), findings=(place(), cause(**changes)))
        assert self.code(self.moved(0), now, tmp_path) == 1

    def test_a_second_finding_like_a_known_one_is_new(self, tmp_path: Path) -> None:
        now = replace(
            self.moved(0), findings=(*self.moved(0).findings, cause(location=Location(path="gcn.py", line=9)))
        )
        assert self.code(self.moved(0), now, tmp_path) == 1

    def test_nothing_is_known_from_a_report_without_findings(self, tmp_path: Path) -> None:
        assert self.code(audit(), explained(), tmp_path) == 1

    def test_a_difference_that_no_finding_reports_of_is_never_known(self, tmp_path: Path) -> None:
        assert self.code(explained(), replace(explained(), findings=()), tmp_path) == 1
        assert self.code(explained(), replace(explained(), findings=(cause(),)), tmp_path) == 1

    def test_a_known_warning_does_not_fail(self, tmp_path: Path) -> None:
        assert self.code(warned(), warned(), tmp_path, fail_on=FailOn.WARNING) == 0
        assert self.code(audit(), warned(), tmp_path, fail_on=FailOn.WARNING) == 1

    def test_no_verdict_stays_no_verdict(self, tmp_path: Path) -> None:
        assert self.code(no_verdict(), no_verdict(), tmp_path) == 3
        assert self.code(half_judged(), half_judged(), tmp_path) == 3

    def seeds(self, *kinds: str) -> Audit:
        """Seeds that differ, each in a kind of its own; only the first has a finding."""
        firsts = [divergence(op=None, location=None, kind=kind) for kind in kinds]
        answer = different(firsts[0], run(1), findings=(place(),))
        seeds = [replace(answer.seeds[0], seed=number, divergence=first) for number, first in enumerate(firsts)]
        return replace(answer, seeds=tuple(seeds))

    def test_the_difference_of_a_further_seed_has_to_be_known_too(self, tmp_path: Path) -> None:
        assert self.code(self.seeds("loss"), self.seeds("loss", "loss"), tmp_path) == 0
        decision = decide(self.seeds("loss", "batch"), Switches(known=known_from(self.seeds("loss"), tmp_path)))
        assert decision.exit_code == 1
        assert decision.notes[0].endswith("before.json: the difference of seed 1")

    @pytest.mark.parametrize("code", ["RC310", "RC311"])
    def test_numbers_that_moved_elsewhere_or_further_are_new(self, tmp_path: Path, code: str) -> None:
        one, other = (
            audit(exit_code=1, findings=(place(code=code, evidence=("seed 0: first in the output", f"loss 1 -> {n}")),))
            for n in (2, 3)
        )
        assert self.code(one, one, tmp_path) == 0
        assert self.code(one, other, tmp_path) == 1

    def test_another_target_is_another_difference(self, tmp_path: Path) -> None:
        other = self.seeds("loss")
        target = replace(other.request.target, text="other.py:train")
        before = replace(other, request=replace(other.request, target=target))
        assert self.code(before, self.seeds("loss"), tmp_path) == 1

    def test_the_report_may_come_from_another_folder_of_the_repository(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / "sub").mkdir()
        monkeypatch.chdir(tmp_path / "sub")
        spot = Location(path=str(tmp_path / "sub" / "a.py"), line=1)
        answer = explained(divergence=divergence(location=spot), findings=(place(), cause(location=spot)))
        known = known_from(answer, tmp_path)
        assert decide(answer, Switches(known=known)).exit_code == 0


class TestReading:
    def refuse(self, file: Path, expected: str) -> None:
        with pytest.raises(UsageError, match=expected) as caught:
            load_known(file)
        assert caught.value.message.startswith("--only-new")
        assert caught.value.hint

    def test_a_file_that_is_not_there_or_no_file(self, tmp_path: Path) -> None:
        self.refuse(tmp_path / "none.json", "cannot read .*: No such file")
        self.refuse(tmp_path, "Is a directory|no regular file")
        self.refuse(Path("/dev/zero"), "Is a directory|no regular file")

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        self.refuse(tmp_path / "pipe", "Is a directory|no regular file")

    @pytest.mark.parametrize(
        "data",
        [b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 100_000, b"9" * 10_000, b"\x80\x04N."],
        ids=["empty", "cut", "utf-16", "deep list", "deep object", "digits", "pickle"],
    )
    def test_what_is_no_json(self, tmp_path: Path, data: bytes) -> None:
        file = tmp_path / "a.json"
        file.write_bytes(data)
        self.refuse(file, "not valid JSON")

    @pytest.mark.parametrize("report", [[], 3, None, {}, {"schema_version": True}, {"schema_version": "1"}])
    def test_what_is_no_report(self, tmp_path: Path, report: Any) -> None:
        file = tmp_path / "a.json"
        file.write_text(json.dumps(report))
        self.refuse(file, "not a JSON report of reprocheck")

    @pytest.mark.parametrize("version", [0, 2, 10**6])
    def test_another_version(self, tmp_path: Path, version: int) -> None:
        file = tmp_path / "a.json"
        file.write_text(json.dumps({**to_plain(explained()), "schema_version": version}))
        self.refuse(file, "another version")

    @pytest.mark.parametrize(
        "changes",
        [
            {"findings": None},
            {"findings": {}},
            {"findings": [3]},
            {"findings": [{"code": 3}]},
            {"findings": [{"code": "RC1", "cause": "", "source": "", "location": {"path": 3}}]},
            {"seeds": "x"},
            {"seeds": [{"seed": "0", "divergence": {"stage": "step", "kind": "", "names": []}}]},
            {"divergence": []},
            {"divergence": {"names": "abc"}},
            {"explanation": 7},
            {"explanation": {"origin": {"call": None}}},
            {"target": None},
            {"target": {"text": None}},
        ],
    )
    def test_a_report_of_another_shape(self, tmp_path: Path, changes: dict[str, Any]) -> None:
        file = tmp_path / "a.json"
        bare = explained(findings=(place(),), divergence=divergence(op=None))
        file.write_text(json.dumps({**to_plain(bare), **changes}))
        self.refuse(file, "not a JSON report of reprocheck: ")

    def test_a_report_that_is_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gate, "LARGEST_REPORT", 1 << 20)
        (tmp_path / "a.json").write_bytes(b" " * (1 << 20) + b"{}")
        self.refuse(tmp_path / "a.json", "larger than 1 MiB")

    def test_keys_that_it_does_not_know_and_a_byte_order_mark_are_no_trouble(self, tmp_path: Path) -> None:
        file = tmp_path / "a.json"
        file.write_text("\ufeff" + json.dumps({**to_plain(explained()), "later": [1]}), encoding="utf-8")
        assert len(load_known(file).findings) == 2
