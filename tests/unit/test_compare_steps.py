"""Where two sequences of step records part: records made by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from reprocheck.compare.steps import (
    compare_cut_threads,
    compare_steps,
    has_observations,
    history_digest,
    is_cut_in_threads,
)
from reprocheck.protocol import (
    DECIDING_KINDS,
    EMPTY_DIGEST,
    FLAG_BACKWARD,
    FLAG_TAIL,
    FLAG_THREAD,
    RECORD_SIZE,
    STEP_HEADER,
    STEP_KINDS,
    count_steps,
)


@dataclass
class Rec:
    kinds: Mapping[str, str] = field(default_factory=dict)
    optimizer: int = 0
    flags: int = 0


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest() if text else EMPTY_DIGEST


def encode(recs: Sequence[Rec]) -> bytes:
    data, chain = b"", b""
    for number, rec in enumerate(recs):
        digests = [digest(rec.kinds.get(kind, "")) for kind in STEP_KINDS]
        deciding = [d for d, kind in zip(digests, STEP_KINDS, strict=True) if kind in DECIDING_KINDS]
        chain = hashlib.blake2b(chain + b"".join(deciding), digest_size=16).digest()
        data += STEP_HEADER.pack(number, rec.optimizer, rec.flags, 0) + b"".join(digests) + chain
    assert len(data) == len(recs) * RECORD_SIZE
    return data


def steps(count: int) -> list[Rec]:
    """Steps 0 to count - 1; every kind has a digest of its own."""
    return [Rec({kind: f"{kind} {number}" for kind in STEP_KINDS}) for number in range(count)]


def differing(count: int, at: int, *kinds: str) -> list[Rec]:
    """Like `steps`, with some kinds different from step `at` on."""
    recs = steps(count)
    for rec in recs[at:]:
        rec.kinds = {**rec.kinds, **{kind: rec.kinds[kind] + "!" for kind in kinds}}
    return recs


def test_nothing_and_nothing_are_equal() -> None:
    assert compare_steps(b"", b"", (), ()) == (None, False)
    assert not has_observations(b"")
    assert history_digest(b"", ()) == ""


@pytest.mark.parametrize("count", [1, 2, 3, 64])
def test_equal(count: int) -> None:
    data = encode(steps(count))
    assert compare_steps(data, data, ("k",), ("k",)) == (None, False)
    assert count_steps(data) == count
    assert has_observations(data)
    assert len(history_digest(data, ("k",))) == 32


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 33])
def test_the_first_difference_is_found_wherever_it_is(count: int) -> None:
    a = encode(steps(count))
    for at in range(count):
        found, reordered = compare_steps(a, encode(differing(count, at, "gradients", "parameters")), ("k",), ("k",))
        assert found is not None
        assert not reordered
        assert (found.step, found.kind, found.in_tail) == (at, "gradients", False)


@pytest.mark.parametrize("kind", sorted(DECIDING_KINDS))
def test_each_deciding_kind_decides(kind: str) -> None:
    found, _ = compare_steps(encode(steps(4)), encode(differing(4, 2, kind)), ("k",), ("k",))
    assert found is not None
    assert (found.step, found.kind) == (2, kind)


@pytest.mark.parametrize("kind", sorted(set(STEP_KINDS) - DECIDING_KINDS))
def test_the_other_kinds_do_not(kind: str) -> None:
    assert compare_steps(encode(steps(4)), encode(differing(4, 2, kind)), ("k",), ("k",)) == (None, False)


def test_the_first_kind_in_run_order_is_named() -> None:
    found, _ = compare_steps(encode(steps(3)), encode(differing(3, 1, *DECIDING_KINDS)), ("k",), ("k",))
    assert found is not None
    assert found.kind == "batch"


def test_a_kind_that_one_run_lacks_is_a_difference() -> None:
    b = steps(3)
    b[1].kinds = {kind: text for kind, text in b[1].kinds.items() if kind != "loss"}
    found, _ = compare_steps(encode(steps(3)), encode(b), ("k",), ("k",))
    assert found is not None
    assert (found.step, found.kind) == (1, "loss")


def test_hyperparameters_and_generators_explain() -> None:
    b = differing(6, 2, "rng torch")
    for number, rec in enumerate(differing(6, 4, "batch", "hyperparameters", "rng torch")):
        if number >= 4:
            b[number] = rec
    found, _ = compare_steps(encode(steps(6)), encode(b), ("k",), ("k",))
    assert found is not None
    assert (found.step, found.kind, found.generators, found.hyperparameters) == (4, "batch", ("torch",), True)


def test_a_generator_that_diverges_in_the_differing_step_explains_nothing() -> None:
    found, _ = compare_steps(encode(steps(6)), encode(differing(6, 4, "batch", "rng torch")), ("k",), ("k",))
    assert found is not None
    assert found.generators == ()


def test_a_generator_that_never_agreed_explains_nothing() -> None:
    b = differing(6, 0, "rng numpy")
    b[4:] = differing(6, 4, "batch", "rng numpy")[4:]
    found, _ = compare_steps(encode(steps(6)), encode(b), ("k",), ("k",))
    assert found is not None
    assert found.generators == ()


def test_a_difference_in_the_first_step_has_no_generators() -> None:
    found, _ = compare_steps(encode(steps(3)), encode(differing(3, 0, "batch", "rng torch")), ("k",), ("k",))
    assert found is not None
    assert (found.step, found.generators) == (0, ())


def tail(**kinds: str) -> Rec:
    return Rec(kinds, flags=FLAG_TAIL)


def test_a_difference_in_the_tail() -> None:
    a, b = encode([*steps(3), tail(forward="x")]), encode([*steps(3), tail(forward="y")])
    found, _ = compare_steps(a, b, ("k",), ("k",))
    assert found is not None
    assert (found.step, found.kind, found.in_tail, found.counts) == (3, "forward", True, (3, 3))


def test_a_tail_that_one_run_lacks() -> None:
    found, _ = compare_steps(encode(steps(3)), encode([*steps(3), tail(forward="y")]), ("k",), ("k",))
    assert found is not None
    assert found.counts == (3, 3)


@pytest.mark.parametrize("swap", [False, True])
def test_more_steps(swap: bool) -> None:
    a, b = encode(steps(3)), encode(steps(5))
    pair = (b, a) if swap else (a, b)
    found, _ = compare_steps(*pair, ("k",), ("k",))
    assert found is not None
    assert (found.step, found.kind, found.counts) == (3, "steps", (5, 3) if swap else (3, 5))


def test_more_steps_where_the_other_run_has_a_tail() -> None:
    a, b = encode([*steps(3), tail(buffers="buffers 3")]), encode([*steps(4), tail(buffers="z")])
    found, _ = compare_steps(a, b, ("k",), ("k",))
    assert found is not None
    assert (found.step, found.kind, found.counts) == (3, "steps", (3, 4))


def test_an_earlier_difference_comes_before_the_missing_steps() -> None:
    found, _ = compare_steps(encode(steps(3)), encode(differing(5, 1, "loss")), ("k",), ("k",))
    assert found is not None
    assert (found.step, found.kind, found.counts) == (1, "loss", (3, 5))


def of(name: str, number: int, optimizer: int, *, flags: int = 0, batch: str = "") -> Rec:
    kinds = {"gradients": f"{name} g {number}", "parameters": f"{name} p {number}", "batch": batch}
    return Rec(kinds, optimizer=optimizer, flags=flags)


def test_independent_optimizers_in_another_order_are_equal() -> None:
    a = encode([of("x", 0, 0), of("y", 0, 1), of("x", 1, 0), of("y", 1, 1)])
    b = encode([of("y", 0, 0), of("y", 1, 0), of("x", 0, 1), of("x", 1, 1)])
    assert compare_steps(a, b, ("kx", "ky"), ("ky", "kx")) == (None, True)


@pytest.mark.parametrize("flag", [FLAG_TAIL, FLAG_BACKWARD])
def test_a_record_of_no_optimizer_does_not_count_for_the_first_one(flag: int) -> None:
    alone = Rec({"loss": "l"}, flags=flag)
    a = [of("x", 0, 0), of("y", 0, 1)]
    b = [of("y", 0, 0), of("x", 0, 1)]
    left, right = ([*a, alone], [*b, alone]) if flag == FLAG_TAIL else ([alone, *a], [alone, *b])
    assert compare_steps(encode(left), encode(right), ("kx", "ky"), ("ky", "kx")) == (None, True)


def test_reordered_steps_of_one_optimizer_differ() -> None:
    a, b = encode([of("x", 0, 0), of("x", 1, 0)]), encode([of("x", 1, 0), of("x", 0, 0)])
    found, reordered = compare_steps(a, b, ("kx",), ("kx",))
    assert found is not None
    assert not reordered
    assert (found.step, found.kind) == (0, "gradients")


def test_reordered_optimizers_with_one_other_number_differ() -> None:
    a = encode([of("x", 0, 0), of("y", 0, 1)])
    b = encode([of("y", 0, 0), of("x", 7, 1)])
    found, reordered = compare_steps(a, b, ("kx", "ky"), ("ky", "kx"))
    assert found is not None
    assert not reordered


def test_optimizers_of_other_parameters_are_not_taken_for_each_other() -> None:
    a, b = encode([of("x", 0, 0), of("y", 0, 1)]), encode([of("y", 0, 0), of("x", 0, 1)])
    found, _ = compare_steps(a, b, ("kx", "ky"), ("kx", "ky"))
    assert found is not None


@pytest.mark.parametrize(("flags", "equal"), [(FLAG_THREAD, True), (0, False)])
def test_batches_go_with_the_optimizer_only_in_threads(flags: int, equal: bool) -> None:
    x, y = (lambda o: of("x", 0, o, flags=flags, batch="bx")), (lambda o: of("y", 0, o, flags=flags, batch="by"))
    found, reordered = compare_steps(encode([x(0), y(1)]), encode([y(0), x(1)]), ("kx", "ky"), ("ky", "kx"))
    assert (found is None, reordered) == (equal, equal)


def test_threads_do_not_hide_batches_swapped_between_optimizers() -> None:
    a = encode([of("x", 0, 0, flags=FLAG_THREAD, batch="1"), of("y", 0, 1, flags=FLAG_THREAD, batch="2")])
    b = encode([of("x", 0, 0, flags=FLAG_THREAD, batch="2"), of("y", 0, 1, flags=FLAG_THREAD, batch="1")])
    found, _ = compare_steps(a, b, ("kx", "ky"), ("kx", "ky"))
    assert found is not None
    assert (found.step, found.kind) == (0, "batch")


def test_records_without_digests_are_no_observation() -> None:
    assert not has_observations(encode([Rec(), Rec({"rng torch": "t", "hyperparameters": "h"})]))
    assert has_observations(encode([Rec(), tail(forward="f")]))


def test_more_steps_are_reported_though_the_other_run_s_last_parameters_differ() -> None:
    a, b = encode([*steps(3), tail(parameters="last", buffers="last")]), encode([*steps(4), tail(parameters="z")])
    found, _ = compare_steps(a, b, ("k",), ("k",))
    assert found is not None
    assert (found.step, found.kind, found.counts) == (3, "steps", (3, 4))


def test_reordered_optimizers_do_not_hide_other_parameters_at_the_end() -> None:
    first, second = [of("p", 0, 0), of("q", 0, 1)], [of("q", 0, 0), of("p", 0, 1)]
    equal = compare_steps(
        encode([*first, tail(parameters="z")]), encode([*second, tail(parameters="z")]), ("p", "q"), ("q", "p")
    )
    assert equal == (None, True)
    found, _ = compare_steps(
        encode([*first, tail(parameters="z")]), encode([*second, tail(parameters="y")]), ("p", "q"), ("q", "p")
    )
    assert found is not None


def test_threads_that_stepped_alike_are_no_first_difference() -> None:
    """What the main thread does after them is."""
    x = lambda o: of("x", 0, o, flags=FLAG_THREAD, batch="1")  # noqa: E731
    y = lambda o: of("y", 0, o, flags=FLAG_THREAD, batch="2")  # noqa: E731
    a = encode([x(0), y(1), of("z", 0, 2, batch="3"), of("z", 1, 2, batch="3")])
    b = encode([y(0), x(1), of("z", 0, 2, batch="3"), of("z", 1, 2, batch="4")])
    found, _ = compare_steps(a, b, ("kx", "ky", "kz"), ("ky", "kx", "kz"))
    assert found is not None
    assert (found.step, found.kind) == (3, "batch")


def test_a_thread_that_stepped_otherwise_is_where_runs_differ() -> None:
    a = encode([of("x", 0, 0, flags=FLAG_THREAD), of("y", 0, 1, flags=FLAG_THREAD), of("z", 0, 2)])
    b = encode([of("y", 9, 0, flags=FLAG_THREAD), of("x", 0, 1, flags=FLAG_THREAD), of("z", 0, 2)])
    found, _ = compare_steps(a, b, ("kx", "ky", "kz"), ("ky", "kx", "kz"))
    assert found is not None
    assert (found.step, found.kind) == (1, "gradients")


def turns(order: str, **other: str) -> bytes:
    """Steps of the optimizers of threads, in this order; `other`: the batch of the steps of one of them."""
    counts: dict[str, int] = {}
    recs, first = [], sorted(set(order), key=order.index)
    for name in order:
        number = counts[name] = counts.get(name, -1) + 1
        recs.append(of(name, number, first.index(name), flags=FLAG_THREAD, batch=other.get(name, "")))
    return encode(recs)


def keys(order: str) -> tuple[str, ...]:
    return tuple(f"k{name}" for name in sorted(set(order), key=order.index))


@pytest.mark.parametrize(("one", "other"), [("xyx", "xyy"), ("xyxy", "yyx"), ("xxx", "xxy"), ("xyz", "xyy")])
def test_runs_that_were_ended_while_threads_trained_are_compared_as_far_as_both_went(one: str, other: str) -> None:
    assert compare_cut_threads(turns(one), turns(other), keys(one), keys(other)) == (None, True)
    assert is_cut_in_threads(turns(one + other), keys(one + other))


def test_a_thread_that_trains_on_other_batches_differs_where_the_run_was_ended() -> None:
    found, is_told = compare_cut_threads(turns("xyx"), turns("yxy", x="other"), keys("xy"), keys("yx"))
    assert is_told
    assert found is not None
    assert (found.step, found.kind, found.counts) == (1, "batch", (3, 3))


def test_what_the_main_thread_steps_still_has_its_order() -> None:
    data = [encode([of("x", 0, 0, flags=FLAG_THREAD), of("y", 0, 1, flags=FLAG_THREAD), of(z, 0, 2)]) for z in "zw"]
    found, is_told = compare_cut_threads(*data, ("kx", "ky", "kz"), ("kx", "ky", "kz"))
    assert (found is not None, is_told) == (True, True)


@pytest.mark.parametrize(
    ("one", "other"), [("xy", "xz"), ("xx", "xxx"), ("xy", "zw")], ids=["other models", "one thread", "nothing alike"]
)
def test_what_cannot_be_told_is_not_called_equal(one: str, other: str) -> None:
    assert compare_cut_threads(turns(one), turns(other), keys(one), keys(other)) == (None, False)
