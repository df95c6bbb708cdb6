"""The history in a folder: appended by many, read with what is damaged told; rates; quarantine."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reprocheck.commands.report.command import INDEX_FORMATS, make_index
from reprocheck.commands.report.ledger import MOST_FILE, MOST_LINE, append, check_history, read_ledger, remember
from reprocheck.commands.report.record import Record, Runs, record_of
from reprocheck.commands.run import gate
from reprocheck.commands.run.gate import Switches, decide, read_switches, ruled
from reprocheck.compare.rates import wilson
from reprocheck.config.settings import load_config, merge
from reprocheck.engine.console import Style
from reprocheck.engine.store import AUDITS, REPORT_FILE
from reprocheck.errors import UsageError
from reprocheck.model import Audit, Verdict
from reprocheck.report.json.reading import read_audit
from reprocheck.report.json.v1 import render_json
from tests.support.audits import audit, explained
from tests.support.formats import no_verdict, with_baseline
from tests.support.pages import check_page

STYLE = Style()
TODAY = datetime.date(2026, 6, 15)


def at(hour: int, found: Audit, commit: str = "a" * 40, cpu: str = "c", dirty: bool = False) -> Audit:
    numerical_class = {"torch": "2.9", "cpu": cpu}
    manifest = {"git": {"revision": commit, "dirty": dirty}, "numerical_class": numerical_class}
    started = f"2026-01-{1 + hour // 24:02}T{hour % 24:02}:00:00+00:00"
    return replace(found, started=started, manifest=manifest, directory=Path(f"/evidence/audit-{hour}"))


def record(hour: int, found: Audit, **how: str) -> Record:
    return record_of(at(hour, found, **how))


def history(folder: Path, *records: Record) -> Path:
    for one in records:
        append(folder, one)
    return folder


class TestRates:
    def test_wilson_is_that_of_the_books(self) -> None:
        assert wilson(0, 0) == (0.0, 1.0)
        assert wilson(0, 10) == pytest.approx((0.0, 0.27754), abs=1e-5)
        assert wilson(10, 10) == pytest.approx((0.72246, 1.0), abs=1e-5)
        assert wilson(3, 40) == pytest.approx((0.02584, 0.19864), abs=1e-5)

    def test_it_covers(self) -> None:
        from math import comb

        for rate in (0.05, 0.2, 0.5):
            inside = [k for k in range(41) if wilson(k, 40)[0] <= rate <= wilson(k, 40)[1]]
            assert sum(comb(40, k) * rate**k * (1 - rate) ** (40 - k) for k in inside) > 0.92


class TestFolder:
    def test_what_is_appended_is_read_and_a_line_each(self, tmp_path: Path) -> None:
        records = [record(1, audit()), record(2, explained()), record(3, no_verdict())]
        history(tmp_path / "h", *records)
        assert read_ledger(tmp_path / "h").records == tuple(records)
        (file,) = (tmp_path / "h").glob("*.jsonl")
        assert file.name == "2026-01.jsonl"
        assert len(file.read_text().splitlines()) == 3
        assert (tmp_path / "h" / ".gitattributes").read_text() == "[0-9][0-9][0-9][0-9]-[0-9][0-9]*.jsonl merge=union\n"

    def test_audits_at_the_same_time_do_not_harm_each_other(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("fork")
        writers = [context.Process(target=_write, args=(tmp_path, number)) for number in range(6)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
        ledger = read_ledger(tmp_path)
        assert (len(ledger.records), ledger.unreadable) == (6 * 30, ())

    def test_damaged_lines_are_told_and_left_out(self, tmp_path: Path) -> None:
        history(tmp_path, record(1, audit()))
        (file,) = tmp_path.glob("*.jsonl")
        whole = json.loads(file.read_text())
        damaged = [
            '{"ledger_version": 1',
            "[" * 5000,
            "<<<<<<< HEAD",
            json.dumps({**whole, "ledger_version": 2}),
            json.dumps({**whole, "verdict": "fine"}),
            json.dumps({key: value for key, value in whole.items() if key != "target"}),
            json.dumps({**whole, "seeds": 10**400}),
            "x" * (MOST_LINE + 1),
        ]
        file.write_text(file.read_text() + "\n".join(damaged))  # the last one was torn: it has no end
        append(tmp_path, record(2, explained()))
        ledger = read_ledger(tmp_path)
        assert [one.name for one in ledger.records] == ["audit-1", "audit-2"]
        assert [name for name, _ in ledger.unreadable] == [f"2026-01.jsonl:{line}" for line in range(9, 1, -1)][::-1]
        text = INDEX_FORMATS["text"](make_index(tmp_path / "none", tmp_path), STYLE)
        assert "not read: 2026-01.jsonl:5: it was written by a newer reprocheck" in text
        assert "not read: 2026-01.jsonl:6: it.verdict must be one of" in text

    def test_a_file_that_is_full_is_followed_by_another(self, tmp_path: Path) -> None:
        (tmp_path / "2026-01.jsonl").write_bytes(b"\n" * (MOST_FILE + 1))
        append(tmp_path, record(1, audit()))
        assert (tmp_path / "2026-01-2.jsonl").exists()
        assert len(read_ledger(tmp_path).records) == 1

    def test_files_from_artifacts_and_branches_are_one_history(self, tmp_path: Path) -> None:
        history(tmp_path / "job1", record(1, audit()), record(2, explained()))
        history(tmp_path / "job2", record(2, explained()), record(3, audit()))
        assert [one.name for one in read_ledger(tmp_path).records] == ["audit-1", "audit-2", "audit-3"]

    def test_other_json_lines_are_none_of_the_history(self, tmp_path: Path) -> None:
        history(tmp_path, record(1, audit()))
        (tmp_path / "train.jsonl").write_text("{}\n")
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "train.jsonl").write_text("{}\n")
        ledger = read_ledger(tmp_path)
        assert (len(ledger.records), ledger.unreadable) == (1, ())

    def test_git_merges_the_lines_of_two_branches(self, tmp_path: Path) -> None:
        def git(*words: str) -> None:
            own = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
            subprocess.run(["git", *own, *words], cwd=tmp_path, check=True, capture_output=True)

        git("init")
        history(tmp_path / "h", record(1, audit()))
        git("add", ".")
        git("commit", "-m", "a")
        git("checkout", "-b", "other")
        history(tmp_path / "h", record(2, explained()))
        git("commit", "-am", "b")
        git("checkout", "main")
        history(tmp_path / "h", record(3, audit()))
        git("commit", "-am", "c")
        git("merge", "other")
        ledger = read_ledger(tmp_path / "h")
        assert ([one.name for one in ledger.records], ledger.unreadable) == (["audit-1", "audit-2", "audit-3"], ())

    def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_run(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="cannot keep a history in"):
            check_history(tmp_path / "file" / "h")
        with pytest.raises(UsageError, match="cannot read the history"):
            read_ledger(tmp_path / "nothing")

    def test_a_line_that_cannot_be_written_costs_no_verdict(self, tmp_path: Path) -> None:
        (tmp_path / "2026-01.jsonl").mkdir()
        assert remember(tmp_path, at(1, audit())).startswith(f"not in the history {tmp_path}: ")

    def test_a_link_is_not_written_through(self, tmp_path: Path) -> None:
        (tmp_path / "h").mkdir()
        os.symlink(tmp_path / "elsewhere", tmp_path / "h" / "2026-01.jsonl")
        assert remember(tmp_path / "h", at(1, audit()))
        assert not (tmp_path / "elsewhere").exists()

    def test_no_secret_gets_in(self, tmp_path: Path) -> None:
        one = audit()
        target = replace(one.request.target, argv=("--api-key", "verysecret"), arguments=(("token", "alsosecret"),))
        settings = replace(one.request.settings, env=(("A", "evensecret"),))
        append(tmp_path, record(1, replace(one, request=replace(one.request, target=target, settings=settings))))
        assert "secret" not in (tmp_path / "2026-01.jsonl").read_text()

    @pytest.mark.parametrize("found", [audit(), explained(), no_verdict()])
    def test_a_kept_audit_and_its_line_are_the_same_record(self, found: Audit) -> None:
        one = at(1, found)
        assert record_of(read_audit(json.loads(render_json(one, STYLE)))) == record_of(one)


def _write(folder: Path, number: int) -> None:
    for place in range(30):
        append(folder, record(number * 30 + place, audit()))


class TestIndex:
    def test_flakiness_by_class_and_commit(self, tmp_path: Path) -> None:
        good, bad, other = {"cpu": "old"}, {"cpu": "new"}, "b" * 40
        history(tmp_path, *(record(hour, audit(), **good) for hour in range(5)))
        history(tmp_path, *(record(5 + hour, audit(), **bad) for hour in range(3)))
        history(tmp_path, record(8, explained(), commit=other, **bad), record(9, audit(), commit=other, **bad))
        history(tmp_path, record(10, no_verdict(), commit=other, **bad))
        index = make_index(tmp_path / "none", tmp_path)
        (target,) = index.histories
        assert [(rate.audits, rate.differed) for rate in target.rates] == [(5, 0), (5, 1)]
        (flaky,) = target.flaky
        assert (flaky.commit, flaky.audits, flaky.differed) == (other, 2, 1)
        text = INDEX_FORMATS["text"](index, STYLE)
        assert "runs differed in 1 of 10 audits; first at 2026-01-01 08:00:00 (commit bbbbbbbbb)" in text
        assert "seen in class 1 alone: none of 5 audits elsewhere" in text
        assert "flaky at commit bbbbbbbbb in class 1: runs differed in 1 of 2 audits" in text
        assert "3.6 % to 62.4 %" in text
        data = check_page(INDEX_FORMATS["html"](index, STYLE)).data()["targets"][0]
        assert data["flaky_commits"][0]["differed"] == 1
        assert data["first_differed"] == {"audit": "audit-8", "commit": other, "started": "2026-01-01T08:00:00+00:00"}

    def test_a_commit_with_changes_is_not_called_flaky(self, tmp_path: Path) -> None:
        append(tmp_path, record_of(at(1, audit(), dirty=True)))
        append(tmp_path, record_of(at(2, explained(), dirty=True)))
        assert make_index(tmp_path / "none", tmp_path).histories[0].flaky == ()

    def test_nothing_seen_is_not_nothing_there(self, tmp_path: Path) -> None:
        history(tmp_path, *(record(hour, audit()) for hour in range(10)))
        text = INDEX_FORMATS["text"](make_index(tmp_path / "none", tmp_path), STYLE)
        assert "runs differed in none of 10 audits (0.0 % to 27.8 %)" in text

    def test_results_that_moved_are_no_difference_between_runs(self) -> None:
        moved = with_baseline(Verdict.DIFFERENT)
        assert record_of(replace(moved, verdict=Verdict.DIFFERENT)).runs is Runs.AGREE

    def test_kept_audits_and_history_are_one(self, tmp_path: Path) -> None:
        one = at(1, audit())
        folder = tmp_path / AUDITS / "audit-1"
        folder.mkdir(parents=True)
        (folder / REPORT_FILE).write_text(render_json(one, STYLE))
        history(tmp_path / "h", record_of(one), record(2, explained()))
        (target,) = make_index(tmp_path, tmp_path / "h").histories
        assert [entry.record.name for entry in target.entries] == ["audit-2", "audit-1"]

    def test_a_long_history_is_cut(self, tmp_path: Path) -> None:
        history(tmp_path, *(record(hour, audit()) for hour in range(60)))
        text = INDEX_FORMATS["text"](make_index(tmp_path / "none", tmp_path), STYLE)
        assert "and 10 earlier audits" in text


class TestQuarantine:
    @pytest.fixture(autouse=True)
    def _day(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gate, "_today", lambda: TODAY)

    def switches(self, folder: Path | None, *given: str) -> Switches:
        options = merge({"quarantine": list(given), "history": None if folder is None else str(folder)}, {})
        return read_switches(options, audit().request.target)

    def known(self, folder: Path) -> Path:
        return history(folder, record(1, audit()), record(2, explained()))

    def test_a_known_flaky_gate_warns_until_the_day(self, tmp_path: Path) -> None:
        decision = decide(explained(), self.switches(self.known(tmp_path), "gcn.py:train=2026-06-15"))
        assert decision.exit_code == 0
        (note,) = decision.notes
        assert note == (
            "not failing: in quarantine until 2026-06-15 (runs differed in 1 of 2 audits before, 9.5 % to 90.5 %)"
        )
        answer = ruled(explained(), self.switches(tmp_path, "gcn.py:train=2026-06-15"))
        assert answer.verdict is Verdict.DIFFERENT
        assert note in answer.summary

    def test_afterwards_it_fails_again_and_says_so(self, tmp_path: Path) -> None:
        switches = self.switches(self.known(tmp_path), "gcn.py:train=2026-06-14")
        assert decide(explained(), switches).exit_code == 1
        assert decide(explained(), switches).notes == ("the quarantine of gcn.py:train ended on 2026-06-14",)
        assert decide(audit(), switches).notes == ("the quarantine of gcn.py:train ended on 2026-06-14",)

    def test_what_was_never_seen_to_differ_is_not_excused(self, tmp_path: Path) -> None:
        switches = self.switches(history(tmp_path, record(1, audit())), "gcn.py:train=2026-12-31")
        decision = decide(explained(), switches)
        assert decision.exit_code == 1
        assert f"the history {tmp_path} knows no audit of gcn.py:train whose runs differed" in decision.notes[-1]

    def test_an_unknown_target_is_told(self, tmp_path: Path) -> None:
        decision = decide(explained(), self.switches(self.known(tmp_path), "gcn.py:trian=2026-12-31"))
        assert decision.exit_code == 1
        assert decision.notes[-1] == (
            f"--quarantine has no effect: no audit of gcn.py:trian is in the history {tmp_path}: "
            "did you mean `gcn.py:train`?"
        )

    def test_a_quarantine_of_another_target_says_nothing_here(self, tmp_path: Path) -> None:
        other = replace(explained().request.target, text="other.py:train")
        append(self.known(tmp_path), record(3, replace(explained(), request=replace(audit().request, target=other))))
        assert self.switches(tmp_path, "other.py:train=2026-12-31").quarantine is None

    def test_results_that_moved_and_no_verdict_are_never_excused(self, tmp_path: Path) -> None:
        switches = self.switches(self.known(tmp_path), "gcn.py:train=2026-12-31")
        moved = with_baseline(Verdict.DIFFERENT)
        assert decide(replace(moved, exit_code=1), switches).exit_code == 1
        both = replace(explained(), baseline=moved.baseline)
        assert decide(both, switches).exit_code == 1
        assert decide(no_verdict(), switches).exit_code == no_verdict().exit_code != 0

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("t.py:f=31.12.2026", "must have a day as in 2026-12-31 for 't.py:f', not '31.12.2026'"),
            ("t.py:f=2026-02-30", "must have a day as in 2026-12-31"),
            ("2026-12-31", "must be TARGET=DATE"),
            ("=2026-12-31", "must have a target before the ="),
        ],
    )
    def test_a_bad_date_is_refused(self, given: str, message: str) -> None:
        with pytest.raises(UsageError, match="--quarantine") as refused:
            merge({"quarantine": [given]}, {})
        assert message in refused.value.message

    def test_it_needs_a_history(self) -> None:
        with pytest.raises(UsageError, match="--quarantine needs a history"):
            self.switches(None, "gcn.py:train=2026-12-31")

    def test_it_may_stand_in_the_configuration(self, tmp_path: Path) -> None:
        file = tmp_path / "pyproject.toml"
        file.write_text(
            "[tool.reprocheck]\nhistory = 'h'\n[tool.reprocheck.quarantine]\n"
            '"gcn.py:train" = 2026-12-31\n"b.py" = \'2027-01-01\'\n'
        )
        config = load_config(file)
        assert config["history"] == tmp_path / "h"
        assert dict(merge({}, config)["quarantine"])["b.py"] == datetime.date(2027, 1, 1)
