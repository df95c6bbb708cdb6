"""Standard output of two runs: what differs, and whether only times do."""

from __future__ import annotations

import io

import pytest

from reprocheck.compare.printed import Printed, compare_printed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 1.23 s", "took 0.9 s"),
        ("epoch 1  loss 0.5  time 12.1", "epoch 1  loss 0.5  time 3e-05"),
        ("[2026-01-02 10:11:12,123] start", "[2026-01-03 10:11:13,001] start"),
        (" 10%|#  | 1/10 [00:01<00:09, 1.2it/s]", " 10%|#  | 1/10 [00:02<00:18, 2.05s/it]"),
        ("50%\\r100% done 3ms", "10%\\r20%\\r50%\\r100% done 14ms"),
        ("<object at 0x7f00aa11bb22>", "<object at 0x7f00aa11bc33>"),
        ("saved to /tmp/reprocheck-a1/s0r0/x.pt", "saved to /tmp/reprocheck-a1/s0r1/x.pt"),
        ("1,234 samples/s", "998 samples/s"),
    ],
)
def test_only_times_differ(one: str, other: str) -> None:
    found = compare(f"a\n{one}\nb\n", f"a\n{other}\nb\n")
    assert (found.line, found.only_times) == (2, True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("loss 0.5 in 3 s", "loss 0.4 in 3 s"),
        ("took 1 s", "took 2 s, acc 0.9"),
        ("\\r50% acc 0.900", "\\r50% acc 0.910"),
        ("accuracy 0.9", "accuracy 0.91"),
        ("runtime error 3x", "runtime error 4x"),
        ("2e5", "2e6"),
    ],
)
def test_more_than_times(one: str, other: str) -> None:
    found = compare(f"took 1 s\n{one}\n", f"took 2 s\n{other}\n")
    assert (found.line, found.only_times) == (1, False)


def test_a_line_more_is_more_than_a_time() -> None:
    assert compare("a\n", "a\nb\n").line == 2
    assert not compare("a 1 s\n", "a 2 s\nb\n").only_times


def test_the_same_and_nothing() -> None:
    assert (compare("a\n", "a\n").line, compare("a\n", "a\n").is_empty) == (0, False)
    assert compare("", "").is_empty


def compare(one: str, other: str) -> Printed:
    return compare_printed(*(io.BytesIO(text.replace("\\r", "\r").encode()) for text in (one, other)))
