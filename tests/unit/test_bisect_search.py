"""The search along a chain of commits: right for every chain, and with few audits."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprocheck.commands.bisect.command import make_bisect_order
from reprocheck.commands.bisect.search import Step, search
from reprocheck.errors import UsageError
from reprocheck.model import Request, Target, TargetKind

REQUEST = Request(target=Target(text="a.py:f", kind=TargetKind.SCRIPT))


def run(states: list[int | None], every: bool = False) -> tuple[list[Step], bool, set[int]]:
    """States by place, None for one that cannot be compared; also the places that were audited."""
    audited = {0, len(states) - 1}

    def can_tell(place: int) -> bool:
        audited.add(place)
        return states[place] is not None

    steps, more = search(len(states) - 1, can_tell, lambda a, b: states[a] != states[b], every)
    return steps, more, audited


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40, 41, 1000])
def test_one_change_is_found_wherever_it_is_with_few_audits(size: int) -> None:
    for place in range(1, size + 1):
        steps, more, audited = run([0] * place + [1] * (size + 1 - place))
        assert steps == [Step(place - 1, place)]
        assert not more
        assert len(audited) <= math.ceil(math.log2(size)) + 2


def test_equal_ends_need_no_further_audit() -> None:
    assert run([0] * 41) == ([], False, {0, 40})


def test_without_all_one_of_two_changes_is_found_and_the_other_is_said_to_be_there() -> None:
    steps, more, _ = run([0] * 10 + [1] * 10 + [2] * 20)
    assert steps == [Step(9, 10)]
    assert more


def test_what_cannot_be_compared_is_never_blamed_alone() -> None:
    steps, _, _ = run([0, 0, None, None, 1, 1])
    assert steps == [Step(1, 4)]


@settings(derandomize=True, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), min_size=1, max_size=60), st.booleans())
def test_all_changes_are_found_and_nothing_else(moves: list[tuple[int, bool]], every: bool) -> None:
    values, state = [0], 0
    for moved, _ in moves:
        state += moved
        values.append(state)
    states: list[int | None] = list(values)
    for place, (_, broken) in enumerate(moves[:-1], start=1):
        if broken:
            states[place] = None
    steps, more, _ = run(states, every)
    for step in steps:
        assert values[step.before] != values[step.after]
        assert all(states[place] is None for place in range(step.before + 1, step.after))
    comparable = [place for place, one in enumerate(states) if one is not None]
    true = [Step(a, b) for a, b in pairwise(comparable) if values[a] != values[b]]
    if every:
        assert steps == true
        assert not more
    else:
        assert steps == ([] if not true else [step for step in true if step == steps[0]])
        assert not more or len(true) > 1


@pytest.mark.parametrize("text", ["HEAD", "..HEAD", "a...b", ""])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"GOOD\.\.BAD"):
        make_bisect_order(REQUEST, text)


@pytest.mark.parametrize("worse", ["0", "-1", "1 %%", "much", "inf", "nan"])
def test_a_margin_that_is_none_is_refused(worse: str) -> None:
    with pytest.raises(UsageError, match="--worse"):
        make_bisect_order(REQUEST, "a..b", metric="loss", worse=worse)


def test_a_metric_needs_its_margin() -> None:
    with pytest.raises(UsageError, match="go together"):
        make_bisect_order(REQUEST, "a..b", metric="loss")
    order = make_bisect_order(REQUEST, "a..", metric="loss", worse="1%")
    assert order.bad == "HEAD"
    assert order.criterion is not None
    assert order.criterion.worse.relative == 0.01
