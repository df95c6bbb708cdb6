"""Explanations in the reports: every kind of origin and attribution, trials, suggestions, the JSON contract."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.engine.console import Style
from reprocheck.model import Audit, Deterministic, Edit, Location, NotCompared
from reprocheck.model.explanation import Frame
from reprocheck.model.values import ValueDifference
from reprocheck.report import render_text
from reprocheck.report.json.v1 import render_json, to_plain
from tests.support.audits import (
    HOSTILE,
    LINE,
    PLAIN,
    arm,
    attribution,
    audit,
    call,
    cause,
    different,
    divergence,
    edit,
    explained,
    explanation,
    origin,
    place_finding,
    run,
    tensor,
    trial,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "text"
UPDATE = "UPDATE_GOLDEN"
"""Set it to write the golden files again; then read them as a tired engineer would."""

TRAIN = Location(path="train.py", line=120)


def frame(line: int, code: str, function: str = "train") -> Frame:
    return Frame(location=Location(path="train.py", line=line), function=function, code=code)


def set_order() -> Audit:
    """Data in the order of a set: mended by a changed line, hidden by a fixed hash seed."""
    values = ValueDifference(
        different=30, total=32, max_abs=12.0, max_ulp=None, index=(3,), samples=(((0,), "4", "9"), ((1,), "2", "0"))
    )
    begun = origin(
        kind="outside",
        argument="argument 1 (indices)",
        is_batch=True,
        call=call(op="aten::embedding", step=0, phase="forward", module="embed", frames=(frame(120, "y = model(x)"),)),
        dtype="int64",
        shape=(32,),
        values=values,
        deterministic_note="",
        compared_ops=12,
    )
    responsible = cause(
        code="RC511",
        cause="str-set-order",
        message="the order of a set of strings decides the data",
        location=Location(path="data.py", line=12),
        source="for name in set(names):",
        evidence=("the set is iterated at data.py:12, before the first batch",),
        help="sort the set",
        edit=edit(),
    )
    hides = "the order still depends on hashing; another value gives other numbers"
    return explained(
        divergence=divergence(
            stage="data", step=0, kind="batch", tensors=(), names=("input[0]",), note="", location=TRAIN
        ),
        findings=(place_finding(code="RC302"), responsible, warning()),
        explanation=explanation(
            origin=begun,
            attribution=attribution(
                kind="ambient", factors=("hash seed",), arms=(arm("control", 2, 0), arm("hash seed", 0, 2)), rate=(0, 0)
            ),
            trials=(
                trial("PYTHONHASHSEED=0", hides=hides),
                trial("--threads 1", agreed=0),
                trial("--deterministic error", agreed=0, runs=0, failed="the target raised RuntimeError"),
                trial("the changed line at data.py:12", edits=(edit(),)),
            ),
            excluded=(
                "changing only the heap contents changes nothing",
                "changing only the directory order changes nothing",
            ),
        ),
    )


def warning() -> Any:
    return cause(code="RC401", cause="seed-no-effect", severity="warning", message="the seed has no effect", source="")


def extra(**changes: Any) -> Audit:
    begun = origin(
        kind="extra",
        only_in="s0t1",
        call=call(op="aten::rand", phase="no-grad", module="", frames=(frame(88, "noise = torch.rand(3)"),)),
        other=call(op="aten::mm", phase="forward", frames=(frame(90, "h = w @ x"),)),
        values=None,
        deterministic_note="",
    )
    found = divergence(tensors=(), names=(), note="", location=Location(path="train.py", line=88))
    return explained(divergence=found, explanation=explanation(origin=replace(begun, **changes)))


def generator() -> Audit:
    begun = origin(
        kind="generator",
        argument="torch cpu",
        call=call(op="aten::bernoulli_", phase="forward", module="drop"),
        values=None,
        values_reason="more than 64 MiB",
        deterministic_note="",
    )
    why = attribution(
        kind="frozen",
        factors=("clock",),
        lines=(Location(path="train.py", line=7),),
        arms=(arm("control", 0, 2), arm("frozen clock", 2, 0)),
        rate=(2, 2),
    )
    return explained(explanation=explanation(origin=begun, attribution=why))


def written() -> Audit:
    begun = origin(kind="written", argument="argument 1 (weight)", other_form="float32[63, 64]", deterministic_note="")
    responsible = cause(
        code="RC531",
        cause="stale-file",
        message="a later run reads what an earlier one wrote",
        location=Location(path="data.py", line=9),
        source="state = torch.load(path)",
        evidence=(),
        help="write to a new folder",
    )
    why = attribution(kind="leftover", arms=(arm("control", 0, 1), arm("fresh folder", 1, 0)))
    found = divergence(tensors=(), names=(), note="", location=responsible.location)
    return explained(
        divergence=found,
        findings=(place_finding(), responsible),
        explanation=explanation(origin=begun, attribution=why),
    )


def unknown() -> Audit:
    """No origin, no cause, nothing that mends."""
    arms = (arm("control", 1, 1), arm("hash seed", 0, 0, failed="the target raised ValueError"))
    return explained(
        findings=(place_finding(),),
        divergence=divergence(note="", op=None, location=None),
        explanation=explanation(
            origin=None,
            attribution=attribution(kind="unclear", rate=(0, 0), arms=arms),
            trials=(),
            replays=(0, 3),
            not_done=(NotCompared(what="fixes", reason="the budget of 12 further runs ended"),),
        ),
    )


def hostile(kind: str = HOSTILE, other_form: str = "") -> Audit:
    """Text from outside at every place that has some."""
    place = Location(path=HOSTILE, line=1)
    frames = (Frame(location=place, function=HOSTILE, code=HOSTILE),) * 2
    strange = call(op=HOSTILE, phase=HOSTILE, module=HOSTILE, frames=frames)
    change = Edit(path=HOSTILE, line=1, before=HOSTILE, after=f"{HOSTILE}+")
    values = ValueDifference(
        different=1, total=2, max_abs=None, max_ulp=None, index=(0,), samples=(((0,), HOSTILE, HOSTILE),)
    )
    begun = origin(
        kind=kind,
        other_form=other_form,
        call=strange,
        other=strange,
        runs=(HOSTILE, "b"),
        only_in=HOSTILE,
        argument=HOSTILE,
        dtype=HOSTILE,
        values=values,
        values_reason=HOSTILE,
        deterministic_note=HOSTILE,
        note=HOSTILE,
    )
    why = attribution(
        kind="ambient",
        factors=(HOSTILE,),
        lines=(place,),
        arms=(arm(HOSTILE, 0, 1, question=HOSTILE), arm(HOSTILE, 0, 0, failed=HOSTILE)),
        note=HOSTILE,
    )
    return explained(
        findings=(place_finding(), cause(location=place, source=HOSTILE, edit=change, help=HOSTILE, code=HOSTILE)),
        divergence=divergence(location=place, tensors=(), names=(HOSTILE,)),
        explanation=explanation(
            origin=begun,
            attribution=why,
            trials=(
                trial(HOSTILE, failed=HOSTILE, edits=(replace(change, line=2),)),
                trial(HOSTILE, HOSTILE, hides=HOSTILE, edits=(change,)),
            ),
            excluded=(HOSTILE,),
            not_done=(NotCompared(what=HOSTILE, reason=HOSTILE),),
        ),
    )


CANDIDATE_LINES: dict[str, Any] = {
    "race": explained,
    "set-order": set_order,
    "extra": extra,
    "generator": generator,
    "written": written,
    "unknown": unknown,
}


def text_of(made: Audit) -> str:
    return render_text(made, PLAIN)


def why(**changes: Any) -> str:
    return text_of(explained(explanation=explanation(attribution=attribution(**changes))))


class TestGolden:
    @pytest.mark.parametrize("name", CANDIDATE_LINES)
    def test_the_text_is_as_it_was_judged(self, name: str) -> None:
        path = GOLDEN / f"{name}.txt"
        text = text_of(CANDIDATE_LINES[name]())
        if os.environ.get(UPDATE):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    def test_no_golden_file_is_left_over(self) -> None:
        assert {path.stem for path in GOLDEN.iterdir()} == set(CANDIDATE_LINES)

    @pytest.mark.parametrize("name", CANDIDATE_LINES)
    def test_lines_fit_a_wide_terminal_and_are_ascii(self, name: str) -> None:
        text = text_of(CANDIDATE_LINES[name]())
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= 120


class TestOrigin:
    def test_the_source_line_stands_behind_a_gutter_as_wide_as_its_number(self) -> None:
        place = Location(path="a/long.py", line=12345)
        begun = origin(call=call(frames=(Frame(location=place, function="f", code="y = x[i]"),)))
        text = text_of(explained(divergence=divergence(location=place), explanation=explanation(origin=begun)))
        assert "\n     --> a/long.py:12345, first at step 3 in gradients\n      |\n12345 | y = x[i]\n      |\n" in text

    def test_the_line_of_the_origin_is_the_place_where_the_divergence_names_none(self) -> None:
        text = text_of(explained(divergence=divergence(location=None)))
        assert "  --> gcn.py:41, first at step 3 in gradients\n" in text
        assert text.count("\n41 | h = x[source]\n") == 1  # with the cause, which stands there

    def test_code_of_another_line_is_never_shown_for_the_place(self) -> None:
        text = text_of(explained(divergence=divergence(location=TRAIN), findings=(place_finding(),)))
        assert "train.py:120, first at step 3" in text
        assert "120 |" not in text

    def test_the_place_may_be_that_of_a_cause_and_the_operation_keeps_its_own_line(self) -> None:
        text = text_of(written())
        assert "  --> data.py:9, first at step 3 in gradients\n" in text
        assert text.count("state = torch.load(path)") == 1
        assert "line     in `GCN.forward` at gcn.py:41: h = x[source]" in text

    def test_an_operation_that_was_not_found_is_stated(self) -> None:
        arguments = "= note: the first operation that differs was not found"
        assert arguments in text_of(explained(explanation=explanation(origin=None)))
        assert arguments in text_of(explained(explanation=explanation(origin=None, replays=(0, 0))))
        assert arguments not in text_of(explained())

    def test_the_source_of_the_finding_serves_where_the_origin_has_none(self) -> None:
        finding = place_finding(location=TRAIN, source="loss.backward()")
        text = text_of(different(divergence(location=TRAIN), run(1), findings=(finding,)))
        assert "\n120 | loss.backward()\n" in text

    @pytest.mark.parametrize(
        ("changes", "arguments"),
        [
            ({"kind": "op"}, "inputs   equal in both runs: the difference arises in this operation"),
            (
                {"kind": "generator", "argument": "torch cpu"},
                "inputs   the generator (torch cpu) was in a different state",
            ),
            ({"kind": "outside", "argument": "argument 1 (mat2)"}, "inputs   argument 1 (mat2) came in from outside"),
            ({"kind": "outside", "argument": "x", "is_batch": True}, "inputs   x, the model's batch, came in from"),
            (
                {"kind": "written", "argument": "x"},
                "inputs   x was equal before; something that the trace does not see",
            ),
        ],
    )
    def test_what_went_in_is_reported(self, changes: Any, arguments: str) -> None:
        assert arguments in text_of(explained(explanation=explanation(origin=origin(**changes))))

    def test_only_equal_inputs_are_called_equal(self) -> None:
        for kind in ("generator", "outside", "written", "extra"):
            text = text_of(explained(explanation=explanation(origin=origin(kind=kind))))
            assert "equal inputs gave" not in text
            assert "arises in this operation" not in text

    def test_the_other_run_may_have_ended(self) -> None:
        assert "s0t0    executed nothing more" in text_of(extra(other=None))

    def test_only_library_code_on_the_stack_is_stated(self) -> None:
        begun = origin(call=call(frames=()))
        text = text_of(explained(divergence=divergence(location=None), explanation=explanation(origin=begun)))
        assert "line     unknown: only library code was on the stack" in text

    def test_a_thread_is_named(self) -> None:
        assert "step 3, thread 2" in text_of(explained(explanation=explanation(origin=origin(call=call(thread=2)))))

    def test_another_step_in_the_replay_is_stated(self) -> None:
        text = text_of(explained(explanation=explanation(origin=origin(call=call(step=5)))))
        assert "= note: in the traced replay the runs diverge at step 5" in text
        assert "in the traced replay the runs diverge" not in text_of(explained())

    def test_values_that_were_not_kept_have_a_reason(self) -> None:
        begun = origin(values=None, values_reason="more than 64 MiB")
        text = text_of(explained(explanation=explanation(origin=begun)))
        assert "differs  float32[64, 64]; values not compared: more than 64 MiB" in text

    def test_a_table_of_tensors_stays_short_next_to_an_origin(self) -> None:
        many = divergence(tensors=tuple(tensor(f"w{number}") for number in range(10)))
        text = text_of(explained(divergence=many))
        assert "w2 " in text
        assert "w3 " not in text
        assert "   | and 7 more" in text


class TestWhy:
    def test_an_environment_factor(self) -> None:
        arms = (arm("control", 2, 0), arm("hash seed", 0, 2))
        assert (
            "agrees with every environment factor equal (2 of 2); differs when only the hash seed is changed (2 of 2)\n"
        ) in why(kind="ambient", factors=("hash seed",), arms=arms, rate=(0, 2))

    def test_of_an_environment_factor_only_what_was_shown_is_stated(self) -> None:
        text = why(kind="ambient", factors=("hash seed", "heap contents"), arms=(arm("control", 1, 1),), rate=(0, 0))
        assert "= note: depends on the hash seed and the heap contents\n" in text
        assert "agrees with every" not in text
        text = why(kind="ambient", factors=("hash seed",), arms=(arm("hash seed", 1, 0),), rate=(0, 0))
        assert "= note: depends on the hash seed\n" in text
        assert "differs when only" not in text

    @pytest.mark.parametrize(
        ("changes", "arguments"),
        [
            ({"kind": "frozen", "factors": ("clock",), "lines": (TRAIN,), "arms": (arm("frozen clock", 2, 0),)},
             "   = note: differs with every environment factor equal (3 of 4)\n"
             "   = note: agrees with the clock held constant at train.py:120 alone (2 of 2)"),
            ({"kind": "frozen", "factors": ("entropy", "pid"), "arms": (), "rate": (0, 0)},
             "note: agrees with the system's entropy and process and host names held constant\n"),
            ({"kind": "leftover", "arms": (arm("fresh folder", 2, 0),)},
             "agrees when every run has a copy of the folder (2 of 2)"),
            ({"kind": "ambient", "factors": ("heap contents",), "arms": (arm("filled heap", 1, 0),)},
             "(3 of 4)\n   = note: agrees when fresh memory is filled with one byte in all runs (1 of 1)"),
            ({"kind": "seeding", "factors": ("numpy",), "arms": ()}, "agrees when reprocheck seeds numpy for it"),
            ({"kind": "intrinsic", "rate": (3, 4)},
             "differs with everything equal in 3 of 4 comparisons, so two runs may agree by chance"),
            ({"kind": "intrinsic", "rate": (2, 2)}, "differs with everything equal in 2 of 2 comparisons\n"),
            ({"kind": "unclear", "note": "the budget ended"}, "= note: the budget ended"),
        ],
    )  # fmt: skip
    def test_every_kind_is_a_sentence(self, changes: Any, arguments: str) -> None:
        assert arguments in why(**changes)

    def test_factors_that_were_changed_together_are_not_distinguished(self) -> None:
        arms = (arm("control", 2, 0), arm("hash seed and heap contents", 0, 1))
        text = why(kind="ambient", factors=("hash seed", "heap contents"), arms=arms, rate=(0, 2))
        assert "(2 of 2); differs when only the hash seed and the heap contents is changed (1 of 1)" in text

    def test_an_arm_that_failed_is_not_silent(self) -> None:
        text = why(arms=(arm("frozen clock", 0, 0, failed="the run timed out"),))
        assert "= note: no answer from frozen clock: the run timed out" in text

    def test_without_a_cause_the_experiments_speak_of_the_difference(self) -> None:
        text = text_of(unknown())
        block = text[text.index("error[RC303]") :].split("\n\n")[0]
        assert "the experiments gave no clear answer" in block
        assert "= note: changing only the heap contents changes nothing\n" in block
        assert "= help: try --deterministic warn" in block

    def test_general_advice_gives_way_to_what_was_shown(self) -> None:
        assert "try --deterministic warn" not in text_of(explained())
        assert "equal inputs gave other numbers" not in text_of(explained())

    def test_the_source_of_a_cause_is_shown_once(self) -> None:
        assert text_of(explained()).count("41 | h = x[source]") == 1
        unread = explanation(origin=origin(call=call(frames=(Frame(location=LINE, function="f"),))))
        assert text_of(explained(explanation=unread)).count("41 | h = x[source]") == 1
        elsewhere = cause(location=Location(path="gcn.py", line=7), source="torch.set_num_threads(2)")
        text = text_of(explained(findings=(place_finding(), elsewhere)))
        assert "  --> gcn.py:7\n   |\n 7 | torch.set_num_threads(2)\n   |\n" in text

    def test_a_cause_is_reported_once(self) -> None:
        named = place_finding(cause="index-backward-race")
        assert text_of(explained(findings=(named, cause()))).count("cause: index-backward-race") == 1
        assert text_of(explained(findings=(named,))).count("cause: index-backward-race") == 1

    def test_cause_and_fix_come_first_then_the_difference_then_the_runs(self) -> None:
        text = text_of(explained(findings=(warning(), place_finding(), cause())))
        order = [
            text.index(word) for word in ("[RC541]", "fixes tried", "[RC303]", "further runs", "seed 0: ", "[RC401]")
        ]
        assert order == sorted(order)


class TestTrials:
    def lines(self, *trials: Any) -> list[str]:
        text = text_of(explained(explanation=explanation(trials=trials)))
        return text[text.index("fixes tried") :].split("\n\n")[0].splitlines()[1:]

    def test_what_works_comes_first_with_its_price(self) -> None:
        lines = self.lines(trial("--threads 1", agreed=1), trial("a", "b", agreed=3, runs=3, time=1.034))
        assert lines == [
            "  works      `a` and `b`    3 of 3 runs    time x1.03",
            "  no effect  `--threads 1`  2 runs differ",
        ]

    def test_a_time_that_was_not_measured_is_not_shown(self) -> None:
        assert self.lines(trial("a", time=None)) == ["  works  `a`  2 of 2 runs"]

    def test_what_hides_the_cause_never_counts_as_mending(self) -> None:
        text = text_of(explained(explanation=explanation(trials=(trial("fill", hides="memory is still read unset"),))))
        assert "fixes tried: none removes the cause\n  masks the cause  `fill`  2 of 2 runs" in text
        assert "    = note: memory is still read unset\n" in text
        assert "works" not in text

    def test_one_run_is_no_answer(self) -> None:
        assert self.lines(trial("a", agreed=1, runs=1))[0].startswith("  no answer")

    def test_a_failure_is_reported(self) -> None:
        lines = self.lines(trial("a", agreed=0, runs=0, failed="the target raised"))
        assert lines == ["  no answer  `a`", "    = note: the target raised"]

    def test_many_are_counted(self) -> None:
        lines = self.lines(*(trial(f"a{number}", agreed=0) for number in range(13)))
        assert len(lines) == 11
        assert lines[-1] == "  and 3 more"


class TestSuggestion:
    def text(self, *trials: Any, **changes: Any) -> str:
        found = (place_finding(), cause(edit=edit(**changes)))
        return text_of(explained(findings=found, explanation=explanation(trials=trials)))

    def test_it_is_two_lines_without_their_common_indentation(self) -> None:
        text = self.text()
        assert "   |\n12 - for name in set(names):\n12 + for name in sorted(set(names)):\n   |\n" in text

    def test_a_changed_indentation_stays_visible(self) -> None:
        assert "12 -     step()\n12 + step()\n" in self.text(before="        step()", after="    step()")

    def test_it_is_called_a_suggestion_and_not_tried(self) -> None:
        assert "   = help: suggestion for data.py:12, not tried\n" in self.text()

    def test_a_trial_of_it_is_reported(self) -> None:
        works = self.text(trial("x", edits=(edit(),)))
        assert "data.py:12, tried in memory: 2 of 2 runs agreed; `reprocheck fix` writes it\n" in works
        assert "tried in memory: 1 of 2 runs agreed\n" in self.text(trial("x", agreed=1, edits=(edit(),)))
        assert "tried in memory together with others: 2 of 2 runs" in self.text(trial("x", "y", edits=(edit(),)))
        worse, better = trial("x", agreed=1, edits=(edit(),)), trial("x", "y", edits=(edit(),))
        assert "tried in memory together with others: 2 of 2 runs agreed" in self.text(worse, better)
        failed = trial("x", agreed=0, runs=0, failed="it raised", edits=(edit(),))
        assert "tried in memory without an answer (it raised)" in self.text(failed)

    def test_a_change_that_works_stands_first_and_once(self) -> None:
        text = self.text(trial("x", edits=(edit(),)))
        lines = text.splitlines()
        assert lines.index("12 + for name in sorted(set(names)):") < 10
        assert text.index("writes it") < text.index("confidence")
        assert "fixes tried" not in text
        hides = replace(trial("x", edits=(edit(),)).remedies[0], hides="it only hides it")
        hidden = self.text(replace(trial("x", edits=(edit(),)), remedies=(hides,)))
        assert "writes it" not in hidden
        assert "masks the cause" in hidden

    def test_a_changed_line_that_no_finding_has_follows_the_trials(self) -> None:
        text = text_of(explained(explanation=explanation(trials=(trial("x", edits=(edit(),)),))))
        assert text.index("fixes tried") < text.index("12 + for name in sorted(set(names)):")
        assert self.text(trial("x", edits=(edit(),))).count("12 + for name") == 1


class TestExperiments:
    def test_what_they_show_is_said_once(self) -> None:
        shown = attribution(kind="intrinsic", rate=(3, 4), factors=(), arms=())
        found = replace(cause(), evidence=("with everything equal 3 of 4 comparisons differ", "seen here"))
        text = text_of(explained(explanation=explanation(attribution=shown), findings=(found,)))
        assert "differs with everything equal in 3 of 4 comparisons" in text
        assert "with everything equal 3 of 4 comparisons differ" not in text
        assert "   | seen here\n" in text


class TestClosing:
    def test_it_says_what_it_took_and_where_to_read_on(self) -> None:
        assert "\n9 further runs; 2 of 2 traced replays differed; more: `reprocheck explain RC541`\n" in text_of(
            explained()
        )
        alone = explained(findings=(place_finding(),), explanation=explanation(replays=(0, 0), runs=1))
        assert "\n1 further run; more: `reprocheck explain RC303`\n" in text_of(alone)

    def test_what_was_not_done_is_said_once(self) -> None:
        undone = NotCompared(what="localization", reason="the difference did not come back")
        made = explained(explanation=explanation(not_done=(undone,)))
        text = text_of(replace(made, not_compared=(*made.not_compared, undone)))
        assert text.count("the difference did not come back") == 1
        helped = replace(undone, help="try again")
        text = text_of(replace(made, not_compared=(*made.not_compared, helped)))
        assert "= help: try again" in text

    def test_what_was_not_done_is_not_silent(self) -> None:
        undone = tuple(NotCompared(what=f"trial {number}", reason="no budget") for number in range(12))
        text = text_of(explained(explanation=explanation(not_done=undone)))
        assert "not done: trial 9: no budget\nnot done: 2 more\n" in text


class TestHarmless:
    def test_nothing_from_outside_reaches_the_terminal_as_a_command(self) -> None:
        for kind in ("extra", HOSTILE):
            for other_form in ("", HOSTILE):
                made = hostile(kind=kind, other_form=other_form)
                text = text_of(made)
                assert not [char for char in text if not char.isprintable() and char != "\n"]
                render_text(made, Style(ascii=True)).encode("ascii")

    @pytest.mark.parametrize("make", [*CANDIDATE_LINES.values(), hostile])
    def test_colour_adds_nothing_but_colour(self, make: Any) -> None:
        coloured = render_text(make(), Style(colour=True))
        assert re.sub(r"\x1b\[\d+m", "", coloured) == text_of(make())
        assert coloured != text_of(make())

    def test_a_report_of_huge_texts_stays_small(self) -> None:
        huge = explanation(
            excluded=("e" * 9999,) * 999,
            not_done=(NotCompared(what="w" * 9999, reason="r" * 9999),) * 999,
            trials=tuple(trial("t" * 9999, hides="h" * 9999) for _ in range(999)),
        )
        assert len(text_of(explained(explanation=huge))) < 40_000


class TestJson:
    def test_nobody_asked_is_null(self) -> None:
        plain = to_plain(audit())
        assert plain["explanation"] is None
        assert plain["volatile"]["explanation"] is None

    def test_every_field_is_there(self) -> None:
        plain = json.loads(render_json(set_order(), PLAIN))
        reported = plain["explanation"]
        assert reported.keys() == {"seed", "attribution", "origin", "trials", "replays", "runs", "excluded", "further",
                               "not_done", "spread"}  # fmt: skip
        assert reported["replays"] == {"diverged": 2, "pairs": 2}
        assert reported["attribution"] == {
            "kind": "ambient",
            "factors": ["hash seed"],
            "lines": [],
            "arms": [
                {"name": "control", "question": "what of control?", "runs": 2, "agreed": 2, "differed": 0,
                 "failed": ""},
                {"name": "hash seed", "question": "what of hash seed?", "runs": 2, "agreed": 0, "differed": 2,
                 "failed": ""},
            ],
            "rate": {"differed": 0, "comparisons": 0},
            "note": "",
            "sets": [],
            "excluded": [],
            "sure": True,
        }  # fmt: skip
        assert reported["origin"]["call"] == {
            "op": "aten::embedding",
            "step": 0,
            "phase": "forward",
            "module": "embed",
            "frames": [{"location": {"path": "train.py", "line": 120}, "function": "train", "code": "y = model(x)"}],
            "thread": 0,
        }
        assert reported["origin"]["values"]["samples"] == [
            {"index": [0], "a": "4", "b": "9"},
            {"index": [1], "a": "2", "b": "0"},
        ]
        assert reported["origin"]["is_batch"] is True
        change = {
            "path": "data.py",
            "line": 12,
            "before": "    for name in set(names):",
            "after": "    for name in sorted(set(names)):",
        }
        assert reported["trials"][3]["remedies"][0]["edits"] == [change]
        assert reported["trials"][3]["mends"] is True
        assert plain["findings"][1]["edit"] == change
        assert plain["findings"][1]["source"] == "for name in set(names):"
        assert plain["findings"][0]["edit"] is None

    @pytest.mark.parametrize(
        "name", ["Explanation", "Attribution", "Arm", "Origin", "OpCall", "Frame", "Trial", "Remedy"]
    )
    def test_no_field_of_the_model_is_forgotten(self, name: str) -> None:
        from reprocheck.model import explanation as model

        reported = to_plain(set_order())["explanation"]
        shown = {
            "Explanation": reported,
            "Attribution": reported["attribution"],
            "Arm": reported["attribution"]["arms"][0],
            "Origin": reported["origin"],
            "OpCall": reported["origin"]["call"],
            "Frame": reported["origin"]["call"]["frames"][0],
            "Trial": reported["trials"][0],
            "Remedy": reported["trials"][0]["remedies"][0],
        }
        left_out = {
            "seconds_ratio",
            "time_ratio",
            "cost",
            "hold",
            "first_work",
            "together",
            "drift",
        }  # volatile, ours alone, or in a place of its own
        assert set(getattr(model, name).__dataclass_fields__) - left_out <= shown[name].keys()

    def test_times_are_volatile_and_nowhere_else(self) -> None:
        def timed(ratio: float) -> Any:
            why = attribution(arms=(arm("control", 1, 3, seconds_ratio=ratio),))
            tried = (trial("--threads 1", time=ratio),)
            return to_plain(explained(explanation=explanation(attribution=why, trials=tried)))

        one, other = timed(0.5), timed(0.75)
        assert one.pop("volatile")["explanation"] == {
            "arms": [{"name": "control", "seconds_ratio": 0.5}],
            "trials": [{"remedies": ["--threads 1"], "time_ratio": 0.5}],
        }
        assert other.pop("volatile")["explanation"]["trials"][0]["time_ratio"] == 0.75
        assert one == other

    def test_a_remedy_reports_settings_and_no_secret(self) -> None:
        remedy: dict[str, Any] = {
            "settings": (("deterministic", Deterministic.WARN), ("env", (("TOKEN", "s3cret"),))),
            "environment": (("PYTHONHASHSEED", "0"),),
            "overrides": (("loader_workers", 0),),
        }
        made = explained(explanation=explanation(trials=(trial("x", **remedy),)))
        reported = to_plain(made)["explanation"]["trials"][0]["remedies"][0]
        assert reported["settings"] == {"deterministic": "warn", "env": ["TOKEN"]}
        assert reported["environment"] == {"PYTHONHASHSEED": "0"}
        assert reported["overrides"] == {"loader_workers": 0}
        assert "s3cret" not in render_json(made, PLAIN)

    def test_paths_below_the_current_directory_are_relative(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        place = Location(path=str(tmp_path / "a.py"), line=3)
        change = edit(path=place.path)
        made = explained(
            findings=(place_finding(), cause(edit=change)),
            explanation=explanation(
                origin=origin(call=call(frames=(Frame(location=place, function="f"),))),
                attribution=attribution(kind="frozen", factors=("clock",), lines=(place,)),
                trials=(trial("x", edits=(change,)),),
            ),
        )
        assert str(tmp_path) not in render_json(made, PLAIN)
        assert str(tmp_path) not in text_of(made)
        assert to_plain(made)["explanation"]["attribution"]["lines"] == [{"path": "a.py", "line": 3}]

    @pytest.mark.parametrize("make", [*CANDIDATE_LINES.values(), hostile])
    def test_it_is_valid_ascii_sorted_and_always_the_same(self, make: Any) -> None:
        text = render_json(make(), PLAIN)
        plain = json.loads(text, parse_constant=lambda word: pytest.fail(word))
        assert text.isascii()
        assert text == json.dumps(plain, indent=2, sort_keys=True) + "\n"
        assert text == render_json(make(), PLAIN)
