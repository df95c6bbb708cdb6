"""Templates that come from a server are as good as those that an audit starts itself."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from reprocheck.engine.template_server import template_server
from reprocheck.engine.templates import Template
from reprocheck.protocol import SERVER_VARIABLE
from tests.support.cli import Ran, environment, reprocheck

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="templates need Linux")

TARGET = """\
import os, sys
assert "torch" not in sys.modules
import torch
parent = open(f"/proc/{os.getppid()}/cmdline").read().split("\\0")
server = [name for name in os.environ if name.startswith("REPROCHECK_TEMPLATE")]
print(id(torch), hash("text"), os.getcwd(), os.environ.get("OF_A_TEST"), server, os.getsid(0) == os.getpid(), parent[2])
"""
WORDS = ("run", "--threads", "1", "--no-explain", "--compare", "stdout", "--ambient", "fixed", "target.py")


def audit(folder: Path, name: str, **variables: str) -> tuple[Ran, list[list[str]]]:
    """What the command answered, and the words that each run printed."""
    place = folder / name
    place.mkdir()
    (place / "target.py").write_text(TARGET)
    ran = reprocheck(*WORDS, cwd=place, env=environment(**variables))
    return ran, [path.read_text().split() for path in sorted(place.glob(".reprocheck/audits/*/*/stdout.txt"))]


def test_two_runs_of_one_audit_never_share_a_process_and_two_audits_do(tmp_path: Path) -> None:
    places = []
    with template_server() as own:
        for name in ("first", "second"):
            ran, printed = audit(tmp_path, name, OF_A_TEST=name, **{SERVER_VARIABLE: own})
            assert ran.code == 1, ran.out  # the addresses differ
            for _, seed, folder, variable, server, own_session, option in printed:
                assert (folder, variable, server) == (str(tmp_path / name), name, "[]")
                assert (own_session, option) == ("True", "--templates")
                assert seed == printed[0][1]
            places.append([arguments[0] for arguments in printed])
    assert len(set(places[0])) == 2
    assert places[0] == places[1]


@pytest.mark.slow
def test_without_a_server_that_answers_an_audit_starts_its_own(tmp_path: Path) -> None:
    ran, printed = audit(tmp_path, "own", **{SERVER_VARIABLE: str(tmp_path / "none")})
    assert ran.code == 1, ran.out
    assert {arguments[-1] for arguments in printed} == {"--template"}


@pytest.mark.slow
def test_a_process_that_inherits_something_else_gets_no_template(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        _, printed = audit(tmp_path, "umask")
    finally:
        os.umask(before)
    assert {arguments[-1] for arguments in printed} == {"--template"}


def test_a_process_that_died_is_replaced(tmp_path: Path) -> None:
    """Whoever asks after that gets a template of a new one."""

    def asked() -> Template:
        template = Template(environment(), tmp_path, server)
        until = time.monotonic() + 60
        while template.is_warming and time.monotonic() < until:
            time.sleep(0.02)
        assert template.is_ready
        return template

    with template_server() as server:
        templates = [asked()]
        imported = psutil.Process(templates[0]._pid).parent()
        imported.kill()
        while imported.is_running() and imported.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.02)
        templates += [asked(), asked()]
        assert [template._process is None for template in templates] == [True, True, True]
        for template in templates:
            template.close()
