"""Two revisions against each other: the verdict, the lines at which they part, what was changed, and how it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.run.against import compare_sides, overall_against, placed_against, summarize_against
from reprocheck.commands.run.changes import why_not_own_code, with_changes
from reprocheck.diagnosis.rules.difference import find_moved
from reprocheck.engine.revision import Revision
from reprocheck.errors import ExitCode
from reprocheck.model import (
    Against,
    Change,
    EnvironmentFactors,
    Evidence,
    Location,
    MetricShift,
    Request,
    RunSpec,
    SeedAudit,
    Settings,
    Target,
    TargetKind,
    Verdict,
)
from reprocheck.model.explanation import Frame
from reprocheck.report import render_text
from reprocheck.report.json.v1 import render_json
from tests.support.audits import LINE, PLAIN, audit, call, divergence, explanation, origin, run
from tests.support.history import Project

BASE_LINE = Frame(location=Location(path="HEAD~1:gcn.py", line=40), function="GCN.forward", code="h = x[target]")


def against(**changes: Any) -> Against:
    given = {
        "text": "HEAD~1",
        "commit": "1ec72fc2d5dbf74465575609aa7c54d9fec28114",
        "verdict": Verdict.DIFFERENT,
        "reason": "",
        "seeds": (seed(),),
        "differing": (0,),
        "divergence": divergence(runs=("base-s0r0", "s0r0"), op=None, location=None, tensors=(), note=""),
        "shifts": (MetricShift(name="loss", seeds=5, base=0.43121, here=0.43131, std=0.005),),
        "allowed": False,
    }
    return Against(**{**given, **changes})


def seed(**changes: Any) -> SeedAudit:
    given = {"seed": 0, "verdict": Verdict.REPRODUCIBLE, "reason": "", "divergence": None}
    runs = (run(0, id="base-s0r0"), run(1, id="base-s0r1"))
    return SeedAudit(**{**given, "runs": runs, **changes})


def change(here: int = 41, base: int = 40, after: str = "h = x[source]", before: str = "h = x[target]") -> Change:
    return Change(
        here=Location(path="gcn.py", line=here),
        base=Location(path="HEAD~1:gcn.py", line=base),
        before=(before,) if before else (),
        after=(after,) if after else (),
    )


def moved(found: Against, **changes: Any) -> Any:
    """The audit that tells of it."""
    given = {"verdict": Verdict.DIFFERENT, "exit_code": 1, "summary": "own; other", "against": found}
    return audit(**{**given, "divergence": found.divergence, "findings": tuple(find_moved(found)), **changes})


def both_calls() -> Any:
    other = call(frames=(BASE_LINE,))
    return explanation(attribution=None, trials=(), excluded=(), origin=origin(other=other, runs=("HEAD~1", "now")))


class TestVerdict:
    @pytest.mark.parametrize(
        ("own", "other", "allowed", "code"),
        [
            (Verdict.REPRODUCIBLE, Verdict.REPRODUCIBLE, False, 0),
            (Verdict.REPRODUCIBLE, Verdict.DIFFERENT, False, 1),
            (Verdict.REPRODUCIBLE, Verdict.DIFFERENT, True, 0),
            (Verdict.REPRODUCIBLE, Verdict.NO_VERDICT, False, 3),
            (Verdict.DIFFERENT, Verdict.NO_VERDICT, True, 1),
            (Verdict.NO_VERDICT, Verdict.NO_VERDICT, True, 3),
        ],
    )
    def test_this_side_has_to_reproduce_in_any_case(
        self, own: Verdict, other: Verdict, allowed: bool, code: int
    ) -> None:
        codes = {Verdict.REPRODUCIBLE: ExitCode.OK, Verdict.DIFFERENT: ExitCode.DIFFERENT}
        before = codes.get(own, ExitCode.NO_VERDICT)
        assert overall_against(own, before, against(verdict=other, allowed=allowed))[1] == code

    @pytest.mark.parametrize(
        ("base", "here", "reason"),
        [
            (seed(verdict=Verdict.DIFFERENT), seed(), "v1 does not reproduce (seed 0)"),
            (seed(), seed(verdict=Verdict.DIFFERENT), "the current state does not reproduce (seed 0)"),
            (seed(verdict=Verdict.NO_VERDICT, reason="it hung"), seed(), "v1 gave no verdict: it hung"),
        ],
    )
    def test_a_side_that_does_not_reproduce_is_not_compared(
        self, base: SeedAudit, here: SeedAudit, reason: str
    ) -> None:
        revision = Revision(text="v1", commit="c" * 40, top=Path("/p"), worktree=Path("/t"))
        request = Request(target=Target(text="t.py", kind=TargetKind.SCRIPT))
        found = compare_sides(revision, request, (), (base,), (), (here,))
        assert (found.verdict, found.reason, found.divergence) == (Verdict.NO_VERDICT, reason, None)

    def test_the_sentence_claims_no_more_than_was_seen(self) -> None:
        same = against(verdict=Verdict.REPRODUCIBLE, differing=(), divergence=None, seeds=(seed(), seed(seed=1)))
        assert summarize_against(same) == "no difference from HEAD~1 (1ec72fc2d) observed in 2 seeds"


class TestPlace:
    def test_the_lines_of_the_operation(self) -> None:
        found = placed_against(against(), both_calls())
        assert found.here is not None
        assert found.divergence is not None
        assert (found.here.location, found.base) == (LINE, BASE_LINE)
        assert (found.divergence.location, found.divergence.op) == (LINE, "aten::_index_put_impl_")

    def test_the_only_change_is_the_cause_wherever_it_takes_effect(self) -> None:
        found = placed_against(against(changes=(change(here=12, base=11),)), both_calls())
        assert found.here is not None
        assert found.base is not None
        assert (found.here.location.line, found.base.location.line) == (12, 11)

    def test_an_operation_inside_the_only_change_keeps_its_line(self) -> None:
        lines = Change(
            here=Location(path="gcn.py", line=40),
            base=Location(path="HEAD~1:gcn.py", line=40),
            before=("h = x[target]",),
            after=("source = source[order]", "h = x[source]"),
        )
        found = placed_against(against(changes=(lines,)), both_calls())
        assert found.here is not None
        assert found.here.location == LINE

    def test_code_that_was_not_imported_is_no_rival_of_the_only_change(self) -> None:
        found = placed_against(against(changes=(change(here=12, base=11),), other_files=("unused.py",)), both_calls())
        assert found.here is not None
        assert found.here.location.line == 12

    def test_with_several_changes_only_the_operation_is_known(self) -> None:
        for more in ({"changes": (change(12), change(60))}, {"changes": (change(12),), "other_files": ("a.yaml",)}):
            found = placed_against(against(**more), both_calls())
            assert found.here is not None
            assert found.here.location == LINE
            assert placed_against(against(**more), None).here is None

    def test_an_operation_that_only_the_revision_executed(self) -> None:
        gone = origin(
            kind="extra", call=call(frames=(BASE_LINE,)), other=call(), runs=("HEAD~1", "now"), only_in="HEAD~1"
        )
        found = placed_against(against(), explanation(origin=gone))
        assert found.here is not None
        assert (found.here.location, found.base) == (LINE, BASE_LINE)


def evidence(cwd: Path, *sources: Path, copy_of: Path | None = None) -> Evidence:
    spec = RunSpec(
        id="base-s0r0",
        seed=0,
        repeat=0,
        target=Target(text="train.py", kind=TargetKind.SCRIPT),
        settings=Settings(),
        ambient=EnvironmentFactors(),
        environment={},
        cwd=cwd,
        directory=cwd,
        copy_of=copy_of,
    )
    nothing: dict[str, Any] = {name: {} for name in ("manifest", "rng", "settings_at_end", "memory")}
    empty: dict[str, Any] = dict.fromkeys(("initial", "optimizers", "outputs", "files", "notes"), ())
    paths = dict.fromkeys(("stdout", "stderr", "values"), cwd)
    return Evidence(
        spec=spec,
        seconds=1.0,
        stepping=0.0,
        steps=b"",
        has_output=False,
        stopped_at=None,
        sources=tuple(map(str, sources)),
        **nothing,
        **empty,
        **paths,
    )


class TestCode:
    @pytest.fixture
    def revision(self, tmp_path: Path) -> Revision:
        return Revision(text="v1", commit="c" * 40, top=tmp_path / "top", worktree=tmp_path / "tree")

    def test_a_run_of_the_revision_runs_its_code(self, revision: Revision) -> None:
        tree, top = revision.worktree, revision.top
        own = evidence(tree, tree / "train.py", Path("/elsewhere/lib.py"))
        assert why_not_own_code(revision, [own], ()) == ""
        stray = evidence(tree, tree / "train.py", top / "lib" / "data.py")
        found = why_not_own_code(revision, [own, stray], ())
        assert found == "a run of v1 imported lib/data.py from the current state, by an absolute path"
        assert why_not_own_code(revision, [stray], [str(top / "lib")]) == ""
        none = evidence(tree, Path("/elsewhere/lib.py"))
        assert "ran no code of this repository" in why_not_own_code(revision, [none], ())

    def test_a_run_in_a_copy_of_the_folder(self, revision: Revision, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        assert why_not_own_code(revision, [evidence(copy, copy / "a.py", copy_of=revision.worktree)], ()) == ""
        assert why_not_own_code(revision, [evidence(copy, copy / "a.py", copy_of=revision.top)], ()) != ""

    @pytest.mark.parametrize(
        ("before", "after", "lines"),
        [
            ("a = 1\nb = 2\n", "a = 1\nb = 3\n", [(2, 2, ("b = 2",), ("b = 3",))]),
            ("a = 1\nb = 2\n", "a = 1\n# why\n\nb = 3\n", [(2, 4, ("b = 2",), ("b = 3",))]),
            ("a = 1\nb = 2\n", "a = 1\n", [(2, 1, ("b = 2",), ())]),
            ("a = 1\n", "a = 1\nb = 2\n", [(1, 2, (), ("b = 2",))]),
            ("a = 1\nb = (2,\n 3)\n", "# only layout\na = 1\nb = (2, 3)\n", []),
            ("a = 1\nb = 2\nc = 3\n", "a = 0\nb = 2\nc = 0\n", [(1, 1, ("a = 1",), ("a = 0",)),
                                                              (3, 3, ("c = 3",), ("c = 0",))]),
        ],
    )  # fmt: skip
    def test_what_was_changed(self, tmp_path: Path, before: str, after: str, lines: list[Any]) -> None:
        project = Project(tmp_path / "top")
        commit = project.commit("before", {"a.py": before, "unused.py": "x = 1\n"})
        project.write({"a.py": after, "unused.py": "x = 2\n", "README.md": "words", "data.csv": "1"})
        tree = tmp_path / "tree"
        project.git("worktree", "add", "-q", "--detach", str(tree), commit)
        revision = Revision(text="v1", commit=commit, top=project.folder, worktree=tree)
        sides = evidence(tree, tree / "a.py"), evidence(project.folder, project.folder / "a.py")
        found = with_changes(against(), revision, [sides[0]], [sides[1]])
        assert [(c.base.line, c.here.line, c.before, c.after) for c in found.changes] == lines
        assert {c.base.path for c in found.changes} <= {"v1:a.py"}
        assert {c.here.path for c in found.changes} <= {str(project.folder / "a.py")}
        assert found.other_files == ("data.csv", "unused.py")


class TestText:
    def test_both_lines_the_operation_and_the_effect(self) -> None:
        found = placed_against(against(changes=(change(),)), both_calls())
        text = render_text(moved(found, explanation=both_calls()), PLAIN)
        assert text.startswith("DIFFERENT  gcn.py:train  the results changed since HEAD~1 (1ec72fc2d) in 1 of 1 seed\n")
        assert "error[RC310]: the results changed since HEAD~1 in 1 of 1 seed\n" in text
        shown = (
            "  --> gcn.py:41, first at step 3 in gradients\n"
            "   |\n"
            "41 | h = x[source]\n"
            "   |     ^^^^^^^^^\n"
            "  ::: HEAD~1:gcn.py:40\n"
            "   |\n"
            "40 | h = x[target]\n"
            "   |\n"
        )
        assert shown in text
        assert "`aten::_index_put_impl_`, backward pass of `conv1`, step 3" in text
        assert "= note: loss 0.4312 -> 0.4313, 0.02 of one standard deviation over 5 seeds\n" in text
        assert "= note: it is the only change in the code that ran\n" in text
        assert "--allow-different" in text
        assert text.count("the results changed since") == 2
        assert "RC30" not in text
        assert "base-s0r0" not in text

    def test_several_changes_are_listed(self) -> None:
        found = placed_against(against(changes=(change(), change(60, 61)), other_files=("conf.yaml",)), both_calls())
        text = render_text(moved(found, explanation=both_calls()), PLAIN)
        assert "= note: changed in the code that ran: gcn.py:41, gcn.py:60\n" in text
        assert "= note: also changed or new: conf.yaml\n" in text

    def test_a_line_that_was_added_has_none_on_the_other_side(self) -> None:
        found = placed_against(against(changes=(change(12, 11, after="torch.rand(1)", before=""),)), None)
        text = render_text(moved(found), PLAIN)
        assert "12 | torch.rand(1)\n   |\n  ::: HEAD~1:gcn.py:11\n   |\n   | (nothing there)\n" in text

    def test_numbers_are_distinguished(self) -> None:
        shift = MetricShift(name="loss", seeds=1, base=0.1, here=0.1 + 1e-12, std=None)
        (finding,) = find_moved(against(shifts=(shift,)))
        assert finding.evidence == ("loss 0.1 -> 0.100000000001",)
        (finding,) = find_moved(against(shifts=(replace(shift, here=0.1),)))
        assert finding.evidence == ("no metric moved",)

    def test_allowed(self) -> None:
        found = against(allowed=True)
        text = render_text(moved(found, verdict=Verdict.REPRODUCIBLE, exit_code=0), PLAIN)
        assert text.startswith(
            "REPRODUCIBLE  gcn.py:train  the results changed since HEAD~1 (1ec72fc2d) in 1 of 1 seed"
        )
        assert "note[RC310]" in text
        assert "say so with" not in text

    def test_nothing_moved(self) -> None:
        same = against(verdict=Verdict.REPRODUCIBLE, differing=(), divergence=None)
        text = render_text(audit(against=same), PLAIN)
        opening = "REPRODUCIBLE  gcn.py:train  no difference from HEAD~1 (1ec72fc2d) observed in 1 seed\n"
        assert text.startswith(opening)
        assert "base-s0r0" not in text

    def test_a_side_that_does_not_reproduce_shows_its_runs(self) -> None:
        bad = seed(verdict=Verdict.DIFFERENT, runs=(run(0, id="base-s0r0"), run(1, id="base-s0r1", output="b" * 32)))
        reason = "HEAD~1 does not reproduce (seed 0)"
        none = against(verdict=Verdict.NO_VERDICT, reason=reason, seeds=(bad,), differing=(), divergence=None)
        text = render_text(audit(against=none, verdict=Verdict.NO_VERDICT, exit_code=3), PLAIN)
        assert text.startswith("fatal: no verdict reached\n")
        assert f"= why: {reason}\n" in text
        assert "base-s0r1  completed" in text
        assert "with a revision that reproduces" in text

    def test_text_from_outside_is_harmless(self) -> None:
        hostile = "\x1b[31m[red]\u202e"
        frame = Frame(location=Location(path=f"{hostile}:a.py", line=1), function=hostile, code=hostile)
        found = against(text=hostile, here=frame, base=frame, other_files=(hostile,))
        text = render_text(moved(found), PLAIN)
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_json() -> None:
    found = placed_against(against(changes=(change(),)), both_calls())
    plain = json.loads(render_json(moved(found, explanation=both_calls()), PLAIN))["against"]
    assert plain.keys() == {
        *("text", "commit", "verdict", "reason", "seeds", "differing", "divergence", "shifts", "allowed"),
        *("changes", "other_files", "here", "base"),
    }
    assert plain["verdict"] == "different"
    assert plain["base"] == {"location": {"path": "HEAD~1:gcn.py", "line": 40}, "code": "h = x[target]"}
    assert plain["divergence"]["location"] == {"path": "gcn.py", "line": 41, "columns": [4, 13]}
    assert plain["shifts"][0]["in_std"] == pytest.approx(0.02)
    assert plain["seeds"][0]["runs"][0]["id"] == "base-s0r0"
    assert json.loads(render_json(audit(), PLAIN))["against"] is None
