"""Warm processes for all audits of a session: the command is imported once, and torch once for an environment."""

from __future__ import annotations

import compileall
import os
import sys
from contextlib import ExitStack

import pytest

import reprocheck
from reprocheck.engine.template_server import template_server
from reprocheck.protocol import SERVER_VARIABLE
from tests.support.warm_command import COMMAND_VARIABLE, command_server

_server = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the process that starts the workers of xdist; those inherit the variable."""
    os.environ["OMP_WAIT_POLICY"] = "passive"  # as in tests.support.cli: one environment, the same templates
    # What pytest compiles is kept, else every process of a session compiles it again; trainings leave nothing behind.
    sys.dont_write_bytecode = False
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(os.path.dirname(reprocheck.__file__), quiet=2)
    if sys.platform == "linux" and not hasattr(config, "workerinput"):
        config.stash[_server] = ExitStack()
        os.environ[SERVER_VARIABLE] = config.stash[_server].enter_context(template_server())
        os.environ[COMMAND_VARIABLE] = config.stash[_server].enter_context(command_server())


def pytest_unconfigure(config: pytest.Config) -> None:
    """End it."""
    if _server in config.stash:
        config.stash[_server].close()
        os.environ.pop(SERVER_VARIABLE, None)
        os.environ.pop(COMMAND_VARIABLE, None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a fixture of their module stay in one process of xdist, which makes it once. Long ones come
    first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        definitions = item._fixtureinfo.name2fixturedefs.values()
        if any(one.scope == "module" for found in definitions for one in found):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(autouse=True)
def _templates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("own_templates"):
        monkeypatch.delenv(SERVER_VARIABLE, raising=False)
        monkeypatch.delenv(COMMAND_VARIABLE, raising=False)
