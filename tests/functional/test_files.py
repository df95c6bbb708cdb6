"""`--compare files`: what a run leaves in its folder is compared, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import reprocheck

HEAD = """\
import ctypes, os, subprocess, sys
second = os.environ["REPROCHECK_RUN"].endswith("r1")
"""
WRITERS = {
    "a C library": """\
c = ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
f = c.fopen(b"model.bin", b"w")
c.fputs(b"2" if second else b"1", ctypes.c_void_p(f))
c.fclose(ctypes.c_void_p(f))
""",
    "a child": """\
subprocess.run([sys.executable, "-c", "import sys; open('model.bin', 'w').write(sys.argv[1])", str(second)])
""",
}


def run(tmp_path: Path, source: str, *options: str) -> tuple[int, str]:
    (tmp_path / "t.py").write_text(HEAD + source)
    ran = reprocheck("run", "t.py", "--compare", "files", "--no-explain", *options, cwd=tmp_path)
    return ran.code, ran.out


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_is_compared_whoever_wrote_it(tmp_path: Path, writer: str) -> None:
    code, out = run(tmp_path, WRITERS[writer])
    assert code == 1
    assert "model.bin differs" in out
