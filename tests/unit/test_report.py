"""Reports from audits built by hand: words, JSON contract, hostile text, files and pipes."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.config import checks
from reprocheck.engine.console import Style
from reprocheck.errors import UsageError
from reprocheck.model import (
    Audit,
    Finding,
    Informational,
    Location,
    MetricSummary,
    NotCompared,
    Request,
    SeedAudit,
    Settings,
    Status,
    Target,
    TargetKind,
    Verdict,
)
from reprocheck.report import FORMATS, render_text
from reprocheck.report import write as write_module
from reprocheck.report.json.v1 import render_json, to_plain
from reprocheck.report.wording import prefix_length
from reprocheck.report.write import OutputError, check_writable, print_report, write_outputs
from tests.support.audits import HOSTILE, PLAIN, A, B, audit, different, divergence, run, tensor


def failed() -> Audit:
    argv = "\n".join(f"line {number}" for number in range(100))
    runs = (run(0, status=Status.FAILED, reason="exit code 1", stderr_tail=argv, init="", output="", steps=0),)
    seed = SeedAudit(seed=0, verdict=Verdict.NO_VERDICT, reason="run s0r0 failed", runs=runs, divergence=None)
    return audit(verdict=Verdict.NO_VERDICT, exit_code=3, summary="a run failed", seeds=(seed,), metrics=())


def hostile() -> Audit:
    bad = divergence(
        names=(HOSTILE,),
        tensors=(tensor(HOSTILE, dtype=HOSTILE, reason=HOSTILE, values=None, a=HOSTILE, b=""),),
        note=HOSTILE,
        kind=HOSTILE,
        op=HOSTILE,
        location=Location(path=HOSTILE, line=1),
    )
    second = run(1, id=HOSTILE, status=Status.LOST, reason=HOSTILE, stderr_tail=HOSTILE, settings={"threads": HOSTILE})
    finding = Finding(
        code="RC1", cause=HOSTILE, severity="error", confidence="high", message=HOSTILE, evidence=(HOSTILE,)
    )
    return different(
        bad,
        second,
        request=Request(
            target=Target(text=HOSTILE, kind=TargetKind.SCRIPT, arguments=(("a", {1, (2, b"3")}),)),
            settings=Settings(threads=2),
        ),
        findings=(replace(finding, help=HOSTILE),),
        metrics=(MetricSummary(name=HOSTILE, seeds=2, mean=float("nan"), std=float("inf"), within=0.0),),
        summary=HOSTILE,
        compared=(HOSTILE,),
        not_compared=(NotCompared(what=HOSTILE, reason=HOSTILE),),
        varied=(HOSTILE,),
        not_varied=(NotCompared(what=HOSTILE, reason=HOSTILE),),
        directory=Path("/x" + HOSTILE),
    )


class TestText:
    def test_a_pass_is_worded_modestly(self) -> None:
        text = render_text(audit(), PLAIN)
        assert text.splitlines()[0] == "REPRODUCIBLE  gcn.py:train  no difference observed in 2 runs of 1 seed"
        assert "s0r0  completed  aaaaaaaa  20 aaaaaaaa  aaaaaaaa  1.2 s  312 MiB, cuda:0 1.0 GiB\n" in text
        assert "*" not in text
        assert "loss: never seen" in text
        assert "stdout  differ  does not decide  took 1.23 s" in text
        assert text.endswith("\nno difference observed in 2 runs\nevidence: /evidence/audit-1\n")

    def test_a_difference_at_a_step_has_place_table_and_note(self) -> None:
        text = render_text(different(divergence(), run(1, steps_digest=B, output=B)), PLAIN)
        assert text.splitlines()[0] == ("DIFFERENT  gcn.py:train  2 runs of seed 0 differ first at step 3 in gradients")
        assert "20 bbbbbbbb*  bbbbbbbb*" in text
        assert "* differs from s0r0" in text
        assert "error[RC303]: gradients differ between run s0r0 and run s0r1" in text
        assert "  --> gcn.py:41, first at step 3 in gradients, op `aten::index_add_`" in text
        assert "118 of 4096 (2.9 %)" in text
        assert "2.4e-07" in text
        assert "[0, 1] 0.5" in text
        assert "   = note: the batch was equal" in text

    def test_a_difference_before_the_first_step_names_tensors(self) -> None:
        tensors = tuple(tensor(f"layer{number}", values=None, reason="not kept") for number in range(1000))
        first = divergence(stage="init", step=None, kind="parameters", tensors=tensors, op=None, location=None)
        text = render_text(different(first, run(1, init=B)), PLAIN)
        assert "differ first in the initial parameters, before the first step" in text
        assert "layer9 " in text
        assert "layer10 " not in text
        assert "   | and 990 more" in text
        assert len(to_plain(different(first, run(1, init=B)))["divergence"]["tensors"]) == 1000

    def test_no_verdict_says_so_first_then_why_then_what_to_try(self) -> None:
        lines = render_text(failed(), PLAIN).splitlines()
        assert lines[0] == "fatal: no verdict reached"
        assert "   = why: seed 0: run s0r0 failed" in lines
        assert "  run s0r0 failed: exit code 1" in lines
        assert "     | (85 lines left out)" in lines
        assert "     | line 84" not in lines
        assert "     | line 99" in lines
        assert any(line.startswith("   = help: run the target once") for line in lines)

    def test_a_finding_is_reported_in_the_grammar_of_diagnostics(self) -> None:
        finding = Finding(
            code="RC901",
            cause="index-add",
            severity="error",
            confidence="high",
            message="unordered sums",
            location=Location(path="gcn.py", line=41),
            evidence=("ran on CUDA",),
            help="use deterministic algorithms",
        )
        text = render_text(audit(findings=(finding,)), PLAIN)
        assert (
            "error[RC901]: unordered sums\n  --> gcn.py:41\n   | ran on CUDA\n"
            "   = note: cause: index-add, confidence: high\n   = help: use deterministic algorithms\n"
        ) in text

    def test_a_setting_that_the_target_changed_is_shown(self) -> None:
        target = Target(text="x.py", kind=TargetKind.SCRIPT)
        text = render_text(audit(request=Request(target=target, settings=Settings(threads=2))), PLAIN)
        assert "threads: asked 2, at the end 4 (s0r0, s0r1)" in text

    @pytest.mark.parametrize("make", [hostile, failed])
    def test_nothing_from_outside_reaches_the_terminal_as_a_command(self, make: Any) -> None:
        text = render_text(make(), PLAIN)
        assert not [char for char in text if not char.isprintable() and char != "\n"]
        render_text(make(), Style(ascii=True)).encode("ascii")

    def test_markup_and_emoji_stay_as_they_are(self) -> None:
        assert "[red]x[/] :smile: \\x1b[31m" in render_text(hostile(), PLAIN)

    def test_no_verdict_with_hostile_stderr_tail_is_harmless(self) -> None:
        text = render_text(replace(hostile(), verdict=Verdict.NO_VERDICT), Style(ascii=True))
        assert not [char for char in text if not char.isprintable() and char != "\n"]

    def test_a_huge_name_does_not_make_a_huge_report(self) -> None:
        huge = divergence(tensors=tuple(tensor("n" * 100_000) for _ in range(1000)), names=("n" * 100_000,) * 1000)
        text = render_text(different(huge, run(1, output=B)), PLAIN)
        assert len(text) < 10_000
        assert "(100000 characters)" in text

    def test_colour_adds_nothing_but_colour(self) -> None:
        import re

        made = different(divergence(), run(1, output=B))
        coloured = render_text(made, Style(colour=True))
        assert "\x1b[31m" in coloured
        assert re.sub(r"\x1b\[\d+m", "", coloured) == render_text(made, PLAIN)

    def test_prefixes_are_long_enough_to_differ(self) -> None:
        one, other = "1" * 20 + "a" * 12, "1" * 20 + "b" * 12
        assert prefix_length([one, one, "", "0.5"]) == 8
        assert prefix_length([A, one, other]) == 21
        text = render_text(different(divergence(tensors=()), run(1, init=one, output=other)), PLAIN)
        assert one[:21] in text
        assert other[:21] in text


class TestJson:
    def test_it_has_the_keys_of_the_contract(self) -> None:
        plain = json.loads(render_json(different(divergence(), run(1)), PLAIN))
        assert plain["schema_version"] == 1
        assert plain["verdict"] == "different"
        assert plain["divergence"]["location"] == {"path": "gcn.py", "line": 41}
        assert plain["divergence"]["tensors"][0]["values"]["max_ulp"] == 3
        assert plain["seeds"][0]["runs"][0]["steps"] == {"count": 20, "digest": A}
        assert plain["seeds"][0]["divergence"] == plain["divergence"]
        assert plain.keys() == {
            *(
                "schema_version",
                "fingerprint_version",
                "verdict",
                "exit_code",
                "headline",
                "summary",
                "summary_parts",
                "target",
                "asked",
                "seeds",
                "divergence",
            ),
            *(
                "drift",
                "explanation",
                "against",
                "baseline",
                "findings",
                "metrics",
                "compared",
                "not_compared",
                "not_compared_results",
                "ranks",
                "self_seeding",
                "varied",
                "not_varied",
                "manifest",
                "missing_runs",
                "classes",
                "volatile",
            ),
        }

    def test_what_no_two_audits_share_is_volatile(self) -> None:
        deferred = audit(
            started="2027",
            seconds=9.0,
            directory=Path("/evidence/audit-2"),
            manifest={"torch": "2.9", "volatile": {"host": "other", "pids": [2]}},
            compared=("initial parameters", "steps"),
            seeds=(
                replace(
                    audit().seeds[0],
                    notes=("see /evidence/audit-2/s0r0",),
                    informational=(
                        Informational(what="stdout", same=False, detail="took 9 s", only_times=True),
                        Informational(what="files", same=True, detail="2"),
                    ),
                    runs=tuple(
                        run(n, seconds=7.0, ambient={"hash_seed": 9},
                            directory="/evidence/audit-2/r", stderr_tail="bye",
                            memory={"rss_peak": 1, "cuda": {"0": {"allocated_peak": 2, "reserved_peak": 3}}})
                        for n in (0, 1)
                    ),
                ),
            ),
        )  # fmt: skip
        earlier = audit(seeds=(replace(audit().seeds[0], notes=("see /evidence/audit-1/s0r0",)),))
        one, other = to_plain(earlier), to_plain(deferred)
        assert one.pop("volatile") != other.pop("volatile")
        assert one == other
        assert one["seeds"][0]["runs"][0]["memory"] == {
            "measured": ["cuda.0.allocated_peak", "cuda.0.reserved_peak", "rss_peak"]
        }

    def test_the_peak_of_memory_is_that_of_a_plain_run_and_a_large_child_stands_next_to_it(self) -> None:
        sizes = {"rss_peak": 200 << 20, "plain_rss_peak": 300 << 20}
        for child, shown in ((20 << 20, "300 MiB"), (90 << 20, "300 MiB, largest child 90.0 MiB")):
            ran = run(0, memory={**sizes, "children_rss_peak": child})
            text = render_text(audit(seeds=(replace(audit().seeds[0], runs=(ran,)),)), PLAIN)
            assert any(line.rstrip().endswith(shown) for line in text.splitlines()), text

    def test_measured_numbers_are_under_volatile(self) -> None:
        volatile = to_plain(audit())["volatile"]
        assert volatile["host"] == "h"
        assert volatile["runs"]["s0r0"]["memory"]["rss_peak"] == 312 * 2**20
        assert volatile["beside"] == {"0": {"stdout": "took 1.23 s"}}

    @pytest.mark.parametrize("make", [audit, failed, hostile])
    def test_it_is_valid_ascii_sorted_and_ends_with_a_newline(self, make: Any) -> None:
        text = render_json(make(), PLAIN)
        plain = json.loads(text, parse_constant=lambda word: pytest.fail(word))
        assert text.isascii()
        assert text == json.dumps(plain, indent=2, sort_keys=True) + "\n"
        json.dumps(plain, ensure_ascii=False).encode("utf-8")

    def test_numbers_that_json_lacks_are_strings(self) -> None:
        metric = to_plain(hostile())["metrics"][0]
        assert (metric["mean"], metric["std"]) == ("nan", "inf")

    def test_paths_below_the_current_directory_are_relative(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "a" / "x.py"
        target = Target(text=f"{path}:train", kind=TargetKind.FILE_FUNCTION, path=path, function="train")
        plain = to_plain(audit(request=Request(target=target)))["target"]
        assert (plain["text"], plain["path"]) == ("a/x.py:train", "a/x.py")

    def test_a_secret_in_the_environment_is_not_reported(self) -> None:
        target = Target(text="x.py", kind=TargetKind.SCRIPT)
        request = Request(target=target, settings=Settings(env=(("TOKEN", "s3cret"),)))
        assert "s3cret" not in render_json(audit(request=request), PLAIN)


class TestWrite:
    def test_the_registry_and_the_check_of_the_option_name_the_same(self) -> None:
        assert tuple(FORMATS) == checks.FORMATS

    def test_every_output_is_written_whole(self, tmp_path: Path) -> None:
        outputs = (("json", tmp_path / "a.json"), ("text", tmp_path / "a.txt"))
        check_writable(outputs)
        write_outputs(audit(), outputs, Style(colour=True, ascii=True))
        assert json.loads((tmp_path / "a.json").read_text())["verdict"] == "reproducible"
        assert (tmp_path / "a.txt").read_text() == render_text(audit(), PLAIN)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.txt"]

    def test_a_missing_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no folder"):
            check_writable([("json", tmp_path / "none" / "a.json")])

    def test_a_directory_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="it is a directory"):
            check_writable([("json", tmp_path)])

    def test_a_file_in_place_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("")
        with pytest.raises(UsageError, match="cannot write"):
            check_writable([("json", tmp_path / "f" / "a.json")])

    def test_a_folder_without_permission_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(write_module.os, "access", lambda path, mode: False)  # root may write anywhere
        with pytest.raises(UsageError, match="is not writable"):
            check_writable([("json", tmp_path / "a.json")])

    def test_one_file_under_two_names_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "b").symlink_to(tmp_path / "a")
        with pytest.raises(UsageError, match="are the same file"):
            check_writable([("json", tmp_path / "a"), ("text", tmp_path / "b")])

    def test_checking_makes_nothing(self, tmp_path: Path) -> None:
        check_writable([("json", tmp_path / "a.json")])
        assert not list(tmp_path.iterdir())

    def test_a_failure_leaves_the_old_file_and_no_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a.json"
        path.write_text("old")

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(write_module.os, "fsync", full)
        with pytest.raises(OutputError, match=r"cannot write json report to .*: No space left on device"):
            write_outputs(audit(), [("json", path)], PLAIN)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_one_failure_does_not_stop_the_others(self, tmp_path: Path) -> None:
        outputs = [("json", tmp_path / "none" / "a"), ("text", tmp_path / "b")]
        with pytest.raises(OutputError):
            write_outputs(audit(), outputs, PLAIN)
        assert (tmp_path / "b").exists()

    def test_a_link_stays_a_link_and_a_mode_stays(self, tmp_path: Path) -> None:
        real, link = tmp_path / "real", tmp_path / "link"
        real.write_text("")
        real.chmod(0o640)
        link.symlink_to(real)
        write_outputs(audit(), [("json", link)], PLAIN)
        assert link.is_symlink()
        assert real.read_text().startswith("{")
        assert stat.S_IMODE(real.stat().st_mode) == 0o640

    def test_the_null_device_is_not_replaced(self) -> None:
        check_writable([("json", Path(os.devnull)), ("text", Path(os.devnull))])
        write_outputs(audit(), [("json", Path(os.devnull))], PLAIN)
        assert stat.S_ISCHR(os.stat(os.devnull).st_mode)

    def test_the_report_is_all_of_standard_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_report("report\n")
        assert capsys.readouterr() == ("report\n", "")

    def test_a_reader_that_has_gone_away_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            print_report("x" * 1_000_000)
            stream.flush()

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_a_full_disk_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with open("/dev/full", "w") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            with pytest.raises(OutputError, match="No space left"):
                print_report("report\n")
            stream.flush()

    def test_what_the_encoding_lacks_is_written_with_escapes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with open(tmp_path / "out", "w", encoding="ascii") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            print_report("größe…\n")
        assert (tmp_path / "out").read_text() == "gr\\xf6\\xdfe\\u2026\n"
