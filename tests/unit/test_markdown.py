"""The Markdown report, as a renderer sees it: what it says, and what text from outside cannot become."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from reprocheck.model import Audit, MetricSummary
from reprocheck.report import render_markdown
from reprocheck.report.writers.markdown import LONGEST, code, prose
from tests.support.audits import PLAIN, audit, edit, explained, explanation, grid, run, trial
from tests.support.formats import hostile, no_verdict, unjudged

HARMLESS = {
    *("h3", "p", "ul", "li", "strong", "code", "pre", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Page(HTMLParser):
    """The elements of a page, its rows, and its words outside code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.rows: list[int] = []
        self.arguments = ""
        self.inside: list[str] = []
        self.feed(MarkdownIt("commonmark").enable("table").render(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.inside.append(tag)
        if tag == "tr":
            self.rows.append(0)
        elif tag in ("td", "th"):
            self.rows[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" not in self.inside:
            self.arguments += data


def markdown(answer: Audit) -> str:
    return render_markdown(answer, PLAIN)


class TestArguments:
    def test_the_verdict_comes_first(self) -> None:
        assert markdown(audit()).startswith(
            "### reprocheck: REPRODUCIBLE\n\n`gcn.py:train`: no difference observed in 2 runs\n\n| seed | run |"
        )
        assert markdown(no_verdict()).startswith("### reprocheck: NO VERDICT\n")

    def test_every_run_of_every_seed_has_a_row(self) -> None:
        answer = explained()
        text = markdown(replace(answer, seeds=(*answer.seeds, unjudged(1))))
        assert "| 0 | `s0r0` | completed | `aaaaaaaa` | 20 `aaaaaaaa` | `aaaaaaaa` |" in text
        assert "| 0 | `s0r1` | completed | `aaaaaaaa` | 20 `bbbbbbbb` **differs** | `bbbbbbbb` **differs** |" in text
        assert "| 1 | `s1r0` | failed: exit code 1 | - |" in text

    def test_the_first_difference_its_cause_and_what_was_tried(self) -> None:
        tried = (trial("--threads 1"), trial("--a", agreed=0), trial("--b", hides="it fills memory"))
        text = markdown(explained(explanation=explanation(trials=(*tried, trial("--c", failed="it raised")))))
        assert "**error RC303**: training step differs between s0r0 and s0r1 at `gcn.py:41`" in text
        assert "\n`h = x[source]`\n" in text
        assert "- first at step 3 in gradients, op `aten::index_add_`" in text
        assert "**error RC541**: the backward of indexing adds gradients in the order of threads" in text
        assert "| `--threads 1` | works | 2 of 2 | x0.97 |" in text
        assert "| `--a` | no effect | 0 of 2 | - |" in text
        assert "| `--b` | masks the cause: it fills memory | 2 of 2 | x0.97 |" in text
        assert "| `--c` | no answer: it raised |" in text

    def test_metrics_and_coverage(self) -> None:
        text = markdown(audit())
        assert "| `accuracy` | 1 | 0.8 | - | 0 |" in text
        assert "- compared: initial parameters, steps\n- not compared: loss: never seen\n" in text
        assert "- varied: hash seed, heap contents" in text

    def test_the_text_report_is_folded_at_the_end(self) -> None:
        text = markdown(explained())
        assert "\n<details><summary>Details</summary>\n\n```text\nDIFFERENT  gcn.py:train" in text
        assert text.endswith("\n```\n\n</details>\n")


class TestHostileText:
    @pytest.mark.parametrize(
        "arguments",
        [
            "a | b \\| c \\",
            "`x` ``y` ```",
            "<script>alert(1)</script><!-- </details>",
            "@someone and org/repo#12 #34 ping@example.com",
            "[x](http://evil.example) ![y](https://evil.example/p.png) <http://evil.example> www.evil.example",
            "*a* _b_ ~~c~~ $d$ :smile: &lt;b&gt;",
            "# heading\n- item\n1. one\n---",
            "`@someone` `a|b` `<b>`",
            "- item",
            "12) item",
        ],
    )
    def test_it_stays_text(self, arguments: str) -> None:
        page = Page(markdown(hostile(arguments)))
        assert page.elements <= HARMLESS
        assert page.rows[:3] == [6, 6, 6]
        assert not re.search(r"@\w|#\d|://|www\.|:\w+:", page.arguments)
        assert page.inside == []

    def test_what_stands_between_backticks_is_code_and_the_rest_is_as_it_was(self) -> None:
        assert prose("try `--threads 1` now") == "try `--threads 1` now"
        assert prose("a_b*c") == "a\\_b\\*c"
        assert code("a`b") == "``a`b``"
        assert code("a|b") == "<code>a&#124;b</code>"

    def test_the_fence_of_the_details_cannot_be_closed_from_inside(self) -> None:
        text = markdown(hostile("```\n</details>"))
        page = Page(text)
        assert page.elements <= HARMLESS
        assert text.endswith("\n`````\n\n</details>\n")  # the longest row of backticks inside has four

    def test_it_fits_into_a_comment_whatever_comes(self) -> None:
        metrics = tuple(MetricSummary(name="@" * 500, seeds=1, mean=0.0, std=None, within=0.0) for _ in range(1000))
        seeds = tuple(
            replace(audit().seeds[0], seed=n, runs=tuple(run(r, reason="#" * 500) for r in range(9))) for n in range(99)
        )
        assert len(markdown(replace(hostile("@" * 10_000), metrics=metrics, seeds=seeds))) < LONGEST + 1000
        plain = tuple(replace(seed, runs=tuple(map(run, range(9)))) for seed in seeds)
        assert " characters left out)\n```\n" in markdown(audit(seeds=plain))


class TestSteps:
    def test_they_are_a_small_table(self) -> None:
        answer = explained()
        text = markdown(replace(answer, seeds=(replace(answer.seeds[0], grids=(grid(),)),)))
        assert "run `s0r1` against `s0r0`" in text
        assert "| kind | first difference | steps 0 to 5 |" in text
        assert "| gradients | step 3 | `===!!?` |" in text
        assert "| generators | - | `......` |" in text
        assert "`=` equal, `!` different, `?` not compared, `.` nothing was observed" in text

    def test_many_steps_are_narrowed_to_what_is_worst_in_them(self) -> None:
        answer = explained()
        cells = "=" * 60 + "?" + "=" * 30 + "!" * 29
        wide = grid(steps=360, width=3, rows=(("loss", cells),))
        others = tuple(grid(steps=360, width=3, rows=((name, cells),)) for name in "abcd")
        text = markdown(replace(answer, seeds=(replace(answer.seeds[0], grids=(wide, *others)),)))
        assert f"| loss | steps 273 to 275 | `{'=' * 20}?{'=' * 9}{'!' * 10}` |" in text
        assert "2 more pairs of runs are in the HTML report" in text

    def test_steps_that_differ_alike_are_shown_once(self) -> None:
        answer = explained()
        one = grid(steps=4, width=1, rows=(("loss", "==!!"),))
        text = markdown(replace(answer, seeds=(replace(answer.seeds[0], grids=(one, one, one)),)))
        assert text.count("`==!!`") == 1
        assert "and so it is in 2 other runs" in text


class TestSuggestions:
    def test_the_cause_and_its_change_come_before_the_runs(self) -> None:
        one = edit(before="    h = x[source]", after="    h = x.index_select(0, source)")
        text = markdown(explained(explanation=explanation(trials=(trial("the line", edits=(one,)),))))
        order = ["**error RC541**", "**error RC303**", "```suggestion", "| seed | run |"]
        assert sorted(order, key=text.index) == order

    def test_the_line_with_which_runs_agreed_is_a_suggestion_as_it_stands_in_the_file(self) -> None:
        one = edit(before="    h = x[source]", after="    h = x.index_select(0, source)")
        tried = (trial("--threads 1", "the line", edits=(one,)), trial("the line", edits=(one,)))
        text = markdown(explained(explanation=explanation(trials=tried)))
        at = f"`{one.path}:{one.line}`"
        assert f"**Suggested change: 2 runs agreed with it**\n\n{at}\n\n```suggestion\n{one.after}\n```\n" in text
        assert text.count("```suggestion") == 1

    def test_what_does_not_work_or_masks_the_cause_is_none(self) -> None:
        one = edit()
        tried = (trial("a", edits=(one,), agreed=0), trial("b", edits=(one,), hides="it fills memory"))
        assert "suggestion\n" not in markdown(explained(explanation=explanation(trials=tried)))

    def test_half_a_line_is_none_and_a_fence_cannot_be_ended(self) -> None:
        long, fence = edit(after="x" * 500), edit(after="```")
        text = markdown(explained(explanation=explanation(trials=(trial("a", edits=(long,)),))))
        assert "```suggestion" not in text
        text = markdown(explained(explanation=explanation(trials=(trial("a", edits=(fence,)),))))
        assert "\n````suggestion\n```\n````\n" in text
