"""The sketch of a run, as its writer and its readers agree on it: values of a training step by step, in little room.

`sketch.jsonl` holds the rows: what is sketched, each line before the first block that needs it. `sketch.bin` holds
blocks: `BLOCK`, the numbers of its rows (uint32), and for each of them `VALUES` doubles: the sum of squares, the
projections and the samples.

Projections and squares are of all elements of a tensor, or of `STRETCHES` stretches of `STRETCH` elements of a larger
one. Each projection is a sum of its own share of them with fixed random signs, so that the squares of differences of
projections sum up to about the square of the distance, be it spread over all elements or in one of them. Samples are
elements as they are; of a tensor that has no more than `SAMPLES` they are all, and there are no projections.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from struct import Struct

from xxhash import xxh3_64_intdigest, xxh3_128_digest

SKETCH_VERSION = 1
BLOCK = Struct("<II")
"""Step, and how many rows follow."""
PROJECTIONS = 64
SAMPLES = 32
VALUES = 1 + PROJECTIONS + SAMPLES
"""With 8 bytes each, of a parameter and its gradient: less than 2 KB."""
STRETCHES = 128
STRETCH = 128
MOST_ELEMENTS = STRETCHES * STRETCH
MOST_BYTES = 128 * 2**20
"""Of the blocks of a run."""
MOST_ROWS = 50_000
MOST_TABLE = 32 * 2**20
"""Bytes of the table."""

PARAMETERS, GRADIENTS, LOSS, RATE = "parameters", "gradients", "loss", "rate"
KINDS = (PARAMETERS, GRADIENTS, LOSS, RATE)
"""Of rows. Loss and learning rate are single numbers; a rate goes by the name of its optimizer."""


def looked_at(elements: int) -> int:
    """How many elements squares and projections are of."""
    return min(elements, MOST_ELEMENTS)


def start_of_stretches(name: str, shape: Sequence[int], elements: int) -> int:
    """Where in each of the equal parts of a large tensor its stretch begins."""
    return _number_of(f"{name} {list(shape)}") % (elements // STRETCHES - STRETCH + 1)


def places(name: str, shape: Sequence[int]) -> list[int]:
    """The sampled elements of a tensor, the same in every run: one from each of as many equal parts."""
    elements = math.prod(shape)
    if elements <= SAMPLES:
        return list(range(elements))
    edges = [part * elements // SAMPLES for part in range(SAMPLES + 1)]
    return [start + _number_of(f"{name} {list(shape)} {start}") % (stop - start) for start, stop in pairwise(edges)]


def _number_of(text: str) -> int:
    return xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def signs() -> list[float]:
    """The signs of projections, 1.0 or -1.0, for so many elements as are looked at."""
    bits = b"".join(xxh3_128_digest(b"sketch %d" % part) for part in range(MOST_ELEMENTS // 128))
    return [1.0 if byte >> bit & 1 else -1.0 for byte in bits for bit in range(8)]


def is_kept(number: int, dense: int) -> bool:
    """Whether the `number`-th step from the first one on is written down: all of the first `dense` ones, of as many
    again every other one, and so on, so that a file grows with the logarithm of the steps."""
    if number < dense:
        return True
    return number % (1 << (number // dense).bit_length()) == 0


def dense_steps(bytes_a_step: int) -> int:
    """How many steps are all written down, where one takes so many bytes: with those that follow them they fit."""
    return max(16, min(1024, MOST_BYTES // (10 * max(1, bytes_a_step))))
