"""The experiment with filled memory: what glibc hands out again from its cache has to be filled too."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from reprocheck.diagnosis.attribution.outside import uncached

REUSED = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
one = libc.malloc(ctypes.c_size_t(1000))
ctypes.memset(one, 7, 1000)
libc.free(one)
two = libc.malloc(ctypes.c_size_t(1000))
print(sorted(set(ctypes.string_at(two + 64, 900))))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the tunable is glibc's")
def test_memory_that_is_used_again_is_filled() -> None:
    def contents(tunables: str) -> str:
        environment = {**os.environ, "MALLOC_PERTURB_": "190", "GLIBC_TUNABLES": tunables}
        return subprocess.run(
            [sys.executable, "-S", "-c", REUSED], env=environment, capture_output=True, text=True
        ).stdout

    assert contents(uncached("")) == "[65]\n"
    assert contents("") != "[65]\n"  # it needs the tunable


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "glibc.malloc.tcache_count=0"),
        ("glibc.malloc.arena_max=1", "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0"),
        ("glibc.malloc.tcache_count=9:a.b=1", "a.b=1:glibc.malloc.tcache_count=0"),
    ],
)
def test_tunables_of_the_user_stay(given: str, expected: str) -> None:
    assert uncached(given) == expected
