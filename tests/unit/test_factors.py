"""The smallest sets of factors that make a difference."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reprocheck.diagnosis.factors import SmallestSets, Spent

FACTORS = ("listing", "hash", "heap", "switch", "tmpdir")


def searched(responsible: Sequence[set[str]], budget: int = 99, whole: bool = False) -> tuple[SmallestSets, int]:
    """The search where each of `guilty` is enough to make a difference."""
    asked = []

    def differs(factors: tuple[str, ...]) -> bool:
        asked.append(factors)
        if len(asked) > budget:
            raise Spent
        return any(one <= set(factors) for one in responsible)

    search = SmallestSets(FACTORS, differs, lambda: whole)
    search.search()
    return search, len(asked)


@pytest.mark.parametrize("factor", FACTORS)
def test_one_factor_is_found_and_no_other_is_named(factor: str) -> None:
    search, asked = searched([{factor}])
    assert (search.found, search.complete) == ([(factor,)], True)
    assert asked <= 6


def test_suspects_are_asked_about_alone_before_any_halving() -> None:
    asked = []

    def differs(factors: tuple[str, ...]) -> bool:
        asked.append(factors)
        return "hash" in factors

    search = SmallestSets(FACTORS, differs, lambda: True, suspects=2)
    search.search()
    assert (search.found, search.complete) == ([("hash",)], True)
    assert asked == [("listing",), ("hash",)]


def test_two_factors_each_enough_alone_are_both_found() -> None:
    search, _ = searched([{"listing"}, {"hash"}])
    assert (search.found, search.complete) == ([("listing",), ("hash",)], True)
    search, _ = searched([{"heap"}, {"tmpdir"}])
    assert sorted(search.found) == [("heap",), ("tmpdir",)]


@pytest.mark.parametrize("pair", [{"listing", "hash"}, {"hash", "tmpdir"}, {"heap", "switch"}])
def test_two_factors_that_are_needed_together_are_one_set(pair: set[str]) -> None:
    search, _ = searched([pair])
    assert [set(one) for one in search.found] == [pair]
    assert search.complete


def test_a_run_that_became_the_other_one_ends_the_search() -> None:
    search, asked = searched([{"listing"}], whole=True)
    assert (search.found, search.complete, asked) == ([("listing",)], True, 1)


def test_what_was_found_before_the_budget_ended_stands() -> None:
    search, _ = searched([{"listing"}, {"hash"}], budget=1)
    assert (search.found, search.complete) == ([("listing",)], False)
