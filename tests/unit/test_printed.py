"""Standard output of two runs: what differs, and whether only times do."""

from __future__ import annotations

import io
import time

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
        ("SPS: 592", "SPS: 1691"),
        ("iter 0: loss 3.3, time 569.68ms, mfu -100.00%", "iter 0: loss 3.3, time 78.2ms, mfu 2.10%"),
        (
            "{'train_runtime': '1.022', 'train_samples_per_second': '31.32', 'train_loss': '3.9'}",
            "{'train_runtime': '0.5', 'train_samples_per_second': '62.5', 'train_loss': '3.9'}",
        ),
        (
            "Loss: 1.19  Time: 2.150s,    3.72/s  (2.150s,    3.72/s)  LR: 1e-5  Data: 1.1 (1.1)",
            "Loss: 1.19  Time: 2.513s,    3.18/s  (2.513s,    3.18/s)  LR: 1e-5  Data: 0.9 (0.9)",
        ),
        ("|    fps             | 1234     |", "|    fps             | 98       |"),
        ("| epoch 1 | lr 20.00 | ms/batch  5.21 | loss 2.1", "| epoch 1 | lr 20.00 | ms/batch 15.03 | loss 2.1"),
        ("Time  6.9 ( 6.9)\tData  0.62 ( 0.62)\tLoss 6.8", "Time  4.3 ( 4.9)\tData  0.7 ( 0.66)\tLoss 6.8"),
        ("Epoch: [0][1/3]\tTime  6.994 ( 6.994)\tLoss 6.8", "Epoch: [0][1/3]\tTime  4.3 ( 4.9)\tLoss 6.8"),
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
        ("| fps | 12 | reward | 3 |", "| fps | 9  | reward | 4 |"),
        ("lifetime: 3", "lifetime: 4"),
        ("per_second_loss: 3", "per_second_loss: 4"),
    ],
)
def test_more_than_times(one: str, other: str) -> None:
    found = compare(f"took 1 s\n{one}\n", f"took 2 s\n{other}\n")
    assert (found.line, found.only_times) == (1, False)


TABLE = "  epoch    train_loss    valid_acc     dur\n-------  ------------  -----------  ------\n"


@pytest.mark.parametrize(("loss", "only_times"), [("0.6613", True), ("0.6614", False)])
def test_a_column_of_times_is_known_by_its_head(loss: str, only_times: bool) -> None:
    one = TABLE + "      1        \x1b[36m0.6613\x1b[0m       \x1b[32m0.6154\x1b[0m  0.0061\n"
    other = TABLE + f"      1        \x1b[36m{loss}\x1b[0m       \x1b[32m0.6154\x1b[0m  0.0125\n"
    assert compare(one, other).only_times is only_times


def test_the_number_of_the_process_is_no_difference() -> None:
    one, other = "12:00:01,5 4242 INFO loss 0.5\n", "12:00:02,7 977 INFO loss 0.5\n"
    assert compare_printed(io.BytesIO(one.encode()), io.BytesIO(other.encode()), (4242, 977)).only_times
    one, other = "4242 loss 42420 0.4242\n", "977 loss 9770 0.977\n"
    assert not compare_printed(io.BytesIO(one.encode()), io.BytesIO(other.encode()), (4242, 977)).only_times


def test_a_line_more_is_more_than_a_time() -> None:
    assert compare("a\n", "a\nb\n").line == 2
    assert not compare("a 1 s\n", "a 2 s\nb\n").only_times


def test_the_same_and_nothing() -> None:
    assert (compare("a\n", "a\n").line, compare("a\n", "a\n").is_empty) == (0, False)
    assert compare("", "").is_empty


def compare(one: str, other: str) -> Printed:
    return compare_printed(*(io.BytesIO(text.replace("\\r", "\r").encode()) for text in (one, other)))


@pytest.mark.parametrize("text", ["time ", "a_", "'", "1 ", "time |", "time" + 99 * " ", "1:", "x/"])
def test_a_long_line_takes_no_time(text: str) -> None:
    line = text * (60_000 // len(text))
    begun = time.process_time()
    compare(f"{line}1\n", f"{line}2\n")
    assert time.process_time() - begun < 2
